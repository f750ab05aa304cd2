"""What is written of a summary: ``report.json``, ``report.md``, a line a sample and a line a document, two tables."""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from pipeline.decontaminate.data import Data
from pipeline.decontaminate.scan import Indexes, Question
from pipeline.decontaminate.summary import FoundDocument, Summary, subsets, token_table, word_table
from pipeline.decontaminate.tokens import LENGTHS
from pipeline.report.harmless import one_line
from pipeline.storage.filesystem import atomic_output, join, write_bytes
from pipeline.text import encodable

REPORT, PAGE, SAMPLES, DOCUMENTS = "report.json", "report.md", "samples.jsonl", "documents.tsv"
REMOVALS, DROPPED = "removals.tsv", "dropped.tsv"
NAMES = (REPORT, PAGE, SAMPLES, DOCUMENTS, REMOVALS, DROPPED)
COLUMNS = ("set", "line", "share", "samples", "short", "file", "row", "id", "url", "raw", "offset")
DECIMALS = 4
SHOWN = 20  # documents on the page

Tables = list[tuple[str, list[tuple[str, Mapping[str, Any]]]]]


def tables_of(summary: Summary, indexes: Indexes) -> Tables:
    """All tables with their titles: by words, and by ids for each length."""
    found: Tables = []
    if indexes.words is not None:
        found.append((f"words ({indexes.words.n}-grams)", list(word_table(summary, indexes))))
    if indexes.tokens is not None:
        found += [(f"tokens (L = {over})", list(token_table(summary, indexes, over))) for over in LENGTHS]
    return found


