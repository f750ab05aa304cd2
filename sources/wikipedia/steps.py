"""The steps of the Wikipedia source: wikitext to text, and the minimal length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from filters.wikitext import Limits, WikitextTooComplex, reference_urls, to_text
from pipeline.corpus.document import Document
from sources.wikipedia.head import DumpHead


class CleanWikitext:
    """Turns wikitext into text, and notes the URLs that the page cites.

    A page that asks for more than the limits is dropped; work is counted in characters, not seconds, so the same pages
    go on any machine.
    """

    name = "text"

    def __init__(self, heads: Mapping[str, DumpHead], limits: Limits) -> None:
        self._heads = heads
        self._limits = limits

    def load(self) -> None:
        """Nothing to load."""

    def apply(self, documents: Sequence[Document]) -> list[str | None]:
        """Cleans a batch; a page that is dropped keeps its wikitext, to be looked at."""
        return [self._one(document) for document in documents]

    def _one(self, document: Document) -> str | None:
        wikitext = document.text
        try:
            text = to_text(wikitext, self._heads[document.file].site, self._limits).strip()
        except WikitextTooComplex:
            return "too_long" if len(wikitext) > self._limits.max_characters else "too_complex"
        if not text:
            return "empty"
        document.meta["references"] = reference_urls(wikitext)
        document.text = text
        return None
