"""Two forms of a text side by side: equal lines face each other, and what was removed or added is marked, by word."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest

MOST_LINES = 2_000  # of each side, between two lines that both have once, that are compared
MOST_WORDS = 6_000  # of each side of a changed stretch, that are compared word by word
MOST_WORDS_IN_ALL = 200_000  # and of all stretches; behind them changed lines are marked whole
POPULAR = 200  # lines from which on difflib passes over those that recur, which would cost it quadratic time
_WORDS = re.compile(r"\w+|[^\w\n]|\n")

Span = tuple[str, bool]  # a piece of a line, and whether the other side has it not


@dataclass(frozen=True, slots=True)
class Row:
    """A line of each side, in pieces; None where a side has none there."""

    left: tuple[Span, ...] | None
    right: tuple[Span, ...] | None

    @property
    def same(self) -> bool:
        """Whether both sides have the same line."""
        return self.left is not None and self.left == self.right and not any(changed for _, changed in self.left)


def side_by_side(before: str, after: str) -> Iterator[Row]:
    """Pairs the lines of two texts.

    Args:
        before: The one.
        after: The other.

    Yields:
        Rows from top to bottom. All lines of both texts come, in their order.
    """
    left, right = before.split("\n"), after.split("\n")
    a = c = words = 0
    for b, d in [*_anchors(left, right), (len(left), len(right))]:
        words += yield from _between(left[a:b], right[c:d], by_word=words < MOST_WORDS_IN_ALL)
        if b < len(left):
            yield Row(((left[b], False),), ((right[d], False),))
        a, c = b + 1, d + 1


def _anchors(left: Sequence[str], right: Sequence[str]) -> list[tuple[int, int]]:
    """Places of lines that both sides have, and have once, the most of them that stand in one order on both.

    They keep the time in proportion to the text: difflib's own grows with the square of the stretches that differ. It
    is the idea of Bram Cohen's patience diff.
    """
    once = {line for line, count in Counter(left).items() if count == 1}
    once &= {line for line, count in Counter(right).items() if count == 1}
    place = {line: number for number, line in enumerate(right) if line in once}
    pairs = [(number, place[line]) for number, line in enumerate(left) if line in once]
    # The longest rising subsequence of the places on the right, by the ends of the best ones of each length.
    ends: list[int] = []
    at: list[int] = []
    before: list[int] = []
    for index, (_, number) in enumerate(pairs):
        length = bisect_left(ends, number)
        ends[length : length + 1] = [number]
        at[length : length + 1] = [index]
        before.append(at[length - 1] if length else -1)
    found, index = [], at[-1] if at else -1
    while index >= 0:
        found.append(pairs[index])
        index = before[index]
    return found[::-1]


def _between(left: Sequence[str], right: Sequence[str], *, by_word: bool) -> Generator[Row, None, int]:
    """A stretch without lines that both sides have once; returns how many words were compared."""
    compared = 0
    for kind, a, b, c, d in _matcher(left[:MOST_LINES], right[:MOST_LINES]).get_opcodes():
        if kind == "equal":
            for line in left[a:b]:
                yield Row(((line, False),), ((line, False),))
        else:
            compared += yield from _changed(left[a:b], right[c:d], by_word=by_word)
    for x, y in zip_longest(left[MOST_LINES:], right[MOST_LINES:]):
        yield Row(None if x is None else ((x, True),), None if y is None else ((y, True),))
    return compared


def _changed(left: Sequence[str], right: Sequence[str], *, by_word: bool) -> Generator[Row, None, int]:
    """A stretch that differs: words that both sides have are found, and lines put beside those that they came from.

    Returns:
        How many words were compared.
    """
    by_word = by_word and bool(left and right)
    words = [_WORDS.findall("\n".join(lines)) if by_word else [] for lines in (left, right)]
    if not by_word or max(map(len, words)) > MOST_WORDS:
        for x, y in zip_longest(left, right):
            yield Row(None if x is None else ((x, True),), None if y is None else ((y, True),))
        return 0
    blocks = _matcher(words[0], words[1]).get_matching_blocks()
    common: tuple[set[int], set[int]] = set(), set()
    line_of = [_line_numbers(side) for side in words]
    shared: dict[int, Counter[int]] = {}  # of a right line, how many words it has of each left line
    for a, b, size in blocks:
        common[0].update(range(a, a + size))
        common[1].update(range(b, b + size))
        for i in range(size):
            if words[0][a + i].isalnum():
                shared.setdefault(line_of[1][b + i], Counter())[line_of[0][a + i]] += 1
    origins = {line: lines.most_common(1)[0][0] for line, lines in shared.items()}
    sides = _spans(words[0], common[0]), _spans(words[1], common[1])
    if origins:
        yield from _aligned(*sides, origins)
    else:
        yield from (Row(x, y) for x, y in zip_longest(*sides))
    return sum(map(len, words))


def _matcher(left: Sequence[str], right: Sequence[str]) -> SequenceMatcher[str]:
    return SequenceMatcher(None, left, right, autojunk=max(len(left), len(right)) > POPULAR)


def _line_numbers(words: Sequence[str]) -> list[int]:
    numbers, line = [], 0
    for word in words:
        numbers.append(line)
        line += word == "\n"
    return numbers


def _spans(words: Sequence[str], common: set[int]) -> list[tuple[Span, ...]]:
    """Lines as pieces, neighbours of one kind joined."""
    lines: list[tuple[Span, ...]] = []
    pieces: list[Span] = []
    for index, word in enumerate(words):
        if word == "\n":
            lines.append(tuple(pieces))
            pieces = []
            continue
        changed = index not in common
        if pieces and pieces[-1][1] == changed:
            pieces[-1] = (pieces[-1][0] + word, changed)
        else:
            pieces.append((word, changed))
    lines.append(tuple(pieces))
    return lines


def _aligned(
    left: Sequence[tuple[Span, ...]], right: Sequence[tuple[Span, ...]], origins: dict[int, int]
) -> Iterator[Row]:
    at = 0
    for number, line in enumerate(right):
        target = max(at, origins.get(number, at))
        for passed in left[at:target]:
            yield Row(passed, None)
        beside = number in origins and origins[number] >= at and target < len(left)
        yield Row(left[target] if beside else None, line)
        at = target + 1 if beside else target
    for passed in left[at:]:
        yield Row(passed, None)
