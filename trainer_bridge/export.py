"""Writes a run as a Hugging Face model: python -m trainer_bridge.export RUN --to HF_DIR [--dtype bf16].

The result opens with ``transformers.AutoModelForCausalLM`` and ``AutoTokenizer``. It is written a few layers at a time.
"""

import argparse
from importlib import import_module

from trainer_bridge.command_line import local_path
from trainer_bridge.errors import run_command

DTYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}  # as torch has them


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = argparse.ArgumentParser(prog="python -m trainer_bridge.export", description=(__doc__ or "").split("\n")[0])
    result.add_argument("run", type=local_path, help="directory of a run, or one checkpoint")
    result.add_argument("--to", type=local_path, required=True, help="directory to write")
    result.add_argument("--dtype", choices=DTYPES, default="fp32")
    result.add_argument("--tokenizer", help="SentencePiece model; default: the run's own")
    result.add_argument(
        "--template", metavar="NAME|FILE", help="template of conversations, as chat_template; default: the run's own"
    )
    return result


def main() -> None:
    """Runs the command line."""
    options = parser().parse_args()
    import_module("trainer_bridge.exporting").run(options)


if __name__ == "__main__":
    run_command(main, alone=True)
