"""What the command that publishes does."""

from __future__ import annotations

import argparse
from typing import NoReturn

from rich.console import Console
from rich.table import Table

from pipeline.card.card import data_card, shards_card
from pipeline.command_line import errors_told, exit_with, sentences, warn
from pipeline.errors import InputError, UserError
from pipeline.publish.command import COMMAND
from pipeline.publish.contents import Contents, contents_of
from pipeline.publish.folder import Folder
from pipeline.publish.hub import Hub
from pipeline.publish.information import dataset_info
from pipeline.report.corpus import Corpora, find
from pipeline.report.units import bytes_
from pipeline.storage.filesystem import require
from pipeline.storage.hub import SCHEME
from pipeline.storage.ownership import check_apart, sealed
from pipeline.terminal import print_whole

_BOOKS3 = "books-books3"


def run(args: argparse.Namespace) -> NoReturn:
    """Publishes, and ends the process."""
    with errors_told(stopped="What was sent is kept: the same command goes on from here."):
        try:
            publish(args, Console(stderr=True, quiet=args.quiet))
        except UserError as error:
            raise UserError(str(error).replace("--output", "--to")) from error  # which is the flag of most commands
    exit_with(0)


def publish(args: argparse.Namespace, console: Console) -> None:
    """Publishes what the flags say.

    Raises:
        UserError: It cannot.
    """
    hub = args.to.lower().startswith(SCHEME)
    if not hub and (args.private or args.revision):
        raise InputError(f"--private and --revision are for the hub, and {args.to} is a folder.")
    for path in (*args.folders, *([] if hub else [args.to])):
        require(path)
    if not hub:
        check_apart(args.to, args.folders, "the folder")
    target: Folder | Hub = (
        Hub(args.to, args.revision, private=args.private, overwrite=args.overwrite)
        if hub
        else Folder(args.to, overwrite=args.overwrite)
    )
    corpora = find(args.folders)
    contents = contents_of(corpora, rejects=args.rejects)
    card = card_of(corpora, contents, args.title)
    difference = target.compare(contents.items, card)
    out = Console(highlight=False)
    print_whole(out, table_of(contents, target.name))
    tell = sentences(out)
    tell(f"{difference.sentence()}.")
    if args.dry_run or difference.is_nothing:
        tell("Nothing was sent." if args.dry_run else f"{target.name} is up to date.")
        return
    if hub and not args.private and any(one.name == _BOOKS3 for one in contents.configurations):
        warn(
            "Books3 is under copyright, and was withdrawn: it must not be passed on. Leave books out, or add --private."
        )
    tell(target.send(contents.items, difference, card, console))
    tell(_next(args, contents))


def card_of(corpora: Corpora, contents: Contents, title: str) -> bytes:
    """The card, sealed: an edited one is known."""
    header = {
        "configs": [configuration.as_yaml() for configuration in contents.configurations],
        "dataset_info": dataset_info(contents.configurations),
    }
    card = data_card(corpora, title, header) if corpora.sources else shards_card(corpora.mixtures[0], title, header)
    return sealed(card, COMMAND).encode("utf-8", "replace")


def table_of(contents: Contents, name: str) -> Table:
    """The configurations that are whole; of their parts, how many there are."""
    table = Table(title=name, title_justify="left")
    for column in ("configuration", "split"):
        table.add_column(column)
    for column in ("rows", "size"):
        table.add_column(column, justify="right")
    for one in contents.configurations:
        parts = sum(not other.is_whole and other.name.startswith(f"{one.name}-") for other in contents.configurations)
        for split in one.splits if one.is_whole else ():
            what = f"{one.name} (and {parts} of its subsets)" if parts else one.name
            table.add_row(what, split.name, f"{split.rows:,}", bytes_(split.bytes))
    return table


def _next(args: argparse.Namespace, contents: Contents) -> str:
    place = args.to.split("://", 1)[-1].removeprefix("datasets/") if args.to.lower().startswith(SCHEME) else args.to
    first = contents.configurations[0]
    revision = f", revision={args.revision!r}" if args.revision else ""
    split = first.splits[0].name
    return f"Next:\n  load_dataset({place!r}, {first.name!r}, split={split!r}{revision}, streaming=True)"
