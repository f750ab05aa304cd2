"""Data of Ghost Attention: python -m trainer_bridge.chat.ghost --model RUN --conversations CORPUS --output DIR."""

import argparse
from importlib import import_module

from trainer_bridge.chat.command_line import chat_parser, parse
from trainer_bridge.command_line import local_path
from trainer_bridge.errors import TrainerError, run_command

DESCRIPTION = """\
Makes dialogues that teach a model to keep to an instruction over many turns (Ghost Attention, GAtt; Llama 2, section
3.3). An instruction, such as "Always act as Napoleon from now on.", is put before every turn of the user while the
model answers; in the dialogue that is trained on it stands at the beginning alone, and only the last answer has loss.
The output is a corpus of conversations."""

EPILOG = """\
examples:
  python -m trainer_bridge.chat.ghost --model run/ --conversations corpus/instructions/conversations --output ghost/
  python -m trainer_bridge.chat.ghost --model run/ --reward reward/ --output ghost/ \\
    --conversations corpus/instructions/conversations ghost.samples=10 ghost.answers=all ghost.instructions=mine.yaml
  python -m trainer_bridge.chat.ghost --conversations mine/ --output ghost/ ghost.answers=given    # without a model
  python -m trainer_bridge.chat.ghost --keys                             # what a recipe may say

The same command again goes on where it was stopped, and ends with the same bytes."""


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = chat_parser("trainer_bridge.chat.ghost", DESCRIPTION, EPILOG)
    add = result.add_argument
    add("--model", type=local_path, help="the chat model that answers: a run, or a checkpoint")
    add("--reward", type=local_path, help="a reward model, where ghost.samples is more than 1")
    add("--safety-reward", type=local_path, metavar="REWARD", help="one for safety, which decides where it counts")
    add("--conversations", required=True, nargs="+", metavar="CORPUS", help="conversations of several turns")
    return result


def main() -> None:
    """Runs the command line."""
    options, config = parse(parser(), "ghost")
    if config.ghost.answers != "given" and options.model is None:
        raise TrainerError("no --model: give one that answers, or ghost.answers=given for conversations as they are")
    if config.ghost.samples > 1 and options.reward is None:
        raise TrainerError(f"ghost.samples = {config.ghost.samples} needs --reward, a model that chooses among them")
    import_module("trainer_bridge.chat.ghost_making").run(options, config)


if __name__ == "__main__":
    run_command(main, alone=True)
