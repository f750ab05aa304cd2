"""The Wikipedia source: pages of a dump to documents, their texts as units of dedup, and the steps between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from pipeline.corpus.document import Document, Refused, parse_time
from pipeline.source import OfRecipe
from pipeline.steps import DropShort, Step
from pipeline.storage.filesystem import InputFile
from pipeline.text import encodable
from pipeline.units import Policy, Units
from sources.wikipedia.compressed import xml_pieces
from sources.wikipedia.definitions import checksums
from sources.wikipedia.head import ARTICLES, UNNUMBERED, DumpHead
from sources.wikipedia.pages import Fault, MalformedPage, Page, RawPage, parse_page, split_pages
from sources.wikipedia.recipe import WikipediaRecipe
from sources.wikipedia.steps import CleanWikitext

META = pa.struct(
    {
        "page_id": pa.int64(),
        "revision_id": pa.int64(),
        "title": pa.string(),
        "wikitext_characters": pa.int32(),
        "references": pa.list_(pa.string()),
    }
)
_LARGEST_ID = 2**63 - 1
_URL_CHARACTERS = ";@$!*(),/~:"  # what MediaWiki's wfUrlencode leaves as it is, beside letters, digits and "_.-"


@dataclass(frozen=True)
class PageDedup:
    """The text of a page and its id: of pages with the same text the first stays, and of those with the same id.

    Ids come again where a page is in two inputs, or where pages of two wikis are read as one's (``--lang``).
    """

    policy: Policy = "keep_first"
    unit: str = "page"
    unit_bytes: int = 256  # of two hashes a page; packed articles have 1,500 and more

    def hashes(self, document: Document) -> Units:
        """The hashes of text and id."""
        units = (encodable(document.text), f"\0{document.id}")  # no text begins so
        return Units(np.array([xxhash.xxh3_64_intdigest(unit.encode()) for unit in units], np.uint64))

    def count(self, document: Document) -> int:
        """Two."""
        return 2

    def keep(self, document: Document, mask: npt.NDArray[Any]) -> str | None:
        """Drops a page whose text, or whose id, an earlier one has."""
        is_new_text, is_new_id = mask
        return None if is_new_text and is_new_id else "duplicate_id" if is_new_text else "duplicate"


@dataclass(frozen=True)
class Wikipedia(OfRecipe):
    """Wikipedia's XML dumps, as the paper used them.

    Attributes:
        recipe: The source's choices.
        heads: For each dump's path what its name and header tell; read when the shards are planned, since only the
            first shard of a dump holds the header. It follows from the inputs.
    """

    recipe: WikipediaRecipe
    heads: Mapping[str, DumpHead] = field(default_factory=dict)
    name: str = "wikipedia"
    meta: pa.StructType = META

    @property
    def dedup(self) -> PageDedup | None:
        """The dedup of texts; None where it is off."""
        return PageDedup() if self.recipe.dedup.enabled else None

    def read(self, stream: BinaryIO, file: InputFile, counters: Counter[str]) -> Iterator[Document | Refused]:
        """Reads the articles of a dump, or of a part of one that begins with a bzip2 stream."""
        head = self.heads[file.path]
        if head.document_type and file.start == 0:
            message = "the dump declares a document type; no dump does. Its entities are not read"
            yield Refused("document_type", message, file.path, 0)
        limit = self.recipe.max_page_megabytes << 20
        at, number = -1, 0  # pages of one compressed stream have one offset, and are told apart by their number
        for page in split_pages(xml_pieces(stream, file.start), limit, closes=file.end is None):
            number = number + 1 if page.offset == at else int(page.offset == file.start)  # 0 there is the file itself
            at = page.offset
            if isinstance(page, Fault):
                yield Refused(page.reason, page.message, file.path, page.offset, number=number)
                continue
            if head.language is None:
                yield Refused("unknown_language", _no_language(head), file.path, page.offset, number=number)
                return
            found = self._page(page, file.path, head, head.language, counters)
            yield replace(found, number=number) if isinstance(found, Refused) else found

    def _page(
        self, raw: RawPage, path: str, head: DumpHead, language: str, counters: Counter[str]
    ) -> Document | Refused:
        try:
            page = parse_page(raw.data, head.namespace_of)
            if not 0 <= page.page_id <= _LARGEST_ID or not 0 <= page.revision_id <= _LARGEST_ID:
                raise MalformedPage(f"page {page.title!r} has a number that no page has")
        except MalformedPage as error:
            return Refused("malformed_page", str(error), path, raw.offset)
        reason = _no_article(page, head)
        if reason:
            message = f"page {page.page_id}, {page.title!r}: {reason[1]}"
            return Refused(reason[0], message, path, raw.offset, failed=False)
        counters["text_bytes"] += len(page.text.encode("utf-8", "replace"))
        return self._document(page, path, raw.offset, head, language)

    def _document(self, page: Page, path: str, offset: int, head: DumpHead, language: str) -> Document:
        revised = parse_time(page.timestamp)
        title = quote(page.title.replace(" ", "_"), safe=_URL_CHARACTERS)
        return Document(
            id=f"{language}wiki-{page.page_id}-{page.revision_id}",
            text=page.text,
            source=self.name,
            file=path,
            offset=offset,
            url=f"https://{language}.wikipedia.org/wiki/{title}",
            language=language,
            created=revised,
            license=head.license(revised),
            meta={
                "page_id": page.page_id,
                "revision_id": page.revision_id,
                "title": page.title,
                "wikitext_characters": len(page.text),
            },
        )

    def steps_before_dedup(self) -> list[Step]:
        """Text and length: it is cleaned texts that are compared, so both passes clean.

        Two articles with the same text often differ in wikitext (a category, an identifier in a template), and a
        dedup of wikitext would miss them. Cleaning is as fast as decompression, so the second time costs little more
        than reading does.
        """
        return [
            CleanWikitext(self.heads, self.recipe.limits, self.recipe.templates),
            DropShort(self.recipe.min_characters),
        ]

    def subset(self, document: Document) -> str:
        """The language."""
        return str(document.language)

    def describe(self) -> dict[str, Any]:
        """The recipe, and the checksums of the definitions of templates that it names."""
        said = super().describe()
        if folder := self.recipe.templates.definitions:
            languages = {head.language for head in self.heads.values() if head.language}
            said["definitions"] = dict(checksums(folder, languages))
        return said


def _no_article(page: Page, head: DumpHead) -> tuple[str, str] | None:
    """Why a page is no article, in a word and in a sentence; None for an article."""
    if page.namespace != ARTICLES:
        name = repr(page.title.partition(":")[0]) if page.namespace == UNNUMBERED else page.namespace
        return "not_an_article", f"namespace {name}"
    if page.redirect is not None:
        return "redirect", f"redirects to {page.redirect!r}"
    if head.site.is_redirect(page.text):  # dumps before schema 0.4 have no <redirect>
        return "redirect", f"its text begins with {page.text.strip()[:80]!r}"
    if page.model not in (None, "wikitext"):
        return "not_wikitext", f"content model {page.model!r}"
    return None


def _no_language(head: DumpHead) -> str:
    """The message where a dump's language is not known, with what its header says instead."""
    other = f" (it says {head.database[:40]!r}, which is no Wikipedia)" if head.database else ""
    return f"neither the file's name nor its header{other} tells the language: give --lang"
