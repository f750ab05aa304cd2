"""What a source must say: how its raw files are read, which steps follow, and how its units are deduplicated."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, runtime_checkable

import numpy.typing as npt
import pyarrow as pa

from pipeline.corpus.document import Document, Refused
from pipeline.corpus.shard import Shard
from pipeline.corpus.sink import RejectPolicy
from pipeline.errors import UserError
from pipeline.recipe import as_mapping
from pipeline.steps import Step
from pipeline.storage.filesystem import COPY_CHUNK, InputFile, open_input
from pipeline.survey import Survey
from pipeline.units import Policy, Units

if TYPE_CHECKING:
    from pipeline.removals.matching import Removals

UNREADABLE = "unreadable_file"


class UnitDedup(Protocol):
    """How a source's documents split into units of dedup, such as lines, and what becomes of one that loses some.

    ``hashes`` and ``count`` must agree for any text, and raise for none: they tell which flag is whose.
    """

    @property
    def unit(self) -> str:
        """What a unit is called."""

    @property
    def policy(self) -> Policy:
        """Which copies stay."""

    @property
    def unit_bytes(self) -> int:
        """Bytes of raw input for each distinct unit, an estimate on the low side: memory goes by it, no result does."""

    def hashes(self, document: Document) -> Units:
        """The hashes of a document's units, in order."""

    def count(self, document: Document) -> int:
        """The number of its units, without hashing them."""

    def keep(self, document: Document, mask: npt.NDArray[Any]) -> str | None:
        """Keeps the units that the mask has set; gives a reason where the document goes."""


class Source(Protocol):
    """One source of the corpus. It travels to the workers by pickle, so it holds its recipe and nothing else."""

    @property
    def name(self) -> str:
        """The name of its folder."""

    @property
    def meta(self) -> pa.StructType:
        """The struct of its own fields."""

    @property
    def rejects(self) -> RejectPolicy:
        """Which rejects are kept as text."""

    @property
    def dedup(self) -> UnitDedup | None:
        """How it is deduplicated; None where it is not."""

    def read(self, stream: BinaryIO, file: InputFile, counters: Counter[str]) -> Iterator[Document | Refused]:
        """Reads one raw file, or a part of one.

        Args:
            stream: Its raw bytes, or those of the part.
            file: Its path, for the documents' origin, and where in the file the stream begins.
            counters: The read step's counters; ``text_bytes`` is the uncompressed text, for the speed shown.
        """

    def steps_before_dedup(self) -> list[Step]:
        """The steps that decide which documents take part in dedup."""

    def steps_after_dedup(self) -> list[Step]:
        """The steps that follow."""

    def subset(self, document: Document) -> str:
        """The subset, a folder's name, in which a kept document is written."""

    def describe(self) -> dict[str, Any]:
        """All that decides the output: the recipe, and the checksums of the models."""


class OfRecipe:
    """What a source takes from its recipe unless it says otherwise: a base for the dataclasses that sources are.

    Its own fields and properties go before these.
    """

    recipe: Any

    @property
    def rejects(self) -> RejectPolicy:
        """Which rejects are kept as text."""
        policy: RejectPolicy = self.recipe.rejects
        return policy

    @cached_property
    def removals(self) -> Removals | None:
        """The list of what is left out, as the recipe names it; it travels to the workers once it is read."""
        path: str | None = getattr(self.recipe, "optout", None)
        if not path:
            return None
        from pipeline.removals.matching import load_removals  # noqa: PLC0415 - most runs have no list

        return load_removals(path)

    def steps_before_dedup(self) -> list[Step]:
        """None."""
        return []

    def steps_after_dedup(self) -> list[Step]:
        """None."""
        return []

    def describe(self) -> dict[str, Any]:
        """The recipe, but for the list of removals, which grows: each shard says which one it was made with."""
        return {"recipe": {key: value for key, value in as_mapping(self.recipe).items() if key != "optout"}}


