"""Trains a LLaMA: python -m trainer_bridge.train --model 7B --data SHARDS --output RUN [section.key=value ...].

The same command resumes the run after any interruption.
On several GPUs: torchrun --nproc-per-node 8 -m trainer_bridge.train ...
"""

import argparse
import sys
from importlib import import_module

from trainer_bridge.command_line import local_path
from trainer_bridge.config import TrainConfig
from trainer_bridge.errors import TrainerError, run_command
from trainer_bridge.recipe import FINE_TUNING, listed, load_config, recipe_names


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = argparse.ArgumentParser(prog="python -m trainer_bridge.train", description=(__doc__ or "").split("\n")[0])
    names, tuning = ", ".join(recipe_names()), ", ".join(recipe_names(FINE_TUNING))
    result.add_argument("--model", required=True, help=f"a recipe: {names}; or the path of your own .yaml")
    result.add_argument(
        "--recipe", help=f"fine-tuning, laid over the model's recipe: {tuning}; or the path of your own .yaml"
    )
    result.add_argument("--data", help="directory of token shards (data.path of the recipe)")
    result.add_argument(
        "--output", required=True, type=local_path, help="directory of the run; a run that is there is resumed"
    )
    result.add_argument("--steps", type=int, help="length of the run in steps (run.steps)")
    result.add_argument(
        "--resume-from", type=int, metavar="STEP", help="go on from this checkpoint, not the newest one"
    )
    result.add_argument("--tokenizer", help="SentencePiece model of the shards, checked and kept with the run")
    result.add_argument(
        "--keys", action="store_true", help="list the keys of the recipe, or their defaults without --model, and end"
    )
    result.add_argument("overrides", nargs="*", metavar="section.key=value", help="any key of the recipe (--keys)")
    return result


def parse(arguments: list[str]) -> argparse.Namespace:
    """Reads the command line."""
    commands = parser()
    if "--keys" in arguments:  # which ends the command, like --help; it needs none of the flags that must be given
        sys.stdout.write(listed(arguments))
        commands.exit()
    return commands.parse_intermixed_args(arguments)  # overrides may stand on both sides of a flag


def configure(options: argparse.Namespace) -> TrainConfig:
    """The configuration from recipe and command line; the flags win."""
    flags = {"data.path": options.data, "data.tokenizer": options.tokenizer, "run.steps": options.steps}
    flags = {key: value for key, value in flags.items() if value is not None}
    for key in flags:
        if any(override.startswith(f"{key}=") for override in options.overrides):
            name = key.partition(".")[2].replace("path", "data")
            raise TrainerError(f"{key} is given twice: as --{name} and by name")
    config = load_config(options.model, options.overrides, flags, options.recipe)
    if config.data.path is None:
        raise TrainerError("no data: give --data DIR, a directory of token shards")
    return config


def main() -> int:
    """Runs the command line; 0 when the run is complete, 143 when a signal stopped it."""
    options = parse(sys.argv[1:])
    config = configure(options)
    status: int = import_module("trainer_bridge.training").run(options, config)
    return status


if __name__ == "__main__":
    run_command(main)
