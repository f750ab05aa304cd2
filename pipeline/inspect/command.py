"""The command that looks into a corpus."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from rich.console import Console

from pipeline.command_line import command_parser, errors_told, exit_with, on_errors, parse
from pipeline.errors import InputError
from pipeline.inspect.conditions import Condition, NoSuchField, parse_condition
from pipeline.inspect.raw import Before, read_before
from pipeline.inspect.search import Found, Query, Say, search
from pipeline.inspect.show import as_json, output, show
from pipeline.report.corpus import SourceCorpus, find
from pipeline.report.harmless import one_line
from pipeline.storage.filesystem import require
from pipeline.terminal import make_light

CHARACTERS = 1500  # shown of a text
BOTH_CHARACTERS = 100_000  # and of both its forms, side by side
TOGETHER = 32  # documents whose raw records are read at a time

DESCRIPTION = """\
Shows documents of a corpus, kept and dropped, with what is known of them; with --before-after beside the raw record
that they were made of, what was removed marked."""

EPILOG = """\
examples:
  python -m pipeline.inspect corpus/commoncrawl --dropped-by perplexity --n 20
  python -m pipeline.inspect corpus/commoncrawl --kept --where 'perplexity>380' --language en
  python -m pipeline.inspect corpus/ --url harbour --grep '(?i)lighthouse' --json | jq .meta.title
  python -m pipeline.inspect corpus/wikipedia --id enwiki-1060-11660 --before-after

