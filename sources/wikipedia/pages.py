"""The pages of a dump: cut out of the XML by their tags, each then parsed by itself.

In MediaWiki's exports ``<page>`` and ``</page>`` stand for themselves alone: the wikitext between them is escaped. So a
page is cut out by a search for bytes, and its XML goes to expat as a document of its own: memory is bounded by one
page, a malformed page costs only itself, and no document type, and so no entity of its own, is ever read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.parsers import expat

from pipeline.formats.foreign import foreign
from sources.wikipedia.compressed import Damage, XmlPiece

PAGE = b"<page>"
PAGE_END = b"</page>"
ROOT = b"<mediawiki"
ROOT_END = b"</mediawiki>"
HEAD_BYTES = 1 << 20  # within which a dump shows that it is one; real heads have 3 to 10 kB
_TITLE_BYTES = 1000  # of a page that is not parsed, in which its title is looked for

_DAMAGE = {
    "truncated_bz2": "the file ends within the bzip2 stream at byte {}; fetch it again",
    "corrupt_bz2": "the bzip2 stream at byte {} is damaged, and its pages are lost; fetch the file again",
    "truncated_gzip": "the file ends within the gzip member at byte {}; fetch it again",
    "corrupt_gzip": "the gzip member at byte {} is damaged, and its pages are lost; fetch the file again",
}


class RawPage(NamedTuple):
    """The bytes from ``<page>`` to ``</page>``, and where in the file they lie (see ``XmlPiece``)."""

    data: bytes
    offset: int


class Fault(NamedTuple):
    """A page, or a stretch of the file, that cannot be read: why, in a word and in a sentence, and where it lies."""

    reason: str
    message: str
    offset: int


@dataclass(slots=True)
class _Splitter:
    """The bytes at hand, and where they come from."""

    max_bytes: int
    lost: bool = False  # the beginning of the page at hand went with damage, or with the rest of a page too large
    closed: bool = False  # </mediawiki> came behind the last page
    buffer: bytes = b""
    searched: int = 0  # no </page>, and no <page> after that of the page at hand, begins before
    base: int = 0  # position of buffer[0] in the XML
    marks: deque[tuple[int, XmlPiece]] = field(default_factory=deque)  # positions where a stream begins

    def add(self, piece: XmlPiece) -> None:
        """Adds a piece."""
        if not self.marks or (self.marks[-1][1].offset != piece.offset and not piece.plain):
            # Of a mark the offset is all that is needed; its bytes are in the buffer.
            self.marks.append((self.base + len(self.buffer), piece._replace(data=b"")))
        self.buffer += piece.data

    def offset(self, at: int) -> int:
        """Where in the file the byte at an index comes from; what was known of earlier ones is forgotten."""
        position = self.base + at
        while len(self.marks) > 1 and self.marks[1][0] <= position:
            self.marks.popleft()
        if not self.marks:
            return 0
        start, piece = self.marks[0]
        return piece.offset + (position - start if piece.plain else 0)

    def pages(self) -> Iterator[RawPage | Fault]:
        """Cuts out the pages that have their end in the buffer, and drops what cannot become a page any more."""
        at = 0
        while (end := self.buffer.find(PAGE_END, max(at, self.searched))) >= 0:
            start = self.buffer.find(PAGE, at, end)
            if start < 0 and not self.lost:
                yield Fault("malformed_page", "the end of a page without its beginning", self.offset(end))
            while start >= 0 and (following := self.buffer.find(PAGE, start + 1, end)) >= 0:
                yield self._unclosed(start, following)
                start = following
            stop = end + len(PAGE_END)
            if start >= 0 and stop - start > self.max_bytes:
                yield self._too_large(start)
            elif start >= 0:
                yield RawPage(self.buffer[start:stop], self.offset(start))
            at, self.lost, self.closed = stop, False, False
        self._cut(at)
        yield from self._overflow()
        self.searched = max(len(self.buffer) - len(PAGE_END) + 1, 0)

    def _overflow(self) -> Iterator[Fault]:
        start = self.buffer.find(PAGE)
        while start >= 0 and (following := self.buffer.find(PAGE, max(start + 1, self.searched))) >= 0:
            yield self._unclosed(start, following)
            start = following
        if start < 0:
            self.closed = self.closed or ROOT_END in self.buffer
            self._cut(max(len(self.buffer) - len(ROOT_END) + 1, 0))
        elif len(self.buffer) - start > self.max_bytes + len(PAGE_END):  # no tag within the limit is cut
            yield self._too_large(start)
            self.lost = True
            self._cut(len(self.buffer) - len(PAGE_END) + 1)
        else:
            self._cut(start)

    def _cut(self, at: int) -> None:
        self.offset(at)
        self.buffer = self.buffer[at:]
        self.base += at
        self.searched = max(self.searched - at, 0)

    def _unclosed(self, start: int, following: int) -> Fault:
        if following - start > self.max_bytes:
            return self._too_large(start)
        message = f"page {self._title(start)!r} has no end: another one begins in it"
        return Fault("unclosed_page", message, self.offset(start))

    def _too_large(self, start: int) -> Fault:
        message = f"page {self._title(start)!r} has more than {self.max_bytes} bytes (max_page_megabytes)"
        return Fault("too_large", message, self.offset(start))

    def end(self, closes: bool) -> Iterator[Fault]:
        """What the end of the file leaves open."""
        start = self.buffer.find(PAGE)
        if start >= 0:
            message = f"the XML ends within page {self._title(start)!r}; fetch the file again"
            yield Fault("truncated_xml", message, self.offset(start))
        elif closes and not self.closed and not self.lost:
            yield Fault(
                "truncated_xml",
                "the XML ends without </mediawiki>; fetch the file again",
                self.offset(len(self.buffer)),
            )

    def _title(self, start: int) -> str:
        return title_of(self.buffer[start : start + _TITLE_BYTES])


def split_pages(
    pieces: Iterator[XmlPiece | Damage], max_bytes: int, *, closes: bool = True
) -> Iterator[RawPage | Fault]:
    """Cuts the pages out of a dump.

    Args:
        pieces: The XML.
        max_bytes: The largest page, in bytes of XML; a larger one is a fault, and passed without being held.
        closes: Whether ``</mediawiki>`` must stand at the end: not in a part of a file that others follow.

    Yields:
        Pages and faults, in the order of the file. A file that is no dump, or is empty, gives one fault. Memory: twice
        the largest page, and 2 MB.
    """
    splitter, known, damaged = _Splitter(max_bytes), False, False
    for piece in pieces:
        damaged = isinstance(piece, Damage)
        if isinstance(piece, Damage):
            yield Fault(piece.reason, _DAMAGE[piece.reason].format(piece.offset), piece.offset)
            splitter, known = _Splitter(max_bytes, lost=True), True
            continue
        splitter.add(piece)
        known = known or any(mark in splitter.buffer for mark in (ROOT, PAGE, ROOT_END))
        if known:
            yield from splitter.pages()
        elif len(splitter.buffer) >= HEAD_BYTES:
            break
    if not known:
        yield _no_dump(splitter)
    elif not damaged:
        yield from splitter.end(closes)


def _no_dump(splitter: _Splitter) -> Fault:
    head = splitter.buffer
    # Every XML file begins like a dump; one that is none says more by its first bytes.
    named = "" if head.lstrip().lower().startswith(b"<?xml") else foreign(head[:16])
    what = (f"is {named}" if named else f"begins with {head[:20]!r}") if head else "is empty"
    return Fault("not_a_dump", f"it {what}; a dump is XML, as it is or as .bz2 or .gz", splitter.offset(0))


def title_of(data: bytes) -> str:
    """The title of a page that is not parsed, as it stands in its XML; empty where there is none."""
    _, _, rest = data[:_TITLE_BYTES].partition(b"<title>")
    title, end, _ = rest.partition(b"</title>")
    return title.decode(errors="replace") if end else ""


class MalformedPage(ValueError):
    """A page whose XML is not well-formed, or lacks what every page has; the message says what."""


class Page(NamedTuple):
    """One page as the dump holds it, in its latest revision.

    Attributes:
        title: The title, with the namespace's name before it.
        namespace: MediaWiki's number of the namespace: 0 for articles.
        page_id: The page's number in its wiki.
        revision_id: The revision's number.
        timestamp: The revision's time, ISO 8601; None where it is not there.
        redirect: The title of the page that this one only points to.
        model: The content model: ``wikitext``, ``json``, ``css``, ...; None where an old dump does not say.
        text: The wikitext.
    """

    title: str
    namespace: int
    page_id: int
    revision_id: int
    timestamp: str | None
    redirect: str | None
    model: str | None
    text: str


_REVISION = "page/revision"
_WANTED = frozenset(
    {"page/title", "page/ns", "page/id"} | {f"{_REVISION}/{name}" for name in ("id", "timestamp", "model", "text")}
)


class _PageHandler:
    """Collects the wanted elements of one page."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.buffer_size = 1 << 16
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self._path: list[str] = []
        self._parts: list[str] = []

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._path.append(name)
        path = "/".join(self._path)
        if path == "page/redirect":
            self.found[path] = attributes.get("title", "")
        elif path == _REVISION:  # of several the last is the latest
            self.found = {key: value for key, value in self.found.items() if not key.startswith(_REVISION)}
        self._parts = []
        self.parser.CharacterDataHandler = self._parts.append if path in _WANTED else None

    def _end(self, _: str) -> None:
        if self.parser.CharacterDataHandler is not None:
            self.found["/".join(self._path)] = "".join(self._parts)
            self.parser.CharacterDataHandler = None
        self._path.pop()


