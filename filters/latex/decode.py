"""Bytes to text: UTF-8, else the encoding that the preamble declares, else a guess. No paper is lost here.

Order of the rules: LLaMA section 2.1 says nothing; RedPajama's ``arxiv_cleaner.py`` drops what is not UTF-8 or
Latin-1 by a detector's guess. A declaration is better evidence than a guess, so it comes first. Papers in Japanese,
Chinese, Korean and Cyrillic letters are often without one, and guessed (`guess`); Windows-1252 is the last.
"""

import codecs
import re

from filters.latex.guess import guess_encoding

# inputenc's option names (LaTeX's ``inputenc.dtx``, section "The encodings") and Python's names for them. latin1
# is read as Windows-1252, a superset wherever Latin-1 has printable characters.
INPUTENC = {
    "latin1": "cp1252",
    "ansinew": "cp1252",
    "cp1252": "cp1252",
    "latin2": "iso8859-2",
    "latin3": "iso8859-3",
    "latin4": "iso8859-4",
    "latin5": "iso8859-9",
    "latin9": "iso8859-15",
    "latin10": "iso8859-16",
    "applemac": "mac_roman",
    "macce": "mac_latin2",
    "maccyr": "mac_cyrillic",
    "cp437": "cp437",
    "cp437de": "cp437",
    "cp850": "cp850",
    "cp852": "cp852",
    "cp855": "cp855",
    "cp858": "cp858",
    "cp865": "cp865",
    "cp866": "cp866",
    "cp1250": "cp1250",
    "cp1251": "cp1251",
    "cp1257": "cp1257",
    "koi8-r": "koi8_r",
    "koi8-u": "koi8_u",
    "iso88595": "iso8859-5",
}
# Encodings that the CJK package's environments name in their first argument.
CJK = {"GBK": "gb18030", "GB": "gb18030", "Bg5": "big5", "JIS": "euc_jp", "SJIS": "cp932", "KS": "cp949"}
# Marks at the beginning, the longer first, and what they mark.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}

_DECLARED = re.compile(rb"\\(?:usepackage\s*\[([^\[\]]{0,200})\]\s*\{inputen[cx]\}|inputencoding\s*\{([^{}]{0,50})\})")
_CJK = re.compile(rb"\\begin\s*\{CJK\*?\}(?:\[[^\[\]]{0,200}\])?\{(\w+)\}")
_UNDEFINED_1252 = bytes(range(256)).translate(None, bytes(b for b in range(256) if b not in b"\x81\x8d\x8f\x90\x9d"))
_MAX_LINE = 2000  # bytes looked at before a command for the comment sign that would hide it
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_CONTROL_BYTES = bytes({*range(32), 127} - {*b"\t\n"})
_LINE_ENDS = ("\r\n", "\r", "\f", "\x0b", "\x85", "\u2028", "\u2029")
_HEAD = 1000  # bytes by which wide characters are known
_SAMPLE = 65536  # bytes looked at to tell text from binary
_MAX_CONTROL_SHARE = 0.02  # of the sample: TeX sources hold tabs, line ends and perhaps a Ctrl-L or a Ctrl-Z
_MAX_CONTROLS = 10  # in a short file: a stray one makes no binary
_TEXT_CONTROLS = b"\t\n\r\x0c\x1a\x0b"


def wide_encoding(data: bytes) -> str | None:
    """The encoding of a text of two or four bytes a character, by its mark or by its zeros; None for all else."""
    if b"\0" not in data[:_HEAD] and not data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return None
    marked = next((encoding for mark, encoding in _MARKS.items() if data.startswith(mark)), None)
    if marked:
        return marked
    head = data[: _HEAD - _HEAD % 2]
    even, odd = head[::2].count(0), head[1::2].count(0)
    if odd > 0.7 * len(head) / 2 and not even:
        return "utf-16-le"
    return "utf-16-be" if even > 0.7 * len(head) / 2 and not odd else None


