"""Continues a text with a trained model: python -m trainer_bridge.generate RUN "The ..."."""

import argparse
from importlib import import_module

from trainer_bridge.command_line import local_path
from trainer_bridge.errors import TrainerError, run_command


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = argparse.ArgumentParser(prog="python -m trainer_bridge.generate", description=__doc__)
    result.add_argument("run", type=local_path, help="directory of a run, or one checkpoint")
    result.add_argument("prompt")
    result.add_argument("--tokens", type=int, default=100, help="new tokens, at most")
    result.add_argument("--temperature", type=float, default=0.8, help="0: always the likeliest")
    result.add_argument("--top-p", type=float, default=0.95)
    result.add_argument("--seed", type=int, default=0)
    result.add_argument("--tokenizer", help="SentencePiece model; default: the run's own")
    return result


def main() -> None:
    """Runs the command line."""
    options = parser().parse_args()
    if options.temperature < 0 or not 0 < options.top_p <= 1:
        raise TrainerError("--temperature must be at least 0 and --top-p above 0 and at most 1")
    if options.tokens < 1:
        raise TrainerError("--tokens must be at least 1")
    import_module("trainer_bridge.generation").run(options)


if __name__ == "__main__":
    run_command(main, alone=True)
