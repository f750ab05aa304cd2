"""``python -m pipeline.trace DIR --row N --token K``: from a token back to its document and raw record."""

from pipeline.terminal import run_module

if __name__ == "__main__":
    run_module("pipeline.mix.tracing")
