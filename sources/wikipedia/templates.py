"""``python -m sources.wikipedia.templates``."""

from pipeline.engine.quiet import run_command

if __name__ == "__main__":
    run_command("sources.wikipedia.measure")
