"""``python -m pipeline.plan``."""

from pipeline.terminal import run_module

if __name__ == "__main__":
    run_module("pipeline.plan.command")
