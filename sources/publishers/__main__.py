"""``python -m sources.publishers``."""

from pipeline.terminal import run_module

if __name__ == "__main__":
    run_module("sources.publishers.command")
