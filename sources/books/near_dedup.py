"""Near-dedup of the whole source, before the rest: sketches, candidates, exact overlaps, and the list of what goes.

1. Every shard is read and its books are sketched (Beam).
2. Candidates are found from the sketches alone, in this process.
3. Shards that hold candidates are read again, for all shingles of those books (Beam).
4. The candidates are measured, and the list of removals is written, which the ``near_dedup`` step then applies.

Nothing but names of shards passes through Beam; what a pass made is there for the next one as files of the scope's work
folder, so a run that was killed goes on with the shards that are missing. The result is a function of the books alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console

from filters.near_duplicates.minhash import (
    BANDS,
    PERMUTATIONS,
    ROWS,
    SAMPLED_SHARE,
    Overlap,
    Pairs,
    SampledPairs,
    Signatures,
    lsh_pairs,
    overlap,
    unpack,
)
from filters.near_duplicates.shingles import ShingleHasher
from pipeline.command_line import sentences
from pipeline.corpus.shard import Layout, Scope, Shard
from pipeline.engine.here import run_each
from pipeline.engine.options import RunOptions
from pipeline.engine.parts import Part, await_others, share
from pipeline.engine.progress import ProgressReporter
from pipeline.engine.step import WorkerStep
from pipeline.engine.tasks import Worker, work_folder
from pipeline.steps import Step
from pipeline.storage.filesystem import is_remote, join
from pipeline.storage.listing import files_of_folders
from sources.books.near_duplicates import TABLE, Removal, choose_removals, write_report
from sources.books.sketches import (
    ShingleReader,
    SketchFiles,
    read_books,
    read_samples,
    sketch_shard,
    write_shingles,
)
from sources.books.source import Books

SAMPLES_PER_RANGE = 4_000_000  # of one range of hashes: about 200 MB while candidates are looked for
BYTES_PER_SAMPLE = 6 * SAMPLED_SHARE  # of text: a word has 5.7 on average
COMPRESSION = 3  # of .gz and .zip
HELD_SHINGLES = 512 << 20  # bytes of shingle sets held while books are measured


@dataclass(frozen=True)
class SketchTask:
    """A shard to sketch; or, where books are wanted, one whose books' shingles are."""

    shard: Shard
    wanted: tuple[int, ...] = ()


class SketchBooks(WorkerStep):
    """SketchTask -> shard name."""

    def __init__(self, worker: Worker, files: SketchFiles) -> None:
        super().__init__(worker)
        self._files = files
        self._steps: list[Step] = []
        self._hasher: ShingleHasher | None = None

    def setup(self) -> None:
        """Loads the models."""
        assert isinstance(self._worker.source, Books)
        self._hasher = ShingleHasher(self._worker.source.recipe.near_dedup.shingle_words)
        self._steps = self._worker.source.steps_before_near_dedup()
        for step in self._steps:
            step.load()

    def process(self, task: SketchTask) -> Iterator[str]:
        """Sketches a shard, or writes the shingles of the books wanted."""
        source, cache, hasher = self._worker.source, self._worker.cache, self._hasher
        assert isinstance(source, Books)
        assert hasher is not None
        if task.wanted:
            write_shingles(source, self._files, task.shard, task.wanted, cache, self._steps, hasher)
        else:
            sketch_shard(source, self._files, task.shard, cache, self._steps, hasher)
        yield task.shard.name


@dataclass(frozen=True)
class Catalogue:
    """All books that reach near-dedup, in the order in which they stay: the longest first, then by id.

    Attributes:
        rows: For each book its row in the sketch files, without the signature.
        signatures: Their signatures, one a row.
        number: For each shard, for each of its books in reading order, its place here.
        places: For each book its shard and its number in it.
    """

    rows: list[dict[str, Any]]
    signatures: Signatures
    number: dict[str, npt.NDArray[np.uint32]]
    places: list[tuple[str, int]]


