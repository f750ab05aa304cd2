"""The command of the mixture."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from pipeline.command_line import add_keys, command_parser, errors_told, folder, parse
from pipeline.engine.options import RunOptions
from pipeline.mix.folder import HELDOUT
from pipeline.mix.owned import check_output
from pipeline.mix.plan import plan_record, plan_sentences, plan_table
from pipeline.mix.recipe import MixRecipe, load_mixture, parse_tokens
from pipeline.recipe_keys import recipe_keys
from pipeline.storage.filesystem import join, require
from pipeline.terminal import make_light

if TYPE_CHECKING:
    from pipeline.mix.run import MixOptions, MixResult

TABLE_WIDTH = 104

DESCRIPTION = """\
Mixes the sources of a corpus in given proportions and writes token shards for training. Each document is encoded once
for a tokenizer; then the tokens are counted and the plan is shown: how many tokens each source has, is asked for, and
how many epochs that makes. Then the shards are written: Arrow files that datasets.load_from_disk and the trainer open
as they are, in which every shard, and any run of first shards, holds the proportions."""

EPILOG = """\
examples:
  python -m pipeline.mix --proportions llama1 --tokens auto --corpus corpus/ --tokenizer tokenizer.model
  python -m pipeline.mix --proportions llama1 --tokens 10B --corpus corpus/ --tokenizer tokenizer.model --dry-run
  python -m pipeline.mix --proportions mine.yaml --set seed=1 --set heldout_tokens=1000000 ...
  python -m pipeline.mix --set missing=renormalise ...       # without the sources that are not there

mine.yaml can be as short as
  sources: {wikipedia: {share: 60}, books: {share: 40}}
Its other keys are optional; --keys lists them. --tokens auto takes the largest budget in which no source passes
max_epochs.

The same command again makes only what is missing. Token files stay in the corpus (2 bytes a token), so that another
mixture starts at its plan. Every flag of Apache Beam passes through; --direct_num_workers N takes N cores, else all
work."""


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = command_parser("pipeline.mix", DESCRIPTION, EPILOG)
    add = result.add_argument
    add("--proportions", metavar="NAME|FILE", default="llama1", help="a name in recipes/mix/ or a YAML file (llama1)")
    add("--tokens", metavar="N", default="auto", help="tokens to write: 1.4T, 10B, 500M, a number, or auto (auto)")
    add("--corpus", metavar="DIR", default="corpus", help="the folder that the sources wrote to (corpus)")
    add("--tokenizer", metavar="FILE", required=True, help="a SentencePiece model: yours, or LLaMA's own")
    add(
        "--output",
        metavar="DIR",
        type=folder,
        default="shards",
        help="folder of the shards: local, gs:// or s3:// (shards)",
    )
    add("--token-files", metavar="DIR", help="where token files are kept (_tokens in the corpus)")
    add("--set", metavar="KEY=VALUE", action="append", default=[], help="override one key of the recipe")
    add_keys(result, lambda args: recipe_keys(MixRecipe, load_mixture(args.proportions, args.set)))
    add("--dry-run", action="store_true", help="encode what is new, show the plan, and write no shard")
    add("--json", action="store_true", help="with --dry-run: print the plan as JSON")
    add("--quiet", action="store_true", help="no progress, only the plan and the summary")
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line and makes the mixture."""
    commands = parser()
    args, flags = parse(commands, arguments)
    if args.json and not args.dry_run:
        commands.error("--json goes with --dry-run; of shards that are written, manifest.json has all of it")
    from pipeline.mix.run import MixOptions  # noqa: PLC0415 - not for --help

    make_light()
    with errors_told(stopped="What is finished is kept: the same command goes on from here."):
        for path in (args.corpus, args.output, args.token_files or args.corpus):
            require(path)
        run = RunOptions(args.output, flags)
        recipe, budget = load_mixture(args.proportions, args.set), parse_tokens(args.tokens)
        _run(MixOptions(recipe, budget, args.corpus, args.tokenizer, args.token_files, run), args)


def _run(options: MixOptions, args: argparse.Namespace) -> None:
    from pipeline.mix.run import prepare, write_mixture  # noqa: PLC0415

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
        f"  python -m trainer_bridge.train --model tiny --data {root} --output run",
    ]
    if result.plan.heldout:
        lines.append(f"  python -m trainer_bridge.evaluate run --data {join(root, HELDOUT)}")
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)


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
