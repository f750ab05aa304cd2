"""Free English texts that Debian packages bring, as documents for the language model: a document a line.

They are read from packages laid out with ``dpkg -x``. They are prose that people write to people, in the first and the
second person, as most pages of a crawl are; an encyclopaedia's is not (models/README.md has the comparison).
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from lxml import etree, html

DICTIONARIES = "usr/share/dictd"
GNOME_HELP = "usr/share/help/C"
HANDBOOK = "usr/share/doc/debian-handbook/html/en-US"

MIN_CHARACTERS = 200  # of a document; shorter ones are see-alsos
MIN_PARAGRAPH = 40  # shorter ones are headwords, pronunciations, menu paths


def write_texts(packages: Path, output: Path) -> list[Path]:
    """Writes the documents of each package.

    Args:
        packages: folder into which the packages were unpacked.
        output: folder of the texts, a file a package.

    Raises:
        FileNotFoundError: a package is not there; names it.
    """
    readers = {
        "dict-jargon": partial(dictionary_entries, "jargon"),
        "dict-devil": partial(dictionary_entries, "devil"),
        "gnome-user-docs": gnome_pages,
        "debian-handbook": handbook_pages,
    }
    made = []
    for package, read in readers.items():
        lines = [document for document in read(packages) if len(document) > MIN_CHARACTERS]
        if not lines:
            raise FileNotFoundError(f"{packages} holds nothing of the Debian package {package}")
        path = output / f"{package}.txt"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        made.append(path)
    return made


def dictionary_entries(name: str, packages: Path) -> Iterator[str]:
    """Yields the entries of a dictionary of dictd, each of which begins with a headword at the start of a line."""
    path = packages / DICTIONARIES / f"{name}.dict.dz"
    text = gzip.decompress(path.read_bytes()).decode("utf-8", "replace") if path.exists() else ""
    for entry in re.split(r"\n(?=\S)", text):
        yield _document(re.split(r"\n\s*\n", entry))


def gnome_pages(packages: Path) -> Iterator[str]:
    """Yields the pages of GNOME's help, without titles."""
    for path in sorted((packages / GNOME_HELP).glob("*/*.page")):
        yield _document("".join(paragraph.itertext()) for paragraph in etree.parse(path).getroot().iter("{*}p"))


def handbook_pages(packages: Path) -> Iterator[str]:
    """Yields the sections of the Debian Administrator's Handbook, without titles, tables and commands."""
    for path in sorted((packages / HANDBOOK).glob("*.html")):
        blocks = html.parse(path).getroot().iter("div")
        yield _document(block.text_content() for block in blocks if block.get("class") == "para")


def _document(paragraphs: Iterable[str]) -> str:
    """The longer paragraphs on one line."""
    lines = (" ".join(paragraph.split()) for paragraph in paragraphs)
    return " ".join(line for line in lines if len(line) > MIN_PARAGRAPH)
