r"""The text of a Project Gutenberg file from its bytes, and the fields of its header."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

HEAD_BYTES = 40_000  # in which the header says its character set; the small print comes before it, or behind
TOP_LINES = 60  # in which the fields of a header stand
FIELD_LINES = 6  # of a title that runs on

_CHARSET = re.compile(rb"^[ \t*]*character\s+set(?:\s+encoding)?\s*:[ \t]*([^\r\n]{1,60})", re.I | re.M)
_UTF8_NAME = re.compile(r"utf-?8|unicode", re.I)
# What else headers say. Only these are believed before UTF-8 is tried: no text in them is valid in it by chance but
# ISO-2022-JP, which is all ASCII to the eye. Latin-1 and its kin are what is left when nothing else fits.
_DECLARED = (
    (re.compile(r"iso-?2022-?jp", re.I), "iso2022_jp"),
    (re.compile(r"shift[-_ ]?jis|sjis", re.I), "cp932"),
    (re.compile(r"euc-?jp", re.I), "euc_jp"),
    (re.compile(r"big-?5", re.I), "big5hkscs"),
    (re.compile(r"gb-?(?:2312|k|18030)", re.I), "gb18030"),
    (re.compile(r"euc-?kr", re.I), "euc_kr"),
    (re.compile(r"iso-?8859-?(?P<part>[2-9]|1[0-6])\b", re.I), "iso8859_{part}"),
    (re.compile(r"(?:windows|cp|codepage|code\s+page)[- ]?(?P<part>125[0-8]|437|850|852|866)\b", re.I), "cp{part}"),
    (re.compile(r"mac(?:intosh)?[- ]?roman", re.I), "mac_roman"),
    (re.compile(r"koi8-?(?P<part>[ru])\b", re.I), "koi8_{part}"),
)
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# UTF-16 without a byte order mark has NULs on one side only, of all bytes so many: half of them where the letters are
# Latin; in Greek or Cyrillic, in the spaces and line ends alone, but then all characters are of few pages of 256.
# Chinese and its like are not told from damage.
_NULS_OF_UTF16 = 0.35
_NULS_OF_OTHER_LETTERS = 0.02
_PAGES = 6


@dataclass(frozen=True, slots=True)
class Decoded:
    r"""A file's text.

    Attributes:
        text: The text, with ``\n`` at its line ends, and without NUL.
        encoding: The encoding; ``mixed`` where some lines are UTF-8 and some Windows-1252.
        nuls: NUL characters that were taken out.
    """

    text: str
    encoding: str
    nuls: int


def decode(data: bytes) -> Decoded:
    """Decodes a file; no bytes are refused, and only undecodable ones of a declared Unicode text are replaced.

    The order: a byte order mark; the character set that the header names, where it is none that UTF-8 or Latin-1 cover;
    UTF-8, where every byte fits (then a header that says Latin-1 is older than the file); else line by line UTF-8,
    else Windows-1252, of which Latin-1 is the printable part.

    Args:
        data: All bytes of the file.
    """
    text, encoding = _decode(data)
    nuls = text.count("\0")
    if nuls:
        text = text.replace("\0", "")
    return Decoded(text.replace("\r\n", "\n").replace("\r", "\n"), encoding, nuls)


def _decode(data: bytes) -> tuple[str, str]:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            rest = data[len(mark) :]
            return (rest.decode(encoding, "replace"), encoding) if encoding != "utf-8" else _decode_plain(rest)
    if guessed := _utf16_without_mark(data):
        return data.decode(guessed, "replace"), guessed
    if declared := declared_encoding(data):
        try:
            return data.decode(declared), declared
        except UnicodeDecodeError:  # the header is wrong, or the file is damaged: go by the bytes
            pass
    return _decode_plain(data)


def declared_encoding(data: bytes) -> str | None:
    """The character set that a file's header names, as Python calls it; None for UTF-8, ASCII, Latin-1 or none."""
    found = _CHARSET.search(data[:HEAD_BYTES])
    if not found:
        return None
    name = found[1].decode("ascii", "replace")
    if _UTF8_NAME.search(name):
        return None
    for pattern, template in _DECLARED:
        if match := pattern.search(name):
            encoding = template.format(**match.groupdict())
            return None if encoding == "cp1252" else encoding
    return None


