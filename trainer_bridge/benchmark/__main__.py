"""``python -m trainer_bridge.benchmark``."""

from trainer_bridge.benchmark.command import main
from trainer_bridge.errors import run_command

if __name__ == "__main__":
    run_command(main)
