"""``python -m sources.books``."""

from pipeline.terminal import run_module

if __name__ == "__main__":
    run_module("sources.books.command")
