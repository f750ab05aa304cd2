"""Starts, shows and stops a real cluster on this machine.

    python -m tools.engines flink start      one job manager, two task managers, Beam's job server
    python -m tools.engines spark start      one master, two workers, Beam's job server
    python -m tools.engines flink status
    python -m tools.engines flink stop

What is needed is fetched once, into the cache folder. The engines listen on this machine's loopback device only; Beam's
job server listens at all addresses, and cannot be told otherwise. Stopping ends the processes that were started here,
and no others.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from pipeline.storage.filesystem import default_cache
from tools.engines.cluster import Cluster, Setting
from tools.engines.fetch import Missing
from tools.engines.flink import Flink
from tools.engines.processes import Failed
from tools.engines.spark import Spark

CLUSTERS: dict[str, type[Cluster]] = {"flink": Flink, "spark": Spark}
EXAMPLE = "python -m sources.commoncrawl --input 'samples/commoncrawl/*.warc.wet.gz' --output corpus"


def main(arguments: list[str] | None = None) -> int:
    """Ends with status 1 and advice where something is missing."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.engines", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("engine", choices=CLUSTERS)
    parser.add_argument("action", choices=("start", "stop", "status"))
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="task managers, or workers (default: 2)")
    parser.add_argument("--any-ports", action="store_true", help="take free ports instead of the engine's own ones")
    parser.add_argument("--state", type=Path, metavar="DIR", help="folder for records and logs (default: in the cache)")
    args = parser.parse_args(arguments)
    if args.workers < 1:
        parser.error(f"--workers must be 1 or more, it is {args.workers}")
    cache = default_cache().absolute() / "engines"
    state = (args.state or cache / args.engine).absolute()
    cluster = CLUSTERS[args.engine](Setting(cache, state, args.workers, args.any_ports))
    try:
        return {"start": start, "stop": stop, "status": status}[args.action](cluster)
    except (Missing, Failed) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def start(cluster: Cluster) -> int:
    """Brings a cluster up and prints the flags to use."""
    began = time.monotonic()
    ports = cluster.start()
    print(f"{cluster.name} is up ({time.monotonic() - began:.0f} s). Add these flags to a command:\n")
    print("  " + " ".join(cluster.flags(ports)))
    print(f"\nsuch as\n\n  {EXAMPLE} \\\n    {' '.join(cluster.flags(ports))}\n")
    print(f"Logs: {cluster.setting.state / 'log'}\nTo stop it: {cluster.command('stop')}")
    return 0


def stop(cluster: Cluster) -> int:
    """Stops a cluster."""
    stopped = cluster.processes.stop()
    print(f"{cluster.name}: stopped {stopped} processes" if stopped else f"{cluster.name} does not run")
    return 0


def status(cluster: Cluster) -> int:
    """Prints what runs; the status is 1 where not all of it does."""
    found = {name: cluster.processes.pid(name) for name in cluster.parts()}
    for name, pid in found.items():
        print(f"{name:<14} {'runs, process ' + str(pid) if pid else 'does not run'}")
    ports = cluster.ports()
    if ports is None or None in found.values():
        return 1
    print("  " + " ".join(cluster.flags(ports)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
