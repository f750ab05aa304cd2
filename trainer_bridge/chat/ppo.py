"""Reinforcement learning by PPO: python -m trainer_bridge.chat.ppo --model RUN --reward REWARD --prompts CORPUS ..."""

import argparse
from importlib import import_module

from trainer_bridge.chat.command_line import add_judged, chat_parser, parse
from trainer_bridge.command_line import local_path
from trainer_bridge.errors import run_command

DESCRIPTION = """\
Has a chat model answer prompts, and moves it towards answers that the reward model scores higher, while the KL
divergence from where it began is held down (PPO; Llama 2, section 3.2.3). The output is a run with weights and
template: trainer_bridge.generate, .export and run.init_from take it. metrics.jsonl has the curves, line by line:
reward, KL, entropy, clipped share."""

EPILOG = """\
examples:
  python -m trainer_bridge.chat.ppo --model run/ --reward reward/ --prompts corpus/instructions --output ppo/
  python -m trainer_bridge.chat.ppo --model run/ --reward helpfulness/ --safety-reward safety/ --output ppo/ \\
    --prompts corpus/instructions --safety-prompts corpus/red ppo.beta=0.005 ppo.iterations=400 ppo.kl_limit=20
  python -m trainer_bridge.chat.ppo --keys                               # what a recipe may say

The same command again goes on from the last checkpoint after Ctrl-C or kill -9, with the same numbers to the bit.
Status: 0 complete; 143 stopped by a signal; 2 an error."""


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = chat_parser("trainer_bridge.chat.ppo", DESCRIPTION, EPILOG)
    add = result.add_argument
    add("--model", required=True, type=local_path, help="the chat model that it begins as: a run, or a checkpoint")
    add_judged(result)
    return result


def main() -> int:
    """Runs the command line; 0 when it is complete, 143 when a signal stopped it."""
    options, config = parse(parser(), "ppo")
    status: int = import_module("trainer_bridge.chat.ppo_training").run(options, config)
    return status


if __name__ == "__main__":
    run_command(main, alone=True)
