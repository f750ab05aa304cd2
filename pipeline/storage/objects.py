"""Objects of a store by their exact names: those of S3 by boto3, those of gs:// through Beam, where it is asked for.

Beam's own ways in take names for patterns; here a ``*`` or a ``[`` in a name is only a character.
"""

from __future__ import annotations

import contextlib
import logging
import re
import shutil
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, cast

from pipeline.errors import InputError, StoreError
from pipeline.storage import s3

_COPY_CHUNK = 4 << 20
_SPECIAL = re.compile(r"[\[*?]")


def check_store(path: str) -> None:
    """Checks that a store can be reached, once and fast.

    Raises:
        InputError: There is no such store, what it needs is not installed, it does not answer, or has no such bucket.
    """
    if _is_s3(path):
        s3.check_bucket(path)
        return
    try:
        _store(path)
    except (ValueError, ImportError) as error:
        raise InputError(
            f"{path} cannot be reached: gs:// paths need pip install '.[gcp]', s3:// paths pip install '.[aws]'"
        ) from error


def list_objects(prefix: str) -> Iterator[tuple[str, int]]:
    """The objects whose names begin with a prefix, to the letter, and their bytes, in the order of the store.

    Raises:
        StoreError: They cannot be listed.
    """
    if _is_s3(prefix):
        yield from s3.list_objects(prefix)
        return
    with _told(prefix, "list"):
        for found in _store(prefix)._list(prefix):
            yield found.path, found.size_in_bytes


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
    inner = part[1:-1].replace("\\", r"\\").replace("[", r"\[")
    negated = inner.startswith(("!", "^"))
    return f"[{'^' if negated else ''}{inner[negated:]}]"


def object_exists(path: str) -> bool:
    """Tells whether an object is there.

    Raises:
        StoreError: The store does not tell.
    """
    if _is_s3(path):
        return s3.object_exists(path)
    with _told(path, "reach"):
        return bool(_store(path).exists(path))


def open_object(path: str) -> BinaryIO:
    """Opens an object for reading its raw bytes.

    Raises:
        OSError: It is not there, or cannot be read.
    """
    if _is_s3(path):
        return s3.open_object(path)
    with _told(path, "read"):
        return cast(BinaryIO, _store(path).open(path, compression_type=_uncompressed()))


def upload(source: BinaryIO, path: str) -> None:
    """Writes an object; it appears when all of it is there.

    Raises:
        StoreError: It cannot be written.
    """
    if _is_s3(path):
        s3.upload(source, path)
        return
    with _told(path, "write"), _store(path).create(path, compression_type=_uncompressed()) as target:
        shutil.copyfileobj(source, target, _COPY_CHUNK)


def create_object(path: str, data: bytes) -> bool:
    """Writes a small object where there is none of that name; False, and nothing done, where there is one."""
    if _is_s3(path):
        return s3.create(path, data)
    if object_exists(path):
        return False
    with _told(path, "write"), _store(path).create(path, compression_type=_uncompressed()) as target:
        target.write(data)
    return True


def delete_objects(paths: Sequence[str]) -> None:
    """Deletes objects of one store; those that are not there do not matter.

    Raises:
        StoreError: One cannot be deleted.
    """
    if not paths:
        return
    if _is_s3(paths[0]):
        s3.delete_objects(paths)
        return
    with _told(paths[0], "delete"):  # Beam takes what it shall delete for patterns
        _store(paths[0]).delete([_SPECIAL.sub(r"[\g<0>]", path) for path in paths])


def _is_s3(path: str) -> bool:
    return path.startswith(s3.SCHEME)


def _store(path: str) -> Any:
    from apache_beam.io.filesystems import FileSystems  # noqa: PLC0415 - not there where only the trainer is

    return FileSystems.get_filesystem(path)


def _uncompressed() -> str:
    from apache_beam.io.filesystem import CompressionTypes  # noqa: PLC0415

    return cast(str, CompressionTypes.UNCOMPRESSED)


@contextlib.contextmanager
def _told(path: str, what: str) -> Iterator[None]:
    """Turns what a store's client raises into an error of one line; Beam also logs its traceback, which is left out."""
    logger = logging.getLogger()
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    except (FileNotFoundError, StoreError):
        raise
    except Exception as error:  # each store's errors are its own
        reason = re.sub(r"\s+", " ", str(error)).rstrip(".")
        raise StoreError(f"cannot {what} {path}: {reason}. Check its name, the network and the credentials.") from error
    finally:
        logger.disabled = before
