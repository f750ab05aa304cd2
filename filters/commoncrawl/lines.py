"""Lines of Common Crawl pages as CCNet sees them: text of a WET body, key of a line, hash of a key.

Reference: cc_net ``process_wet_file.py`` (``group_by_docs``, ``parse_doc``), ``text_normalizer.py``
(``normalize_for_dedup``) and ``dedup.py`` (``compute_hashes``).  :func:`line_key` and :func:`hash_key`
say the rule in the plainest form; :func:`hash_lines` does the same for a whole document, and is the one
that every byte of a crawl passes through.
"""

import ctypes
import functools
import re
from collections.abc import Iterator

# SHA-1 is CCNet's choice of a hash, not a safeguard. This constructor is OpenSSL's, the fastest here on short lines.
from hashlib import sha1
from operator import methodcaller

import numpy as np
import numpy.typing as npt

from filters.native.library import address, compiled

# cc_net text_normalizer.UNICODE_PUNCT.  The fullwidth digit is in CCNet's table by mistake (for a
# quotation mark) and has no effect here: it is a decimal digit, and digits become "0" before this set is
# looked at.
UNICODE_PUNCT = "，。、„”“«»１」「《》´∶：？！（）；–—．～’…━〈〉【】％►"
# cc_net text_normalizer.NON_PRINTING_CHARS_RE: the C0 range, DEL and the C1 range.
CONTROL_CHARACTERS = "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0)]))
# cc_net dedup.HASH_SIZE: a line is known by so many bytes of its SHA-1.
HASH_BYTES = 8

_SHA1_BYTES = 20
_DIGIT = re.compile(r"\d")
_DELETED = re.compile(f"[{UNICODE_PUNCT}{CONTROL_CHARACTERS}]")
# Lone surrogates have no UTF-8. They get the three bytes that the code point would have, so they do not
# raise and do not meet another line's key. CCNet cannot see one: it decodes strictly.
_SURROGATES = "surrogatepass"
# Lines are worked on by the block: it bounds memory (a page can be all newlines) and stays inside the
# CPU caches.
_BLOCK_CHARACTERS = 1 << 17
# Nothing above has case, is a decimal digit, or is deleted (a test walks all of Unicode).
_PLAIN_FROM = 0x20000
# str.lower gives two characters for the first, and looks at the neighbours of the second.
_LOWER_BY_PYTHON = ("\u0130", "\u03a3")
_ASCII_TABLE = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ123456789", b"abcdefghijklmnopqrstuvwxyz000000000")
_ASCII_DELETED = bytes(code for code in [*range(0x20), 0x7F] if code != ord("\n"))

_digest = methodcaller("digest")


def split_wet_text(body: str, *, use_compiled: bool = True) -> tuple[str, str]:
    r"""Splits the body of a WET record into its title and its text, as CCNet does.

    CCNet reads the file line by line in text mode, so a line ends at ``\n``, ``\r`` or ``\r\n``, and the
    two line ends that close the record come out as lines of their own.  Each line is stripped.  If the
    last two lines are empty, both go; so a body that does not end in a newline keeps one empty line at
    its end.  The first line is the title.

    Args:
        body: The record's body as decoded text, without the two line ends that follow it in the file.
        use_compiled: Whether to use the compiled loop, where there is one.

    Returns:
        The title, and the text: the other lines joined by one ``\n``.  Both are empty for an empty body.

    Source: cc_net ``process_wet_file.py``, ``group_by_docs`` and ``parse_doc``.
    """
    lines = stripped_lines(body.encode("utf-8", _SURROGATES), use_compiled=use_compiled)
    return title_and_text(lines.decode("utf-8", _SURROGATES))


def stripped_lines(body: bytes, *, use_compiled: bool = True) -> bytes:
    r"""Strips every line of a body; the first step of :func:`split_wet_text`.

    Args:
        body: UTF-8, or whatever stands for it: bytes that are none stay, and are no white space.
        use_compiled: Whether to use the compiled loop, where there is one.

    Returns:
        The lines, joined by one ``\n``.
    """
    if use_compiled and (library := compiled()):
        lines = np.empty(len(body), np.uint8)
        library.stripped_lines.restype = ctypes.c_int64
        size = library.stripped_lines(ctypes.c_char_p(body), ctypes.c_int64(len(body)), ctypes.c_void_p(address(lines)))
        return lines[:size].tobytes()
    text = body.decode("utf-8", "surrogateescape")
    plain = text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
    stripped = ("\n".join(map(str.strip, block.split("\n"))) for block in _blocks(plain))
    return "\n".join(stripped).encode("utf-8", "surrogateescape")


def title_and_text(lines: str) -> tuple[str, str]:
    """Splits stripped lines into title and text; the second step of :func:`split_wet_text`."""
    title, newline, text = lines.partition("\n")
    if not newline:
        return title, ""
    # In the file one more empty line follows: the rest of the two line ends behind the body's last line.
    last_is_empty = not text or text.endswith("\n")
    return title, text[:-1] if last_is_empty else text + "\n"


