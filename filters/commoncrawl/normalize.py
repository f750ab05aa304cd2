"""Text as CCNet's language models see it: lower case, no accents, zeros for digits, ASCII punctuation, one line.

The rules are those of ``normalize(line, accent=True, case=True, numbers=True, punct=1)`` in CCNet's
``cc_net/text_normalizer.py``. :func:`normalize_plain` is the rules, one after the other.
:class:`LanguageModelNormalizer` gives the same strings several times faster: it works on UTF-8 bytes, one table look-up
for an ASCII byte, one cached look-up for a run of other characters.
"""

import ctypes
import re
import unicodedata
from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np

from filters.native.library import address, compiled

JoinLines = Literal["fuse", "space"]
"""What becomes of a newline: ``fuse`` deletes it, as CCNet does, so that the words at line ends grow together;
``space`` puts one space there."""

# CCNet, text_normalizer.UNICODE_PUNCT. The full-width one can no longer occur when its turn comes (it is a digit).
LOOK_ALIKES = {
    "，": ",",
    "。": ".",
    "、": ",",
    "„": '"',
    "”": '"',
    "“": '"',
    "«": '"',
    "»": '"',
    "１": '"',
    "」": '"',
    "「": '"',
    "《": '"',
    "》": '"',
    "´": "'",
    "∶": ":",
    "：": ":",
    "？": "?",
    "！": "!",
    "（": "(",
    "）": ")",
    "；": ";",
    "–": "-",
    "—": " - ",
    "．": ". ",
    "～": "~",
    "’": "'",
    "…": "...",
    "━": "-",
    "〈": "<",
    "〉": ">",
    "【": "[",
    "】": "]",
    "％": "%",
    "►": "-",
}
# CCNet, text_normalizer.NON_PRINTING_CHARS_RE: U+0000-001F and U+007F-009F.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
CONTROL_BUT_NEWLINE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f]")
DIGIT = re.compile(r"\d")  # every decimal digit of Unicode, not only ASCII's

NOT_ASCII = re.compile(b"([\x80-\xff]+)")
# The one letter whose lower case depends on its neighbours: at the end of a word it becomes the final sigma.
CAPITAL_SIGMA = "Σ"
# Bounds of the caches: at most 32,768 runs of at most 64 bytes, under 10 MB.
MAX_CACHED_RUNS = 1 << 15
MAX_CACHED_RUN_BYTES = 64
MAX_CACHED_CHARACTERS = 1 << 14  # 3 MB
# Of normalize.c: the characters of its table, and what stands there for those without a result.
TABLE, CALLERS, SELF = 0x20000, 1, 2
MAX_RESULTS = 1 << 20  # bytes: all characters together have 0.1 MB
GROWTH = 4  # no character becomes more than three times as long, for which there is room


def normalize_plain(text: str, join_lines: JoinLines = "fuse") -> str:
    """Normalises a document for the language model, step by step.

    Args:
        text: the document.
        join_lines: what becomes of a newline.

    Returns:
        The document on one line.
    """
    text = text.strip()
    return _fold_decomposed(unicodedata.normalize("NFD", text.lower()), join_lines)


def _fold_decomposed(decomposed: str, join_lines: JoinLines) -> str:
    """The steps that look at one character after the other."""
    text = "".join(c for c in decomposed if unicodedata.category(c) != "Mn")
    text = DIGIT.sub("0", text)
    text = "".join(LOOK_ALIKES.get(c, c) for c in text)
    if join_lines == "fuse":
        return CONTROL.sub("", text)
    return CONTROL_BUT_NEWLINE.sub("", text).replace("\n", " ")


def check_join_lines(value: str) -> JoinLines:
    """Returns ``value`` as a :data:`JoinLines`.

    Raises:
        ValueError: it is neither ``fuse`` nor ``space``.
    """
    for allowed in get_args(JoinLines):
        if value == allowed:
            return allowed  # type: ignore[no-any-return]
    raise ValueError(f"join_lines must be one of {', '.join(get_args(JoinLines))}, not {value!r}")


