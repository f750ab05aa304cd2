"""Text like the web's, without end and at tens of megabytes a second: the generator behind ``benchmarks.make_wet``.

Words follow each other as in a seed text (a second-order chain that falls back to the first order, so that a small seed
is not recited), and rare words are drawn from a power law over an unbounded list of invented words, so that the
vocabulary grows with the text as Heaps' law says. All random numbers come from ``Generator.random``, whose sequence for
one seed does not depend on the machine.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FIRST_ORDER = 0.25  # share of steps that look back one word only: half of the second-order states have one successor
WALKERS = 1024  # chains that advance together in one NumPy step
STEPS = 64  # words of one chain before another chain continues the text
PARTS = re.compile(r"^(\W*)(.*?)(\W*)$", re.DOTALL)
SHORT_WORD = 5  # invented words are cut and joined from seed words at least this long
CAPITALS = 0.3  # share of invented words that are written as names
MARKS = (",", ".", ":", ";", "!", ")", "’s", "…", "?", "-", "/", "|")
NUMBERS = 0.22  # share of rare words that are numbers: prices, dates, codes
RANK_SHIFT = 30  # Zipf and Mandelbrot: so many ranks are about equally frequent before the power law sets in
MIX = 0x9E3779B97F4A7C15  # Fibonacci hashing spreads neighbouring ranks over the parts of words
WORD_BITS = (1 << 64) - 1


@dataclass(frozen=True)
class Rarity:
    """How often words are rare or changed, and how rare words are distributed.

    Attributes:
        share: of the words of a text that are rare.
        exponent: of the power law of their ranks, over 1; the vocabulary grows as text ** (1 / exponent).
        changed: share of words that get another case or a punctuation mark, as headings and lists have them.
    """

    share: float
    exponent: float
    changed: float


class WordFactory:
    """An endless list of invented words with the beginnings, middles and ends of a language's own words."""

    def __init__(self, words: Sequence[str]) -> None:
        long = sorted({word for word in words if len(word) >= SHORT_WORD and word.isalpha()})
        short = long or sorted(set(words))
        self._heads = sorted({word[: max(1, len(word) // 2)].lower() for word in short})
        self._middles = sorted({word[len(word) // 3 : -(len(word) // 3) or None].lower() for word in short})
        self._tails = sorted({word[len(word) // 2 :].lower() for word in short})

    def word(self, rank: int) -> str:
        """The rare word of this rank, always the same one; small ranks have short words."""
        bits = rank * MIX & WORD_BITS
        kind = (bits >> 40) % 1000 / 1000
        if kind < NUMBERS:
            return _number(rank, bits)
        head = self._heads[(bits >> 8) % len(self._heads)]
        tail = self._tails[(bits >> 24) % len(self._tails)]
        middle = self._middles[rank % len(self._middles)] if rank > len(self._tails) else ""
        word = head + middle + tail
        return word.capitalize() if kind > 1 - CAPITALS else word


def _number(rank: int, bits: int) -> str:
    """A number as pages hold them: a year, a price, a date, a code."""
    form = bits >> 33 & 3
    if form == 0:
        return str(1900 + rank % 130) if rank < 1000 else str(rank % 10**6)
    if form == 1:
        return f"{rank % 1000}.{bits % 100:02}"
    if form == 2:
        return f"{1 + rank % 28:02}.{1 + bits % 12:02}.{2000 + rank % 27}"
    return f"{chr(65 + bits % 26)}{chr(65 + rank % 26)}-{rank % 10**5}"


def _change(word: str, choice: float) -> str:
    """The word in upper case, with a capital, or with a punctuation mark."""
    if choice < 0.15:
        return word.upper()
    if choice < 0.5:
        return word.capitalize()
    return word.rstrip(",.;:") + MARKS[int((choice - 0.5) * 2 * len(MARKS))]


class TextModel:
    """Generates words of one language from a seed text.

    Attributes:
        joiner: what stands between two words, a space or nothing.
        mean_width: mean characters of a generated word with its joiner.
    """

    def __init__(self, tokens: Sequence[str], joiner: str, rarity: Rarity) -> None:
        self.joiner = joiner
        self._rarity = rarity
        parts = [PARTS.fullmatch(token) for token in dict.fromkeys(tokens)]
        vocabulary = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
        self._words = np.array(list(vocabulary), dtype=object)
        self._edges = [(part.group(1), part.group(3)) if part else ("", "") for part in parts]
        self._ids = np.array([vocabulary[token] for token in tokens], np.int64)
        self._replaceable = np.array([bool(part and part.group(2)) for part in parts])
        self._factory = WordFactory([part.group(2) for part in parts if part])
        self._group()
        self.mean_width = float(np.mean([len(token) for token in tokens])) + len(joiner)

    def _group(self) -> None:
        """Groups the positions of the seed text by their last word, and by their last two words."""
        previous = np.roll(self._ids, 1)
        size = len(self._ids)
        first = _groups(self._ids)
        second = _groups(previous * len(self._words) + self._ids)
        self._order = np.concatenate([first[0], second[0]])
        self._start = np.stack([first[1], second[1] + size])
        self._count = np.stack([first[2], second[2]])

    def words(self, count: int, rng: np.random.Generator) -> list[str]:
        """Generates at least ``count`` words."""
        rounds = -(-count // (WALKERS * STEPS))
        ids = np.concatenate([self._walk(rng) for _ in range(rounds)])
        words: list[str] = self._words[ids].tolist()
        rare = np.flatnonzero((rng.random(len(ids)) < self._rarity.share) & self._replaceable[ids])
        for place, rank in zip(rare.tolist(), self.ranks(len(rare), rng), strict=True):
            before, after = self._edges[ids[place]]
            words[place] = f"{before}{self._factory.word(rank)}{after}"
        changed = np.flatnonzero(rng.random(len(ids)) < self._rarity.changed)
        for place, choice in zip(changed.tolist(), rng.random(len(changed)).tolist(), strict=True):
            words[place] = _change(words[place], choice)
        return words

    def _walk(self, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        """All chains for ``STEPS`` steps; a position of the seed text is the state of a chain."""
        size = len(self._ids)
        position = (rng.random(WALKERS) * size).astype(np.int64)
        visited = np.empty((STEPS, WALKERS), np.int64)
        for step in range(STEPS):
            visited[step] = position
            order = (rng.random(WALKERS) >= FIRST_ORDER).astype(np.int64)
            choice = (rng.random(WALKERS) * self._count[order, position]).astype(np.int64)
            position = (self._order[self._start[order, position] + choice] + 1) % size
        return self._ids[visited.T.ravel()]

    def ranks(self, count: int, rng: np.random.Generator) -> list[int]:
        """Draws ranks of rare words by the power law."""
        power = -1 / (self._rarity.exponent - 1)
        heights = RANK_SHIFT * ((1 - rng.random(count)) ** power - 1)
        drawn: list[int] = np.minimum(heights, 2.0**62).astype(np.int64).tolist()
        return drawn

    def rare_word(self, rng: np.random.Generator) -> str:
        """One rare word, as they make a short line a line of its own."""
        return self._factory.word(1000 + int(rng.random() * 10**7))


def _groups(
    keys: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Positions sorted by key; and for each position, where its key's group starts and how many it holds."""
    order = np.argsort(keys, kind="stable")
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    starts = np.cumsum(counts) - counts
    return order, starts[inverse.ravel()], counts[inverse.ravel()]
