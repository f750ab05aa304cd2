"""Which templates matter, and which of them no table knows: ``python -m sources.wikipedia.templates DUMP ...``.

Counted are the uses inside the prose of articles (see ``filters.wikitext.usage``); of templates without a rule also the
characters and the numbers of their arguments, which go with them. One process reads the dumps one after the other, at
the speed of one core; ``--pages`` takes the first so many articles of each.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from filters.wikitext import TemplateUses, WikitextTooComplex, to_text
from filters.wikitext.usage import NameUses
from pipeline.command_line import errors_told
from pipeline.errors import InputError
from pipeline.storage.filesystem import InputFile, open_input
from pipeline.storage.listing import match
from sources.wikipedia.compressed import xml_pieces
from sources.wikipedia.definitions import TEMPLATES, Collected, check_definitions, claim_definitions, write_definitions
from sources.wikipedia.head import ARTICLES, DumpHead
from sources.wikipedia.pages import Fault, MalformedPage, Page, parse_page, split_pages
from sources.wikipedia.plan import dumps_of, read_head
from sources.wikipedia.recipe import unknown_language
from sources.wikipedia.steps import count_uses, uses_in_words
from sources.wikipedia.templates import MOST

_PAGE_BYTES = 16 << 20


def read_pages(file: InputFile, head: DumpHead, most: int | None = None) -> Iterator[Page]:
    """The articles of a dump, ``most`` at most, and its templates; no redirects of articles, nor faulty pages."""
    with open_input(file.path) as handle:
        for raw in split_pages(xml_pieces(handle), _PAGE_BYTES):
            if most is not None and most <= 0:
                return
            try:
                page = None if isinstance(raw, Fault) else parse_page(raw.data, head.namespace_of)
            except MalformedPage:
                continue
            if page is None:
                continue
            if page.namespace == TEMPLATES:
                yield page
            elif page.namespace == ARTICLES and page.redirect is None:
                most = None if most is None else most - 1
                yield page


@dataclass
class Measured:
    """What was found in the dumps of one language."""

    uses: TemplateUses = field(default_factory=TemplateUses)
    templates: Collected = field(default_factory=Collected)


def measure(files: Sequence[InputFile], language: str | None = None, most: int | None = None) -> dict[str, Measured]:
    """Counts the uses of templates inside prose, by language, and collects the definitions.

    Args:
        files: The dumps.
        language: Their language; where None, each dump's name or header says it.
        most: How many articles of each are read; where None, all.

    Raises:
        InputError: A dump cannot be read, or nothing tells its language.
    """
    found: dict[str, Measured] = {}
    for file in files:
        head = read_head(file, language, None)
        if head.language is None:
            raise InputError(f"neither the name of {file.path} nor its header tells the language: give --lang")
        measured = found.setdefault(head.language, Measured())
        try:
            for page in read_pages(file, head, most):
                if page.namespace == TEMPLATES:
                    measured.templates.add(page.title, page.text)
                    continue
                try:
                    to_text(page.text, head.site, title=page.title, uses=measured.uses)
                except WikitextTooComplex:
                    continue
        except OSError as error:
            raise InputError(f"{file.path} cannot be read: {error}") from error
    return found


def report(uses: TemplateUses, language: str, most: int = MOST) -> str:
    """The table of one language, in Markdown: its templates without a rule, the most used first."""
    counters = count_uses(uses, language)
    lines = [f"## {language}", "", uses_in_words(counters).partition(". python")[0] or "no template inside prose", ""]
    rows = by_name(uses.without_rule)
    if rows:
        lines += ["| template | uses | characters | numbers |", "| --- | ---: | ---: | ---: |"]
    lines += [f"| `{name}` | {row.uses:,} | {row.characters:,} | {row.numbers:,} |" for name, row in rows[:most]]
    if len(rows) > most:
        lines += [f"| {len(rows) - most:,} others | {sum(row.uses for _, row in rows[most:]):,} | | |"]
    return "\n".join([*lines, ""])


def by_name(names: Mapping[str, NameUses]) -> list[tuple[str, NameUses]]:
    """The templates, those that differ only in their first letter's case as one, the most used first."""
    merged: dict[str, NameUses] = {}
    for name in sorted(names):
        shown = " ".join(name.replace("_", " ").replace("`", "'").split())
        merged.setdefault(shown[:1].upper() + shown[1:], NameUses()).add(names[name])
    return sorted(merged.items(), key=lambda row: (-row[1].uses, row[0]))


def run(args: argparse.Namespace) -> None:
    """Prints a table for each language."""
    with errors_told():
        if args.lang is not None and (fault := unknown_language(args.lang)):
            raise InputError(f"--lang: {fault}")
        if args.definitions:
            check_definitions(args.definitions)
        found = measure(dumps_of(match(args.dumps)), args.lang, args.pages)
        if args.definitions:
            claim_definitions(args.definitions, found)
    for language, measured in sorted(found.items()):
        sys.stdout.write(report(measured.uses, language, args.most) + "\n")
        if args.definitions:
            used = list(measured.templates.used(measured.uses.without_rule))
            path = write_definitions(args.definitions, language, used)
            sys.stdout.write(f"{len(used):,} definitions in {path}\n\n")
