"""``python -m pipeline.verify DIR``: recomputes a corpus's accounts from its files (see pipeline.verify.accounts)."""

from pipeline.engine.quiet import run_command

if __name__ == "__main__":
    run_command("pipeline.verify.accounts")
