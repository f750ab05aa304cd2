"""``python -m sources.github``."""

from pipeline.quiet import run_command

if __name__ == "__main__":
    run_command("sources.github.command")
