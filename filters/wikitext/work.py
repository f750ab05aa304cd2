"""How much work a page may cost: limits, a counter of characters read, and the error of a page that asks too much."""

from __future__ import annotations

from dataclasses import dataclass


class WikitextTooComplex(ValueError):
    """A page that is too long, or that would take more work than its length allows.

    The message names the limit and what the page asked for. It costs this page only.
    """


@dataclass(frozen=True)
class Limits:
    """Bounds for one page.

    Attributes:
        max_characters: longest page, in characters. MediaWiki refuses to save more than 2 MiB
            (``$wgMaxArticleSize``); twice that leaves room for pages saved under other settings.
        max_work_per_character: characters that the passes may read or write for one character of the page. Each pass
            is linear, and together they read an ordinary page less than 20 times; nested templates may add up to
            ``max_nesting`` times.
        max_nesting: template nesting up to which templates keep text; those nested deeper go. MediaWiki's own
            limit is 40 (``$wgMaxTemplateDepth``).
    """

    max_characters: int = 4 * 1024 * 1024
    max_work_per_character: int = 100
    max_nesting: int = 40


DEFAULT_LIMITS = Limits()

# A short page may spend this much whatever its length, so that a single date template is never too much.
FREE_WORK = 20_000


class Work:
    """Counts the characters that the passes read and write for one page.

    Attributes:
        spent: characters so far.
        allowed: characters above which ``spend`` refuses.
    """

    def __init__(self, page_characters: int, limits: Limits = DEFAULT_LIMITS) -> None:
        if page_characters > limits.max_characters:
            raise WikitextTooComplex(
                f"page of {page_characters} characters, more than max_characters={limits.max_characters}"
            )
        self.spent = 0
        self.allowed = FREE_WORK + limits.max_work_per_character * page_characters

    def spend(self, characters: int) -> None:
        """Adds to the count.

        Raises:
            WikitextTooComplex: the page has used up what its length allows.
        """
        self.spent += characters
        if self.spent > self.allowed:
            raise WikitextTooComplex(f"page took more than {self.allowed} characters of work")