def parse_page(data: bytes, namespace_of: Callable[[str], int] | None = None) -> Page:
    """Parses the bytes from ``<page>`` to ``</page>``.

    Args:
        data: The bytes.
        namespace_of: Tells a page's namespace by its title, where the dump does not (before schema 0.6).

    Raises:
        MalformedPage: They are not well-formed XML in UTF-8, or lack a title, a number, a revision, or a namespace that
            nothing tells.
    """
    handler = _PageHandler()
    try:
        handler.parser.Parse(data, True)
    except expat.ExpatError as error:
        raise MalformedPage(f"page {title_of(data)!r} is not well-formed XML: {error}") from error
    finally:
        del handler.parser  # parser and handler hold each other
    found = handler.found
    try:
        title = found["page/title"]
        return Page(
            title=title,
            namespace=int(found["page/ns"]) if "page/ns" in found or not namespace_of else namespace_of(title),
            page_id=int(found["page/id"]),
            revision_id=int(found[f"{_REVISION}/id"]),
            timestamp=found.get(f"{_REVISION}/timestamp"),
            redirect=found.get("page/redirect"),
            model=found.get(f"{_REVISION}/model"),
            text=found.get(f"{_REVISION}/text", ""),
        )
    except KeyError as error:
        missing = str(error.args[0]).removeprefix("page/")
        raise MalformedPage(f"page {title_of(data)!r} has no <{missing}>") from error
    except ValueError as error:
        raise MalformedPage(f"page {title_of(data)!r} holds a number that is none: {error}") from error
