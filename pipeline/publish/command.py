"""The command that publishes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module

from pipeline.command_line import command_parser, folder, parse

COMMAND = "pipeline.publish"

DESCRIPTION = """\
Publishes a corpus, token shards, or both, as a data set repository that datasets.load_dataset opens: in a folder, or on
the Hugging Face hub. It writes the documents, the shards, their accounts (manifests, stats), and the card README.md,
which tells the configurations: each source, each of its subsets (github-mit), and each folder of shards with its splits
train and heldout. Nothing else goes: no rejects unless asked for, and nothing that a run keeps for itself."""

EPILOG = """\
examples:
  python -m pipeline.publish corpus/ --to hf://owner/name --private --dry-run
  python -m pipeline.publish corpus/ shards/ --to published/
  python -m pipeline.publish shards/ --to hf://owner/name-tokens --revision candidate

then
  load_dataset('owner/name', 'wikipedia-en', split='train', streaming=True)

The datasets library reads a repository in one format. Beside documents, token shards therefore go as Parquet, row for
row; alone they go as the Arrow files that they are, which the trainer takes.

The same command again sends only what is missing or has changed, and removes what it published earlier and is no more.
On the hub a commit makes everything visible at once (up to 1,000 changed files; more go in several, the card in the
last). The token is HF_TOKEN, or that of hf auth login; HF_ENDPOINT is another hub. hf:// needs pip install '.[hub]'."""


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = command_parser(COMMAND, DESCRIPTION, EPILOG)
    add = result.add_argument
    add("folders", nargs="+", metavar="DIR", help="a corpus, one of its sources, or token shards")
    add(
        "--to",
        required=True,
        type=folder,
        metavar="FOLDER|hf://OWNER/NAME",
        help="where it goes; it is made, if need be",
    )
    add("--title", default="LLaMA corpus", help="the card's title")
    add("--rejects", action="store_true", help="publish what was dropped, too, as the configuration SOURCE-rejects")
    add("--private", action="store_true", help="make a new repository private; refuse one that is public")
    add("--revision", metavar="BRANCH", help="the branch of the repository; it is made, if need be (main)")
    add("--overwrite", action="store_true", help="write over a card that somebody edited")
    add("--dry-run", action="store_true", help="show what would go, and send nothing")
    add("--quiet", action="store_true", help="no progress, only the summary")
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line and publishes."""
    args, _ = parse(parser(), arguments)
    import_module("pipeline.publish.run").run(args)
