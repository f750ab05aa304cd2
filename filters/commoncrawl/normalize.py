"""Text as CCNet's language models see it: lower case, no accents, zeros for digits, ASCII punctuation, one line.

The rules are those of ``normalize(line, accent=True, case=True, numbers=True, punct=1)`` in CCNet's
``cc_net/text_normalizer.py``. :func:`normalize_plain` is the rules, one after the other.
:class:`LanguageModelNormalizer` gives the same strings several times faster: it works on UTF-8 bytes, one table look-up
for an ASCII byte, one cached look-up for a run of other characters.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Literal, get_args

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

    An instance holds a bounded cache (under 10 MB) and is meant for one thread at a time.
    """

    def __init__(self, join_lines: str = "fuse") -> None:
        """Builds the tables.

        Args:
            join_lines: ``fuse`` or ``space``.

        Raises:
            ValueError: another value of ``join_lines``.
        """
        self.join_lines = check_join_lines(join_lines)
        self._ascii_table, self._ascii_deleted = _ascii_tables(self.join_lines)
        self._runs = _RunCache()

    def __call__(self, text: str) -> str:
        """Normalises a document (see :func:`normalize_plain`)."""
        text = text.strip()
        if text.isascii():
            return text.encode("ascii").translate(self._ascii_table, self._ascii_deleted).decode("ascii")
        if CAPITAL_SIGMA in text:
            text = text.lower()
        # surrogatepass: a lone surrogate is no character, but no reason to stop either
        encoded = text.encode("utf-8", "surrogatepass").translate(self._ascii_table, self._ascii_deleted)
        parts = NOT_ASCII.split(encoded)  # ASCII, run, ASCII, run, ..., ASCII
        parts[1::2] = map(self._runs.__getitem__, parts[1::2])
        return b"".join(parts).decode("utf-8", "surrogatepass")


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
