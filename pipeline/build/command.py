"""The command: ``python -m pipeline.build [RECIPE]``, ``... status DIR``, ``... diff [RECIPE]``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise

from pipeline.build.recipe import DEFAULT, BuildRecipe, built_in, load_build
from pipeline.command_line import add_keys, command_parser, folder, parse
from pipeline.recipe_keys import recipe_keys

WORK = "work"

DESCRIPTION = f"""\
Makes a whole corpus by one recipe: fetches the raw data, makes the sources, trains the models and the tokenizer, mixes,
verifies, reports. Without a recipe it makes the embedded samples. For a budget of tokens it takes of each source a
slice that is a fair sample of it, and part of every larger slice: with more --tokens the same folder grows.

RECIPE comes first, and is a name ({", ".join(built_in())}) or a YAML file; a recipe of your own is a few lines over
one: base: llama1.

other forms:
  python -m pipeline.build status DIR [--json]    what is done, what runs, what failed, what is left
  python -m pipeline.build diff [RECIPE] ...      which stages a changed recipe touches, and by which key"""

EPILOG = """\
examples:
  python -m pipeline.build                                                  # the samples, to work/
  python -m pipeline.build llama1 --tokens 1B --output work/ --dry-run      # what is fetched from where, and its cost
  python -m pipeline.build llama1 --tokens 1B --output work/ --without arxiv      # whose bucket bills who reads it
  python -m pipeline.build llama1 --tokens 10B --output work/ --without arxiv     # later: goes on from there
  python -m pipeline.build mine.yaml --set mixture.proportions=redpajama --until mixture
  python -m pipeline.build status work/

The same command again makes what is missing, after Ctrl-C, kill -9 or a power cut, too. A source that fails does not
stop the others. What a changed recipe makes anew is moved to work/_build/aside before, and comes back with the old
recipe. Every flag of Apache Beam passes through to the stages; --direct_num_workers N takes N cores, else all work.
Status: 0 all done; 1 something failed, or is missing; 2 a wrong flag; 130 Ctrl-C."""


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = command_parser("pipeline.build", DESCRIPTION, EPILOG)
    result.usage = (
        "python -m pipeline.build [RECIPE] [flags]"  # Beam's flags may follow: a recipe later could be a value
    )
    result.set_defaults(recipe=DEFAULT)
    add = result.add_argument
    add("--tokens", metavar="N", help="tokens to write: 1B, 500M, a number, or auto (default: what the recipe says)")
    add("--output", metavar="DIR", type=folder, default=WORK, help=f"the folder of the build (default: {WORK})")
    add("--set", metavar="KEY=VALUE", action="append", default=[], help="override one key of the recipe")
    add_keys(result, lambda _: recipe_keys(BuildRecipe, load_build(DEFAULT)))
    add(
        "--without", metavar="SOURCE", action="append", default=[], help="leave a source out; the others share its part"
    )
    add("--until", metavar="STAGE", help="end after this stage, such as mixture")
    add("--dry-run", action="store_true", help="say what would be fetched and made, and do nothing")
    add("--keep-raw", action="store_true", help="keep all fetched files; else those go that are not read again")
    add("--retry-failed", action="store_true", help="make again what sources could not read")
    add("--quiet", action="store_true", help="no progress, only the end report")
    return result


def status_parser() -> argparse.ArgumentParser:
    """The parser of ``status``."""
    result = command_parser("pipeline.build status", "What of a build is done, runs, failed, and is left.")
    result.add_argument("output", metavar="DIR", nargs="?", default=WORK, help=f"its folder (default: {WORK})")
    result.add_argument("--json", action="store_true", help="as JSON")
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line, and builds, or tells."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["status"]:
        import_module("pipeline.build.making").status(status_parser().parse_args(words[1:]))
    wants_diff = words[:1] == ["diff"]
    words = words[1:] if wants_diff else words
    recipe = words.pop(0) if words and not words[0].startswith("-") else DEFAULT
    commands = parser()
    alone = [
        word for before, word in pairwise(["", *words]) if word[:1] != "-" and (before[:1] != "-" or "=" in before)
    ]
    if late := [word for word in alone if word in built_in() or word.endswith((".yaml", ".yml"))]:
        commands.error(f"{late[0]}: the recipe comes first: python -m pipeline.build {late[0]} ...")
    args, flags = parse(commands, words)
    args.recipe = recipe
    import_module("pipeline.build.making").run(args, flags, wants_diff)