def read_catalogue(files: SketchFiles, shards: Sequence[Shard]) -> Catalogue:
    """Reads the sketches of all shards but the samples; memory: about 1.5 KB a book."""
    rows: list[dict[str, Any]] = []
    signatures = []
    places = []
    for shard in shards:
        table = read_books(files.books(shard.name))
        signatures.append(np.frombuffer(b"".join(table.column("signature").to_pylist()), np.uint32))
        places += [(shard.name, number) for number in range(table.num_rows)]
        rows += table.drop_columns(["signature"]).to_pylist()
    order = sorted(range(len(rows)), key=lambda n: (-rows[n]["characters"], rows[n]["id"], places[n]))
    rank = np.empty(len(rows), np.uint32)
    rank[order] = np.arange(len(rows), dtype=np.uint32)
    number, at = {}, 0
    for shard, part in zip(shards, signatures, strict=True):
        number[shard.name] = rank[at : at + len(part) // PERMUTATIONS]
        at += len(part) // PERMUTATIONS
    joined = np.concatenate([*signatures, np.empty(0, np.uint32)]).reshape(-1, PERMUTATIONS)
    return Catalogue([rows[n] for n in order], joined[order], number, [places[n] for n in order])


def find_candidates(files: SketchFiles, catalogue: Catalogue) -> Pairs:
    """Pairs of books that may overlap by more than the threshold: by bands of signatures, and by sampled shingles."""
    sampled = SampledPairs(len(catalogue.rows))
    for number in range(files.ranges):
        hashes, members = [np.empty(0, np.uint64)], [np.empty(0, np.uint32)]
        for shard, places in catalogue.number.items():
            for batch, books in read_samples(files.samples(shard), number, files.ranges):
                hashes.append(batch)
                members.append(places[books])
        sampled.add(np.concatenate(hashes), np.concatenate(members))
    return np.union1d(lsh_pairs(catalogue.signatures, BANDS, ROWS), sampled.pairs())


def prepare_near_dedup(
    source: Books, options: RunOptions, console: Console, layout: Layout, scopes: Sequence[Scope]
) -> None:
    """Finds the near duplicates of the one scope, and writes the list of removals; for ``run_source(prepare=...)``.

    Args:
        source: The source.
        options: How to run. A part does its share of the passes over shards, and compares all candidates, to the same
            list as the others.
        console: Where progress shows.
        layout: The source's folder.
        scopes: The scopes that are missing: the one there is.
    """
    say = sentences(console)
    (scope,) = scopes
    part = options.part
    shards, mine = scope.shards, share(part, scope.shards)
    ranges = max(1, -(-sum(map(_text_bytes, shards)) // BYTES_PER_SAMPLE // SAMPLES_PER_RANGE))
    files = SketchFiles(layout, work_folder(scope.fingerprint), ranges)
    worker = Worker(source, layout, options.cache, tuple(options.flags))
    dofn = SketchBooks(worker, files)
    with ProgressReporter(layout, scopes, layout.done(), console, is_remote(layout.root), hashes=True):
        tasks = [SketchTask(shard) for shard in mine]
        run_each(dofn, tasks, "Sketch each book", options, layout.root)
    _await(part, "sketches", {files.books(shard.name): number for number, shard in enumerate(shards)}, say)
    catalogue = read_catalogue(files, shards)
    candidates = find_candidates(files, catalogue)
    say(f"books: {len(catalogue.rows):,}; pairs to compare: {len(candidates):,}")
    wanted = _wanted(catalogue, candidates)
    if wanted:
        tasks = [SketchTask(shard, wanted[shard.name]) for shard in mine if shard.name in wanted]
        run_each(dofn, tasks, "Shingles of the candidates", options, layout.root)
        these = {files.shingles(s.name): number for number, s in enumerate(shards) if s.name in wanted}
        _await(part, "shingles", these, say)
    recipe = source.recipe.near_dedup
    measure = _measure(files, catalogue, wanted)
    removals = choose_removals(
        len(catalogue.rows), candidates, measure, recipe.threshold, recipe.measure, recipe.linkage
    )
    write_report(partial(join, layout.root), [_row(catalogue, removal, recipe.measure) for removal in removals])
    say(f"near duplicates: {len(removals):,}; see {join(layout.root, TABLE)}")


def _await(part: Part | None, what: str, paths: Mapping[str, int], say: Callable[[str], None]) -> None:
    if part is not None:
        await_others(part, what, paths, lambda: files_of_folders(paths), say)


def _text_bytes(shard: Shard) -> int:
    packed = any(file.path.lower().endswith((".gz", ".tgz", ".zip")) for file in shard.inputs)
    return shard.size * (COMPRESSION if packed else 1)


def _wanted(catalogue: Catalogue, candidates: Pairs) -> dict[str, tuple[int, ...]]:
    """For each shard with candidates, their numbers in it, ascending."""
    numbers = np.unique(np.concatenate(unpack(candidates)))
    wanted: dict[str, list[int]] = {}
    for shard, place in sorted(catalogue.places[number] for number in numbers.tolist()):
        wanted.setdefault(shard, []).append(place)
    return {shard: tuple(places) for shard, places in wanted.items()}


def _measure(
    files: SketchFiles, catalogue: Catalogue, wanted: dict[str, tuple[int, ...]]
) -> Callable[[int, int], Overlap]:
    reader = ShingleReader(files, HELD_SHINGLES)
    index = {(shard, place): at for shard, places in wanted.items() for at, place in enumerate(places)}
    known: dict[tuple[int, int], Overlap] = {}

    def measure(first: int, second: int) -> Overlap:
        key = (min(first, second), max(first, second))
        if key not in known:
            sets = [reader.read(shard, index[shard, place]) for shard, place in (catalogue.places[n] for n in key)]
            known[key] = overlap(*sets)
        return known[key]

    return measure


def _row(catalogue: Catalogue, removal: Removal, kind: str) -> dict[str, object]:
    removed, survivor = catalogue.rows[removal.removed], catalogue.rows[removal.survivor]
    figures = {"containment": removal.overlap.containment, "jaccard": removal.overlap.jaccard}
    return {
        "removed_id": removed["id"],
        "removed_title": removed["title"],
        "survivor_id": survivor["id"],
        "survivor_title": survivor["title"],
        "overlap": figures[kind],
        **figures,
        "removed_characters": removed["characters"],
        "survivor_characters": survivor["characters"],
        "removed_file": removed["file"],
        "removed_offset": removed["offset"],
    }
