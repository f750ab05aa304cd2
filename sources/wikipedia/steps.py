"""The steps of the Wikipedia source: wikitext to text, and the minimal length."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from filters.wikitext import (
    Definitions,
    Limits,
    TemplateUses,
    WikitextTooComplex,
    reference_urls,
    to_text,
)
from pipeline.corpus.document import Document
from sources.wikipedia.definitions import read_definitions
from sources.wikipedia.head import DumpHead
from sources.wikipedia.recipe import TemplatesRecipe

# Counters: uses of templates inside prose, those of them without a rule, and what went with these. The first two are
# also there for each language, as ``prose_templates_de``.
USES = "prose_templates"
WITHOUT_RULE = "prose_templates_without_rule"
CHARACTERS_LOST = "prose_template_characters_lost"
NUMBERS_LOST = "prose_template_numbers_lost"


class CleanWikitext:
    """Turns wikitext into text, and notes the URLs that the page cites.

    A page that asks for more than the limits is dropped; work is counted in characters, not seconds, so the same pages
    go on any machine.

    Attributes:
        counters: How many templates stood inside prose, and how many of them no table knows.
    """

    name = "text"

    def __init__(self, heads: Mapping[str, DumpHead], limits: Limits, templates: TemplatesRecipe) -> None:
        self.counters: Counter[str] = Counter()
        self._heads = heads
        self._limits = limits
        self._folder = templates.definitions
        self._options = templates.options
        self._definitions: dict[str, Definitions] = {}

    def load(self) -> None:
        """Nothing to load: tables and definitions of an edition are read with its first page."""

    def apply(self, documents: Sequence[Document]) -> list[str | None]:
        """Cleans a batch; a page that is dropped keeps its wikitext, to be looked at."""
        uses: dict[str, TemplateUses] = {}
        reasons = [
            self._one(document, uses.setdefault(str(document.language), TemplateUses())) for document in documents
        ]
        for language, found in uses.items():
            self.counters.update(count_uses(found, language))
        return reasons

    def _one(self, document: Document, uses: TemplateUses) -> str | None:
        wikitext = document.text
        site = self._heads[document.file].site
        try:
            text = to_text(
                wikitext,
                site,
                self._limits,
                options=self._options,
                title=str(document.meta.get("title", "")),
                uses=uses,
                definitions=self._defined(str(document.language)),
            ).strip()
        except WikitextTooComplex:
            return "too_long" if len(wikitext) > self._limits.max_characters else "too_complex"
        if not text:
            return "empty"
        document.meta["references"] = reference_urls(wikitext)
        document.text = text
        return None

    def _defined(self, language: str) -> Definitions | None:
        """The definitions of a language's templates; None where the recipe names none."""
        if self._folder is None:
            return None
        if language not in self._definitions:
            self._definitions[language] = read_definitions(self._folder, language)
        return self._definitions[language]


def count_uses(uses: TemplateUses, language: str) -> dict[str, int]:
    """The counters of some pages of one language; those that would be nothing are left out."""
    lost = uses.without_rule.values()
    without = sum(found.uses for found in lost)
    count = without + sum(uses.with_rule.values())
    counters = {
        USES: count,
        WITHOUT_RULE: without,
        CHARACTERS_LOST: sum(found.characters for found in lost),
        NUMBERS_LOST: sum(found.numbers for found in lost),
        f"{USES}_{language}": count,
        f"{WITHOUT_RULE}_{language}": without,
    }
    return {name: number for name, number in counters.items() if number}


def uses_in_words(counters: Mapping[str, int]) -> str:
    """Says what share of the templates inside prose no table knows; empty where there were none."""
    count, without = counters.get(USES, 0), counters.get(WITHOUT_RULE, 0)
    if not count:
        return ""
    lost = (
        f"{counters.get(CHARACTERS_LOST, 0):,} characters and {counters.get(NUMBERS_LOST, 0):,} numbers went with them"
    )
    return (
        f"template uses inside prose without a rule: {without:,} of {count:,} ({without / count:.2%}); {lost}. "
        "python -m sources.wikipedia.templates DUMP names them"
    )
