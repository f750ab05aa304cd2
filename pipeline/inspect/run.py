"""What the command that looks into a corpus does."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import NoReturn

from rich.console import Console

from pipeline.command_line import errors_told, exit_with, on_errors
from pipeline.errors import InputError
from pipeline.inspect.command import BOTH_CHARACTERS, CHARACTERS
from pipeline.inspect.conditions import Condition, NoSuchField, parse_condition
from pipeline.inspect.raw import Before, read_before
from pipeline.inspect.search import Found, Query, Say, search
from pipeline.inspect.show import as_json, output, show
from pipeline.report.corpus import SourceCorpus, find
from pipeline.report.harmless import one_line
from pipeline.storage.filesystem import require
from pipeline.terminal import make_light

TOGETHER = 32  # documents whose raw records are read at a time


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


def show_found(args: argparse.Namespace, console: Console) -> int:
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


def run(args: argparse.Namespace) -> NoReturn:
    """Finds, shows, and ends the process: with 1 where nothing was found."""
    make_light()
    with errors_told(status=2):
        count = show_found(args, on_errors())
    if not count:
        on_errors().print("nothing found", markup=False)
    exit_with(0 if count else 1)
