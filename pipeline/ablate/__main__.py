"""``python -m pipeline.ablate``."""

from pipeline.terminal import run_module

if __name__ == "__main__":
    run_module("pipeline.ablate.command")
