"""Whether dedup costs the same for each shard however many there are: CPU time, opened files, bytes; and its memory.

``python -m benchmarks.dedup_scale`` makes hash files of scopes of 1,000, 4,000 and 16,000 shards, and takes them
through both exchanges, each in a process of its own: files, as on one machine, and the shuffle, in Beam's local runner,
which gets a quarter of the hashes, since it holds all of them. Shards and partitions are small. Then it measures one
partition of full size, which is what bounds the memory of a worker; and how much larger than the mean the largest
partition is: of even hashes, with lines that all shards hold, and of hashes that are not even, as no real ones are. It
takes some minutes; ``--only hot`` makes the last alone.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import resource
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from benchmarks.result import RESULTS, result_file, write_result
from pipeline.corpus.shard import Layout, Shard
from pipeline.engine.dedup import write_unit_hashes
from pipeline.engine.exchange.blocks import BlockFile, HashBlock, pack_hashes, unpack_hashes
from pipeline.engine.exchange.files import decide_range, hand_out_group, merge_group
from pipeline.engine.exchange.grid import GROUP, HASHES_PER_PARTITION, Grid
from pipeline.engine.exchange.passes import ByShuffle
from pipeline.engine.exchange.steps import decide, regroup
from pipeline.engine.tasks import DedupRound, ShardTask, Worker
from pipeline.source import Round
from pipeline.units import Policy, Units

WORK = "work"
REPEATED = 0.37  # of a crawl's lines
STATED = {"drop_all": 55, "keep_first": 55, "keep_smallest": 100}  # bytes a hash, as docs/cluster.md has it


class MadeDedup:
    """What the round of made hash files says of itself."""

    unit = "line"
    policy: Policy = "drop_all"


class MadeWorker(Worker):
    """A worker of a source that is hashed already."""

    def rounds(self) -> list[Round]:
        """One round."""
        return [Round([], MadeDedup())]  # type: ignore[arg-type] - the exchange asks for no more

    def survey(self) -> None:
        """None."""


def make_hashes(layout: Layout, grid: Grid, hashes: int, everywhere: int = 0, crowded: float = 0.0) -> None:
    """Writes the hash files of a scope: of each shard's hashes some come from a pool that all shards share.

    Args:
        layout: Where they lie.
        grid: The scope's grid.
        hashes: In each shard.
        everywhere: Hashes that all shards hold, beside these.
        crowded: The share of hashes that lie in one thousandth of all 64-bit numbers.
    """
    pool = np.random.default_rng(0).integers(2**64, size=hashes * 8, dtype=np.uint64)
    common = np.random.default_rng(2**32).integers(2**64, size=everywhere, dtype=np.uint64)
    for position in range(grid.shards):
        random = np.random.default_rng(position + 1)
        own = random.integers(2**64, size=round(hashes * (1 - REPEATED)), dtype=np.uint64)
        own[: round(len(own) * crowded)] //= np.uint64(1000)
        units = Units(np.concatenate([own, random.choice(pool, hashes - len(own), replace=False), common]))
        path = layout.hashes(WORK, position)
        write_unit_hashes(path, layout.units(WORK, str(position)), [units], "drop_all", grid, position)


def by_files(layout: Layout, grid: Grid) -> dict[str, Any]:
    """The exchange through files."""
    for group in range(grid.groups):
        merge_group(layout, WORK, grid, group)
    for number in range(grid.ranges):
        decide_range(layout, WORK, grid, number, "drop_all")
    for group in range(grid.groups):
        hand_out_group(layout, WORK, grid, group, [str(shard) for shard in grid.members(group)])
    return {}


def by_shuffle(layout: Layout, grid: Grid) -> dict[str, Any]:
    """The exchange through the local runner's shuffle; gives what its metrics say of the blocks."""
    tasks = [ShardTask(Shard(str(i), (), "s"), i, WORK, (grid,), True, {}) for i in range(grid.shards)]
    worker = MadeWorker(None, layout, None, ())  # type: ignore[arg-type]
    pipeline = beam.Pipeline(FnApiRunner())
    exchange = ByShuffle(DedupRound(worker, 0), direct=grid.is_direct, grouped=not grid.is_direct)
    pipeline | beam.Create(tasks) | exchange
    result = pipeline.run()
    result.wait_until_finish()
    found = result.metrics().query(beam.metrics.MetricsFilter().with_namespace("dedup"))["distributions"]
    kinds = {d.key.metric.name: d.committed for d in found}
    return {
        "shuffled": sum(d.sum for d in kinds.values()),
        "elements": sum(d.count for d in kinds.values()),
        "mean_block": {name: round(d.mean) for name, d in kinds.items()},
        "group_block_max_by_mean": round(kinds["group_blocks"].max / kinds["group_blocks"].mean, 2)
        if "group_blocks" in kinds
        else None,
    }


