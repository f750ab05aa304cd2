"""``python -m filters.perplexity``: trains the language models of perplexity, and finds their cut-offs."""

from filters.commoncrawl.lm_cli import main
from pipeline.terminal import run_main

if __name__ == "__main__":
    run_main(main)