Fields of --where are the columns (url, language, license, created, ...), the source's own fields, and characters. What
is shown comes from files all over the corpus, and is the same every time. On a terminal it goes through $PAGER."""


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = command_parser("pipeline.inspect", DESCRIPTION, EPILOG)
    add = result.add_argument
    add("folders", nargs="+", metavar="DIR", help="a corpus, or one of its sources")
    add("--kept", action="store_true", help="kept documents only")
    add("--dropped", action="store_true", help="rejects only")
    add("--dropped-by", "--step", metavar="STEP", help="rejects of this step")
    add("--reason", metavar="REASON", help="rejects for this reason")
    add("--source", metavar="NAME", help="of a corpus of several sources: this one")
    add("--subset", metavar="NAME", help="kept documents of this subset")
    add("--language", metavar="CODE", help="documents in this language")
    add("--url", metavar="TEXT", help="documents whose URL holds this")
    add("--id", metavar="ID", help="the document with this id")
    add(
        "--where", metavar="EXPR", action="append", default=[], help="a condition, such as 'perplexity>300'; repeatable"
    )
    add("--grep", metavar="PATTERN", help="documents whose text holds this regular expression (RE2)")
    add("--n", "-n", type=int, default=10, metavar="N", help="how many; 0 for all (default: 10)")
    add(
        "--characters",
        type=int,
        metavar="N",
        help=f"of a text; 0: all (default: {CHARACTERS}; {BOTH_CHARACTERS} of before and after)",
    )
    add("--before-after", action="store_true", help="the raw record beside the document, changes marked")
    add("--raw", metavar="DIR", help="with --before-after: where the raw files lie now")
    add("--cache", metavar="DIR", type=Path, help="with --before-after: where fetched files are kept")
    add("--json", action="store_true", help="one JSON object a line, whole texts")
    add("--color", choices=("auto", "always", "never"), default="auto", help="default: on a terminal")
    add("--no-pager", action="store_true", help="write to the terminal without a pager")
    return result


def query_of(args: argparse.Namespace) -> Query:
    """What the flags ask for.

    Raises:
        InputError: Flags contradict each other, or are no numbers or conditions.
    """
    ends = args.dropped_by or args.reason
    if args.kept and (args.dropped or ends):
        raise InputError("--kept looks at documents, --dropped, --dropped-by and --reason at rejects: leave one out")
    if args.subset and (args.dropped or ends):
        raise InputError("--subset is of kept documents: rejects have none")
    for name, value in (("--n", args.n), ("--characters", args.characters)):
        if value is not None and value < 0:
            raise InputError(f"{name} must not be negative, it is {value}")
    plain = [("id", "=", args.id), ("language", "=", args.language), ("url", "~", args.url)]
    conditions = [Condition(name, operator, value) for name, operator, value in plain if value is not None]
    conditions += [parse_condition(expression) for expression in args.where]
    return Query(
        kept=not args.dropped and not ends,
        dropped=not args.kept and not args.subset,
        step=args.dropped_by,
        reason=args.reason,
        subset=args.subset,
        conditions=tuple(conditions),
        grep=args.grep,
        limit=1 if args.id else args.n,
    )


def chosen_sources(sources: Sequence[SourceCorpus], query: Query, name: str | None) -> list[SourceCorpus]:
    """The sources that can hold what is looked for.

    Raises:
        InputError: None has that name, step, reason or subset; those that there are are named.
    """
    if not sources:
        raise InputError("there is no corpus in that folder, only token shards: give the folder of the corpus")
    if name is not None:
        _known("--source", name, [corpus.name for corpus in sources])
    chosen = [corpus for corpus in sources if name in (None, corpus.name)]
    ends = [(step, reason) for corpus in chosen for step, _, reason, _ in corpus.ends()]
    if query.step:
        _known("--dropped-by", query.step, [step for corpus in chosen for step in corpus.ledger.steps])
    if query.reason:
        _known("--reason", query.reason, [reason for step, reason in ends if query.step in (None, step)])
    if query.subset:
        _known("--subset", query.subset, [subset for corpus in chosen for subset in corpus.ledger.kept])
    return chosen


def _known(flag: str, value: str, known: Sequence[str]) -> None:
    if value in known:
        return
    close = difflib.get_close_matches(value, known, 1)
    hint = f" Did you mean {close[0]}?" if close else ""
    listed = ", ".join(dict.fromkeys(known)) or "none"
    raise InputError(f"{flag} {value!r}: there is no such one.{hint} There are: {one_line(listed)}")


def found_documents(sources: Sequence[SourceCorpus], query: Query, say: Say) -> Iterator[Found]:
    """The documents of all sources that match, no more than are wanted.

    Raises:
        NoSuchField: No source has a field that a condition names; a source that lacks it is passed over.
    """
    left = query.limit
    lacking: NoSuchField | None = None
    searched = 0
    for corpus in sources:
        try:
            for found in search(corpus, replace(query, limit=left), say):
                yield found
                left -= 1
            searched += 1
        except NoSuchField as error:
            lacking = error.beside(lacking)
        if query.limit and left <= 0:
            return
    if lacking and not searched:
        raise lacking


def with_before(found: Iterator[Found], args: argparse.Namespace) -> Iterator[tuple[Found, Before | None]]:
    """Adds the raw records, where they are asked for: some documents at a time, so that a raw file is read once."""
    if not args.before_after:
        for one in found:
            yield one, None
        return
    while batch := list(islice(found, TOGETHER)):
        yield from zip(batch, read_before(batch, args.raw, args.cache), strict=True)


def run(args: argparse.Namespace, console: Console) -> int:
    """Finds and shows; returns how many documents were shown."""
    for path in args.folders:
        require(path)
    query = query_of(args)
    sources = chosen_sources(find(args.folders).sources, query, args.source)
    default = BOTH_CHARACTERS if args.before_after else CHARACTERS
    characters = args.characters if args.characters is not None else default
    count = 0
    with console.status("searching") as status:
        documents = with_before(found_documents(sources, query, status.update), args)
        first = next(documents, None)  # errors come before the pager does
    if first is None:
        return 0
    with output(args.color, not args.no_pager and not args.json) as out:
        for one, before in _again(first, documents):
            count += 1
            if args.json:
                out.file.write(f"{as_json(one, before)}\n")
            else:
                show(out, one, characters, before)
    return count


def _again(
    first: tuple[Found, Before | None], rest: Iterator[tuple[Found, Before | None]]
) -> Iterator[tuple[Found, Before | None]]:
    yield first
    yield from rest


def main(arguments: Sequence[str] | None = None) -> None:
    """The command; its status is 1 where nothing was found, as grep's."""
    commands = parser()
    args, _ = parse(commands, arguments)
    make_light()
    with errors_told(status=2):
        count = run(args, on_errors())
    if not count:
        on_errors().print("nothing found", markup=False)
    exit_with(0 if count else 1)
