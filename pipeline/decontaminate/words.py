"""Looks for runs of normalised words: the rule of GPT-3, dolma and lm-evaluation-harness, for whole batches of texts.

Normal is what is left of a text when HTML entities are undone, twice; Unicode's compatibility forms are (NFKC), and
case is folded. A word is then a run of letters, digits, marks and underlines; all else only parts words, be it white
space of any kind, punctuation, or the ``>`` of quotes. Hyphens between letters go, with the line end behind them. Of
scripts without spaces each character is a word (see ``filters.near_duplicates.shingles``).
"""

from __future__ import annotations

import html
import itertools
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from filters.near_duplicates.shingles import ShingleHasher, code_points, rolling, tidy
from pipeline.decontaminate.grams import GramTable, Places, covered, spread, sums_by
from pipeline.decontaminate.samples import Samples
from pipeline.errors import InputError

SHORTEST = 5  # words of a sample by which documents are told: where fewer stand says nothing, but that they stand
COMMON = 100  # places of an n-gram in the sets; one with more is a phrase of theirs, and no sign of one sample
MAX_WORDS = 200_000_000  # of all sets
_SEPARATOR = "\0"  # between the texts of a batch
_NO_CHARACTER = re.compile(r"&#[0-9]{20,}")  # no entity, and over 4,300 digits more than Python reads as a number
_NOTHING = ("\u200c", "\u200d", "\u2060", "\ufeff")  # seen by nobody, in the midst of words
# What parts words as a space does, and is all that many an English text has beyond ASCII: so it becomes ASCII.
SPACES = ("\u2018", "\u2019", "\u201c", "\u201d", "\u2013", "\u2014", "\u2026", "\u00a0", "\u2022")


def normal(text: str) -> str:
    """The normal form of a text."""
    for _ in range(2):
        if "&" in text:
            text = html.unescape(_NO_CHARACTER.sub(" ", text))
    text = text.replace(_SEPARATOR, " ")
    if not text.isascii():
        for character in SPACES:
            text = text.replace(character, " ")
        for character in _NOTHING:
            text = text.replace(character, "")
        if not text.isascii():
            text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return tidy(text.lower() if text.isascii() else text)


class TextWords:
    """The words of some texts, one text after the other.

    Attributes:
        hashes: Of the words [W].
        ends: For each text, the number of the word behind its last [D].
    """

    def __init__(self, hasher: ShingleHasher, texts: Sequence[str]) -> None:
        """Finds the words."""
        self._text = _SEPARATOR.join(map(normal, texts)) + _SEPARATOR
        codes = code_points(self._text)
        found = hasher.words_in(codes)
        self.hashes, self._starts, self._stops = found
        self.ends: Places = np.searchsorted(found.starts, np.flatnonzero(codes == 0)).astype(np.int64)

    def __len__(self) -> int:
        """How many words there are."""
        return len(self.hashes)

    def words(self, first: int, count: int) -> list[str]:
        """Some words to the letter."""
        span = slice(first, first + count)
        bounds = zip(self._starts[span].tolist(), self._stops[span].tolist(), strict=True)
        return [self._text[start:stop] for start, stop in bounds]

    def owners(self, words: Places) -> Places:
        """The text of each of some words."""
        return np.searchsorted(self.ends, words, side="right").astype(np.int64)


class Run(NamedTuple):
    """N-grams of the sets, one after the other, in a text.

    Attributes:
        text: The number of the text in its batch.
        start: Where the first stands first in the words of the sets.
        grams: How many n-grams.
        size: Words of each.
        place: Its first word in the batch.
    """

    text: int
    start: int
    grams: int
    size: int
    place: int


Unmet = dict[int, npt.NDArray[np.bool_]]  # by the number of words: of each n-gram whether it was not found yet


class WordHits(NamedTuple):
    """What one document has of the samples.

    Attributes:
        samples: Those of which it has n-grams.
        shares: How much of each, by words.
        short: Those that are short, of which it has all.
    """

    samples: Places
    shares: npt.NDArray[np.float64]
    short: Places


