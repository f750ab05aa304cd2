"""How commands begin and end: libraries are quiet, and no traceback comes of who reads what is printed, or stops it."""

from __future__ import annotations

import atexit
import contextlib
import errno
import gc
import importlib
import io
import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

INTERRUPTED = 128 + signal.SIGINT  # what shells report of a command that Ctrl-C ended
_WIDEST = 1000  # columns
UNREAD = 128 + 13  # and of one that wrote into a pipe that nobody reads any more: SIGPIPE


# Objects made before Python looks for circles among them. Documents have none, and a shard has many at a time: with the
# default of 700 the search took a tenth of the time of StackExchange's shards, and a quarter of that of importing Beam.
COLLECT_AFTER = 50_000


def make_light() -> None:
    """Spares a process that handles documents what takes time and serves none: most of garbage collection, and pandas.

    The first list that becomes an Arrow array has pyarrow look for pandas, which takes a second where it is installed.
    Where it is then wanted, it is found: pyarrow looks again.
    """
    import pyarrow as pa  # noqa: PLC0415 - not for --help

    gc.set_threshold(COLLECT_AFTER, *gc.get_threshold()[1:])
    if "pandas" not in sys.modules:
        sys.meta_path.insert(0, _WithoutPandas())
        try:
            pa.array([None])
        finally:
            sys.meta_path.pop(0)


class _WithoutPandas:
    """Finds no pandas."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        """Nothing, and for pandas no other finder is asked."""
        if fullname == "pandas":
            raise ModuleNotFoundError(name=fullname)


def run_module(module: str) -> NoReturn:
    """Runs the ``main`` of a command's module; imports it only once the loggers are quiet.

    Beam warns through the root logger while it is imported (of Google clients that are not installed), and logs what
    it retries and falls back to; what matters to the user reaches him as an error.

    Args:
        module: The module's name.
    """
    logging.basicConfig(level=logging.ERROR, format="%(name)s: %(message)s")
    warnings.filterwarnings("ignore")
    try:
        run_main(lambda: importlib.import_module(module).main())
    except SystemExit as end:
        if _is_the_process():
            _leave(end.code)
        raise


def _is_the_process() -> bool:
    """Whether ``python -m`` began this process with the module that runs as ``__main__`` now."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    name = spec.name.removesuffix(".__main__") if spec else None
    return "-m" in sys.orig_argv and sys.orig_argv[sys.orig_argv.index("-m") + 1] == name


def _leave(code: Any) -> NoReturn:
    """Ends the process without Python's last steps, in which Arrow's threads, where just begun, can abort it (134).

    What is registered for the exit is done before, and all streams are written.
    """
    if isinstance(code, str):
        sys.stderr.write(f"{code}\n")
        code = 1
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, _UnwritableError):
            stream.flush()
    os._exit(code or 0)


def run_main(main: Callable[[], int | None]) -> NoReturn:
    """Runs a command and ends the process with its status.

    Ctrl-C ends it with 130, a reader that has seen enough, such as ``head``, with 141, both without a word. An output
    that cannot be written, such as on a full disk, is an error in one line, and 1.

    Args:
        main: Gives the status, or nothing for 0; may raise SystemExit.
    """
    _open_what_is_closed()
    _guard_output()
    status: Any
    try:
        try:
            status = main() or 0
        except SystemExit as end:
            status = end.code
        sys.stdout.flush()
    except _UnwritableError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is not yet written would be complained of at the exit
        status = UNREAD if error.errno == errno.EPIPE else f"error: cannot write to the standard output: {error}"
    except KeyboardInterrupt:  # while a module was imported, which takes seconds, or while the command ended
        status = INTERRUPTED
    sys.exit(status)


def print_whole(console: Console, table: Table) -> None:
    """Prints a table as wide as it is, also where the screen is narrower: a number cut short is none."""
    width = table.__rich_measure__(console, console.options.update(max_width=_WIDEST)).maximum
    console.width = max(console.width, width)
    console.print(table)


class _UnwritableError(Exception):
    """The standard output cannot be written. No OSError: nobody on the way is to take it for one of his files."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror)
        self.errno = error.errno


class _Output(io.FileIO):
    """The standard output, telling its own errors from those of other files."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise _UnwritableError(error) from error


def _guard_output() -> None:
    """Puts ``_Output`` below the standard output, unless something else than a file took its place."""
    before = sys.stdout
    if before is not sys.__stdout__ or not isinstance(before, io.TextIOWrapper):
        return
    before.flush()
    raw = io.BufferedWriter(_Output(before.fileno(), "w", closefd=False))
    sys.stdout = io.TextIOWrapper(raw, before.encoding, before.errors, line_buffering=before.line_buffering)


def _open_what_is_closed() -> None:
    """Opens the standard streams that a shell closed (``>&-``): a file of the command's own would get their numbers."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115 - it is the process's own
