"""The command line that every source shares: own flags, Beam's flags, progress, the funnel, and errors in one line."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from rich.console import Console

from pipeline.command_line import (
    add_keys,
    command_parser,
    errors_told,
    exit_with,
    folder,
    on_errors,
    parse,
    print_error,
)
from pipeline.engine.options import RunOptions
from pipeline.engine.parts import AGAIN, AgainError, parse_part
from pipeline.errors import InputError
from pipeline.recipe import load_recipe
from pipeline.recipe_keys import recipe_keys
from pipeline.storage.filesystem import default_cache, require
from pipeline.terminal import make_light

if TYPE_CHECKING:
    from pipeline.engine.run import RunResult


def source_parser(
    name: str,
    description: str,
    epilog: str,
    *,
    recipe: str,
    kind: type | str,
    output: str = "corpus",
    output_help: str = "corpus folder: local, gs:// or s3://",
) -> argparse.ArgumentParser:
    """The parser of a source's command, with the flags that all sources have.

    Args:
        name: The source's, or that of a command of its, below ``sources``.
        description: Of what it does.
        epilog: What ``--help`` ends with.
        recipe: The name or path of its own recipe.
        kind: The recipe's dataclass, or where it is (module:name): then ``--help`` does not import it.
        output: The folder that it writes to where none is given.
        output_help: What ``--help`` says of that.
    """
    parser = command_parser(f"sources.{name}", description, epilog)
    parser.add_argument(
        "--output",
        metavar="DIR",
        type=folder,
        default=output,
        help=f"{output_help} (default: {output})",
    )
    parser.add_argument(
        "--recipe",
        metavar="NAME|FILE",
        default=recipe,
        help=f"a name in recipes/ or a YAML file (default: {recipe})",
    )
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="override one key of the recipe, as often as needed",
    )
    add_keys(parser, lambda args: recipe_keys(_kind(kind), load_recipe(_kind(kind), args.recipe, args.set)))
    parser.add_argument(
        "--cache",
        metavar="DIR",
        type=Path,
        default=None,
        help=f"where fetched files are kept (default: {default_cache()})",
    )
    parser.add_argument("--retry-failed", action="store_true", help="make scopes with unreadable files again")
    parser.add_argument(
        "--grow",
        action="store_true",
        help="let more files join the output later: give it from the first run on. What is there stays as it is; of "
        "copies in two runs the earlier one stays",
    )
    parts = parser.add_mutually_exclusive_group()
    parts.add_argument(
        "--part",
        metavar="I/N",
        type=parse_part,
        help="make part I of N, counted from 1: N machines share --output, each with its part, and --finish comes last "
        "(docs/cluster.md)",
    )
    parts.add_argument("--finish", action="store_true", help="sum up what parts made, or say what is missing")
    parser.add_argument(
        "--wait",
        metavar="MINUTES",
        type=float,
        default=0.0,
        help=f"how long a part waits for files of others; then it ends with status {AGAIN} (default: 0)",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress, only the summary")
    return parser


def _kind(kind: type | str) -> type:
    if isinstance(kind, type):
        return kind
    module, _, name = kind.partition(":")
    found: type = getattr(import_module(module), name)
    return found


def run_options(
    args: argparse.Namespace, flags: Sequence[str], inputs: str = "--input", files: Sequence[str] = ()
) -> RunOptions:
    """The run options that the shared flags give.

    Args:
        args: The command's own flags.
        flags: Beam's.
        inputs: The flags that name the source's inputs, for messages.
        files: Names of files that the source writes into its folder beside those of all sources.

    Raises:
        InputError: The output is on a store that cannot be reached, or flags do not go together.
    """
    require(args.output)
    if args.part is not None and args.retry_failed:
        raise InputError(
            "--retry-failed goes with --finish, which forgets what is to be made again; then run all parts again"
        )
    if not 0 <= args.wait < float("inf") or (args.wait and args.part is None):
        raise InputError(f"--wait goes with --part, and takes minutes, 0 or more; it is {args.wait:g}")
    if args.grow and (args.part is not None or args.finish):
        raise InputError("--grow does not go with --part and --finish: a scope that others join is made by one run")
    part = replace(args.part, wait=args.wait * 60) if args.part else None
    flags = [*flags, f"--attendance={part.file_name}"] if part else flags
    given = [value for name, value in vars(args).items() if name not in ("output", "cache", "set")]
    values = [value for flag in given for value in (flag if isinstance(flag, list) else [flag])]
    folders = [value for value in values if isinstance(value, str) and os.path.isdir(value)]
    return RunOptions(
        args.output,
        flags,
        args.cache,
        args.retry_failed,
        inputs,
        folders,
        files,
        part=part,
        finish=args.finish,
        grow=args.grow,
    )


def main(
    command: Callable[[Console], RunResult], next_commands: Callable[[RunResult], Sequence[str]], quiet: bool
) -> NoReturn:
    """Runs a source's command and ends the process: errors in one message, the funnel at the end.

    The exit status is 0; 1 after an error, or where records were read and none was kept, or the whole is in doubt; 75
    where files of other parts are missing; 130 after Ctrl-C.

    Args:
        command: Runs the source; progress goes to the console that it is given.
        next_commands: What the user may type next.
        quiet: Whether progress is not shown.
    """
    with errors_told(stopped="Finished shards are kept: the same command goes on from here."):
        try:
            result = command(Console(stderr=True, quiet=quiet))
        except AgainError as again:
            on_errors().print(str(again), style="bold yellow", markup=False)
            exit_with(AGAIN)
    from pipeline.engine.losses import nothing_kept  # noqa: PLC0415 - help and refusals do without
    from pipeline.engine.summary import print_summary  # noqa: PLC0415

    print_summary(result, Console(highlight=False), [] if result.part else next_commands(result))
    if wrong := ("" if result.part else nothing_kept(result.manifest)) or result.error:
        print_error(wrong)
    exit_with(1 if wrong else 0)


def run_command(
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None,
    work: str,
) -> NoReturn:
    """Parses a command line, runs the source, and ends the process.

    Args:
        parser: The command's parser, with the flags of ``source_parser``.
        arguments: The command line; that of the process where None.
        work: The module that is imported for the work: its ``run`` is given the command's flags, Beam's, and the
            console for progress; its ``next_commands`` tells what the user may type next, given the result.
    """
    args, flags = parse(parser, arguments)
    make_light()
    main(
        lambda console: import_module(work).run(args, flags, console),
        lambda result: import_module(work).next_commands(result),
        args.quiet,
    )