class LanguageModelNormalizer:
    """Equal to :func:`normalize_plain` on every string, and faster.

    Why a run of non-ASCII characters can be normalised by itself: lower-casing looks at neighbours for the capital
    sigma only (text that holds one is lower-cased as a whole first); decomposition reorders combining marks only
    between two starters, and every ASCII character is a starter; the other steps look at one character.

    Why, where a compiler was, a character can be normalised by itself, too: reordering moves combining marks alone, and
    of these all go that are of the category Mn. The few others are left to the way of runs, with the text of one.

    An instance holds a bounded cache (under 10 MB) and is meant for one thread at a time.
    """

    def __init__(self, join_lines: str = "fuse", *, use_compiled: bool = True) -> None:
        """Builds the tables.

        Args:
            join_lines: ``fuse`` or ``space``.
            use_compiled: Whether to use the compiled loop, where there is one; no result depends on it.

        Raises:
            ValueError: another value of ``join_lines``.
        """
        self.join_lines = check_join_lines(join_lines)
        self._ascii_table, self._ascii_deleted = _ascii_tables(self.join_lines)
        self._runs = _RunCache()
        library = compiled() if use_compiled else None
        self._compiled = _Characters(library, self._ascii_table, self._ascii_deleted) if library else None

    def __call__(self, text: str) -> str:
        """Normalises a document (see :func:`normalize_plain`)."""
        return self.encoded(text).decode("utf-8", "surrogatepass")

    def encoded(self, text: str) -> bytes:
        """Normalises a document, to UTF-8; lone surrogates stay, each as the three bytes of its code point."""
        text = text.strip()
        if text.isascii():
            return text.encode("ascii").translate(self._ascii_table, self._ascii_deleted)
        if CAPITAL_SIGMA in text:
            text = text.lower()
        # surrogatepass: a lone surrogate is no character, but no reason to stop either
        raw = text.encode("utf-8", "surrogatepass")
        if self._compiled and (found := self._compiled.normalize(raw)) is not None:
            return found
        parts = NOT_ASCII.split(raw.translate(self._ascii_table, self._ascii_deleted))  # ASCII, run, ASCII, ..., ASCII
        parts[1::2] = map(self._runs.__getitem__, parts[1::2])
        return b"".join(parts)


class _Characters:
    """What becomes of each character that texts have had, for the compiled loop. Memory: 1.5 MB."""

    def __init__(self, library: ctypes.CDLL, ascii_table: bytes, ascii_deleted: bytes) -> None:
        self._call = library.normalize_text
        self._call.restype = ctypes.c_int64
        texts, arrays = [ctypes.c_char_p] * 2, [ctypes.c_void_p] * 3
        self._call.argtypes = [ctypes.c_char_p, ctypes.c_int64, *texts, *arrays, ctypes.c_int64, ctypes.c_void_p]
        self._ascii = ascii_table
        self._gone = bytes(byte in ascii_deleted for byte in range(128))
        self._table = np.zeros(TABLE, np.uint32)
        self._results = np.zeros(MAX_RESULTS, np.uint8)
        self._used = 0
        self._pointers = address(self._table), address(self._results)

    def normalize(self, raw: bytes) -> bytes | None:
        """Normalises UTF-8; None where a character is in it that its neighbours can move."""
        room = GROWTH * len(raw)
        out = np.empty(room, np.uint8)
        done = (ctypes.c_int64 * 2)()
        more = *self._pointers, address(out), room, done
        while (code := self._call(raw, len(raw), self._ascii, self._gone, *more)) > 0:
            self._learn(code)
        return None if code < 0 else out[: done[1]].tobytes()

    def _learn(self, code: int) -> None:
        character = chr(code)
        decomposed = unicodedata.normalize("NFD", character.lower())
        moves = any(unicodedata.combining(c) and unicodedata.category(c) != "Mn" for c in decomposed)
        folded = _fold_decomposed(decomposed, "fuse").encode("utf-8", "surrogatepass")
        if moves or len(folded) > 255 or self._used + len(folded) > len(self._results):
            self._table[code] = CALLERS
        elif folded == character.encode("utf-8", "surrogatepass"):
            self._table[code] = SELF
        else:
            # An empty result is no entry of its own, so the first lies behind one byte.
            self._used = max(self._used, 1)
            self._results[self._used : self._used + len(folded)] = np.frombuffer(folded, np.uint8)
            self._table[code] = self._used << 8 | len(folded)
            self._used += len(folded)


class _CharacterCache(dict[str, str]):
    """A character of decomposed text -> what the steps after decomposition make of it."""

    def __missing__(self, character: str) -> str:
        if len(self) >= MAX_CACHED_CHARACTERS:
            self.clear()
        self[character] = folded = _fold_decomposed(character, "fuse")
        return folded


class _RunCache(dict[bytes, bytes]):
    """A run of non-ASCII characters (UTF-8) -> its normal form; computed at the first look-up."""

    def __init__(self) -> None:
        super().__init__()
        self._characters = _CharacterCache()

    def __missing__(self, run: bytes) -> bytes:
        decomposed = unicodedata.normalize("NFD", run.decode("utf-8", "surrogatepass").lower())
        folded = "".join(map(self._characters.__getitem__, decomposed)).encode("utf-8", "surrogatepass")
        if len(run) <= MAX_CACHED_RUN_BYTES:
            if len(self) >= MAX_CACHED_RUNS:
                self.clear()
            self[run] = folded
        return folded


def _ascii_tables(join_lines: JoinLines) -> tuple[bytes, bytes]:
    """Returns the byte table (case, digits, newline) and the bytes to delete; bytes from 0x80 on stay."""

    def image(byte: int) -> int:
        if byte == 0x0A:
            return 0x20
        return ord("0") if 0x30 <= byte <= 0x39 else ord(chr(byte).lower()) if byte < 0x80 else byte

    def controls() -> Iterator[int]:
        yield from (byte for byte in range(0x20) if byte != 0x0A or join_lines == "fuse")
        yield 0x7F

    return bytes(map(image, range(256))), bytes(controls())
