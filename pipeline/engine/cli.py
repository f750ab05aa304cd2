"""The command line that every source shares: own flags, Beam's flags, progress, the funnel, and errors in one line."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions
from rich.console import Console

from pipeline.engine.losses import nothing_kept
from pipeline.engine.run import RunOptions, RunResult
from pipeline.engine.summary import print_summary
from pipeline.errors import UserError
from pipeline.recipe import load_recipe
from pipeline.recipe_keys import RecipeKey, listing, recipe_keys
from pipeline.storage.filesystem import at_home, default_cache, require


def command_parser(module: str, description: str, epilog: str | None = None) -> argparse.ArgumentParser:
    """The parser of a command: what ``--help`` says keeps its lines, and flags are written out.

    Args:
        module: The module that ``python -m`` runs.
        description: Of what it does.
        epilog: What ``--help`` ends with.
    """
    return argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def source_parser(
    name: str,
    description: str,
    epilog: str,
    *,
    recipe: str,
    kind: type,
    output: str = "corpus",
    output_help: str = "corpus folder: local, gs:// or s3://",
) -> argparse.ArgumentParser:
    """The parser of a source's command, with the flags that all sources have.

    Args:
        name: The source's, or that of a command of its, below ``sources``.
        description: Of what it does.
        epilog: What ``--help`` ends with.
        recipe: The name or path of its own recipe.
        kind: The recipe's dataclass.
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
    add_keys(parser, lambda: recipe_keys(kind, load_recipe(kind, recipe)))
    parser.add_argument(
        "--cache",
        metavar="DIR",
        type=Path,
        default=None,
        help=f"where fetched files are kept (default: {default_cache()})",
    )
    parser.add_argument("--retry-failed", action="store_true", help="make scopes with unreadable files again")
    parser.add_argument("--quiet", action="store_true", help="no progress, only the summary")
    return parser


def add_keys(parser: argparse.ArgumentParser, keys: Callable[[], Iterable[RecipeKey]]) -> None:
    """Adds ``--keys``, which lists the keys of the recipe and ends the command, as ``--help`` does.

    Args:
        parser: The command's parser.
        keys: Gives the keys.
    """

    class Keys(argparse.Action):
        def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
            sys.stdout.write(listing(keys()))
            parser.exit()

    parser.add_argument("--keys", action=Keys, nargs=0, help="list the keys of the recipe with their defaults, and end")


def folder(name: str) -> str:
    """A folder's name on a command line, which must have one: an empty variable of a script is a mistake."""
    if not name.strip():
        raise argparse.ArgumentTypeError("it is empty; name a folder")
    return at_home(name)


def beam_options(parser: argparse.ArgumentParser, flags: Sequence[str]) -> PipelineOptions:
    """Beam's options from the flags that the command does not know itself.

    Beam ignores what it does not know; here a flag that neither knows ends the command, with the nearest one named.
    """
    beam_parser = _BeamParser(parser)
    for kind in PipelineOptions.__subclasses__():
        if add := kind.__dict__.get("_add_argparse_args"):
            add.__get__(None, kind)(_Tolerant(beam_parser))
    _, unknown = beam_parser.parse_known_args(list(flags))
    if unknown:
        known = [o for p in (parser, beam_parser) for action in p._actions for o in action.option_strings]
        close = difflib.get_close_matches(unknown[0].split("=")[0], known, 1)
        parser.error(f"unknown argument {unknown[0]}" + (f"; did you mean {close[0]}?" if close else ""))
    options = PipelineOptions(list(flags))
    FileSystems.set_options(options)  # inputs are listed, and models fetched, before a pipeline is made
    return options


class _BeamParser(argparse.ArgumentParser):
    """Beam's flags; an error in one is told by the command, without the usage of all of them."""

    def __init__(self, command: argparse.ArgumentParser) -> None:
        super().__init__(allow_abbrev=False, add_help=False)
        self._command = command

    def error(self, message: str) -> NoReturn:
        self._command.error(message)


class _Tolerant:
    """Adds arguments to a parser, leaving out those that two of Beam's option classes define."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._parser = parser

    def add_argument(self, *args: Any, **kwargs: Any) -> None:
        try:
            self._parser.add_argument(*args, **kwargs)
        except argparse.ArgumentError:
            return

    def add_value_provider_argument(self, *args: Any, **kwargs: Any) -> None:
        self.add_argument(*args, **kwargs)

    def add_mutually_exclusive_group(self, **kwargs: Any) -> _Tolerant:
        return self


def run_options(
    args: argparse.Namespace, options: PipelineOptions, inputs: str = "--input", files: Sequence[str] = ()
) -> RunOptions:
    """The run options that the shared flags give.

    Args:
        args: The command's own flags.
        options: Beam's.
        inputs: The flags that name the source's inputs, for messages.
        files: Names of files that the source writes into its folder beside those of all sources.

    Raises:
        InputError: The output is on a store that cannot be reached.
    """
    require(args.output)
    flags = [value for name, value in vars(args).items() if name not in ("output", "cache", "set")]
    values = [value for flag in flags for value in (flag if isinstance(flag, list) else [flag])]
    folders = [value for value in values if isinstance(value, str) and os.path.isdir(value)]
    return RunOptions(args.output, options, args.cache, args.retry_failed, inputs, folders, files)


def main(
    command: Callable[[Console], RunResult], next_commands: Callable[[RunResult], Sequence[str]], quiet: bool
) -> int:
    """Runs a source's command: errors for the user in one message, the funnel at the end.

    Args:
        command: Runs the source; progress goes to the console that it is given.
        next_commands: What the user may type next.
        quiet: Whether progress is not shown.

    Returns:
        The exit status: 0; 1 after an error, or where records were read and none was kept, or the whole is in doubt;
        130 after Ctrl-C.
    """
    errors = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        result = command(Console(stderr=True, quiet=quiet))
    except UserError as error:
        errors.print(f"error: {error}", style="bold red", markup=False)
        return 1
    except KeyboardInterrupt:
        errors.print("stopped. Finished shards are kept: the same command goes on from here.", markup=False)
        return 130
    print_summary(result, Console(highlight=False), next_commands(result))
    if wrong := nothing_kept(result.manifest) or result.error:
        errors.print(f"error: {wrong}", style="bold red", markup=False)
        return 1
    return 0


def run_command(
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None,
    command: Callable[[argparse.Namespace, PipelineOptions, Console], RunResult],
    next_commands: Callable[[RunResult], Sequence[str]],
) -> NoReturn:
    """Parses a command line, runs the source, and ends the process.

    Args:
        parser: The command's parser, with the flags of ``source_parser``.
        arguments: The command line; that of the process where None.
        command: Runs the source, given its flags, Beam's options, and the console for progress.
        next_commands: What the user may type next.
    """
    args, rest = parser.parse_known_args(arguments)
    options = beam_options(parser, rest)
    exit_with(main(lambda console: command(args, options, console), next_commands, args.quiet))


def sentences(console: Console) -> Callable[[str], None]:
    """Gives what prints a sentence for the user, to the letter, on the console for progress."""
    return lambda sentence: console.print(sentence, markup=False, highlight=False, soft_wrap=True)


def warn(sentence: str) -> None:
    """Prints a warning on the standard error, also where progress is not shown."""
    Console(stderr=True, soft_wrap=True, highlight=False).print(f"warning: {sentence}", style="yellow", markup=False)


def exit_with(status: int) -> NoReturn:
    """Ends the process with a status, output flushed."""
    sys.stdout.flush()
    sys.exit(status)
