"""``python -m tests.pipeline.lines``: the command of the tests' own source, started as every source's is."""

from pipeline.engine.quiet import run_command

if __name__ == "__main__":
    run_command("tests.pipeline.line_command")
