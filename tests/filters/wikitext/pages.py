"""The text of a page, for the tests of wikitext."""

from filters.wikitext import WikiSite, to_text

EN = WikiSite.builtin("en")


def english(wikitext: str) -> str:
    """A page's text in the English edition."""
    return to_text(wikitext, EN)


def text_in(language: str, wikitext: str) -> str:
    """A page's text in an edition."""
    return to_text(wikitext, WikiSite.builtin(language))
