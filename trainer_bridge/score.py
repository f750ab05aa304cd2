"""Scores documents one by one: python -m trainer_bridge.score RUN --documents FILE.parquet --output scores.csv.

Each document is judged for itself: begin-of-sequence first, its tokens in windows one after the other, each token
predicted once from those of its window. Sums over a document's tokens are compared between models; where these have
other tokenizers, by bits per byte of text. ``trainer_bridge.evaluate`` scores held-out shards in one sum by source.
"""

import argparse
from importlib import import_module

from trainer_bridge.command_line import local_path
from trainer_bridge.errors import TrainerError, run_command

COLUMNS = ("step", "source", "document", "tokens", "bytes", "nats")


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = argparse.ArgumentParser(
        prog="python -m trainer_bridge.score", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    result.add_argument("run", nargs="+", type=local_path, help="directories of runs, or single checkpoints")
    result.add_argument("--documents", required=True, type=local_path, help="a Parquet file with id and text, or more")
    result.add_argument(
        "--output", required=True, nargs="+", type=local_path, help=f"a CSV file for each run: {', '.join(COLUMNS)}"
    )
    result.add_argument("--steps", nargs="+", type=int, help="score these checkpoints; default: the newest")
    result.add_argument("--window", type=int, help="tokens predicted in one piece; default: the model's context")
    result.add_argument("--batch", type=int, default=8, help="windows at a time")
    return result


def main() -> None:
    """Runs the command line: writes a CSV file, a row for each document of each checkpoint."""
    options = parser().parse_args()
    if options.batch < 1:
        raise TrainerError("--batch must be at least 1")
    if len(options.output) != len(options.run):
        raise TrainerError(f"--output must name a file for each of the {len(options.run)} runs")
    import_module("trainer_bridge.scoring").run(options)


if __name__ == "__main__":
    run_command(main, alone=True)
