"""Reads a run's directory through and says what is damaged: python -m trainer_bridge.verify RUN.

``python -m pipeline.verify RUN`` does the same. Looked at: each checkpoint (``checkpoint.find_damage``), that the steps
in metrics.jsonl are all there up to the newest checkpoint, and that the tokenizer is that of the run's shards.
"""

import argparse
from importlib import import_module

from trainer_bridge.command_line import local_path
from trainer_bridge.errors import run_command


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = argparse.ArgumentParser(prog="python -m trainer_bridge.verify", description=(__doc__ or "").split("\n")[0])
    result.add_argument("runs", nargs="+", type=local_path, metavar="RUN", help="directory of a run, or one checkpoint")
    return result


def main() -> int:
    """Runs the command line."""
    options = parser().parse_args()
    status: int = import_module("trainer_bridge.verification").report(options.runs)
    return status


if __name__ == "__main__":
    run_command(main, alone=True)
