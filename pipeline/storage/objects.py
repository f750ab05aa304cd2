"""Objects of a store, s3://, gs:// or hf://, by their exact names: a ``*`` or a ``[`` in a name is only a character."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import BinaryIO, cast

from pipeline.errors import InputError
from pipeline.storage import gcs, hub, s3

STORES = {store.SCHEME: store for store in (s3, gcs, hub)}
_SPECIAL = re.compile(r"[\[*?]")


def check_store(path: str) -> None:
    """Checks that a store can be reached, once and fast.

    Raises:
        InputError: There is no such store, what it needs is not installed, it does not answer, or has no such bucket.
    """
    _store(path).check_bucket(path)


def list_objects(prefix: str) -> Iterator[tuple[str, int]]:
    """The objects whose names begin with a prefix, to the letter, and their bytes, in the order of the store.

    Raises:
        StoreError: They cannot be listed.
    """
    yield from _store(prefix).list_objects(prefix)


def match_objects(pattern: str) -> Iterator[tuple[str, int]]:
    """The object of exactly this name, else those that a pattern with ``*``, ``**``, ``?`` or ``[...]`` matches.

    ``*`` and ``?`` stop at a ``/``, ``**`` does not; a pattern that ends in ``/`` means what lies right below.

    Raises:
        StoreError: They cannot be listed.
    """
    pattern += "*" if pattern.endswith("/") else ""
    literal = _SPECIAL.split(pattern, maxsplit=1)[0]
    wanted = re.compile(_expression(pattern), re.S)
    found = [(path, size) for path, size in list_objects(literal) if path == pattern or wanted.fullmatch(path)]
    exact = [entry for entry in found if entry[0] == pattern]
    yield from exact or found


def _expression(pattern: str) -> str:
    """The regular expression of a pattern."""
    parts = re.split(r"(\*\*|\*|\?|\[[!^]?\]?[^\]]*\])", pattern)
    known = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(
        known.get(part) or (_characters(part) if number % 2 else re.escape(part)) for number, part in enumerate(parts)
    )


def _characters(part: str) -> str:
    """The expression of ``[...]``."""
    inner = part[1:-1].replace("\\", r"\\").replace("[", r"\[").replace("]", r"\]")
    negated = inner.startswith(("!", "^"))
    return f"[{'^' if negated else ''}{inner[negated:]}]"


def pinned(path: str) -> str:
    """The path, or pattern, with the state of the store in it, where a store has such states: see ``hub.pinned``.

    Raises:
        InputError: There is no such state.
    """
    pin = getattr(_store(path), "pinned", None)
    return str(pin(path)) if pin is not None else path


def object_exists(path: str) -> bool:
    """Tells whether an object is there.

    Raises:
        StoreError: The store does not tell.
    """
    return bool(_store(path).object_exists(path))


def open_object(path: str) -> BinaryIO:
    """Opens an object for reading its raw bytes; one that is replaced meanwhile cannot be read on.

    Raises:
        OSError: It is not there, or cannot be read.
    """
    return cast(BinaryIO, _store(path).open_object(path))


def upload(source: BinaryIO, path: str) -> None:
    """Writes an object of any size; it appears when all of it is there.

    Raises:
        StoreError: It cannot be written.
    """
    _store(path).upload(source, path)


def create_object(path: str, data: bytes) -> bool:
    """Writes a small object where there is none of that name; False, and nothing done, where there is one."""
    return bool(_store(path).create(path, data))


def delete_objects(paths: Sequence[str]) -> None:
    """Deletes objects of one store; those that are not there do not matter.

    Raises:
        StoreError: One cannot be deleted.
    """
    if paths:
        _store(paths[0]).delete_objects(paths)


def abort_uploads(prefix: str) -> None:
    """Ends old uploads that killed processes left below a prefix, on a store that keeps them: see ``s3.abort_uploads``.

    Raises:
        StoreError: The store does not answer.
    """
    abort = getattr(_store(prefix), "abort_uploads", None)
    if abort is not None:
        abort(prefix)


def _store(path: str) -> ModuleType:
    scheme = path.partition("://")[0].lower() + "://"
    if scheme not in STORES:
        raise InputError(f"{path} cannot be reached: paths are local, {', '.join(sorted(STORES))}, or https://")
    return STORES[scheme]
