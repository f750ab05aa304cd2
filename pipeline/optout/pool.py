"""What fills the places of removed documents: documents of the same source that no shard of a set has drawn.

Of training these are whole documents of which nothing is drawn and nothing is held out, and once these are used up,
those that were drawn, each once more: as a mixture of what is left would draw them. Of the held-out set they are what
is kept out of training and not written to it. In what order they come, the seed and their names decide. Where the last
of a place is cut, what is left of it comes behind the whole ones of its sort: of long documents it is most.

Memory: the marks of one token file, and a byte for each document of the corpus.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pipeline.mix.blocks import TokenFile, permutation
from pipeline.mix.token_files import Ids, TokenReader
from pipeline.optout.spans import Filling

Flags = npt.NDArray[np.bool_]
Open = Callable[[TokenFile], TokenReader]  # the token file of a file of documents
Parts = Mapping[int, Sequence[tuple[int, int]]]  # by document: ids of it from one to another
SHORTEST_REST = 64  # ids of what is left of a document that was cut; less of one is no text


@dataclass(frozen=True)
class Candidate:
    """A document, or a part of one, that may fill a place.

    Attributes:
        file: Its token file.
        row: Its row there.
        number: The document's.
        start: Its first id in the document.
        stop: The one behind its last.
        hash: Of the whole document.
        again: Whether it was drawn before.
    """

    file: TokenFile
    row: int
    number: int
    start: int
    stop: int
    hash: int
    again: bool = False


class Pool:
    """The candidates of one source, in order.

    Args:
        candidates: All of them.
        opened: Opens token files.
        bos: The id that a part gets where it begins inside its document; None for none.
        usable: Whether a candidate may be taken, asked when its turn has come; it is told of those that are.
    """

    def __init__(
        self,
        candidates: Iterable[Candidate],
        opened: Open,
        bos: int | None,
        usable: Callable[[Candidate], bool] = lambda _: True,
    ) -> None:
        self._waiting: list[Candidate] = []
        self._rests: deque[Candidate] = deque()
        self._ahead: Candidate | None = None
        self._left = iter(candidates)
        self._open, self._bos, self._usable = opened, bos, usable

    def take(self, length: int) -> list[Filling] | None:
        """Pieces with so many ids, whole ones but for the last, which is cut; None, and nothing taken, without enough.

        A piece is not begun where one id of it would be left: its bos alone is no document.
        """
        taken: list[Candidate] = []
        passed: list[Candidate] = []
        met: list[Candidate] = []
        left = length
        for candidate in self._in_turn():
            met.append(candidate)
            size = self._size(candidate)
            if size == left - 1 or left <= self._given(candidate):
                passed.append(candidate)
                continue
            taken.append(candidate)
            if size >= left:
                self._waiting = [*passed, *self._waiting]
                self._keep_rest(candidate, left)
                return self._fillings(taken, length)
            left -= size
        self._waiting = met
        return None

    def _in_turn(self) -> Iterator[Candidate]:
        """Those that were passed over before, then the others."""
        while self._waiting:
            yield self._waiting.pop(0)
        while (candidate := self._next()) is not None:
            yield candidate

    def _next(self) -> Candidate | None:
        """The next whole one, or a rest, where no whole one of its sort is left; None where nothing is."""
        if self._ahead is None:
            self._ahead = next(filter(self._usable, self._left), None)
        found = self._ahead
        if self._rests and (found is None or (found.again and not self._rests[0].again)):
            return self._rests.popleft()
        self._ahead = None
        return found

    def _keep_rest(self, candidate: Candidate, used: int) -> None:
        """Keeps what is left of a candidate of which so many ids are written, the bos that it was given among them."""
        start = candidate.start + used - self._given(candidate)
        if candidate.stop - start >= SHORTEST_REST:
            self._rests.append(replace(candidate, start=start))

    def _size(self, candidate: Candidate) -> int:
        return candidate.stop - candidate.start + self._given(candidate)

    def _given(self, candidate: Candidate) -> int:
        return int(candidate.start > 0 and self._bos is not None)

    def _fillings(self, taken: Sequence[Candidate], length: int) -> list[Filling]:
        fillings: list[Filling] = []
        for candidate in taken:
            given = self._given(candidate)
            ids, loss = read_part(self._open, candidate)
            if given:
                ids = np.concatenate((np.array([self._bos], ids.dtype), ids))
                loss = None if loss is None else np.concatenate((np.zeros(1, np.bool_), loss))
            left = length - sum(len(filling.ids) for filling in fillings)
            source, again = candidate.file.source, candidate.again
            loss = None if loss is None else loss[:left]
            fillings.append(Filling(source, candidate.number, candidate.start, ids[:left], given, again, loss))
        return fillings


def read_part(opened: Open, candidate: Candidate) -> tuple[Ids, Flags | None]:
    """The ids of a candidate, and which of them have loss; None where its token file does not tell.

    Raises:
        OutputError: Its token file is damaged.
    """
    with opened(candidate.file) as reader:
        marks = reader.marks(candidate.row, 1)
        ids = np.empty(candidate.stop - candidate.start, reader.kind)
        reader.ids(int(marks["offset"][0]) + candidate.start, ids)
        loss = reader.loss(int(marks["offset"][0]) + candidate.start, len(ids))
        reader.check(marks, ids, candidate.start, loss)
    return ids, loss


def undrawn(
    opened: Open,
    files: Sequence[TokenFile],
    source: int,
    drawn: Flags,
    apart: frozenset[int],
    seed: int,
    *,
    again: bool = False,
) -> Iterator[Candidate]:
    """The documents of a source of which training has nothing, and of which nothing is held out.

    Args:
        opened: Opens token files.
        files: Those of all sources.
        source: The source.
        drawn: For each document, by number, whether any shard has any of it.
        apart: The numbers of those of which something is held out, or that may not come for another reason.
        seed: The recipe's.
        again: Those of which training has something, instead.
    """
    own = [file for file in files if file.source == source and file.rows]
    for place in permutation(len(own), seed, source, "fill").tolist():
        file = own[place]
        numbers = file.numbers()
        if (drawn[numbers] != again).all():
            continue
        with opened(file) as reader:
            marks = reader.all_marks()
        sizes = np.diff(marks["offset"])
        for row in permutation(file.rows, seed, file.path, "fill").tolist():
            number = int(numbers[row])
            if drawn[number] == again and sizes[row] and number not in apart:
                yield Candidate(file, row, number, 0, int(sizes[row]), int(marks["hash"][row]), again)


def kept_apart(
    opened: Open,
    files: Sequence[TokenFile],
    source: int,
    kept_out: Parts,
    there: Mapping[int, set[int]],
    seed: int,
) -> Iterator[Candidate]:
    """The documents of a source, and parts of some, that training does not have, and the held-out set neither.

    Args:
        opened: Opens token files.
        files: Those of all sources.
        source: The source.
        kept_out: All that training does not have.
        there: By document, with which ids of it pieces in the held-out set begin.
        seed: The recipe's.
    """
    own, listed = [file for file in files if file.source == source and file.rows], np.array(list(kept_out), np.int64)
    for place in permutation(len(own), seed, source, "fill").tolist():
        file = own[place]
        numbers = file.numbers()
        wanted = numbers[np.isin(numbers, listed)].tolist()
        if not wanted:
            continue
        with opened(file) as reader:
            marks = reader.all_marks()
        for inside in permutation(len(wanted), seed, file.path, "fill").tolist():
            number = wanted[inside]
            row = file.row_of(number)
            assert row is not None
            begun = there.get(number, set())
            for start, stop in kept_out[number]:
                if all(not start <= first < stop for first in begun):
                    yield Candidate(file, row, number, start, stop, int(marks["hash"][row]))
