"""Keeps the best of many answers: python -m trainer_bridge.chat.rejection --model RUN --reward REWARD ..."""

import argparse
from importlib import import_module

from trainer_bridge.chat.command_line import add_judged, chat_parser, parse
from trainer_bridge.command_line import local_path
from trainer_bridge.errors import run_command

DESCRIPTION = """\
Rejection sampling (Llama 2, section 3.2.3): draws K answers to each prompt, has the reward model score them, and keeps
the best, also over all earlier iterations. The output is a corpus of conversations to fine-tune on, and the table of
all samples with their scores, which the next iteration reads."""

EPILOG = """\
examples:
  python -m trainer_bridge.chat.rejection --model run/ --reward reward/ --prompts corpus/instructions --output first/
  python -m trainer_bridge.chat.rejection --model run2/ --reward reward2/ --prompts corpus/instructions \\
    --earlier first/ --output second/ rejection.iteration=1 rejection.samples=30 rejection.temperature=1.3
  python -m trainer_bridge.chat.rejection --keys                         # what a recipe may say

The same command again goes on where it was stopped, and ends with the same bytes. Then: python -m pipeline.mix ...
--corpus first/corpus, and python -m trainer_bridge.train, as for other conversations."""


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = chat_parser("trainer_bridge.chat.rejection", DESCRIPTION, EPILOG)
    add = result.add_argument
    add("--model", required=True, type=local_path, help="the chat model that answers: a run, or a checkpoint")
    add_judged(result)
    add("--earlier", nargs="+", default=[], type=local_path, metavar="DIR", help="outputs of earlier iterations")
    return result


def main() -> None:
    """Runs the command line."""
    options, config = parse(parser(), "rejection")
    import_module("trainer_bridge.chat.rejection_sampling").run(options, config)


if __name__ == "__main__":
    run_command(main, alone=True)
