"""Loss and bits per byte on held-out shards, by source: python -m trainer_bridge.evaluate RUN --data SHARDS.

For task benchmarks: python -m trainer_bridge.benchmark.
"""

import argparse
from importlib import import_module

from trainer_bridge.command_line import local_path
from trainer_bridge.errors import TrainerError, run_command


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = argparse.ArgumentParser(
        prog="python -m trainer_bridge.evaluate", description=(__doc__ or "").split("\n")[0]
    )
    result.add_argument("run", type=local_path, help="directory of a run, or one checkpoint")
    result.add_argument("--data", required=True, help="directory of held-out token shards")
    result.add_argument("--batch", type=int, default=4, help="rows at a time")
    result.add_argument("--limit", type=int, help="rows to score; default: all")
    result.add_argument("--tokenizer", help="SentencePiece model, for bits per byte; default: the run's or the shards'")
    return result


def main() -> None:
    """Runs the command line: a table on stderr, JSON on stdout."""
    options = parser().parse_args()
    if options.batch < 1 or (options.limit is not None and options.limit < 1):
        raise TrainerError("--batch and --limit must be at least 1")
    import_module("trainer_bridge.evaluation").run(options)


if __name__ == "__main__":
    run_command(main, alone=True)
