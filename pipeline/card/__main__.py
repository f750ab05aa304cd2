"""``python -m pipeline.card corpus/ shards/ --output corpus/README.md``."""

from pipeline.terminal import run_module

if __name__ == "__main__":
    run_module("pipeline.card.command")
