"""Perplexity of a document under a language model of Wikipedia: how CCNet tells prose from the rest."""

import sys

if __name__ == "__main__":
    from filters.lm_cli import main

    sys.exit(main())