def terminal_table(title: str, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> Table:
    """One of the tables for the terminal."""
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold", pad_edge=False)
    table.add_column("set", no_wrap=True)
    for heading in rows[0][1]:
        table.add_column(heading, justify="right", no_wrap=True)
    for name, values in rows:
        table.add_row(Text(one_line(name)), *map(_figure, values.values()))
    return table


def tables_shown(summary: Summary, indexes: Indexes) -> Iterator[Table]:
    """The tables for the terminal: by words, and by ids in one, the lengths side by side."""
    tables = tables_of(summary, indexes)
    if indexes.words is not None:
        yield terminal_table(*tables.pop(0))
    if tables:
        rows: dict[str, dict[str, Any]] = {}
        for over, (_, some) in zip(LENGTHS, tables, strict=True):
            for name, values in some:
                row = rows.setdefault(name, {"samples": values["samples"], "too short": values["too short"]})
                row[f"L = {over}"] = f"{values['not clean']:,} / {values['dirty']:,}"
        yield terminal_table("tokens: not clean / dirty, for runs of more than L", list(rows.items()))


def _figure(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.2%}" if isinstance(value, float) else f"{value:,}"


def write_report(
    root: str, data: Data, question: Question, indexes: Indexes, summary: Summary, threshold: float
) -> tuple[int, int]:
    """Writes all that is said.

    Args:
        root: The folder.
        data: What was looked through.
        question: What was looked for.
        indexes: The samples.
        summary: What was found.
        threshold: The share of a sample from which a document is listed for removal.

    Returns:
        How many ids are listed, and how many documents have none that a list can hold.
    """
    over = [document for document in summary.found if document.share >= threshold]
    ids = [document.id for document in over if document.id and _is_listable(document.id)]
    listed = sorted(set(ids))
    tables = tables_of(summary, indexes)
    content = {
        "format": 1,
        "against": against_of(indexes),
        "options": {"ngram": question.n, "threshold": threshold, "words": question.words, "tokens": question.tokens},
        "looked_through": {**summary.counts, "token_shards": data.shards is not None},
        "without_token_file": data.without_tokens if question.tokens else None,
        "table_bytes": indexes.nbytes,
        "tables": {title: dict(rows) for title, rows in tables},
        "documents": {"found": len(summary.found), "over_threshold": len(over), "listed": len(listed)},
    }
    write_bytes(join(root, REPORT), json.dumps(content, indent=1).encode() + b"\n")
    _write_lines(join(root, SAMPLES), _sample_lines(indexes, summary))
    _write_lines(join(root, DOCUMENTS), _document_lines(indexes, summary.found))
    write_bytes(join(root, REMOVALS), removals(listed))
    write_bytes(join(root, PAGE), _page(indexes, summary, tables, threshold, len(over)).encode("utf-8", "replace"))
    return len(listed), len(over) - len(ids)


def _is_listable(name: str) -> bool:
    """Whether a line of a list of removals can say an id."""
    return name == name.strip() and not set(name) & set("\t\r\n") and encodable(name) == name


def removals(ids: Iterable[str]) -> bytes:
    """A list of removals, by ids of documents."""
    head = "# python -m pipeline.decontaminate: documents that hold evaluation samples\n"
    return (head + "".join(f"id\t{name}\n" for name in ids)).encode("utf-8", "replace")


def against_of(indexes: Indexes) -> list[dict[str, Any]]:
    """The evaluation sets: name, file, checksum, fields, and how many samples."""
    counts = [0] * len(indexes.samples.sets)
    for sample in indexes.samples.samples:
        counts[sample.number] += 1
    return [
        {"set": one.name, "file": one.path, "sha256": one.sha256, "fields": list(one.fields), "samples": count}
        for one, count in zip(indexes.samples.sets, counts, strict=True)
    ]


def _write_lines(path: str, lines: Iterable[str]) -> None:
    with atomic_output(path) as output:
        for line in lines:
            output.write(f"{line}\n".encode("utf-8", "replace"))


def _sample_lines(indexes: Indexes, summary: Summary) -> Iterator[str]:
    common = indexes.tokens.common.tolist() if indexes.tokens is not None else []
    for number, sample in enumerate(indexes.samples.samples):
        line: dict[str, Any] = {"set": indexes.samples.sets[sample.number].name, "line": sample.line}
        if indexes.words is not None and summary.word_share is not None:
            share = float(summary.word_share[number])
            line |= {"words": int(indexes.words.sizes[number]), "word_share": round(share, DECIMALS)}
            line["word_subsets"] = subsets(share)
        if indexes.tokens is not None:
            shares = {str(over): float(summary.token_share[over][number]) for over in LENGTHS}
            line |= {"tokens": int(indexes.tokens.sizes[number]), "common": common[number]}
            line["token_shares"] = {over: round(share, DECIMALS) for over, share in shares.items()}
            line["token_subsets"] = {over: subsets(share) for over, share in shares.items()}
        line["documents"] = int(summary.documents[number])
        if summary.best[number] >= 0:
            best = summary.found[summary.best[number]]
            line["most_in"] = {"id": best.id, "url": best.url, "file": best.path, "row": best.row}
        yield json.dumps(line)


def _document_lines(indexes: Indexes, found: Sequence[FoundDocument]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter="\t", lineterminator="")
    for row in (COLUMNS, *(_document_row(indexes, document) for document in found)):
        writer.writerow(row)
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()


def _document_row(indexes: Indexes, found: FoundDocument) -> tuple[str, ...]:
    name = line = ""
    if found.sample >= 0:
        sample = indexes.samples.samples[found.sample]
        name, line = indexes.samples.sets[sample.number].name, str(sample.line)
    values = (found.path, found.row, found.id, found.url, found.raw, found.offset)
    shown = ("" if value is None else one_line(str(value)) for value in values)
    return (one_line(name), line, f"{found.share:.{DECIMALS}f}", str(found.samples), str(found.short), *shown)


def _page(indexes: Indexes, summary: Summary, tables: Tables, threshold: float, over: int) -> str:
    """The page, in Markdown; nothing of strangers in it is markup."""
    counts = summary.counts
    lines = [
        "# Evaluation samples in training data",
        "",
        f"Looked through: {counts['files']:,} files, {counts['documents']:,} documents, {counts['text_bytes']:,} bytes "
        f"of text, {counts['tokens']:,} tokens. Documents with anything of the samples: {len(summary.found):,}; with "
        f"{threshold:.0%} of one or more: {over:,}.",
    ]
    for title, rows in tables:
        head = ["set", *rows[0][1]]
        lines += ["", f"## By {title}", "", _row(head), _row(["---", *["---:"] * (len(head) - 1)])]
        lines += [_row([_escaped(name), *map(_figure, values.values())]) for name, values in rows]
    if summary.found:
        most = sorted(summary.found, key=lambda document: -document.share)[:SHOWN]
        lines += ["", "## Documents that have most", "", _row(COLUMNS), _row(["---"] * len(COLUMNS))]
        lines += [_row(map(_escaped, _document_row(indexes, document))) for document in most]
    lines += ["", f"`{SAMPLES}` has a line for each sample, `{DOCUMENTS}` one for each document."]
    return "\n".join(lines) + "\n"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    """A text of strangers in a cell of a table: no markup of HTML or Markdown, and no link."""
    plain = html.escape(one_line(text))
    return "".join(f"&#{ord(c)};" if c in "|\\`*_[]()!~:#@" else c for c in plain)
