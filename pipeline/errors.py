"""Errors that a user can act upon: they are shown as one message, never as a traceback."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.text import encodable

NAMES_SHOWN = 3

_IN_A_TRACEBACK = re.compile(
    r"pipeline\.errors\.\w+: (?P<message>.*?)(?= \[while running '|\n\s*\n|\nTraceback |\Z)", re.S
)


class UserError(Exception):
    """What happened, where, and what to do next; the base of all errors meant for the user."""


class RecipeError(UserError):
    """A recipe, or a ``--set`` override, holds a wrong key or value."""


class InputError(UserError):
    """No input matches, or what matches cannot be the source's raw dump."""


class ModelError(UserError):
    """A model file is missing, damaged, or not of the expected kind."""


class OutputError(UserError):
    """The output cannot be written, or holds something that this run must not mix with."""


class StoreError(UserError, OSError):
    """An object store refused something, or does not answer."""


def name_a_few(paths: Sequence[str], *, whole: bool = False) -> str:
    """The names of the first files, without their folders unless asked for ``whole``, and how many more there are."""
    names = ", ".join(path if whole else path.rstrip("/").rpartition("/")[2] for path in paths[:NAMES_SHOWN])
    return encodable(names) + (f" and {len(paths) - NAMES_SHOWN:,} more" if len(paths) > NAMES_SHOWN else "")


def was_interrupted(error: BaseException) -> bool:
    """Whether Ctrl-C is behind an error: Beam wraps what it meets in a step in an error of its own."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, KeyboardInterrupt):
        seen = seen.__cause__ or seen.__context__
    return seen is not None


def user_message(error: BaseException) -> str | None:
    """Finds the message for the user in an error, also when a Beam runner wrapped it.

    A worker in another process sends its error home as the text of a traceback, so the class is gone and only
    its qualified name is left to look for.

    Args:
        error: What the runner raised.

    Returns:
        The message of the ``UserError`` inside, or None where there is none.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, UserError):
            return re.sub(r" \[while running '[^']*'\].*\Z", "", str(seen), flags=re.S)
        seen = seen.__cause__ or seen.__context__
    found = _IN_A_TRACEBACK.search(str(error))
    return found["message"].strip() if found else None