def _utf16_without_mark(data: bytes) -> str | None:
    head = data[: min(HEAD_BYTES, len(data) // 2 * 2)]
    even, odd = head[0::2].count(0), head[1::2].count(0)
    least = _NULS_OF_UTF16 * len(head)
    if odd > least and not even:
        return "utf-16-le"
    if even > least and not odd:
        return "utf-16-be"
    if bool(even) == bool(odd) or even + odd < _NULS_OF_OTHER_LETTERS * len(head):
        return None
    pages = set(head[1::2] if odd else head[0::2])
    return None if len(pages) > _PAGES else "utf-16-le" if odd else "utf-16-be"


def _decode_plain(data: bytes) -> tuple[str, str]:
    try:
        return data.decode(), "utf-8"
    except UnicodeDecodeError:
        pass
    counts = {"utf-8": 0, "cp1252": 0}
    lines = []
    for line in data.split(b"\n"):
        if line.isascii():
            lines.append(line.decode("ascii"))
            continue
        text, encoding = _decode_line(line)
        counts[encoding] += 1
        lines.append(text)
    return "\n".join(lines), "mixed" if counts["utf-8"] else "cp1252"


def _decode_line(line: bytes) -> tuple[str, str]:
    try:
        return line.decode(), "utf-8"
    except UnicodeDecodeError:
        pass
    try:
        return line.decode("cp1252"), "cp1252"
    except UnicodeDecodeError:  # five bytes are undefined in it
        return line.decode("latin-1"), "cp1252"


@dataclass(frozen=True, slots=True)
class Header:
    """What a header says; None where it does not.

    Attributes:
        number: The ebook's number.
        title: The title, on one line.
        author: The author, likewise.
        language: The code of the (first) language.
        released: The release date, as it is written.
    """

    number: int | None = None
    title: str | None = None
    author: str | None = None
    language: str | None = None
    released: str | None = None


_NUMBER = re.compile(r"\be-?(?:book|text)\s*(?:#|number\s|no\.?\s?)\s*(\d{1,6})\b", re.I)
_FIELD = re.compile(r"^\W{0,4}(title|author|language|release\s+date|posting\s+date)\s*:[ \t]*(.*)$", re.I)
_NEXT_FIELD = re.compile(r"^\W{0,4}[a-z][a-z ]{2,24}:", re.I)
_FIRST_LINE = re.compile(
    r"^\W*(?:this\s+is\s+)?(?:the\s+)?project\s+gutenberg(?:'s|\u2019s)?\s+(?:e-?(?:text|book)\s*)?(?:of\s+|,\s+)?(?P<title>.+)$",
    re.I,
)
_BY = re.compile(r"^(?P<title>.*?),?\s+by\s+(?P<author>.+)$", re.S)
# As headers write them, first in English.
_LANGUAGES = {
    "english": "en", "french": "fr", "german": "de", "finnish": "fi", "dutch": "nl", "spanish": "es", "italian": "it",
    "portuguese": "pt", "hungarian": "hu", "greek": "el", "swedish": "sv", "danish": "da", "esperanto": "eo",
    "latin": "la", "chinese": "zh", "tagalog": "tl", "polish": "pl", "catalan": "ca", "norwegian": "no",
    "japanese": "ja", "welsh": "cy", "czech": "cs", "russian": "ru", "icelandic": "is", "hebrew": "he", "frisian": "fy",
    "bulgarian": "bg", "romanian": "ro", "serbian": "sr", "afrikaans": "af", "irish": "ga", "gaelic": "gd",
    "galician": "gl", "estonian": "et", "lithuanian": "lt", "slovenian": "sl", "ukrainian": "uk", "arabic": "ar",
    "persian": "fa", "sanskrit": "sa", "yiddish": "yi", "occitan": "oc", "breton": "br", "korean": "ko",
    "turkish": "tr", "cebuano": "ceb", "iloko": "ilo", "maori": "mi", "napoletano-calabrese": "nap", "friulian": "fur",
    "deutsch": "de", "fran\u00e7ais": "fr", "espa\u00f1ol": "es", "italiano": "it", "nederlands": "nl",
}  # fmt: skip
LANGUAGE_CODES = frozenset(_LANGUAGES.values())  # those that a header can give


def top_of(text: str) -> str:
    """The first lines of a file without a start marker, where they are a header all the same; "" where they are not."""
    top = "\n".join(text.split("\n", TOP_LINES)[:TOP_LINES])
    return top if re.search(r"project\s+gutenberg", top, re.I) else ""


def parse_header(header: str) -> Header:
    """Reads the fields of a header; the first of several of one name counts.

    Args:
        header: The text before the book.
    """
    lines = header.lstrip("\ufeff").split("\n")
    fields: dict[str, str] = {}
    for number, line in enumerate(lines):
        if found := _FIELD.match(line[:300]):
            name = " ".join(found[1].lower().split())
            fields.setdefault(name, _continued(found[2], lines[number + 1 : number + FIELD_LINES]))
    title, author = _first_line(lines)
    known = _NUMBER.search(header)
    return Header(
        int(known[1]) if known else None,
        fields.get("title") or title,
        fields.get("author") or author,
        language_code(fields.get("language", "")),
        re.sub(r"\s*\[.*", "", fields.get("release date") or fields.get("posting date") or "") or None,
    )


def _continued(value: str, following: list[str]) -> str:
    """A field's value, with the indented lines that it runs on over."""
    parts = [value]
    for line in following:
        if not line.startswith((" ", "\t")) or not line.strip() or _NEXT_FIELD.match(line[:300]):
            break
        parts.append(line)
    return " ".join(" ".join(parts).split())


def _first_line(lines: list[str]) -> tuple[str | None, str | None]:
    """Title and author from the sentence that old headers begin with; it may take two lines."""
    at = next((number for number, line in enumerate(lines[:40]) if line.strip()), None)
    if at is None or not (found := _FIRST_LINE.match(lines[at][:300])):
        return None, None
    text = found["title"]
    if at + 1 < len(lines):
        text += f"\n{lines[at + 1][:300]}"
    named = _BY.match(text.strip())
    if not named:
        return found["title"].strip(" *.,") or None, None
    return " ".join(named["title"].split()).strip(" *.,"), " ".join(named["author"].split()).strip(" *.,")


def language_code(name: str) -> str | None:
    """The ISO 639 code of a language's name in a header, of the first where it names several; None where unknown."""
    first = re.split(r"[,;/&(]|\s+and\s+|\s+with\s+", name.strip().lower())[0].strip(" .*")
    if first in LANGUAGE_CODES:
        return first
    return _LANGUAGES.get(first) or _LANGUAGES.get(first.split(" ")[-1])
