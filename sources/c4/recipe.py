"""The recipe of the C4 source: every number and choice, with those of the original code as defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from filters.c4.lines import MAX_PAGE_CHARACTERS, LineRules
from pipeline.corpus.sink import RejectPolicy
from pipeline.recipe import at_least, shares


@dataclass(frozen=True)
class PageRecipe:
    """What is a page.

    Attributes:
        max_characters: A longer page is dropped.
        drop_header_like: Whether lines of the text that begin with ``WARC``, ``CONTENT-`` or ``Content-`` go: the
            original takes them for headers of the record.
    """

    max_characters: int = MAX_PAGE_CHARACTERS
    drop_header_like: bool = True

    def __post_init__(self) -> None:
        at_least(self, 1, "max_characters")


@dataclass(frozen=True)
class SentencesRecipe:
    """The count of sentences.

    Attributes:
        model: The parameters of NLTK's Punkt for the language: path, gs://, s3://, hf:// or https:// address.
        sha256: Its checksum, checked where given.
    """

    model: str = "samples/models/punkt.en.json.gz"
    sha256: str | None = None


@dataclass(frozen=True)
class DedupRecipe:
    """Dedup, by URL and then by line.

    Attributes:
        urls: Whether of the pages with one normalised URL only the newest stays.
        lines: Whether a line stays only on the page whose URL has the smallest MD5.
        span_lines: The lines that are compared together: 1 in the original code; 3 comes near to the paper's wording
            ("all but one of any three-sentence span").
        scope: What is deduplicated together: ``all`` input, each ``crawl``, or runs of ``scope_files`` files.
        scope_files: Files in a scope of kind ``files``.
    """

    urls: bool = True
    lines: bool = True
    span_lines: int = 1
    scope: Literal["files", "crawl", "all"] = "all"
    scope_files: int = 50

    def __post_init__(self) -> None:
        at_least(self, 1, "span_lines", "scope_files")


@dataclass(frozen=True)
class LanguageRecipe:
    """Language identification.

    Attributes:
        method: ``fasttext``, or ``langdetect`` as in the original, which takes some forty times as long.
        model: The fastText model: path, gs://, s3://, hf:// or https:// address.
        sha256: Its checksum, checked where given.
        keep: The language kept.
        threshold: The smallest probability kept: 0.99 in the original, of langdetect. fastText's 0.5 keeps 593 of 600
            published documents and, of 1,650 texts in 22 other languages, none.
    """

    method: Literal["fasttext", "langdetect"] = "fasttext"
    model: str = "samples/models/lid.176.ftz"
    sha256: str | None = None
    keep: str = "en"
    threshold: float = 0.5

    def __post_init__(self) -> None:
        shares(self, "threshold")


@dataclass(frozen=True)
class BadWordsRecipe:
    """The list of bad words.

    Attributes:
        list: UTF-8, a word or phrase a line: path, gs://, s3://, hf:// or https:// address; null leaves the step out.
        sha256: Its checksum, checked where given.
    """

    list: str | None = "samples/models/bad_words.txt"
    sha256: str | None = None


@dataclass(frozen=True)
class C4Recipe:
    """All of the source's choices.

    Attributes:
        max_record_megabytes: A larger record or row fails by itself, so that none can fill the memory.
        published_language: The language that published documents are said to have; their files do not tell it.
        optout: A list of removals: documents that it means are left out as they are read, and those with a listed text
            at the end; null for none. A path or address that every worker reaches (docs/optout.md).
    """

    max_record_megabytes: int = 16
    published_language: str | None = "en"
    page: PageRecipe = PageRecipe()
    lines: LineRules = field(default_factory=LineRules)
    sentences: SentencesRecipe = SentencesRecipe()
    dedup: DedupRecipe = DedupRecipe()
    language: LanguageRecipe = LanguageRecipe()
    bad_words: BadWordsRecipe = BadWordsRecipe()
    rejects: RejectPolicy = field(default_factory=RejectPolicy)
    optout: str | None = None

    def __post_init__(self) -> None:
        at_least(self, 1, "max_record_megabytes")