@dataclass(frozen=True)
class Round:
    """One round of dedup.

    Attributes:
        steps: The steps that decide which of the documents left by earlier rounds take part; they are not loaded.
        dedup: How the documents split into units.
        name: What the step is called that removes the duplicates.
    """

    steps: list[Step]
    dedup: UnitDedup
    name: str = "dedup"


@runtime_checkable
class EarlierRounds(Protocol):
    """What a source has that is deduplicated more than once, such as pages by URL, then their lines."""

    def earlier_rounds(self) -> list[Round]:
        """The rounds before that of ``dedup``, whose ``steps_before_dedup`` follow them."""


def rounds_of(source: Source) -> list[Round]:
    """All rounds of dedup of a source, in their order; each reads the shards once."""
    rounds = source.earlier_rounds() if isinstance(source, EarlierRounds) else []
    return [*rounds, Round(source.steps_before_dedup(), source.dedup)] if source.dedup else rounds


@runtime_checkable
class SurveyedSource(Protocol):
    """A source some of whose steps after dedup judge by what all documents of the scope are like."""

    @property
    def survey(self) -> Survey | None:
        """What is measured first, with one reading more; None where nothing is."""


def survey_of(source: Source) -> Survey | None:
    """What a source measures on a whole scope before it judges a document; None where it measures nothing."""
    return source.survey if isinstance(source, SurveyedSource) else None


@runtime_checkable
class OptingOut(Protocol):
    """A source that can leave out what people asked to be left out."""

    @property
    def removals(self) -> Removals | None:
        """The list; None where there is none."""


def removals_of(source: Source) -> Removals | None:
    """The list of what a source leaves out; None where there is none.

    Raises:
        InputError: The list cannot be read, or holds lines that are no removals.
    """
    return source.removals if isinstance(source, OptingOut) else None


@runtime_checkable
class RecordIds(Protocol):
    """A source whose documents' ids are those of raw records: two of one id mean that inputs overlap, kept or not."""

    @property
    def ids_are_records(self) -> bool:
        """Whether that is so for what it reads."""


def tells_overlap(source: Source) -> bool:
    """Whether two documents of one id mean that the source's inputs overlap."""
    return isinstance(source, RecordIds) and source.ids_are_records


@runtime_checkable
class PreparedSource(Protocol):
    """A source whose own pass before the rest laid its records out anew: its shards are read from there.

    For raw files of which no part by itself makes documents, such as answers that lie far from their questions.
    """

    def read_prepared(
        self, shard: Shard, counters: Counter[str], inputs: list[dict[str, Any]] | None
    ) -> Iterator[Document | Refused]:
        """Reads a shard from what ``prepare`` left; the arguments are those of ``read_shard``."""


@runtime_checkable
class OpeningSource(Protocol):
    """A source that opens its inputs itself, since not all of them are files: a folder can be one input, too."""

    def open_input(self, file: InputFile, cache: Path | None) -> BinaryIO:
        """Opens an input for ``read``, as ``pipeline.storage.filesystem`` does; it is hashed as it is read.

        Raises:
            OSError: It is missing or unreadable.
        """


class DropDuplicates:
    """The dedup step of a shard: applies the shard's mask, document after document, in reading order."""

    def __init__(self, dedup: UnitDedup, mask: npt.NDArray[Any], name: str = "dedup") -> None:
        self.name = name
        self._dedup = dedup
        self._mask = mask
        self._position = 0
        self._batch: tuple[Document | None, int] = (None, 0)

    def load(self) -> None:
        """Nothing to load."""

    def apply(self, documents: Sequence[Document]) -> list[str | None]:
        """Keeps each document's own units; goes back where a batch that failed comes again, one by one."""
        first, start = self._batch
        if documents[0] is first:
            self._position = start
        self._batch = (documents[0], self._position)
        return [self._one(document) for document in documents]

    def _one(self, document: Document) -> str | None:
        start = self._position
        self._position += self._dedup.count(document)
        return self._dedup.keep(document, self._mask[start : self._position])

    @property
    def exhausted(self) -> bool:
        """Whether the documents had as many units as were hashed: else a file changed between the passes."""
        return self._position == len(self._mask)