class WordTally:
    """Adds up which n-grams were found.

    Args:
        tables: The n-grams by their size.
        ends: Where each sample ends in the words of all.
    """

    def __init__(self, tables: Mapping[int, GramTable], ends: Places) -> None:
        self._tables, self._ends = tables, ends
        self._edges = {size: np.zeros(int(ends[-1]) + 1, np.int64) for size in tables}

    def add(self, runs: npt.NDArray[np.int64]) -> None:
        """Adds runs.

        Args:
            runs: ``start``, ``grams`` and ``size`` of each run [R, 3].
        """
        for size, edges in self._edges.items():
            some = runs[runs[:, 2] == size]
            np.add.at(edges, some[:, 0], 1)
            np.add.at(edges, some[:, 0] + some[:, 1], -1)

    def found(self) -> Places:
        """How many words of each sample stand in n-grams that were found [S]."""
        marked = np.zeros(int(self._ends[-1]), bool)
        for size, table in self._tables.items():
            there = (np.cumsum(self._edges[size]) > 0)[table.first]
            places = table.places[spread(table.starts, np.flatnonzero(there))[1]]
            marked |= covered(places, np.full(len(places), size), len(marked))
        return sums_by(self._ends, marked)


class WordIndex:
    """The n-grams of all samples.

    Attributes:
        sizes: Words of each sample [S].
        ends: Where each ends in the words of all [S].
        n: Words of an n-gram.
        hasher: Finds words.
    """

    def __init__(self, samples: Samples, n: int) -> None:
        """Takes the samples in.

        Raises:
            InputError: They are too many.
        """
        self.n = n
        self.hasher = ShingleHasher(n)
        self._words = TextWords(self.hasher, [sample.text for sample in samples.samples])
        self.ends = self._words.ends
        self.sizes = np.diff(self.ends, prepend=0)
        if len(self._words) > MAX_WORDS:
            raise InputError(f"the evaluation sets have {len(self._words):,} words, over {MAX_WORDS:,}: give fewer")
        lengths = np.unique(self.sizes[(self.sizes > 0) & (self.sizes < n)])
        self._tables = {n: self._table(n), **{int(length): self._table(int(length)) for length in lengths}}

    def _table(self, size: int) -> GramTable:
        """The n-grams of all samples that have as many words or more; below ``n``, of those that have just as many."""
        hashes = rolling(self._words.hashes, size)
        places = np.arange(len(hashes), dtype=np.int64)
        owners = self._words.owners(places)
        inside = places + size <= self.ends[owners]
        if size < self.n:
            inside &= self.sizes[owners] == size
        return GramTable(hashes[inside], places[inside])

    @property
    def is_short(self) -> npt.NDArray[np.bool_]:
        """The samples that have too few words for an n-gram, and are compared as a whole."""
        return (self.sizes < self.n) & (self.sizes >= SHORTEST)

    @property
    def is_tiny(self) -> npt.NDArray[np.bool_]:
        """The samples of so few words that only whether they stand anywhere is told; those of none stand nowhere."""
        return self.sizes < SHORTEST

    @property
    def nbytes(self) -> int:
        """Memory of the tables."""
        return sum(table.nbytes for table in self._tables.values()) + 24 * len(self._words)

    def unmet(self) -> Unmet:
        """For ``scan``: the tiny samples of which none was found yet."""
        return {size: np.ones(len(table), bool) for size, table in self._tables.items() if size < SHORTEST}

    def scan(self, texts: Sequence[str], unmet: Unmet) -> list[Run]:
        """Finds the n-grams of the samples in some texts; each is compared word by word.

        Args:
            texts: The texts.
            unmet: Of tiny samples, those that are yet to be found; each is found once.
        """
        words = TextWords(self.hasher, texts)
        runs: list[Run] = []
        for size, table in self._tables.items():
            at, numbers = table.find(rolling(words.hashes, size))
            if len(at):
                owners = words.owners(at)
                inside = owners == words.owners(at + size - 1)
                if size in unmet:
                    runs += self._first(words, owners[inside], at[inside], numbers[inside], size, unmet[size])
                    continue
                runs += self._runs(words, owners[inside], at[inside], table.first[numbers[inside]], size)
        return runs

    def _first(
        self, words: TextWords, owners: Places, at: Places, numbers: Places, size: int, unmet: npt.NDArray[np.bool_]
    ) -> Iterator[Run]:
        """The first hit of each n-gram that was not found before; it is not looked for any more then."""
        new = np.flatnonzero(unmet[numbers])
        for hit in new[np.unique(numbers[new], return_index=True)[1]].tolist():
            run = Run(int(owners[hit]), int(self._tables[size].first[numbers[hit]]), 1, size, int(at[hit]))
            for verified in self._verified(words, run):
                unmet[numbers[hit]] = False
                yield verified

    def _runs(self, words: TextWords, owners: Places, at: Places, first: Places, size: int) -> Iterator[Run]:
        """Hits put together where they stand together in both; the first of each n-gram in each text."""
        keys = owners * (len(self._words) + 1) + first
        _, once = np.unique(keys, return_index=True)
        owners, at, first = owners[once], at[once], first[once]
        apart = (np.diff(owners) != 0) | (np.diff(at) != 1) | (np.diff(first) != 1)
        cuts = np.concatenate(([0], np.flatnonzero(apart) + 1, [len(once)])).tolist() if len(once) else [0]
        for low, high in itertools.pairwise(cuts):
            run = Run(int(owners[low]), int(first[low]), high - low, size, int(at[low]))
            yield from self._verified(words, run)

    def _verified(self, words: TextWords, run: Run) -> Iterator[Run]:
        """What of a run has the same words, to the letter: all of it, unless two hashes are alike by chance."""
        count = run.grams + run.size - 1
        if words.words(run.place, count) == self._words.words(run.start, count):
            yield run
        elif run.grams > 1:
            for k in range(run.grams):
                one = run._replace(start=run.start + k, grams=1, place=run.place + k)
                yield from self._verified(words, one)

    def marked(self, text: str, samples: Places) -> npt.NDArray[np.bool_]:
        """Which words of a text stand in n-grams of some samples, each compared to the letter [W].

        N-grams that are in many places of the sets count no more than in ``hits``.
        """
        words, table = TextWords(self.hasher, [text]), self._tables[self.n]
        at, numbers = table.find(rolling(words.hashes, self.n))
        owners, index = spread(table.starts, numbers)
        of_samples = np.isin(self._words.owners(table.places[index]), samples)
        wanted = (np.bincount(owners, of_samples, len(at)) > 0) & (table.counts(numbers) <= COMMON)
        firsts = [
            place
            for place, first in zip(at[wanted].tolist(), table.first[numbers[wanted]].tolist(), strict=True)
            if words.words(place, self.n) == self._words.words(first, self.n)
        ]
        return covered(np.array(firsts, np.int64), np.full(len(firsts), self.n), len(words))

    def tally(self) -> WordTally:
        """What adds up runs of many documents."""
        return WordTally(self._tables, self.ends)

    def hits(self, runs: npt.NDArray[np.int64]) -> WordHits:
        """What one document has of each sample; of n-grams that are in many places of the sets nothing.

        Args:
            runs: As of ``WordTally.add``.
        """
        short = [self._short(size, runs[runs[:, 2] == size, 0]) for size in self._tables if size < self.n]
        table, runs = self._tables[self.n], runs[runs[:, 2] == self.n]
        owners, inner = spread(np.append(0, np.cumsum(runs[:, 1])), np.arange(len(runs)))
        firsts = runs[owners, 0] + inner - (np.cumsum(runs[:, 1]) - runs[:, 1])[owners]
        numbers = np.unique(self._numbers(firsts))
        numbers = numbers[table.counts(numbers) <= COMMON]
        places = np.sort(table.places[spread(table.starts, numbers)[1]])
        owners = self._words.owners(places)
        samples, groups = np.unique(owners, return_inverse=True)
        after = np.append(places[1:], np.iinfo(np.int64).max)
        words = np.minimum(self.n, np.minimum(after, self.ends[owners]) - places)
        shares = np.bincount(groups, words, len(samples)) / self.sizes[samples]
        return WordHits(samples, shares, np.unique(np.concatenate([*short, samples[:0]])))

    def _short(self, size: int, firsts: Places) -> Places:
        """The short samples of some words that have one of these texts."""
        table = self._tables[size]
        numbers = np.flatnonzero(np.isin(table.first, firsts))
        return self._words.owners(table.places[spread(table.starts, numbers)[1]])

    def _numbers(self, firsts: Places) -> Places:
        """The numbers of n-grams, by where they stand first."""
        return self._order[np.searchsorted(self._tables[self.n].first, firsts, sorter=self._order)]

    @cached_property
    def _order(self) -> Places:
        return np.argsort(self._tables[self.n].first)
