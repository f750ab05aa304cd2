"""What is held out: documents that the baseline keeps, chosen by a hash of their ids, before any arm is made.

A list of removals keeps them out of every arm's sources by their ids and addresses, as records are read and before any
filter, and by the checksums of their texts, whatever document has them. A copy at another address that an arm cleans
otherwise stays in; so each arm's corpus is searched for runs of their words, and a document of which too much is found
in any arm is judged for none.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.ablate.recipe import HeldoutRecipe
from pipeline.corpus.shard import read_json
from pipeline.errors import InputError, OutputError
from pipeline.mix.corpus import CorpusFile, corpus_files
from pipeline.mix.recipe import MixRecipe
from pipeline.removals.kinds import KINDS
from pipeline.removals.lists import read_list
from pipeline.removals.matching import NONE, Removals, load_removals
from pipeline.storage.filesystem import atomic_output, join, open_input, write_bytes
from pipeline.text import encodable

FEWEST = 2  # documents of a source: of one nothing tells how much documents differ
BATCH_ROWS = 4096
SCHEMA = pa.schema(
    [(name, pa.large_string()) for name in ("id", "text", "source", "url")] + [("whole_bytes", pa.int64())]
)


@dataclass(frozen=True)
class Candidate:
    """A document that may be held out: its hash, by which they are chosen, and where it lies."""

    order: int
    id: str
    path: str
    row: int


def choose(corpus: str, mixture: MixRecipe, sources: Sequence[str], recipe: HeldoutRecipe) -> list[dict[str, Any]]:
    """Chooses the documents of each source, and reads them.

    Args:
        corpus: A corpus in which nothing is held out.
        mixture: Which says what of the corpus is read.
        sources: The sources.
        recipe: How many.

    Returns:
        Rows of ``SCHEMA``, and the SHA-256 of each whole text; sources in their order, documents in that of hashes.

    Raises:
        InputError: No source has enough documents.
    """
    listed = corpus_files(corpus, mixture)
    rows: list[dict[str, Any]] = []
    for name in sources:
        chosen = _chosen(corpus, name, listed.get(name, []), recipe)
        if len(chosen) >= FEWEST:
            rows += chosen
    if not rows:
        raise InputError(
            f"no source has {FEWEST} documents to hold out: {recipe.share:.0%} of each is asked for (heldout.share)"
        )
    return rows


def _chosen(corpus: str, name: str, files: Sequence[CorpusFile], recipe: HeldoutRecipe) -> list[dict[str, Any]]:
    """The documents of one source: those of the lowest hashes, of equal texts the first."""
    counted = 0
    best: list[tuple[int, str, str, int]] = []  # the largest order first
    for file in files:
        for candidate in _candidates(corpus, name, file, recipe.seed):
            counted += 1
            entry = (-candidate.order, candidate.id, candidate.path, candidate.row)
            if len(best) < recipe.documents:
                heapq.heappush(best, entry)
            elif entry > best[0]:
                heapq.heapreplace(best, entry)
    wanted = sorted(best, reverse=True)[: min(recipe.documents, max(FEWEST, int(recipe.share * counted)))]
    if len(wanted) > counted // 2:  # so few that too little would be left
        return []
    texts: dict[str, dict[str, Any]] = {}
    for row in _read(corpus, name, wanted, recipe.document_bytes):
        texts.setdefault(row["sha256"], row)
    return list(texts.values())


def _candidates(corpus: str, name: str, file: CorpusFile, seed: int) -> Iterator[Candidate]:
    with open_input(join(corpus, *file.path.split("/"))) as handle:
        at = 0
        for batch in pq.ParquetFile(handle).iter_batches(BATCH_ROWS, columns=["id"]):
            for row, identifier in enumerate(batch.column("id").to_pylist(), at):
                if identifier and _fits_a_line(identifier):
                    digest = hashlib.sha256(encodable(f"{seed}\0heldout\0{name}\0{identifier}").encode()).digest()
                    yield Candidate(int.from_bytes(digest[:8], "big"), identifier, file.path, row)
            at += batch.num_rows


def _fits_a_line(identifier: str) -> bool:
    """Whether an id can stand in a list of removals."""
    return identifier == identifier.strip() and len(identifier.split()) > 0 and not set("\t\r\n") & set(identifier)


def _read(
    corpus: str, name: str, wanted: Sequence[tuple[int, str, str, int]], most_bytes: int
) -> Iterator[dict[str, Any]]:
    """The documents at some places, in their order."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for path in sorted({path for _, _, path, _ in wanted}):
        rows = {row for _, _, other, row in wanted if other == path}
        with open_input(join(corpus, *path.split("/"))) as handle:
            file, at = pq.ParquetFile(handle), 0
            columns = [column for column in ("id", "text", "url") if column in file.schema_arrow.names]
            for batch in file.iter_batches(BATCH_ROWS // 8, columns=columns):
                here = sorted(row for row in rows if at <= row < at + batch.num_rows)
                for row, values in zip(here, batch.take(pa.array([r - at for r in here])).to_pylist(), strict=True):
                    found[path, row] = values
                at += batch.num_rows
    for _, identifier, path, row in wanted:
        values = found[path, row]
        data = encodable(values["text"] or "").encode()
        if data.strip():
            yield {
                "id": identifier,
                "text": data[:most_bytes].decode("utf-8", "ignore"),
                "source": name,
                "url": values.get("url"),
                "whole_bytes": len(data),
                "sha256": hashlib.sha256(data).hexdigest(),
            }


def write_heldout(folder: Path, rows: Sequence[Mapping[str, Any]], lists: Sequence[str] = ()) -> None:
    """Writes the documents, the list that keeps them out, and their texts as a set that corpora are searched for.

    Args:
        folder: Where they go.
        rows: The documents, as ``choose`` gives them.
        lists: Lists of removals whose lines join the list: a source takes one.
    """
    table = pa.Table.from_pylist([{name: row[name] for name in SCHEMA.names} for row in rows], SCHEMA)
    with atomic_output(str(folder / "documents.parquet")) as handle:
        pq.write_table(table, handle, compression="zstd")
    others = [f"{one.kind}\t{one.value}" for path in lists for one in read_list(path).removals]
    lines = [*_lines(rows), *others]
    write_bytes(str(folder / "optout.tsv"), "".join(f"{line}\n" for line in lines).encode())
    samples = "".join(f"{json.dumps({'id': str(n), 'text': row['text']})}\n" for n, row in enumerate(rows))
    write_bytes(str(folder / "texts.jsonl"), samples.encode())


def _lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The lines of the list: ids, addresses, and checksums of texts."""
    yield "# Held out of every arm: python -m pipeline.ablate"
    for row in rows:
        yield f"id\t{encodable(row['id'])}"
        if row["url"] and _fits_a_line(row["url"]) and _is_address(row["url"]):
            yield f"url\t{encodable(row['url'])}"
        yield f"sha256\t{row['sha256']}"


def _is_address(url: str) -> bool:
    try:
        KINDS["url"].normal(url)
    except ValueError:
        return False
    return True


def read_heldout(path: Path) -> list[dict[str, Any]]:
    """The held-out documents.

    Raises:
        OutputError: The file is damaged.
    """
    try:
        rows: list[dict[str, Any]] = pq.read_table(path, schema=SCHEMA).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise OutputError(
            f"{path}, which all arms were judged on, cannot be read ({error}). Choose another --output."
        ) from error
    return rows


def check_absent(corpus: str, sources: Sequence[str], mixture: MixRecipe, optout: Path) -> None:
    """Proves by ids and addresses that no held-out document is in a corpus.

    Raises:
        InputError: One is.
    """
    removals = load_removals(str(optout))
    listed = corpus_files(corpus, mixture)
    for name in sources:
        for file in listed.get(name, []):
            if (found := _first_listed(join(corpus, *file.path.split("/")), removals)) is not None:
                raise InputError(
                    f"{corpus}/{file.path} has the held-out document {found}, though the source was given a list of "
                    "what to leave out: its arm cannot be judged"
                )


def _first_listed(path: str, removals: Removals) -> str | None:
    with open_input(path) as handle:
        file = pq.ParquetFile(handle)
        columns = [name for name in ("id", "url") if name in file.schema_arrow.names]
        for batch in file.iter_batches(BATCH_ROWS, columns=columns):
            places = removals.of_rows(batch)
            if (places != NONE).any():
                return str(batch.column("id")[int((places != NONE).argmax())])
    return None


def overlaps(report: Path, documents: int) -> list[float]:
    """The share of each held-out document's words that a corpus has, in runs of 13 or more.

    Args:
        report: The folder of a report of ``pipeline.decontaminate`` against ``texts.jsonl``.
        documents: How many there are; of what is too short to be compared it is 0.
    """
    found = [0.0] * documents
    for line in (report / "samples.jsonl").read_text(encoding="utf-8").splitlines():
        sample = json.loads(line)
        found[sample["line"] - 1] = float(sample.get("word_share") or 0.0)
    return found


def too_few(wanted: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The sources of which nothing could be held out."""
    there = {row["source"] for row in rows}
    return [name for name in wanted if name not in there]


def counts(path: Path) -> dict[str, Any]:
    """What ``pipeline.mix --dry-run --json`` counted."""
    return read_json(str(path))
