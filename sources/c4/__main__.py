"""``python -m sources.c4``."""

from pipeline.terminal import run_module

if __name__ == "__main__":
    run_module("sources.c4.command")
