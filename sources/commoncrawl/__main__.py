"""``python -m sources.commoncrawl``."""

from pipeline.terminal import run_module

if __name__ == "__main__":
    run_module("sources.commoncrawl.command")
