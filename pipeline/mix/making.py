"""What the command of the mixture does."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline.command_line import errors_told
from pipeline.engine.options import RunOptions
from pipeline.mix.folder import HELDOUT
from pipeline.mix.owned import check_output
from pipeline.mix.plan import plan_record, plan_sentences, plan_table
from pipeline.mix.recipe import load_mixture, parse_tokens
from pipeline.mix.run import MixOptions, MixResult, prepare, write_mixture
from pipeline.storage.filesystem import join, require
from pipeline.terminal import make_light

TABLE_WIDTH = 104


def run(args: argparse.Namespace, flags: Sequence[str]) -> None:
    """Makes the mixture that a command line asks for."""
    make_light()
    with errors_told(stopped="What is finished is kept: the same command goes on from here."):
        for path in (args.corpus, args.output, args.token_files or args.corpus):
            require(path)
        run = RunOptions(args.output, flags)
        recipe, budget = load_mixture(args.proportions, args.set, args.template), parse_tokens(args.tokens)
        _run(MixOptions(recipe, budget, args.corpus, args.tokenizer, args.token_files, run), args)


def _run(options: MixOptions, args: argparse.Namespace) -> None:
    progress, console = Console(stderr=True, quiet=args.quiet), Console(highlight=False)
    console.width = max(console.width, TABLE_WIDTH)  # a number cut short is none
    if not args.dry_run:
        check_output(options.run.output, options.corpus, options.token_root)
    prepared = prepare(options, progress)
    if args.json:
        sys.stdout.write(json.dumps(plan_record(prepared.plan), indent=1) + "\n")
        return
    console.print(plan_table(prepared.plan))
    for line in plan_sentences(prepared.plan):
        console.print(line, markup=False, soft_wrap=True)
    if args.dry_run:
        return
    _print_summary(write_mixture(options, prepared, progress), options, console)


def _print_summary(result: MixResult, options: MixOptions, console: Console) -> None:
    console.print(reached_table(result.manifest["mixture"]))
    written, manifest = result.planned - result.done_before, result.manifest
    done = f"Wrote {written:,} of {result.planned:,} shards"
    before = f", {result.done_before:,} were done before" if result.done_before else ""
    root = result.layout.root
    end, way = f"{manifest['share_error']:.4%} at the end", f"{manifest['prefix_error']:.2%} at most after any row"
    most = f"{manifest['prefix_tokens']:,} tokens at most"
    lines = [
        f"{done}{before}, in {result.seconds:,.1f} s." if written else "Nothing to do: all shards were done before.",
        f"Shares are off by {end}, by {way} from the first hundredth on ({most}).",
        f"Output: {root}",
        "Next:",
        f"  python -m pipeline.verify {root}",
        f"  python -m pipeline.trace {root} --row 0 --token 5",
        f"  python -m trainer_bridge.train --model tiny {_tuning(options)}--data {root} --output run",
    ]
    if result.plan.heldout:
        lines.append(f"  python -m trainer_bridge.evaluate run --data {join(root, HELDOUT)}")
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)


def _tuning(options: MixOptions) -> str:
    """What the trainer is told of conversations: they tune a model that is there."""
    return "--recipe sft run.init_from=MODEL " if options.recipe.template else ""


def reached_table(mixture: Mapping[str, Mapping[str, Any]]) -> Table:
    """What was asked and what was reached, by source, as the manifest of the shards has it."""
    table = Table(title="shards", title_justify="left", title_style="bold", header_style="bold", pad_edge=False)
    table.add_column("source", no_wrap=True)
    for heading in ("share asked", "share reached", "tokens", "documents", "epochs"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, entry in mixture.items():
        asked, reached = f"{entry['share_asked']:.3%}", f"{entry['share_reached']:.3%}"
        table.add_row(name, asked, reached, f"{entry['tokens']:,}", f"{entry['documents']:,}", f"{entry['epochs']:.3f}")
    return table
