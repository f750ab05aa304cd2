"""``python -m sources.c4``."""

from pipeline.engine.quiet import run_command

if __name__ == "__main__":
    run_command("sources.c4.command")
