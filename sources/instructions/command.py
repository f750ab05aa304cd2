"""The command of the instructions source."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from pipeline.command_line import add_input
from pipeline.engine import cli

# Those of the recipe, which is not imported for the sake of --help.
FORMATS = ("alpaca", "sharegpt", "koala", "gpt4all", "wizardlm", "oasst", "hh-rlhf", "messages")

DESCRIPTION = """\
Published instruction data to clean conversations, and to pairs of answers of which one was preferred: Alpaca, ShareGPT
(Vicuna), Koala, gpt4all, WizardLM, OpenAssistant, HH-RLHF, as their publishers ship them, and lists of messages as the
hub has them today. Everything dropped is counted by reason, and can be read in _rejects."""


EPILOG = """\
examples:
  python -m sources.instructions --input alpaca_data.json --output corpus/
  python -m sources.instructions --input sharegpt.json oasst.trees.jsonl.gz koala/ gpt4all.parquet --output corpus/
  python -m sources.instructions --input hh-rlhf/ --output corpus/
  python -m sources.instructions --input sharegpt.json --set language.drop=[ko] --set split.tokenizer=tokenizer.model

Files are JSON lists, JSON lines, either gzipped, or Parquet. The format of each is told by its first records; --format
says it of all. corpus/instructions/conversations has the conversations, corpus/instructions/preferences the pairs.
Every flag of Apache Beam passes through. Without --runner, all cores of this machine are used; --direct_num_workers N
takes N. The same command again makes only what is missing."""


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = cli.source_parser(
        "instructions",
        DESCRIPTION,
        EPILOG,
        recipe="instructions",
        kind="sources.instructions.recipe:InstructionsRecipe",
    )
    add_input(result, "files of the data: paths, folders, globs in quotes, gs://, s3://, hf://, https://")
    result.add_argument(
        "--format",
        choices=FORMATS,
        default=None,
        help="the format of all files (default: told by the records of each)",
    )
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line and runs the source."""
    cli.run_command(parser(), arguments, "sources.instructions.run")
