"""``python -m pipeline.inspect corpus/commoncrawl --dropped-by perplexity``."""

from pipeline.engine.quiet import run_command

if __name__ == "__main__":
    run_command("pipeline.inspect.command")