def line_key(line: str) -> str:
    """Key of a line: lines with one key are copies of each other.

    Strip; an empty line stays empty; lower case; every decimal digit of Unicode becomes "0"; the 34
    characters of ``UNICODE_PUNCT`` and the control characters go.  ASCII punctuation, accents and inner
    spaces stay.

    Source: cc_net ``text_normalizer.py``, ``normalize_for_dedup``.
    """
    line = line.strip()
    if not line:
        return line
    return _DELETED.sub("", _DIGIT.sub("0", line.lower()))


def hash_key(key: str) -> int:
    """Hashes a key: the first 8 bytes of the SHA-1 of its UTF-8, read as a little-endian unsigned number.

    A lone surrogate is encoded as the three bytes of its code point, and does not raise.

    Source: cc_net ``dedup.py``, ``str_hash`` and ``compute_hashes``.
    """
    return int.from_bytes(sha1(key.encode("utf-8", _SURROGATES)).digest()[:HASH_BYTES], "little")


def hash_lines(text: str, *, use_compiled: bool = True) -> npt.NDArray[np.uint64]:
    r"""Hashes every line of a document.

    Equal to ``[hash_key(line_key(line)) for line in text.split("\n")]``, and several times faster.

    Args:
        text: A document; a line ends at ``\n`` alone.
        use_compiled: Whether to use the compiled loop, where there is one; no hash depends on it.

    Returns:
        One uint64 per line, in order; an empty text is one empty line.  Memory beside the result is some
        megabytes, or some 20 bytes per character of the longest line if that is more; by the compiled loop three
        times the text's UTF-8.
    """
    if use_compiled and (library := compiled()):
        return _hash_all(library, text)
    hashes = [_hash_block(block) for block in _blocks(text)]
    return hashes[0] if len(hashes) == 1 else np.concatenate(hashes)


def _hash_all(library: ctypes.CDLL, text: str, *, use_instructions: bool = True) -> npt.NDArray[np.uint64]:
    """Hashes the lines of a text by the compiled loop."""
    if any(character in text for character in _LOWER_BY_PYTHON):
        text = text.lower()  # no line sees its neighbour, and what is stripped has no case: see _unicode_keys
    encoded = text.encode("utf-8", _SURROGATES)
    hashes = np.empty(encoded.count(b"\n") + 1, np.uint64)
    key = np.empty(2 * len(encoded) + 1, np.uint8)
    library.line_hashes(
        ctypes.c_char_p(encoded),
        ctypes.c_int64(len(encoded)),
        ctypes.c_void_p(address(_key_table())),
        ctypes.c_void_p(address(key)),
        ctypes.c_void_p(address(hashes)),
        ctypes.c_int(use_instructions),
    )
    return hashes


def _blocks(text: str) -> Iterator[str]:
    r"""Cuts a text at newlines into parts of bounded length: ``"\n".join(parts)`` is the text again."""
    start = 0
    while len(text) - start > _BLOCK_CHARACTERS:
        end = text.rfind("\n", start, start + _BLOCK_CHARACTERS)
        if end < 0:  # one line longer than a block: it goes whole
            end = text.find("\n", start + _BLOCK_CHARACTERS)
            if end < 0:
                break
        yield text[start:end]
        start = end + 1
    yield text[start:] if start else text


def _hash_block(block: str) -> npt.NDArray[np.uint64]:
    """Hashes the lines of one block."""
    stripped = "\n".join(map(str.strip, block.split("\n")))
    keys = (_ascii_keys(stripped) if stripped.isascii() else _unicode_keys(stripped)).split(b"\n")
    digests = b"".join(map(_digest, map(sha1, keys)))
    heads: npt.NDArray[np.uint64] = np.ndarray((len(keys),), "<u8", digests, strides=(_SHA1_BYTES,))
    return heads.astype(np.uint64)


def _ascii_keys(lines: str) -> bytes:
    """Keys of stripped ASCII lines, with the newlines between them."""
    return lines.encode("ascii").translate(_ASCII_TABLE, _ASCII_DELETED)


def _unicode_keys(lines: str) -> bytes:
    """Keys of stripped lines as UTF-8, with the newlines between them: one table look-up per character."""
    if any(character in lines for character in _LOWER_BY_PYTHON):
        # A newline has no case and is not skipped when case is looked for: no line sees its neighbour.
        lines = lines.lower()
    codes = np.frombuffer(lines.encode("utf-32-le", _SURROGATES), dtype="<u4")
    mapped: bytes = _key_table()[codes].astype("<u4", copy=False).tobytes()
    return mapped.decode("utf-32-le", _SURROGATES).encode("utf-8", _SURROGATES).replace(b"\0", b"")


@functools.cache
def _key_table() -> npt.NDArray[np.uint32]:
    """Table over all code points: lower case, digits to "0", what is deleted to 0; newlines stay."""
    table = np.arange(0x110000, dtype=np.uint32)
    for code in range(_PLAIN_FROM):
        character = chr(code)
        if character.isdecimal():
            table[code] = ord("0")
        elif character not in _LOWER_BY_PYTHON and (lower := character.lower()) != character:
            table[code] = ord(lower)
    deleted = [ord(c) for c in UNICODE_PUNCT + CONTROL_CHARACTERS if c != "\n" and not c.isdecimal()]
    table[deleted] = 0
    table.flags.writeable = False
    return table
