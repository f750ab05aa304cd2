"""``python -m pipeline.verify DIR``: recomputes a corpus's accounts from its files (see pipeline.verify.run)."""

from pipeline.terminal import run_module

if __name__ == "__main__":
    run_module("pipeline.verify.command")
