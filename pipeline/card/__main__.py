"""``python -m pipeline.card corpus/ shards/ --output corpus/README.md``."""

from pipeline.engine.quiet import run_command

if __name__ == "__main__":
    run_command("pipeline.card.command")
