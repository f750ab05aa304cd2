import itertools
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.corpus.shard import Layout
from pipeline.engine.dedup import Units, read_mask, stable_order, write_drops, write_unit_hashes
from pipeline.engine.exchange.blocks import BlockFile, unpack_hashes
from pipeline.engine.exchange.files import decide_range, hand_out_group, merge_group
from pipeline.engine.exchange.grid import Grid
from pipeline.engine.exchange.steps import decide, hand_out, join_drops, regroup

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # many small files, each waited for until it is on the disk
POLICIES = ("drop_all", "keep_first", "keep_smallest")
LARGEST = 2**64 - 1

# A scope is a list of shards, a shard a list of documents, a document its hashes and its priority.
Scope = list[list[tuple[list[int], int]]]


def dedup(scope: Scope, policy: str, partitions: int, group: int = 1, exchange=None) -> list[list[bool]]:
    """The three passes over files in a folder of their own."""
    grid = Grid(len(scope), partitions, group)
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        layout = Layout(folder)
        for i, shard in enumerate(scope):
            units = (Units(np.array(hashes, np.uint64), priority) for hashes, priority in shard)
            write_unit_hashes(layout.hashes("w", i), layout.units("w", f"s{i}"), units, policy, grid, i)
        (exchange or by_files)(layout, grid, policy)
        names = [f"s{i}" for i in range(len(scope))]
        return [read_mask(layout.units("w", name), layout.drops("w", name)).tolist() for name in names]


def by_files(layout: Layout, grid: Grid, policy: str) -> None:
    for group in range(grid.groups):
        merge_group(layout, "w", grid, group)
    for number in range(grid.ranges):
        decide_range(layout, "w", grid, number, policy)
    for group in range(grid.groups):
        hand_out_group(layout, "w", grid, group, [f"s{i}" for i in grid.members(group)])


