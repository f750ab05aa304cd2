"""``python -m tests.pipeline.lines``: the command of the tests' own source, started as every source's is."""

from pipeline.terminal import run_module

if __name__ == "__main__":
    run_module("tests.pipeline.line_command")
