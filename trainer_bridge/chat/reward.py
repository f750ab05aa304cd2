"""Trains a reward model: python -m trainer_bridge.chat.reward --model RUN --data PAIRS --output REWARD."""

import argparse
from importlib import import_module

from trainer_bridge.chat.command_line import chat_parser, parse
from trainer_bridge.command_line import local_path
from trainer_bridge.errors import run_command

DESCRIPTION = """\
Trains a reward model on pairs of answers (Llama 2, section 3.2): the chat model, with a head that gives one number in
place of the next id, so that the answer that people prefer has the higher one, by a margin where it is much better.
Training is TRL's RewardTrainer (pip install '.[chat]'). It is judged on pairs of prompts that it was not trained on, by
level of margin. The output opens with transformers' AutoModelForSequenceClassification."""

EPILOG = """\
examples:
  python -m trainer_bridge.chat.reward --model run/ --data corpus/instructions/preferences --output reward/
  python -m trainer_bridge.chat.reward --model run/ --data corpus/instructions/preferences \\
    --more corpus/stackexchange_preferences --output helpfulness/ reward.margins=large reward.more_share=0.5
  python -m trainer_bridge.chat.reward --keys                            # what a recipe may say

The same command again goes on from the last checkpoint after Ctrl-C or kill -9, and ends with the same model."""


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = chat_parser("trainer_bridge.chat.reward", DESCRIPTION, EPILOG)
    add = result.add_argument
    add("--model", required=True, type=local_path, help="the chat model that it begins as: a run, or a checkpoint")
    add("--data", required=True, nargs="+", metavar="PAIRS", help="corpora of preference pairs, or Parquet files")
    add("--more", nargs="+", default=[], metavar="PAIRS", help="others, of which reward.more_share is mixed in")
    add("--heldout", nargs="+", default=[], metavar="PAIRS", help="pairs to judge it on; default: a share of --data")
    return result


def main() -> None:
    """Runs the command line."""
    options, config = parse(parser(), "reward")
    import_module("trainer_bridge.chat.reward_training").run(options, config)


if __name__ == "__main__":
    run_command(main, alone=True)
