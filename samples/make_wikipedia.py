"""Builds the Wikipedia sample from its written sources: two multistream dumps, each with its index.

Usage::

    python -m samples.make_wikipedia [--output DIR]

The same sources give the same bytes. ``wikipedia/pages/<language>.txt`` holds the pages, each behind a line ::

    =#= page id | namespace | title | time of the revision | user

and, where the page has them, a line ``=> target of the redirect`` and a line ``%content model``. ``«45×{{small|»``
stands for 45 times ``{{small|``.
"""

import bz2
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from samples.written import output_folder, write_files

SAMPLE = Path(__file__).parent / "wikipedia"
MODULE = "samples.make_wikipedia"
_PAGE = re.compile(
    r"^=#= (?P<id>\d+) \| (?P<namespace>\d+) \| (?P<title>.+?) \| (?P<time>\S+) \| (?P<user>.+)\n"
    r"(?:=> (?P<redirect>.+)\n)?(?:%(?P<model>.+)\n)?",
    re.M,
)
_REPEATED = re.compile("«([0-9]+)×(.*?)»")


@dataclass(frozen=True)
class Edition:
    """One dump of the sample, in the form that Wikimedia gave to dumps of its date.

    Attributes:
        language: The edition's code.
        date: The dump's date.
        version: Of the export's schema.
        generator: What the header says of MediaWiki.
        per_stream: Pages in a bzip2 stream; real dumps have 100.
        namespaces: Their names by number, as in the header.
    """

    language: str
    date: str
    version: str
    generator: str
    per_stream: int
    namespaces: tuple[tuple[int, str], ...]

    @property
    def name(self) -> str:
        """What the names of its files begin with."""
        return f"{self.language}wiki-{self.date}-pages-articles-multistream"


@dataclass(frozen=True)
class WrittenPage:
    """A page of the sources."""

    page_id: int
    namespace: int
    title: str
    time: str
    user: str
    redirect: str | None
    model: str
    text: str


_ENGLISH = (
    (-2, "Media"), (-1, "Special"), (0, ""), (1, "Talk"), (2, "User"), (3, "User talk"), (4, "Wikipedia"),
    (5, "Wikipedia talk"), (6, "File"), (7, "File talk"), (8, "MediaWiki"), (9, "MediaWiki talk"), (10, "Template"),
    (11, "Template talk"), (12, "Help"), (13, "Help talk"), (14, "Category"), (15, "Category talk"), (118, "Draft"),
    (119, "Draft talk"), (828, "Module"), (829, "Module talk"),
)  # fmt: skip
_GERMAN = (
    (-2, "Medium"), (-1, "Spezial"), (0, ""), (1, "Diskussion"), (2, "Benutzer"), (3, "Benutzer Diskussion"),
    (4, "Wikipedia"), (5, "Wikipedia Diskussion"), (6, "Datei"), (7, "Datei Diskussion"), (8, "MediaWiki"),
    (9, "MediaWiki Diskussion"), (10, "Vorlage"), (11, "Vorlage Diskussion"), (12, "Hilfe"), (13, "Hilfe Diskussion"),
    (14, "Kategorie"), (15, "Kategorie Diskussion"), (828, "Modul"), (829, "Modul Diskussion"),
)  # fmt: skip

EDITIONS = (
    Edition("en", "20260401", "0.11", "MediaWiki 1.46.0-wmf.21", 7, _ENGLISH),
    Edition("de", "20220701", "0.10", "MediaWiki 1.39.0-wmf.18", 5, _GERMAN),
)


def read_pages(text: str) -> Iterator[WrittenPage]:
    """Reads the notation of the sources."""
    starts = list(_PAGE.finditer(text))
    for start, end in zip(starts, [*(found.start() for found in starts[1:]), len(text)], strict=True):
        body = text[start.end() : end].removesuffix("\n")
        body = _REPEATED.sub(lambda found: found[2] * int(found[1]), body)
        yield WrittenPage(
            int(start["id"]), int(start["namespace"]), start["title"], start["time"], start["user"],
            start["redirect"], start["model"] or "wikitext", body,
        )  # fmt: skip