class HashingReader:
    """A raw file, or the next ``limit`` bytes of one, that is hashed while it is read."""

    def __init__(self, handle: BinaryIO, limit: int | None = None) -> None:
        self._handle = handle
        self._limit = limit
        self._digest = hashlib.sha256()
        self.size = 0

    def read(self, size: int = -1) -> bytes:
        """Reads up to ``size`` bytes."""
        if self._limit is not None:
            left = self._limit - self.size
            size = left if size is None or size < 0 else min(size, left)
        data = self._handle.read(size)
        self._digest.update(data)
        self.size += len(data)
        return data

    def readable(self) -> bool:
        """It is."""
        return True

    def finish(self) -> dict[str, Any]:
        """Reads what is left, so that the checksum is that of the whole file or part."""
        while self.read(COPY_CHUNK):
            pass
        return {"bytes": self.size, "sha256": self._digest.hexdigest()}


def read_shard(
    source: Source,
    shard: Shard,
    cache: Path | None,
    counters: Counter[str],
    inputs: list[dict[str, Any]] | None = None,
) -> Iterator[Document | Refused]:
    """Reads all raw files of a shard; an unreadable one, or what follows an error, becomes one failed record.

    A record that the source's list of removals means is refused here, so that no step ever sees it.

    Args:
        source: The source.
        shard: The shard.
        cache: The cache folder for fetched files.
        counters: The read step's counters.
        inputs: Gets for each file path, bytes and SHA-256, start and end where it is a part, and how many records it
            gave and how many of them failed; where given.
    """
    items = _read_files(source, shard, cache, counters, inputs)
    if (removals := removals_of(source)) is None:
        yield from items
        return
    from pipeline.removals.step import without_listed  # noqa: PLC0415 - most runs have no list

    for item in items:
        yield without_listed(item, removals, source.name, shard.scope)


def _read_files(
    source: Source,
    shard: Shard,
    cache: Path | None,
    counters: Counter[str],
    inputs: list[dict[str, Any]] | None,
) -> Iterator[Document | Refused]:
    """Reads a shard's files, whatever is to be left out of it."""
    if isinstance(source, PreparedSource):
        yield from source.read_prepared(shard, counters, inputs)
        return
    for file in shard.inputs:
        entry: dict[str, Any] = {"path": file.path, "bytes": file.size, "sha256": None}
        entry.update(zip(("start", "end"), file.place, strict=False))
        records = failed = 0
        for item in _read_file(source, file, cache, counters, None if inputs is None else entry):
            records += 1
            failed += isinstance(item, Refused) and item.failed
            yield item
        if inputs is not None:
            inputs.append({**entry, "records": records, "failed": failed})


def _read_file(
    source: Source, file: InputFile, cache: Path | None, counters: Counter[str], entry: dict[str, Any] | None
) -> Iterator[Document | Refused]:
    """Reads one raw file, or part; where an entry is given, it gets bytes and SHA-256 of what was read to the end."""
    try:
        opened = source.open_input(file, cache) if isinstance(source, OpeningSource) else open_input(file.path, cache)
        with opened as handle:
            if file.start:
                handle.seek(file.start)
            reader = HashingReader(handle, None if file.end is None else file.end - file.start)
            yield from source.read(reader, file, counters)  # type: ignore[arg-type]
            if entry is not None:
                entry.update(reader.finish())
    except (OSError, EOFError) as error:
        yield Refused(UNREADABLE, f"{file.path}: {error}", file.path, file.start)
    except (UserError, MemoryError):
        raise
    except Exception as error:  # the reader met what it did not foresee: what it gave before stays good
        reason = f"error_{type(error).__name__}"
        yield Refused(reason, f"{file.path}: the rest is not read: {error!r}", file.path, file.start)
