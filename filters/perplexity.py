"""``python -m filters.perplexity``: trains the language models of perplexity, and finds their cut-offs."""

import sys

from filters.commoncrawl.lm_cli import main

if __name__ == "__main__":
    sys.exit(main())
