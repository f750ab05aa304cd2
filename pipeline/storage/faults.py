"""What the libraries of stores raise, told in one line."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator

from pipeline.errors import StoreError


@contextlib.contextmanager
def told(path: str, what: str, explain: Callable[[Exception], str | None]) -> Iterator[None]:
    """Turns what a store's library raises into an error of one line that says what to do.

    Args:
        path: What is read or written.
        what: What is done with it, such as read.
        explain: Gives what happened and what to do; None for an error that is not the library's, which stays as it is.
    """
    try:
        yield
    except StoreError:
        raise
    except Exception as error:
        message = explain(error)
        if message is None:
            raise
        raise StoreError(f"cannot {what} {path}: {message}") from error


def one_line(error: BaseException) -> str:
    """What an error says, without line ends and the stop at its end."""
    return re.sub(r"\s+", " ", str(error)).rstrip(".")
