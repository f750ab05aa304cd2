"""``python -m pipeline.inspect corpus/commoncrawl --dropped-by perplexity``."""

from pipeline.terminal import run_module

if __name__ == "__main__":
    run_module("pipeline.inspect.command")
