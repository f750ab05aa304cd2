"""``python -m sources.instructions``."""

from pipeline.terminal import run_module

if __name__ == "__main__":
    run_module("sources.instructions.command")
