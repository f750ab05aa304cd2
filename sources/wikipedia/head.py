"""What the name and the head of a dump tell: its language, its date, the names of its namespaces."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from xml.parsers import expat

from filters.wikitext import WikiSite
from filters.wikitext.languages import WIKIPEDIAS
from filters.wikitext.site import CATEGORY_NAMESPACE, FILE_NAMESPACE
from pipeline.storage.filesystem import InputFile
from sources.wikipedia.compressed import Damage, XmlPiece
from sources.wikipedia.pages import HEAD_BYTES, PAGE

# <language>wiki at the start of a dump's name and in <dbname>; codes have underscores there (be_x_old, zh_min_nan).
# Sites that are no language have longer names (metawiki, commonswiki, wikidatawiki).
_WIKI = re.compile(r"(?P<language>[a-z]{2,3}(_[a-z]+)*|simple)wiki(?=[-.]|$)")
_DATE = re.compile(r"-(?P<date>20\d{6})-")
_WIKIPEDIA_BASE = re.compile(r"(?:https?:)?//(?P<language>[a-z-]{2,20})\.wikipedia\.org/")
_XML_LANGUAGE = re.compile(rb"<mediawiki\b[^>]*?\bxml:lang=[\"'](?P<language>[a-z-]{2,20})[\"']")
_SITEINFO = re.compile(rb"<siteinfo>.*?</siteinfo>", re.S)
_DOCUMENT_TYPE = re.compile(rb"<!(DOCTYPE|ENTITY)", re.I)
ARTICLES = 0  # the number of the main namespace (MediaWiki, includes/Defines.php)
UNNUMBERED = -100  # a namespace whose number is not known; none has this one
# Wikimedia's terms of use of 7 June 2023 put texts under 4.0, those before under 3.0; the GFDL stayed beside both.
_VERSION_4 = date(2023, 6, 7)


@dataclass(frozen=True)
class DumpHead:
    """What a page must be told of the dump that it stands in.

    Attributes:
        language: The language's code; None where nothing tells it.
        site: The names of its namespaces.
        date: The dump's date; None where its name has none.
        document_type: Whether the dump declares a document type, which no dump does.
        named: The language that the file's name tells.
        database: The ``<dbname>`` of the header, or, before schema 0.10, what it would be; empty where nothing tells.
        numbers: The numbers of the namespaces by the names in the header, lower-case.
    """

    language: str | None
    site: WikiSite
    date: date | None = None
    document_type: bool = False
    named: str | None = None
    database: str = ""
    numbers: Mapping[str, int] = field(default_factory=dict)

    def namespace_of(self, title: str) -> int:
        """The namespace of a page whose dump does not say it (before schema 0.6), told by what stands before a colon.

        Names that the header does not number, and the site knows, are those of no article: they get ``UNNUMBERED``.
        """
        prefix, colon, _ = title.partition(":")
        name = prefix.strip().replace("_", " ").lower()
        if not colon or not name:
            return ARTICLES
        if name in self.numbers:
            return self.numbers[name]
        if name in self.site.category_namespaces:
            return CATEGORY_NAMESPACE
        if name in self.site.file_namespaces:
            return FILE_NAMESPACE
        return UNNUMBERED if name in self.site.namespaces else ARTICLES

    def license(self, revised: datetime | None) -> str | None:
        """The licence of a text: that of the dump's date, or where that is unknown, of the revision's."""
        day = self.date or (revised.date() if revised else None)
        if day is None:
            return None
        return f"CC BY-SA {'4.0' if day >= _VERSION_4 else '3.0'}, GFDL"


def dump_head(file: InputFile, head: bytes, language: str | None = None) -> DumpHead:
    """Puts together what is known of a dump.

    What the user says goes before the name, and that before the header: its ``<dbname>``, or where it has none (before
    schema 0.10), the site of its ``<base>``, or else its ``xml:lang``. Publishers name their dumps right, and cut-down
    copies are known that carry the header of another wiki.

    Args:
        file: The dump.
        head: Its XML up to the first page; may be empty.
        language: The language, where the user says it.
    """
    info = _siteinfo(head)
    database, namespaces = _database(head, info), info.namespaces
    name = file.path.rsplit("/", 1)[-1]
    named, told = _language(_WIKI.match(name)), _language(_WIKI.fullmatch(database))
    if named not in WIKIPEDIAS and named != told:  # a name of the user's own, such as cutwiki.xml
        named = None
    language = language or named or told
    dated = _DATE.search(name)
    return DumpHead(
        language,
        WikiSite.from_siteinfo(language or "", namespaces),
        _day(dated["date"]) if dated else None,
        bool(_DOCUMENT_TYPE.search(head)),
        named,
        database,
        {name.replace("_", " ").lower(): number for number, names in namespaces.items() for name in names if name},
    )


def database_of(language: str) -> str:
    """The name of a language's Wikipedia, as ``<dbname>`` and file names have it."""
    return f"{language.replace('-', '_')}wiki"


def _language(found: re.Match[str] | None) -> str | None:
    return found["language"].replace("_", "-") if found else None


def head_of(pieces: Iterable[XmlPiece | Damage]) -> bytes:
    """The XML before the first page, 1 MB of it at most."""
    head = b""
    for piece in pieces:
        if isinstance(piece, Damage):
            break
        head += piece.data
        if PAGE in head or len(head) >= HEAD_BYTES:
            break
    return head.partition(PAGE)[0][:HEAD_BYTES]


def _day(digits: str) -> date | None:
    try:
        return datetime.strptime(digits, "%Y%m%d").date()
    except ValueError:
        return None


def _database(head: bytes, info: _SiteinfoHandler) -> str:
    """The database's name: as the header says it, or as the address or the language in it tell it."""
    if info.database is not None:
        return info.database
    if info.base:
        found = _WIKIPEDIA_BASE.match(info.base)
        return database_of(found["language"]) if found else ""
    written = _XML_LANGUAGE.search(head)
    language = written["language"].decode() if written else ""
    return database_of(language) if language in WIKIPEDIAS else ""


def _siteinfo(head: bytes) -> _SiteinfoHandler:
    """What the header says; nothing of one that is damaged."""
    handler = _SiteinfoHandler()
    found = _SITEINFO.search(head)
    if not found:
        return handler
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = handler.start
    parser.CharacterDataHandler = handler.text
    parser.EndElementHandler = handler.end
    try:
        parser.Parse(found[0], True)
    except expat.ExpatError:
        return _SiteinfoHandler()
    return handler


class _SiteinfoHandler:
    """Collects ``<dbname>``, ``<base>`` and ``<namespace key="...">``; ``database`` is None where there is none."""

    def __init__(self) -> None:
        self.database: str | None = None
        self.base = ""
        self.namespaces: dict[int, list[str]] = {}
        self._key = ""
        self._text = ""

    def start(self, _: str, attributes: dict[str, str]) -> None:
        self._key = attributes.get("key", "")
        self._text = ""

    def text(self, data: str) -> None:
        self._text += data

    def end(self, name: str) -> None:
        if name == "dbname":
            self.database = self._text.strip()
        elif name == "base":
            self.base = self._text.strip()
        elif name == "namespace" and re.fullmatch(r"-?\d{1,6}", self._key):
            self.namespaces.setdefault(int(self._key), []).append(self._text)
