"""The recipe of the Wikipedia source: every threshold and choice."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from filters.wikitext import DEFAULT_LIMITS, Limits, Options
from filters.wikitext.languages import WIKIPEDIAS
from pipeline.corpus.sink import RejectPolicy
from pipeline.recipe import at_least

_NEAR_CODES = 3
_LEAST_LIKENESS = 0.5  # of a code and what was typed (difflib's ratio): one of two letters
_NAMED_LETTERS = 3  # of a language's English name, which tell it: ger, German
# The paper's twenty languages (section 2.1) by their names, for who types those.
# fmt: off
_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "bulgarian": "bg", "catalan": "ca", "czech": "cs", "danish": "da", "german": "de", "english": "en",
        "spanish": "es", "french": "fr", "croatian": "hr", "hungarian": "hu", "italian": "it", "dutch": "nl",
        "polish": "pl", "portuguese": "pt", "romanian": "ro", "russian": "ru", "slovenian": "sl", "serbian": "sr",
        "swedish": "sv", "ukrainian": "uk",
    }
)
# fmt: on


def unknown_language(code: str) -> str | None:
    """What is wrong with the code of a language; None where a Wikipedia has it."""
    if code in WIKIPEDIAS:
        return None
    typed = code.lower()
    named = [_NAMES[name] for name in _NAMES if name[:_NAMED_LETTERS] == typed[:_NAMED_LETTERS]]
    parts = [part for part in (typed.replace("_", "-"), *re.split(r"[-_.]", typed)) if part in WIKIPEDIAS]
    alike = difflib.get_close_matches(typed, sorted(WIKIPEDIAS), _NEAR_CODES, _LEAST_LIKENESS)
    near = list(dict.fromkeys([*named, *parts, *alike]))[:_NEAR_CODES]
    return f"no Wikipedia has the code {code!r}" + (f" (near ones: {', '.join(near)})" if near else "")


@dataclass(frozen=True)
class DedupRecipe:
    """Exact dedup of identical texts, and of pages with one id; the first in the order of the files stays.

    Attributes:
        enabled: Whether it is done; on a cluster it reads and cleans every page twice. Without it, pages that two
            inputs hold are written twice, with one id: ``pipeline.verify`` then says so.
        scope: What is deduplicated together: ``all`` input, or each ``language`` by itself, so that languages can be
            added to a corpus later.
    """

    enabled: bool = True
    scope: Literal["all", "language"] = "all"


@dataclass(frozen=True)
class TemplatesRecipe:
    """What templates leave in the text; the paper says nothing of them.

    Attributes:
        language_labels: Whether ``{{lang-de|Wien}}`` names its language, as the page does (``German: Wien``).
        quote_attributions: Whether a quotation ends with a line that says whose it is (``— Author, Book``).
        definitions: A folder of definitions, made by ``python -m sources.wikipedia.templates DUMP --definitions DIR``:
            templates inside prose that have no rule are then expanded from them. Off by default: it takes one more
            pass over the dump.
    """

    language_labels: bool = False
    quote_attributions: bool = False
    definitions: str | None = None

    @property
    def options(self) -> Options:
        """What the cleaner must know of it."""
        return Options(self.language_labels, self.quote_attributions)


@dataclass(frozen=True)
class WikipediaRecipe:
    """All of the source's choices.

    Attributes:
        language: The language of all input; where None, each file's name says it (``dewiki-...``), else its header.
        min_characters: An article with less text than this is dropped. The paper gives none; two short sentences.
        max_page_megabytes: A page with more XML fails by itself. MediaWiki saves no page of more than 2 MiB.
        shard_megabytes: Compressed bytes of a multistream dump that make a shard.
        limits: How much text and work one page may cost.
        templates: What templates leave in the text.
        optout: A list of removals: documents that it means are left out as they are read, and those with a listed text
            at the end; null for none. A path or address that every worker reaches (docs/optout.md).
    """

    language: str | None = None
    min_characters: int = 200
    max_page_megabytes: int = 16
    shard_megabytes: float = 64.0
    limits: Limits = DEFAULT_LIMITS
    templates: TemplatesRecipe = TemplatesRecipe()
    dedup: DedupRecipe = DedupRecipe()
    rejects: RejectPolicy = field(default_factory=RejectPolicy)
    optout: str | None = None

    def __post_init__(self) -> None:
        if self.language is not None and (fault := unknown_language(self.language)):
            raise ValueError(f"language must be the code of a Wikipedia, such as de: {fault}")
        at_least(self, 0, "min_characters")
        at_least(self, 1, "max_page_megabytes")
        if self.shard_megabytes <= 0:
            raise ValueError(f"shard_megabytes must be above 0, it is {self.shard_megabytes}")
        for name in ("max_characters", "max_work_per_character", "max_nesting"):
            if getattr(self.limits, name) < 1:
                raise ValueError(f"limits.{name} must be at least 1, it is {getattr(self.limits, name)}")