HOT: dict[str, dict[str, Any]] = {
    "even": {},
    "a line in all shards": {"everywhere": 1},
    "100 lines in all shards": {"everywhere": 100},
    "half of the hashes in a thousandth": {"crowded": 0.8},
}
EXCHANGES = {"files": by_files, "shuffle": by_shuffle}
LESS = {"files": 1, "shuffle": 4}


def measure(exchange: str, shards: int, hashes: int, per_partition: int) -> dict[str, Any]:
    """Takes one made scope through an exchange, in this process."""
    grid = Grid(shards, max(1, shards * hashes // per_partition), GROUP)
    opened = 0

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal opened
        opened += event == "open" and str(arguments[0]).startswith(name)

    with tempfile.TemporaryDirectory() as name:
        layout = Layout(name)
        make_hashes(layout, grid, hashes)
        sys.addaudithook(audit)
        opened, before = 0, _moved()
        started = resource.getrusage(resource.RUSAGE_SELF)
        found = EXCHANGES[exchange](layout, grid)
        ended = resource.getrusage(resource.RUSAGE_SELF)
        moved, files = _moved() - before, opened
    cpu = ended.ru_utime + ended.ru_stime - started.ru_utime - started.ru_stime
    return {
        "exchange": exchange,
        "shards": shards,
        "hashes": shards * hashes,
        "partitions": grid.partitions,
        "cpu_seconds": round(cpu, 2),
        "opened": files,
        "bytes": moved if exchange == "files" else found["shuffled"],
        **found,
    }


def hot(kind: str, shards: int, hashes: int, per_partition: int) -> dict[str, Any]:
    """How large the largest partition of a scope is, as a multiple of the mean, and what the exchange takes."""
    grid = Grid(shards, max(1, shards * hashes // per_partition), GROUP)
    with tempfile.TemporaryDirectory() as name:
        layout = Layout(name)
        make_hashes(layout, grid, hashes, **HOT[kind])
        started = resource.getrusage(resource.RUSAGE_SELF)
        by_files(layout, grid)
        ended = resource.getrusage(resource.RUSAGE_SELF)
        sizes = np.zeros(grid.partitions, np.int64)
        for group in range(grid.groups):
            with BlockFile(layout.group(WORK, group)) as file:
                sizes += [len(unpack_hashes(block).hashes) for block in file.read_row(range(grid.partitions))]
    cpu = ended.ru_utime + ended.ru_stime - started.ru_utime - started.ru_stime
    return {
        "hashes": kind,
        "shards": shards,
        "partitions": grid.partitions,
        "mean_partition": round(float(sizes.mean())),
        "largest_by_mean": round(float(sizes.max() / sizes.mean()), 2),
        "cpu_milliseconds_per_shard": round(1000 * cpu / shards, 2),
    }


def _moved() -> int:
    """Bytes that this process has read and written, files and all; 0 where the system does not tell."""
    try:
        lines = Path("/proc/self/io").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(("rchar", "wchar")))


def full_partition(policy: Policy) -> dict[str, Any]:
    """Memory of each step on blocks of full size: bytes for each hash above what the process has before."""
    grid, found = Grid(16_000, 12_500, GROUP), {}
    each = HASHES_PER_PARTITION // GROUP

    def blocks() -> Iterator[bytes]:
        for number in range(GROUP):
            random = np.random.default_rng(number)
            hashes = np.sort(random.integers(2**64 // grid.bands, size=each, dtype=np.uint64))
            rank = random.integers(2**64, size=each, dtype=np.uint64) if policy == "keep_smallest" else None
            repeated = np.zeros(each, bool)
            yield pack_hashes(HashBlock(number, np.array([each], np.uint32), hashes, repeated, rank))

    def peak_of(step: Callable[[list[bytes]], object]) -> float:
        held = list(blocks())
        before = _peak(reset=True)
        step(held)
        own = sum(map(len, held)) if held else GROUP * each * (16 if policy == "keep_smallest" else 8)
        return round((_peak() - before + own) / (GROUP * each), 1)

    found["regroup"] = peak_of(lambda held: [None for _ in regroup(held, grid, 0, 0)])
    as_scope = Grid(GROUP, 1)
    found["decide"] = peak_of(lambda held: decide(held, as_scope, 0, policy))
    return {"policy": policy, "bytes_per_hash": found, "stated": STATED[policy]}


def _peak(reset: bool = False) -> int:
    """The process's largest memory, or, reset, what it has now."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise OSError("this system does not tell a process's memory")


def alone(call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Runs in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(call)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, nargs="+", default=[1_000, 4_000, 16_000])
    parser.add_argument("--hashes", type=int, default=16_000, help="in each shard")
    parser.add_argument("--per-partition", type=int, default=250_000, help="hashes in a partition; 8,000,000 in a run")
    parser.add_argument(
        "--only", nargs="+", choices=[*EXCHANGES, "memory", "hot"], default=[*EXCHANGES, "memory", "hot"]
    )
    parser.add_argument("--result", type=result_file, default=RESULTS / "dedup_scale.json")
    args = parser.parse_args()
    runs = []
    for exchange in [name for name in EXCHANGES if name in args.only]:
        start = alone(partial(measure, exchange, 2, 1, 1))["cpu_seconds"]  # of imports, and of the runner
        for shards in args.shards:
            run = alone(partial(measure, exchange, shards, args.hashes // LESS[exchange], args.per_partition))
            run["cpu_milliseconds_per_shard"] = round(1000 * (run["cpu_seconds"] - start) / shards, 2)
            run["opened_per_shard"] = round(run["opened"] / shards, 2)
            run["bytes_per_hash"] = round(run["bytes"] / run["hashes"], 2)
            runs.append(run)
            print(
                f"{exchange:8}{shards:7,} shards, {run['partitions']:5,} partitions: "
                f"{run['cpu_milliseconds_per_shard']:6.2f} ms and {run['opened_per_shard']:5.2f} files a shard, "
                f"{run['bytes_per_hash']:6.2f} bytes a hash {run.get('mean_block', '')}",
                flush=True,
            )
    policies: list[Policy] = ["drop_all", "keep_smallest"] if "memory" in args.only else []
    memory = [alone(partial(full_partition, policy)) for policy in policies]
    for entry in memory:
        print(f"a full partition, {entry['policy']}: {entry['bytes_per_hash']} bytes a hash; stated {entry['stated']}")
    partitions = []
    for kind in HOT if "hot" in args.only else ():
        partitions.append(entry := alone(partial(hot, kind, args.shards[0], args.hashes, args.per_partition)))
        print(
            f"{kind}: the largest of {entry['partitions']} partitions is {entry['largest_by_mean']} times the mean; "
            f"{entry['cpu_milliseconds_per_shard']} ms a shard",
            flush=True,
        )
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    write_result(args.result, {"machine": machine, "runs": runs, "memory": memory, "partitions": partitions})


if __name__ == "__main__":
    main()
