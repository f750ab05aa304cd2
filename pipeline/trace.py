"""``python -m pipeline.trace DIR --row N --token K``: from a token back to its document and raw record."""

from pipeline.engine.quiet import run_command

if __name__ == "__main__":
    run_command("pipeline.mix.tracing")
