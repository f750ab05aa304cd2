"""One Wikipedia as the cleaner sees it: its language and the names of its namespaces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from filters.wikitext.languages import (
    ENGLISH_CATEGORY,
    ENGLISH_FILE,
    ENGLISH_MEDIA,
    ENGLISH_OTHER,
    EVERY_CATEGORY,
    EVERY_FILE,
    LANGUAGES,
    Language,
)
from filters.wikitext.section_titles import AMBIGUOUS_TITLES, REFERENCE_TITLES

MEDIA_NAMESPACE = -2
FILE_NAMESPACE = 6  # MediaWiki's numbers, includes/Defines.php
CATEGORY_NAMESPACE = 14

# A language outside the twenty has no names of its own but those of its siteinfo.
_UNKNOWN = Language(file="", category="", other="", redirect="redirect", months="", separators=",.")


@dataclass(frozen=True)
class WikiSite:
    """The language of a wiki and its namespace names, all lower-case and with spaces for underscores.

    Attributes:
        language: code of the edition (``en``).
        namespaces: every namespace name and alias.
        file_namespaces: names of the File namespace; their links are pictures and leave no text.
        category_namespaces: names of the Category namespace; their links leave no text.
        media_namespaces: names of the Media namespace; their links lead to a file and show their label.
        reference_titles: titles of sections that hold references and links.
        ambiguous_titles: those of them that also head parts of the article itself.
        redirect_words: words that start a redirect, without ``#``.
    """

    language: str
    namespaces: frozenset[str]
    file_namespaces: frozenset[str]
    category_namespaces: frozenset[str]
    media_namespaces: frozenset[str]
    reference_titles: frozenset[str]
    ambiguous_titles: frozenset[str]
    redirect_words: frozenset[str]

    @classmethod
    def builtin(cls, language: str) -> WikiSite:
        """Returns the site from the built-in table alone."""
        return cls.from_siteinfo(language, {})

    @classmethod
    def from_siteinfo(cls, language: str, namespaces: Mapping[int, Sequence[str]]) -> WikiSite:
        """Returns the site with the names of a dump's siteinfo added to the built-in ones.

        They are added, not put in place: siteinfo leaves aliases out, and pages use them. English names count in every
        language, as in MediaWiki; so do those that other editions have for files and categories, since a dump may be
        read as another language than its own (``--lang``), and no article's title begins with one.

        Args:
            language: code of the edition.
            namespaces: names and aliases for each namespace number; the main namespace's empty name is ignored.
        """
        names = LANGUAGES.get(language, _UNKNOWN)
        file = _fold(namespaces.get(FILE_NAMESPACE, ()), names.file, ENGLISH_FILE, EVERY_FILE)
        category = _fold(namespaces.get(CATEGORY_NAMESPACE, ()), names.category, ENGLISH_CATEGORY, EVERY_CATEGORY)
        every = [name for aliases in namespaces.values() for name in aliases]
        return cls(
            language=language,
            namespaces=_fold(every, names.other, ENGLISH_OTHER) | file | category,
            file_namespaces=file,
            category_namespaces=category,
            media_namespaces=_fold(namespaces.get(MEDIA_NAMESPACE, ()), names.media, ENGLISH_MEDIA),
            reference_titles=_fold((), REFERENCE_TITLES.get(language, ""), REFERENCE_TITLES["en"]),
            ambiguous_titles=_fold((), AMBIGUOUS_TITLES.get(language, ""), AMBIGUOUS_TITLES["en"]),
            redirect_words=_fold((), names.redirect, "redirect"),
        )

    def is_redirect(self, wikitext: str) -> bool:
        """Tells whether a page's text starts with ``#REDIRECT [[...]]`` in English or in the site's language.

        A dump's ``<redirect>`` element is the better witness; this is for text that comes without one.
        """
        head = wikitext.lstrip()[:80]
        if not head.startswith("#"):
            return False
        word = head[1:].partition("[[")[0].strip(" :\t\n").lower()
        return word in self.redirect_words and "[[" in head


def _fold(names: Iterable[str], *lists: str) -> frozenset[str]:
    """Returns lower-case names, of a sequence and of ``|``-separated lists, without the empty one."""
    every = [*names, *(name for row in lists for name in row.split("|"))]
    return frozenset(name.replace("_", " ").strip().lower() for name in every) - {""}
