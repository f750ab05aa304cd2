"""``python -m sources.commoncrawl.train_reference``."""

from pipeline.terminal import run_module

if __name__ == "__main__":
    run_module("sources.commoncrawl.training_command")
