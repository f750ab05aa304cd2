"""What the command does: says of each folder what lies in it, and what is wrong with it."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from rich.console import Console

from pipeline.command_line import errors_told
from pipeline.corpus.manifest import read_manifest, run_folders
from pipeline.corpus.shard import Layout
from pipeline.engine.summary import failures
from pipeline.errors import InputError, OutputError
from pipeline.mix.names import TOKEN_FILES, is_shard_folder
from pipeline.storage.filesystem import is_remote, join, list_tree, require
from pipeline.verify.accounts import verify
from pipeline.verify.runs import is_run, verify_run

if TYPE_CHECKING:
    from pipeline.removals.matching import Removals

CURE = (
    "To mend it: run {} again, with the same inputs. It makes shards again whose files are missing or cut; remove a "
    "changed or damaged file, or one that belongs to no shard, before. Documents with equal ids come from inputs that "
    "overlap: give each record once, to a new --output."
)


def _failures(folder: str) -> str:
    """What failed, for the sentence on a sound folder."""
    manifest = read_manifest(Layout(folder))
    sentence = failures(manifest) if manifest else ""
    return f"; {sentence}" if sentence else ""


def _command(folder: str) -> str:
    """The command that made a source's folder, as far as its files tell."""
    try:
        manifest = read_manifest(Layout(folder))
    except OutputError:
        manifest = None
    name = manifest.get("source") if manifest else None
    return f"python -m sources.{name}" if name else "the source's command"


def _folders(given: str) -> list[str]:
    """The folder itself; of a corpus, those of its sources."""
    return [given] if is_run(given) or is_shard_folder(given) else run_folders(given) or [given]


def run(args: argparse.Namespace) -> NoReturn:
    """Verifies folders, and ends the process."""
    console = Console(highlight=False, soft_wrap=True)
    failed = False
    with errors_told():
        for given in args.folders:
            require(given)
            if not is_remote(given) and not os.path.isdir(given):
                raise InputError(f"there is no folder {given}")
        removals = _removals(args.absent) if args.absent else None
    for folder in (found for given in args.folders for found in _folders(given)):
        root = folder if is_remote(folder) else folder.rstrip("/")
        if is_run(root):
            sound, faults, cure = verify_run(root)
        elif is_shard_folder(root):
            from pipeline.verify.shards import rows_out, verify_shards  # noqa: PLC0415 - the tokenizer

            count, faults = verify_shards(root, checksums=not args.quick, corpus=args.corpus)
            sound = f"{count:,} rows{'' if faults else rows_out(root)}"
        else:
            count, faults = verify(root, checksums=not args.quick, rejects=not args.without_rejects)
            sound = f"{count:,} documents kept{'' if faults else _failures(root)}"
        failed |= bool(faults)
        for fault in faults:
            console.print(f"{folder}: {fault}", style="red", markup=False)
        if faults and not is_run(root):
            cure = _cure(root)
        if faults:
            console.print(f"{folder}: {cure}", style="yellow", markup=False)
        if not faults:
            console.print(f"{folder}: all accounts add up, {sound}", style="green", markup=False)
        if removals is not None and not is_run(root):
            failed |= _verify_absent(root, removals, args, console)
    for given in args.folders if not args.quick else ():
        failed |= _verify_token_files(given, console)
    sys.exit(1 if failed else 0)


def _removals(path: str) -> Removals:
    from pipeline.removals.matching import load_removals  # noqa: PLC0415 - only with --absent

    return load_removals(path)


def _cure(root: str) -> str:
    """What to do about a source's folder, or one of shards, with faults."""
    if not is_shard_folder(root):
        return CURE.format(_command(root))
    from pipeline.verify.shards import cure  # noqa: PLC0415 - the tokenizer

    return cure(root)


def _verify_absent(root: str, removals: Removals, args: argparse.Namespace, console: Console) -> bool:
    """Checks that nothing of a list is left; tells whether anything is."""
    from pipeline.verify.absent import absent_from_shards, absent_from_source  # noqa: PLC0415 - only with --absent

    if is_shard_folder(root):
        faults = absent_from_shards(root, removals, args.corpus)
    else:
        faults = absent_from_source(root, removals, rejects=not args.without_rejects)
    for fault in faults:
        console.print(f"{root}: {fault}", style="red", markup=False)
    if not faults:
        count = len(removals.listed.removals)
        console.print(f"{root}: nothing is left of {count:,} removals", style="green", markup=False)
    return bool(faults)


def _verify_token_files(corpus: str, console: Console) -> bool:
    """Checks the token files of a corpus, where it has some; tells whether any is not what it was."""
    root = join(corpus, TOKEN_FILES)
    if not list_tree(root, ".json"):
        return False
    from pipeline.verify.token_files import verify_token_files  # noqa: PLC0415 - the tokenizer

    count, faults = verify_token_files(root, corpus)
    for fault in faults:
        console.print(f"{root}: {fault}", style="red", markup=False)
    if not faults:
        console.print(f"{root}: {count:,} token files are as they were written", style="green", markup=False)
    return bool(faults)
