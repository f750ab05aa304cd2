"""``python -m sources.stackexchange``."""

from pipeline.engine.quiet import run_command

if __name__ == "__main__":
    run_command("sources.stackexchange.command")