def by_shuffle(layout: Layout, grid: Grid, policy: str) -> None:
    """What the engine's shuffle does, with the values of each key in the worst order."""
    bands, partitions, groups, shards = ({} for _ in range(4))
    for i in range(grid.shards):
        with BlockFile(layout.hashes("w", i)) as file:
            for band, block in enumerate(file.read_row(range(grid.bands))):
                bands.setdefault((i // grid.group_shards, band), []).insert(0, block)
    for (group, band), blocks in bands.items():
        cut = [blocks] if grid.is_direct else [[block] for block in regroup(blocks, grid, group, band)]
        for partition, some in zip(grid.partitions_of_band(band), cut, strict=True):
            partitions.setdefault(partition, [])[:0] = some
    for partition, blocks in partitions.items():
        for group, block in enumerate(decide(blocks, grid, partition, policy)):
            groups.setdefault((group, partition // grid.band), []).insert(0, block)
    for (group, band), blocks in groups.items():
        cut = blocks if grid.is_direct else hand_out(blocks, grid, group, band)
        for shard, block in zip(grid.members(group), cut, strict=True):
            shards.setdefault(shard, []).insert(0, block)
    for shard, blocks in shards.items():
        write_drops(layout.drops("w", f"s{shard}"), join_drops(blocks, grid))


def brute_force(scope: Scope, policy: str) -> list[list[bool]]:
    copies: dict[int, list[tuple[int, int, int, int]]] = {}
    for s, shard in enumerate(scope):
        for d, (hashes, priority) in enumerate(shard):
            for u, unit in enumerate(hashes):
                copies.setdefault(unit, []).append((s, d, u, priority))
    keep = set()
    for places in copies.values():
        if policy == "drop_all":
            if len({(s, d) for s, d, _, _ in places}) == 1:
                keep.add(min(places)[:3])
        elif policy == "keep_first":
            keep.add(min(places)[:3])
        else:
            keep.add(min(places, key=lambda place: (place[3], place[:3]))[:3])
    return [
        [(s, d, u) in keep for d, (hashes, _) in enumerate(shard) for u in range(len(hashes))]
        for s, shard in enumerate(scope)
    ]


T, F = True, False


@pytest.mark.parametrize(
    ("policy", "scope", "expected"),
    [
        # A hash of its own stays; one in two documents of a shard, or of two shards, goes everywhere.
        ("drop_all", [[([1, 2], 0), ([2, 3], 0)], [([3, 4], 0)]], [[T, F, F, F], [F, T]]),
        # Repeats inside one document keep the first copy, unless another document holds the hash, too.
        ("drop_all", [[([5, 5, 6, 5], 0)]], [[T, F, T, F]]),
        ("drop_all", [[([5, 5], 0), ([6], 0)], [([5], 0)]], [[F, F, T], [F]]),
        ("keep_first", [[([1, 2], 0), ([2, 3], 0)], [([3, 1, 4], 0)]], [[T, T, F, T], [F, F, T]]),
        ("keep_first", [[([7, 7], 0)], [([7], 0)]], [[T, F], [F]]),
        # The document of the smallest priority keeps its copy, wherever it comes; ties go to the first.
        ("keep_smallest", [[([1], 9), ([1], 4)], [([1], 5)]], [[F, T], [F]]),
        ("keep_smallest", [[([1], 9)], [([1], 9)]], [[T], [F]]),
        ("keep_smallest", [[([1, 2], 9)], [([2, 2], 1)]], [[T, F], [T, F]]),
        # The smallest and the largest hash are hashes like any other.
        ("drop_all", [[([0, LARGEST], 0)], [([LARGEST], 0)]], [[T, F], [F]]),
        ("keep_first", [[([0, 0, LARGEST], 0)]], [[T, F, T]]),
        ("keep_smallest", [[([0], LARGEST)], [([0], LARGEST - 1)]], [[F], [T]]),
    ],
)
@pytest.mark.parametrize("partitions", [1, 3])
def test_literal_cases(policy, scope, expected, partitions):
    assert dedup(scope, policy, partitions) == expected


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("partitions", [1, 4])
def test_empty_documents_and_empty_shards(policy, partitions):
    assert dedup([[]], policy, partitions) == [[]]
    assert dedup([[([], 0)], [], [([], 0), ([], 0)]], policy, partitions) == [[], [], []]
    assert dedup([[], [([], 0), ([8], 0)], []], policy, partitions) == [[], [True], []]


few_hashes = st.sampled_from([0, 1, 2, 2**62, 2**63 - 1, 2**63, 2**63 + 1, LARGEST - 1, LARGEST])
documents = st.tuples(st.lists(few_hashes, max_size=6), st.integers(0, 3))
scopes = st.lists(st.lists(documents, max_size=5), min_size=1, max_size=4)


@settings(deadline=None, max_examples=100)
@given(scopes, st.sampled_from(POLICIES), st.integers(1, 9), st.integers(1, 3), st.sampled_from([by_files, by_shuffle]))
def test_equals_brute_force_in_any_grid_and_exchange(scope, policy, partitions, group, exchange):
    assert dedup(scope, policy, partitions, group, exchange) == brute_force(scope, policy)


any_documents = st.tuples(st.lists(st.integers(0, LARGEST), max_size=20), st.integers(0, LARGEST))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(any_documents, max_size=5), min_size=1, max_size=3), st.sampled_from(POLICIES))
def test_the_grid_and_the_exchange_change_nothing(scope, policy):
    scope = [*scope, scope[0]]  # so that every hash of the first shard is repeated
    expected = brute_force(scope, policy)
    ways = [(1, 1, by_files), (7, 1, by_shuffle), (7, 2, by_files), (70, 2, by_shuffle)]
    assert [dedup(scope, policy, *way) for way in ways] == [expected] * 4


@settings(deadline=None, max_examples=40)
@given(scopes)
def test_what_the_policies_keep(scope):
    """keep_first leaves each hash exactly once; drop_all a part of that."""
    first = [unit for mask in dedup(scope, "keep_first", 2) for unit in mask]
    dropped = [unit for mask in dedup(scope, "drop_all", 2) for unit in mask]
    hashes = [h for shard in scope for document, _ in shard for h in document]
    assert sorted(itertools.compress(hashes, first)) == sorted(set(hashes))
    assert all(f for f, d in zip(first, dropped, strict=True) if d)


@pytest.mark.parametrize("top", [1, 2, 3, 2**16 - 1, 2**40, 2**64 - 1])
@pytest.mark.parametrize("count", [0, 1, 2**16 - 1, 2**16, 100_000])
def test_the_order_is_that_of_a_stable_sort(top, count):
    """Of even hashes, with many equal ones and few, and of hashes that nearly all lie close together."""
    random = np.random.default_rng(count)
    hashes = random.integers(top, size=count, dtype=np.uint64, endpoint=True)
    crowded = np.where(random.random(count) < 0.001, hashes, hashes >> np.uint64(30))
    for values in (hashes, crowded, np.sort(hashes), np.sort(hashes)[::-1], hashes + np.uint64(LARGEST - top)):
        assert np.array_equal(stable_order(values), np.argsort(values, kind="stable"))


def test_files_hold_a_few_bytes_a_unit(tmp_path):
    """Their types are what the memory of passes 2 and 3 goes by."""
    layout, grid = Layout(str(tmp_path)), Grid(1, 2)
    documents = [Units(np.array([1, 2**63, 1], np.uint64), 7), Units(np.array([1], np.uint64), 3)]
    number = write_unit_hashes(layout.hashes("w", 0), layout.units("w", "s"), documents, "keep_smallest", grid, 0)
    assert number == 4
    with pa.ipc.open_file(layout.units("w", "s")) as reader:
        units = reader.read_all()
    assert units.schema.types == [pa.uint32(), pa.bool_()]
    assert units.to_pydict() == {"number": [0, 1, 0, 0], "candidate": [False, True, False, True]}
    with BlockFile(layout.hashes("w", 0)) as file:
        low, high = file.read_row(range(file.count))
    assert len(low) == len(high) == 32 + 8 + 8 + 4 + 1
    assert [[*map(np.ndarray.tolist, unpack_hashes(block)[1:])] for block in (low, high)] == [
        [[1], [1], [True], [3]],
        [[1], [2**63], [False], [7]],
    ]
    by_files(layout, grid, "keep_smallest")
    hand_out_group(layout, "w", grid, 0, ["s"])
    with pa.ipc.open_file(layout.drops("w", "s")) as reader:
        assert reader.read_all().schema.types == [pa.bool_()]


def test_priorities_are_stored_for_keep_smallest_only(tmp_path):
    units = [Units(np.array([1], np.uint64), 7)]
    write_unit_hashes(f"{tmp_path}/h", f"{tmp_path}/u", units, "drop_all", Grid(1, 1), 0)
    with BlockFile(f"{tmp_path}/h") as file:
        assert unpack_hashes(file.read(0)).priority is None


def test_the_hash_file_comes_last(tmp_path):
    """It marks the pass as done: where the units cannot be written, it must not be there."""
    (tmp_path / "u").mkdir()
    with pytest.raises(Exception, match="u"):
        write_unit_hashes(
            f"{tmp_path}/h", f"{tmp_path}/u", [Units(np.array([1], np.uint64))], "drop_all", Grid(1, 1), 0
        )
    assert not (tmp_path / "h").exists()


def test_equal_scopes_give_equal_files(tmp_path):
    for name in "ab":
        units = [Units(np.arange(1000, dtype=np.uint64) * 2**54, 1)]
        write_unit_hashes(f"{tmp_path}/h{name}", f"{tmp_path}/u{name}", units, "drop_all", Grid(1, 3), 0)
    assert (tmp_path / "ha").read_bytes() == (tmp_path / "hb").read_bytes()
    assert (tmp_path / "ua").read_bytes() == (tmp_path / "ub").read_bytes()
