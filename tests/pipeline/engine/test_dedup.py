import itertools
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engine.dedup import (
    HASHES_PER_PARTITION,
    Units,
    find_duplicates,
    partition_count,
    read_mask,
    write_unit_hashes,
)

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # many small files, each waited for until it is on the disk
POLICIES = ("drop_all", "keep_first", "keep_smallest")
LARGEST = 2**64 - 1

# A scope is a list of shards, a shard a list of documents, a document its hashes and its priority.
Scope = list[list[tuple[list[int], int]]]


def dedup(scope: Scope, policy: str, partitions: int) -> list[list[bool]]:
    """The three passes over files in a folder of their own."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        shards = range(len(scope))
        for i, shard in enumerate(scope):
            units = (Units(np.array(hashes, np.uint64), priority) for hashes, priority in shard)
            write_unit_hashes(f"{folder}/h{i}", f"{folder}/u{i}", units, policy, partitions)
        for p in range(partitions):
            find_duplicates([f"{folder}/h{i}" for i in shards], f"{folder}/d{p}", p, policy)
        decisions = [f"{folder}/d{p}" for p in range(partitions)]
        return [read_mask(f"{folder}/u{i}", decisions, i).tolist() for i in shards]


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


@settings(deadline=None, max_examples=120)
@given(scopes, st.sampled_from(POLICIES), st.integers(1, 9))
def test_equals_brute_force_in_any_number_of_partitions(scope, policy, partitions):
    assert dedup(scope, policy, partitions) == brute_force(scope, policy)


any_documents = st.tuples(st.lists(st.integers(0, LARGEST), max_size=20), st.integers(0, LARGEST))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(any_documents, max_size=5), min_size=1, max_size=3), st.sampled_from(POLICIES))
def test_the_number_of_partitions_changes_nothing(scope, policy):
    scope = [*scope, scope[0]]  # so that every hash of the first shard is repeated
    expected = brute_force(scope, policy)
    assert [dedup(scope, policy, partitions) for partitions in (1, 2, 7, 40)] == [expected] * 4


@settings(deadline=None, max_examples=40)
@given(scopes)
def test_what_the_policies_keep(scope):
    """keep_first leaves each hash exactly once; drop_all a part of that."""
    first = [unit for mask in dedup(scope, "keep_first", 2) for unit in mask]
    dropped = [unit for mask in dedup(scope, "drop_all", 2) for unit in mask]
    hashes = [h for shard in scope for document, _ in shard for h in document]
    assert sorted(itertools.compress(hashes, first)) == sorted(set(hashes))
    assert all(f for f, d in zip(first, dropped, strict=True) if d)


def read(path: Path) -> list[pa.RecordBatch]:
    with pa.ipc.open_file(str(path)) as reader:
        return [reader.get_batch(i) for i in range(reader.num_record_batches)]


def test_files_hold_a_few_bytes_a_unit(tmp_path):
    """Their types are what the memory of passes 2 and 3 goes by."""
    documents = [Units(np.array([1, 2**63, 1], np.uint64), 7), Units(np.array([1], np.uint64), 3)]
    number = write_unit_hashes(f"{tmp_path}/h", f"{tmp_path}/u", iter(documents), "keep_smallest", 2)
    assert number == 4
    (units,) = read(tmp_path / "u")
    assert units.schema.types == [pa.uint32(), pa.bool_()]
    assert units.to_pydict() == {"number": [0, 1, 0, 0], "candidate": [False, True, False, True]}
    low, high = read(tmp_path / "h")
    assert low.schema.types == [pa.uint64(), pa.bool_(), pa.uint64()]
    assert low.to_pydict() == {"hash": [1], "repeated": [True], "priority": [3]}
    assert high.to_pydict() == {"hash": [2**63], "repeated": [False], "priority": [7]}
    find_duplicates([f"{tmp_path}/h"], f"{tmp_path}/d", 0, "keep_smallest")
    assert [batch.schema.types for batch in read(tmp_path / "d")] == [[pa.bool_()]]


def test_priorities_are_stored_for_keep_smallest_only(tmp_path):
    write_unit_hashes(f"{tmp_path}/h", f"{tmp_path}/u", [Units(np.array([1], np.uint64), 7)], "drop_all", 1)
    assert read(tmp_path / "h")[0].schema.names == ["hash", "repeated"]


def test_the_hash_file_comes_last(tmp_path):
    """It marks the pass as done: where the units cannot be written, it must not be there."""
    (tmp_path / "u").mkdir()
    with pytest.raises(Exception, match="u"):
        write_unit_hashes(f"{tmp_path}/h", f"{tmp_path}/u", [Units(np.array([1], np.uint64))], "drop_all", 1)
    assert not (tmp_path / "h").exists()


def test_equal_scopes_give_equal_files(tmp_path):
    for name in "ab":
        units = [Units(np.arange(1000, dtype=np.uint64) * 2**54, 1)]
        write_unit_hashes(f"{tmp_path}/h{name}", f"{tmp_path}/u{name}", units, "drop_all", 3)
    assert (tmp_path / "ha").read_bytes() == (tmp_path / "hb").read_bytes()
    assert (tmp_path / "ua").read_bytes() == (tmp_path / "ub").read_bytes()


def test_partition_count():
    one = 24 * HASHES_PER_PARTITION
    assert [partition_count(size, 24) for size in (0, 1, one, one + 1, 2 * one, 10 * one + 1)] == [1, 1, 1, 2, 2, 11]
    assert partition_count(3 * 10**12, 24) == 15_625
    assert partition_count(3 * 10**12, 512) == 733
