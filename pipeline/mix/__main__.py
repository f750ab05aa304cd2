"""``python -m pipeline.mix``."""

from pipeline.engine.quiet import run_command

if __name__ == "__main__":
    run_command("pipeline.mix.command")
