"""``python -m pipeline.publish corpus/ shards/ --to FOLDER|hf://owner/name``."""

from pipeline.terminal import run_module

if __name__ == "__main__":
    run_module("pipeline.publish.command")
