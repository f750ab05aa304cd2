"""Which documents a list of removals means: looked up in sets, document by document or a batch of rows at a time.

A batch is judged by ids, addresses and the sources' own fields alone. Texts are read only where the list has
checksums of texts.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.corpus.document import Document
from pipeline.removals.addresses import normal_address, split_address, whole_address
from pipeline.removals.kinds import page_name, repository_name
from pipeline.removals.lists import Removal, RemovalList, read_list
from pipeline.text import encodable

STACK_EXCHANGE = frozenset({"stackexchange", "stackexchange_preferences"})
NONE = -1
_PLAIN_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*")  # one that is its own normal form

Places = npt.NDArray[np.int64]  # for each row the place of a removal in the list; NONE where there is none


class Removals:
    """A list, ready to be asked.

    Args:
        listed: The list.
    """

    def __init__(self, listed: RemovalList) -> None:
        self.listed = listed
        self._by_kind: dict[str, dict[str, int]] = {}
        for place, removal in enumerate(listed.removals):
            self._by_kind.setdefault(removal.kind, {})[removal.key] = place

    @property
    def sha256(self) -> str:
        """The checksum of the list."""
        return self.listed.sha256

    @property
    def judges_texts(self) -> bool:
        """Whether texts must be read."""
        return "sha256" in self._by_kind

    def removal(self, place: int) -> Removal:
        """A removal by its place."""
        return self.listed.removals[place]

    def _of(self, kind: str) -> dict[str, int]:
        return self._by_kind.get(kind, {})

    @cached_property
    def _prefixes(self) -> dict[str, dict[int, dict[str, int]]]:
        """The prefixes of each host with its port, what follows that alone: by length, with the place of each."""
        found: dict[str, dict[int, dict[str, int]]] = {}
        for place in self._of("url-prefix").values():
            host, rest = whole_address(self.removal(place).value)
            found.setdefault(host, {}).setdefault(len(rest), {})[rest] = place
        return found

    @cached_property
    def _hosts(self) -> frozenset[str]:
        """Hosts of which an address is looked at closely."""
        return frozenset(split_address(key)[0] for kind in ("url", "url-prefix") for key in self._of(kind))

    @cached_property
    def _sites(self) -> dict[str, int]:
        """Sites of StackExchange that the list names in any way, each with the first removal that does."""
        found: dict[str, int] = {}
        for kind in ("stackexchange-site", "stackexchange-post", "stackexchange-user"):
            for key, place in self._of(kind).items():
                found.setdefault(key.partition("/")[0], place)
        return found

    def of_messages(self, source: str, scope: str) -> int:
        """The removal for which nothing may be said of a scope's refused records: it may be the text of who is listed.

        StackExchange shows the raw row of a post that is no question or answer, and not all of it tells whose it is:
        where a list names a site, its users or its posts, no such row of the site is shown.
        """
        return self._sites.get(scope, NONE) if source in STACK_EXCHANGE else NONE

    def of_address(self, url: str) -> int:
        """The removal that means an address."""
        host, _, _ = split_address(url)
        if (place := self._of_domain(host)) != NONE or host not in self._hosts:
            return place
        if (place := self._of("url").get(normal_address(url), NONE)) != NONE:
            return place
        host, whole = whole_address(url)
        whole = whole.removesuffix("?")
        if "?" not in whole and not whole.endswith("/"):
            whole += "/"  # an address means its folder, too
        by_length = self._prefixes.get(host, {}).items()
        found = [some[whole[:length]] for length, some in by_length if whole[:length] in some]
        return min(found, default=NONE)

    def _of_domain(self, host: str) -> int:
        domains = self._of("domain")
        while domains and host:
            if host in domains:
                return domains[host]
            host = host.partition(".")[2]
        return NONE

    def of_repository(self, name: str) -> int:
        """The removal that means a repository."""
        name = repository_name(name)
        owner, slash, _ = name.partition("/")
        place = self._of("repository").get(name, NONE)
        return self._of("owner").get(owner, NONE) if place == NONE and slash else place

    def of_thread(self, site: str, posts: Iterable[Any], authors: Iterable[Any]) -> int:
        """The removal that means a question with its answers: the site, one of the posts, or an author."""
        found = [self._of("stackexchange-site").get(site, NONE)]
        found += [self._of("stackexchange-post").get(f"{site}/{post}", NONE) for post in posts]
        found += [self._of("stackexchange-user").get(f"{site}/{author}", NONE) for author in authors]
        return next((place for place in found if place != NONE), NONE)

    def of_text(self, text: str) -> int:
        """The removal that means a text."""
        if not self.judges_texts or not text:
            return NONE
        return self._of("sha256").get(hashlib.sha256(encodable(text).encode()).hexdigest(), NONE)

    def of_document(self, document: Document) -> int:
        """The removal that means a document, whatever its text."""
        meta = document.meta
        found = [self._of("id").get(document.id, NONE)]
        if document.url:
            found.append(self.of_address(document.url))
        if meta.get("repo"):
            found.append(self.of_repository(meta["repo"]))
        if "page_id" in meta and document.language:
            found.append(self._of("wikipedia").get(page_name(document.language, str(meta.get("title"))), NONE))
        if meta.get("arxiv_id"):
            found.append(self._of("arxiv").get(meta["arxiv_id"], NONE))
        if meta.get("ebook") is not None:
            found.append(self._of("ebook").get(str(meta["ebook"]), NONE))
        if meta.get("site") in self._sites:
            posts = [meta.get("question_id"), *(meta.get("answer_ids") or ())]
            found.append(self.of_thread(meta["site"], posts, meta.get("authors") or ()))
        return next((place for place in found if place != NONE), NONE)

    def of_failed(self, source: str, identifier: str, url: str | None) -> int:
        """The removal that means a document that failed in a step, of which no more than id and address are known."""
        found = [self._of("id").get(identifier, NONE), self.of_address(url) if url else NONE]
        first, _, rest = identifier.partition("/")
        if source == "github":
            found += [self.of_repository(f"{first}/{rest.partition('/')[0]}"), self.of_repository(first)]
        elif source == "arxiv":
            found.append(self._of("arxiv").get(rest, NONE))
        elif source == "books" and first == "gutenberg":
            found.append(self._of("ebook").get(rest, NONE))
        elif source == "wikipedia" and url:
            host, _, path = split_address(url)
            title = unquote(path.rpartition("/wiki/")[2])
            found.append(self._of("wikipedia").get(page_name(host.partition(".")[0], title), NONE))
        elif source in STACK_EXCHANGE:
            found.append(self._sites.get(first, NONE))  # whose posts it holds is not known any more
        return next((place for place in found if place != NONE), NONE)

    def columns(self, schema: pa.Schema) -> list[str]:
        """The columns of a file of documents that are looked at."""
        meta = schema.field("meta").type if "meta" in schema.names else pa.struct([])
        own = {field.name for field in meta} if pa.types.is_struct(meta) else set()
        wanted = ["id"] if self._of("id") else []
        wanted += ["url"] if self._hosts or self._of("domain") else []
        wanted += ["text"] if self.judges_texts else []
        if (self._of("repository") or self._of("owner")) and "repo" in own:
            wanted.append("meta.repo")
        if self._of("wikipedia") and {"page_id", "title"} <= own:
            wanted += ["language", "meta.page_id", "meta.title"]
        wanted += ["meta.arxiv_id"] * bool(self._of("arxiv") and "arxiv_id" in own)
        wanted += ["meta.ebook"] * bool(self._of("ebook") and "ebook" in own)
        if self._sites and {"site", "question_id", "answer_ids", "authors"} <= own:
            wanted += ["meta.site", "meta.question_id", "meta.answer_ids", "meta.authors"]
        return [name for name in wanted if name.partition(".")[0] in schema.names]

    def of_rows(self, batch: pa.RecordBatch) -> Places:
        """The removal that means each row of a batch with the columns of ``columns``."""
        found: Places = np.full(batch.num_rows, NONE, np.int64)
        fields = {field.name for field in batch.schema.field("meta").type} if "meta" in batch.schema.names else set()

        def column(name: str) -> pa.Array:
            return batch.column(name) if name in batch.schema.names else pc.struct_field(batch.column("meta"), name)

        if "id" in batch.schema.names:
            _exactly(found, column("id"), self._of("id"))
        if "url" in batch.schema.names:
            self._urls(found, column("url"))
        if "repo" in fields:
            self._repositories(found, column("repo"))
        if "page_id" in fields:
            self._pages(found, column("language"), column("title"))
        if "arxiv_id" in fields:
            _exactly(found, column("arxiv_id"), self._of("arxiv"))
        if "ebook" in fields:
            _exactly(found, pc.cast(column("ebook"), pa.string()), self._of("ebook"))
        if "site" in fields:
            self._threads(found, *map(column, ("site", "question_id", "answer_ids", "authors")))
        if "text" in batch.schema.names:
            self._texts(found, column("text"))
        return found

    def _urls(self, found: Places, urls: pa.Array) -> None:
        """Looks up the addresses whose host, or a domain of it, is listed; the others cost little."""
        for row, url in enumerate(urls.to_pylist()):
            if url is None or found[row] != NONE:
                continue
            host = url.partition("://")[2].partition("/")[0]
            if _PLAIN_HOST.fullmatch(host) and host not in self._hosts and self._of_domain(host) == NONE:
                continue
            found[row] = self.of_address(url)

    def _repositories(self, found: Places, names: pa.Array) -> None:
        """Looks up each repository once."""
        encoded = names.dictionary_encode()
        places = np.array([self.of_repository(name) for name in encoded.dictionary.to_pylist()], np.int64)
        indices = encoded.indices.fill_null(NONE).to_numpy(zero_copy_only=False)
        known = (found == NONE) & (indices != NONE)
        found[known] = places[indices[known]]

    def _pages(self, found: Places, languages: pa.Array, titles: pa.Array) -> None:
        pages = self._of("wikipedia")
        for row, pair in enumerate(zip(languages.to_pylist(), titles.to_pylist(), strict=True)):
            if found[row] == NONE and None not in pair:
                found[row] = pages.get(page_name(*pair), NONE)

    def _texts(self, found: Places, texts: pa.Array) -> None:
        for row, text in enumerate(texts):
            if found[row] == NONE:
                found[row] = self.of_text(text.as_py() or "")

    def _threads(
        self, found: Places, sites: pa.Array, questions: pa.Array, answers: pa.Array, authors: pa.Array
    ) -> None:
        wanted = pc.is_in(sites, pa.array(sorted(self._sites), sites.type)).to_numpy(zero_copy_only=False)
        for row in np.flatnonzero(wanted).tolist():
            if found[row] == NONE:
                posts = [questions[row].as_py(), *(answers[row].as_py() or ())]
                found[row] = self.of_thread(sites[row].as_py(), posts, authors[row].as_py() or ())


def _exactly(found: Places, values: pa.Array, places: Mapping[str, int]) -> None:
    """Looks up values that must be listed to the letter."""
    listed = pc.is_in(values, pa.array(list(places), values.type)).to_numpy(zero_copy_only=False)
    for row in np.flatnonzero(listed & (found == NONE)).tolist():
        found[row] = places[values[row].as_py()]


def load_removals(path: str) -> Removals:
    """Reads a list, ready to be asked.

    Raises:
        InputError: It cannot be read, or holds lines that are none.
    """
    return Removals(read_list(path))


def names_of(removals: Sequence[Removal]) -> str:
    """How many removals of each kind there are, in words."""
    counts: dict[str, int] = {}
    for removal in removals:
        counts[removal.kind] = counts.get(removal.kind, 0) + 1
    return ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
