"""The quality of source files: lengths of lines, shares of characters, letters to tokens.

The paper, section 2.1: "filtered low quality files with heuristics based on the line length or proportion of
alphanumeric characters". The thresholds are RedPajama's, who filled in what the paper leaves out (RedPajama-Data v1,
``data_prep/github``); they also gave the ratio of letters to tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

MAX_LINE_CHARACTERS = 1000
MAX_MEAN_LINE_CHARACTERS = 100.0
MIN_ALPHANUMERIC_SHARE = 0.25
MIN_LETTERS_PER_TOKEN = 1.5

_NEWLINE = ord("\n")
_ASCII = bytes(range(0x80))
_CONTINUATIONS = bytes(range(0x80, 0xC0))  # the bytes of a character in UTF-8 behind its first
# For each byte 1 where it is an ASCII character of the kind, else 0.
_ALPHANUMERIC = bytes(code < 0x80 and chr(code).isalnum() for code in range(0x100))
_LETTERS = bytes(code < 0x80 and chr(code).isalpha() for code in range(0x100))


@dataclass(frozen=True, slots=True)
class Measures:
    r"""What the rules look at.

    Attributes:
        lines: Lines; one ends at ``\n`` alone, and nothing behind the last one is no line.
        longest_line: Characters of the longest.
        mean_line: Their mean.
        alphanumeric: The share of characters that ``str.isalnum`` is true of; newlines count among all characters.
    """

    lines: int
    longest_line: int
    mean_line: float
    alphanumeric: float


@dataclass(frozen=True)
class Thresholds:
    """The rules' limits; the values themselves are still good.

    Attributes:
        max_line_characters: Of the longest line.
        max_mean_line_characters: Of the mean line.
        min_alphanumeric_share: Of all characters.
        min_letters_per_token: Where a tokenizer is given.
    """

    max_line_characters: int = MAX_LINE_CHARACTERS
    max_mean_line_characters: float = MAX_MEAN_LINE_CHARACTERS
    min_alphanumeric_share: float = MIN_ALPHANUMERIC_SHARE
    min_letters_per_token: float = MIN_LETTERS_PER_TOKEN

    def __post_init__(self) -> None:
        for name in ("max_line_characters", "max_mean_line_characters"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, it is {getattr(self, name)}")
        if not 0 <= self.min_alphanumeric_share <= 1:
            raise ValueError(f"min_alphanumeric_share must lie between 0 and 1, it is {self.min_alphanumeric_share}")
        if self.min_letters_per_token < 0:
            raise ValueError(f"min_letters_per_token must not be negative, it is {self.min_letters_per_token}")


def measure(text: str) -> Measures:
    r"""Measures a text.

    ``str.splitlines`` is not what splits it: that also splits at ``\x0b``, ``\x0c``, ``\x1c`` and U+2028, which stand
    in strings and between the pages of old sources.
    """
    encoded = text.encode("utf-8", "surrogatepass")
    characters = encoded.translate(None, _CONTINUATIONS) if len(encoded) > len(text) else encoded  # a byte for each
    ends = np.flatnonzero(np.frombuffer(characters, np.uint8) == _NEWLINE)
    count = len(ends) + (not text.endswith("\n")) if text else 0
    longest = int(np.diff(ends, prepend=-1, append=len(text)).max()) - 1
    mean = (len(text) - len(ends)) / count if count else 0.0
    share = _count(encoded, len(text), _ALPHANUMERIC, str.isalnum) / len(text) if text else 0.0
    return Measures(count, longest, mean, share)


def letters(text: str) -> int:
    """Counts the characters that ``str.isalpha`` is true of."""
    return _count(text.encode("utf-8", "surrogatepass"), len(text), _LETTERS, str.isalpha)


def _count(encoded: bytes, characters: int, table: bytes, is_counted: Callable[[str], bool]) -> int:
    """Counts ASCII characters by a table, and looks at each of the rest, which is little in code."""
    count = int(np.count_nonzero(np.frombuffer(encoded.translate(table), np.bool_)))
    if len(encoded) != characters:
        rest = encoded.translate(None, _ASCII).decode("utf-8", "surrogatepass")
        count += sum(map(is_counted, rest))
    return count


def judge(measures: Measures, thresholds: Thresholds) -> str | None:
    """Gives the first reason, in the order of the rules, why a file is dropped; None where it stays."""
    if not measures.lines:
        return "empty"
    if measures.longest_line > thresholds.max_line_characters:
        return "long_line"
    if measures.mean_line > thresholds.max_mean_line_characters:
        return "long_mean_line"
    if measures.alphanumeric < thresholds.min_alphanumeric_share:
        return "few_alphanumeric"
    return None


def judge_tokens(letter_count: int, token_count: int, thresholds: Thresholds) -> str | None:
    """Gives the reason why a file with so many letters and tokens is dropped: numbers and byte fallbacks make it up."""
    return "few_letters_per_token" if letter_count < thresholds.min_letters_per_token * token_count else None
