"""``python -m pipeline.report corpus/ shards/ --output report/``."""

from pipeline.terminal import run_module

if __name__ == "__main__":
    run_module("pipeline.report.command")
