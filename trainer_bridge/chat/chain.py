"""From instructions to a chat model, on the samples, by one command: python -m trainer_bridge.chat.chain."""

import argparse
from importlib import import_module

from trainer_bridge.command_line import local_path
from trainer_bridge.errors import run_command

DESCRIPTION = """\
Runs the whole chain on the samples with a tiny model, on a CPU, in some minutes: instructions, tokenizer, token shards,
fine-tuning, reward model, rejection sampling, fine-tuning on the best answers, PPO, Ghost Attention's data. In the
samples people prefer courteous answers, so each step can be judged by counting courtesies. Each command is shown as it
begins, and can be typed as it stands; what it says is in OUTPUT/logs."""

EPILOG = """\
examples:
  python -m trainer_bridge.chat.chain                     # to chat/
  python -m trainer_bridge.chat.chain --until reward

The same command again goes on where it was stopped. Status: 0 all figures are as they should be; 1 one is not; 2 a
command failed."""

TUNED = ("sft", "best", "ppo")  # models that are compared
STEPS = (
    *("instructions", "tokenizer", "shards", "sft", "reward", "rejection", "best-shards", "best", "ppo", "ghost"),
    *(f"answers-{name}" for name in TUNED),
    *(f"says-{name}" for name in TUNED),
)


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = argparse.ArgumentParser(
        prog="python -m trainer_bridge.chat.chain",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    result.add_argument("--output", type=local_path, default="chat", help="directory of all outputs (default: chat)")
    result.add_argument("--until", choices=STEPS, metavar="STEP", help=f"end after one of {', '.join(STEPS)}")
    return result


def main() -> int:
    """Runs the command line; 0 when all figures are as they should be."""
    options = parser().parse_args()
    status: int = import_module("trainer_bridge.chat.chain_steps").run(options)
    return status


if __name__ == "__main__":
    run_command(main, alone=True)
