"""What the command does that trains the tokenizer."""

from __future__ import annotations

import argparse

from rich.console import Console

from tokenizer.errors import TokenizerError
from tokenizer.run import TrainingRun
from tokenizer.run import run as train_on
from tokenizer.table import print_report


def run(args: argparse.Namespace) -> int:
    """Trains a tokenizer, and prints the report.

    Returns:
        The exit status: 0, or 1 after an error, 130 after Ctrl-C.
    """
    errors = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        report = train_on(asked(args), Console(stderr=True, quiet=args.quiet, highlight=False))
        print_report(report, args.output, Console(highlight=False))
    except TokenizerError as error:
        errors.print(f"error: {error}", style="bold red", markup=False)
        return 1
    except KeyboardInterrupt:
        errors.print(
            "stopped. A tokenizer is written when it is done, or not at all; the same command begins anew.",
            markup=False,
        )
        return 130
    return 0


def asked(args: argparse.Namespace) -> TrainingRun:
    """What flags ask for.

    Raises:
        TokenizerError: A value cannot be used.
    """
    return TrainingRun(
        args.corpus,
        args.output,
        args.proportions,
        args.renormalise,
        args.uneven,
        args.size,
        args.vocab_size,
        args.soft_vocab_limit,
        args.seed,
        args.split_long_lines,
    )