def as_utf8(data: bytes) -> tuple[bytes, str | None]:
    """Bytes of a text of wide characters as UTF-8, and its encoding; other bytes as they are, and None."""
    encoding = wide_encoding(data)
    return (data, None) if encoding is None else (data.decode(encoding, "replace").encode("utf-8", "replace"), encoding)


def is_binary(data: bytes) -> bool:
    """Whether the bytes are no text in any encoding a TeX source is written in (NULs, or many control bytes)."""
    if wide_encoding(data):
        return False
    sample = data[:_SAMPLE]
    if b"\x1b" in sample and b"\x1b$" in sample:  # ISO-2022: escapes between kanji and ASCII
        sample = sample.replace(b"\x1b", b"")
    controls = len(sample) - len(sample.translate(None, bytes(b for b in range(32) if b not in _TEXT_CONTROLS)))
    return controls > max(_MAX_CONTROLS, _MAX_CONTROL_SHARE * len(sample))


def uncommented(pattern: re.Pattern[bytes], data: bytes) -> re.Match[bytes] | None:
    """The first match that no ``%`` before it on its line hides."""
    for match in pattern.finditer(data):
        start = match.start()
        line = max(
            data.rfind(b"\n", max(0, start - _MAX_LINE), start), data.rfind(b"\r", max(0, start - _MAX_LINE), start)
        )
        before = data[max(line + 1, start - _MAX_LINE, 0) : start]
        if b"%" not in before.replace(b"\\%", b""):
            return match
    return None


def declared_encoding(data: bytes) -> str | None:
    """Python's name of the 8-bit encoding that inputenc, inputenx or a CJK environment declares, if any.

    ``utf8`` counts as no declaration: bytes that are not UTF-8 do not become so by being called it.
    """
    match = uncommented(_DECLARED, data) if b"inputen" in data else None
    if match:
        options = (match[1] or match[2]).decode("ascii", "replace").split(",")
        return next((INPUTENC[o.strip().lower()] for o in options if o.strip().lower() in INPUTENC), None)
    cjk = _CJK.search(data) if b"{CJK" in data else None
    return CJK.get(cjk[1].decode("ascii", "replace")) if cjk else None


def decode(data: bytes, declared: str | None = None) -> tuple[str, str]:
    r"""The text of a TeX source and the encoding it was read in; line ends become ``\n``, controls go.

    Args:
        data: the file's bytes.
        declared: the encoding to try where the bytes are not UTF-8: `declared_encoding` of it or of the main file.
    """
    text, encoding = _decode(data, declared)
    if not text.isascii():
        text = text.removeprefix("\ufeff")
    for end in _LINE_ENDS:
        if end in text:
            text = text.replace(end, "\n")
    # UTF-8 has them as bytes, which are counted sooner than characters are searched.
    without = encoding == "utf-8" and len(data.translate(None, _CONTROL_BYTES)) == len(data)
    return (text if without else _CONTROL.sub("", text)), encoding


def _decode(data: bytes, declared: str | None) -> tuple[str, str]:
    wide = wide_encoding(data)
    if wide:
        return data.decode(wide, "replace"), wide
    if b"\x1b" in data and b"\x1b$" in data:
        return data.decode("iso2022_jp_2", "replace"), "iso2022_jp"
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        pass
    escaped = data.decode("utf-8", "surrogateescape")
    bad = sum("\udc80" <= c <= "\udcff" for c in escaped if c > "\x7f")
    good = sum(c > "\x7f" for c in escaped) - bad
    if good > bad and good > 2:  # UTF-8 with some stray 8-bit bytes (a pasted name): only those are read otherwise
        repair = {0xDC00 + b: _cp1252(bytes([b])) for b in range(128, 256)}
        return escaped.translate(repair), "utf-8+cp1252"
    encoding = declared or guess_encoding(data)
    if encoding:
        return data.decode(encoding, "replace"), encoding
    return _cp1252(data), "cp1252"


def _cp1252(data: bytes) -> str:
    # Five bytes have no character in Windows-1252; they are shown as the replacement sign of ASCII text.
    return data.translate(bytes.maketrans(_UNDEFINED_1252, b"?" * len(_UNDEFINED_1252))).decode("cp1252")
