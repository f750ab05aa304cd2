"""``python -m pipeline.report corpus/ shards/ --output report/``."""

from pipeline.engine.quiet import run_command

if __name__ == "__main__":
    run_command("pipeline.report.command")