def header(edition: Edition) -> str:
    """The XML before the first page."""
    schema = f"http://www.mediawiki.org/xml/export-{edition.version}/"
    namespaces = "".join(
        f'      <namespace key="{key}" case="first-letter"' + (f">{escape(name)}</namespace>\n" if name else " />\n")
        for key, name in edition.namespaces
    )
    return (
        f'<mediawiki xmlns="{schema}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:schemaLocation="{schema} http://www.mediawiki.org/xml/export-{edition.version}.xsd" '
        f'version="{edition.version}" xml:lang="{edition.language}">\n'
        f"  <siteinfo>\n    <sitename>Wikipedia</sitename>\n    <dbname>{edition.language}wiki</dbname>\n"
        f"    <base>https://{edition.language}.wikipedia.org/wiki/</base>\n"
        f"    <generator>{edition.generator}</generator>\n    <case>first-letter</case>\n"
        f"    <namespaces>\n{namespaces}    </namespaces>\n  </siteinfo>\n"
    )


def page_xml(page: WrittenPage, version: str) -> str:
    """One page, as an export of this version writes it."""
    data = page.text.encode()
    sha1 = _base36(hashlib.sha1(data).digest())
    redirect = f'    <redirect title="{_escape(page.redirect)}" />\n' if page.redirect else ""
    kind = "text/x-wiki" if page.model == "wikitext" else "text/plain"
    origin = f"      <origin>{page.page_id * 11}</origin>\n" if version == "0.11" else ""
    checked = f' sha1="{sha1}"' if version == "0.11" else ""
    return (
        f"  <page>\n    <title>{_escape(page.title)}</title>\n    <ns>{page.namespace}</ns>\n"
        f"    <id>{page.page_id}</id>\n{redirect}    <revision>\n      <id>{page.page_id * 11}</id>\n"
        f"      <parentid>{page.page_id * 11 - 4}</parentid>\n      <timestamp>{page.time}</timestamp>\n"
        f"      <contributor>\n        <username>{_escape(page.user)}</username>\n"
        f"        <id>{len(page.user) * 7}</id>\n"
        f"      </contributor>\n      <comment>/* [[{_escape(page.title)}]] &lt;ref&gt; */</comment>\n{origin}"
        f"      <model>{page.model}</model>\n      <format>{kind}</format>\n"
        f'      <text bytes="{len(data)}"{checked} xml:space="preserve">{_escape(page.text)}</text>\n'
        f"      <sha1>{sha1}</sha1>\n    </revision>\n  </page>\n"
    )


def _escape(text: str) -> str:
    return escape(text, {'"': "&quot;"})


def _base36(digest: bytes) -> str:
    number, digits = int.from_bytes(digest, "big"), ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits.rjust(31, "0")


def streams(edition: Edition, pages: Sequence[WrittenPage]) -> Iterator[tuple[str, Sequence[WrittenPage]]]:
    """The XML of each bzip2 stream, and the pages in it: the header, the pages, the closing tag."""
    yield header(edition), []
    for at in range(0, len(pages), edition.per_stream):
        group = pages[at : at + edition.per_stream]
        yield "".join(page_xml(page, edition.version) for page in group), group
    yield "</mediawiki>\n", []


def dump_files(edition: Edition) -> dict[str, bytes]:
    """The dump and its index, by name."""
    pages = list(read_pages((SAMPLE / "pages" / f"{edition.language}.txt").read_text(encoding="utf-8")))
    dump, index = b"", ""
    for xml, group in streams(edition, pages):
        index += "".join(f"{len(dump)}:{page.page_id}:{page.title}\n" for page in group)
        dump += bz2.compress(xml.encode())
    return {f"{edition.name}.xml.bz2": dump, f"{edition.name}-index.txt.bz2": bz2.compress(index.encode())}


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of ``python -m samples.make_wikipedia``."""
    files = (file for edition in EDITIONS for file in dump_files(edition).items())
    write_files(MODULE, SAMPLE, output_folder(MODULE, SAMPLE, arguments), files)


if __name__ == "__main__":
    main()
