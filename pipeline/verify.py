"""``python -m pipeline.verify DIR``: recomputes a corpus's accounts from its files (see pipeline.accounts)."""

from pipeline.quiet import run_command

if __name__ == "__main__":
    run_command("pipeline.accounts")
