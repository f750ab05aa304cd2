"""What the command lines of all commands share: the parser, flags and keys, Beam's flags, and errors in one line."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console

from pipeline.errors import UserError
from pipeline.recipe_keys import RecipeKey, listing
from pipeline.storage.filesystem import at_home
from pipeline.terminal import INTERRUPTED

_FLAG = re.compile(r"""["'](--\w[\w-]*)["']""")
_OUR_OPTIONS = Path(__file__).with_name("service_options.py")


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


def add_input(
    parser: argparse._ActionsContainer, text: str, flag: str = "--input", metavar: str = "PATH", **more: Any
) -> None:
    """Adds a flag that names raw files: given once with several, or several times, its values add up.

    ``@FILE`` stands for the lines of a file, for more names than a command line holds.

    Args:
        parser: The command's parser, or a group of its flags.
        text: What ``--help`` says of it.
        flag: The flag.
        metavar: What a value of it is called.
        more: What else argparse takes, such as a default.
    """
    parser.add_argument(flag, action=_Inputs, nargs="+", metavar=metavar, help=f"{text}; @FILE: a list of them", **more)


class _Inputs(argparse.Action):
    """Adds values up, those of ``@FILE`` being the lines of a file."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        found = list(getattr(namespace, self.dest) or [])
        for value in values:
            if not value.startswith("@") or os.path.lexists(value):
                found.append(value)
                continue
            try:
                with open(value[1:], encoding="utf-8", errors="surrogateescape") as lines:
                    found += [line.rstrip("\r\n") for line in lines if line.strip()]
            except OSError as error:
                parser.error(f"{option} {value}: the list cannot be read: {error.strerror}")
        setattr(namespace, self.dest, found)


def add_keys(parser: argparse.ArgumentParser, keys: Callable[[argparse.Namespace], Iterable[RecipeKey]]) -> None:
    """Adds ``--keys``, which lists the keys of the recipe and ends the command, as ``--help`` does.

    Args:
        parser: The command's parser.
        keys: Gives the keys with their values, by the flags that stand before; what these have wrong ends the command.
    """

    class Keys(argparse.Action):
        def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, *_: Any) -> None:
            try:
                sys.stdout.write(listing(keys(namespace)))
            except UserError as error:
                parser.exit(2, f"error: {error}\n")
            parser.exit()

    parser.add_argument(
        "--keys", action=Keys, nargs=0, help="list the keys of the recipe, as flags before it have them, and end"
    )


def folder(name: str) -> str:
    """A folder's name on a command line, which must have one: an empty variable of a script is a mistake."""
    if not name.strip():
        raise argparse.ArgumentTypeError("it is empty; name a folder")
    return at_home(name)


def parse(
    parser: argparse.ArgumentParser, arguments: Sequence[str] | None = None
) -> tuple[argparse.Namespace, list[str]]:
    """Parses a command line; what the command does not know itself must be a flag of Beam's.

    Beam ignores what it does not know; here a flag that neither knows ends the command, with the nearest one named.

    Args:
        parser: The command's parser.
        arguments: The command line; that of the process where None.

    Returns:
        The command's own flags, and Beam's, which its file systems know from here on.
    """
    args, flags = parser.parse_known_args(arguments)
    if flags:
        _tell_beam(parser, flags)
    return args, flags


def _tell_beam(parser: argparse.ArgumentParser, flags: list[str]) -> None:
    workers = _BeamParser(parser)
    workers.add_argument("--direct_num_workers", type=int)
    others = workers.parse_known_args(flags)[1]
    if not others:
        return
    written = _flags_in_source()
    if written and others[0].startswith("--") and others[0].partition("=")[0] not in written:
        _refuse(parser, others[0], written)
    # Beam takes a second to import, and most command lines have no other flag of it.
    from apache_beam.io.filesystems import FileSystems  # noqa: PLC0415
    from apache_beam.options.pipeline_options import PipelineOptions  # noqa: PLC0415

    from pipeline import service_options  # noqa: PLC0415, F401 - its flags are Beam's from here on

    beam_parser = _BeamParser(parser)
    for kind in PipelineOptions.__subclasses__():
        if add := kind.__dict__.get("_add_argparse_args"):
            add.__get__(None, kind)(_Tolerant(beam_parser))
    _, unknown = beam_parser.parse_known_args(flags)
    if unknown:
        _refuse(parser, unknown[0], beam_parser._option_string_actions)
    FileSystems.set_options(PipelineOptions(flags))  # inputs are listed, and models fetched, before a pipeline is made


def _flags_in_source() -> frozenset[str]:
    """What looks like a flag in the source of Beam's options, and of ours: a flag that is not there is nobody's.

    Telling that does not need Beam, which takes a second to import. Empty where the source is not to be had.
    """
    beam = importlib.util.find_spec("apache_beam")
    folders = beam.submodule_search_locations if beam else None
    files = [os.path.join(folder, "options", "pipeline_options.py") for folder in folders or ()]
    if not files or not os.path.isfile(files[0]):
        return frozenset()
    texts = [Path(file).read_text(encoding="utf-8") for file in (files[0], _OUR_OPTIONS)]
    return frozenset(flag for text in texts for flag in _FLAG.findall(text))


def _refuse(parser: argparse.ArgumentParser, flag: str, known: Iterable[str]) -> NoReturn:
    close = difflib.get_close_matches(flag.partition("=")[0], [*parser._option_string_actions, *known], 1)
    parser.error(f"unknown argument {flag}" + (f"; did you mean {close[0]}?" if close else ""))


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


@contextlib.contextmanager
def errors_told(status: int = 1, stopped: str | None = None) -> Iterator[None]:
    """Ends the command where something is wrong: with one line that says so, and no traceback.

    Args:
        status: The exit status then.
        stopped: What is said after Ctrl-C, which ends it with 130; where None, nothing is.
    """
    try:
        yield
    except UserError as error:
        print_error(error)
        exit_with(status)
    except KeyboardInterrupt:
        if stopped:
            on_errors().print(f"stopped. {stopped}", markup=False)
        exit_with(INTERRUPTED)


def print_error(error: object) -> None:
    """Prints an error on the standard error, in one line however long."""
    on_errors().print(f"error: {error}", style="bold red", markup=False)


def on_errors() -> Console:
    """The standard error."""
    return Console(stderr=True, soft_wrap=True, highlight=False)


def sentences(console: Console) -> Callable[[str], None]:
    """Gives what prints a sentence for the user, to the letter, on the console for progress."""
    return lambda sentence: console.print(sentence, markup=False, highlight=False, soft_wrap=True)


def warn(sentence: str) -> None:
    """Prints a warning on the standard error, also where progress is not shown."""
    on_errors().print(f"warning: {sentence}", style="yellow", markup=False)


def exit_with(status: int) -> NoReturn:
    """Ends the process with a status, output flushed."""
    sys.stdout.flush()
    sys.exit(status)
