"""Makes a run of released weights: python -m trainer_bridge.import_weights DIR --output RUN.

DIR holds Meta's files (``params.json``, ``consolidated.*.pth``) or Hugging Face's (``config.json``,
``*.safetensors``). The run can be generated from, evaluated and exported, and a new run can start from it with
``run.init_from=RUN``.
"""

import argparse
from importlib import import_module

from trainer_bridge.command_line import local_path
from trainer_bridge.errors import run_command


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = argparse.ArgumentParser(
        prog="python -m trainer_bridge.import_weights", description=(__doc__ or "").split("\n")[0]
    )
    result.add_argument("folder", type=local_path, help="directory of Meta's or Hugging Face's files")
    result.add_argument("--output", type=local_path, required=True, help="run directory to make")
    result.add_argument("--context", type=int, help="positions that Meta's model was trained on, where it must be said")
    return result


def main() -> None:
    """Runs the command line."""
    options = parser().parse_args()
    import_module("trainer_bridge.importing").run(options)


if __name__ == "__main__":
    run_command(main, alone=True)
