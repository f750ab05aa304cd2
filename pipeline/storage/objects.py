"""Objects of a store (gs://, s3://) by their exact names, through Beam, which is imported when it is first needed.

Beam's own ways in take names for patterns; here a ``*`` or a ``[`` in a name is only a character.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, cast

from pipeline.errors import InputError

_COPY_CHUNK = 4 << 20
_SPECIAL = re.compile(r"[\[*?]")


def list_objects(prefix: str) -> Iterator[tuple[str, int]]:
    """The objects whose names begin with a prefix, to the letter, and their bytes, in the order of the store.

    Raises:
        OSError: They cannot be listed.
    """
    for found in _store(prefix)._list(prefix):
        yield found.path, found.size_in_bytes


def match_objects(pattern: str) -> Iterator[tuple[str, int]]:
    """The objects that a pattern with ``*``, ``**``, ``?`` or ``[...]`` matches, and their bytes.

    Raises:
        OSError: They cannot be listed.
    """
    for found in _store(pattern).match([pattern])[0].metadata_list:
        yield found.path, found.size_in_bytes


def object_exists(path: str) -> bool:
    """Tells whether an object is there."""
    return bool(_store(path).exists(path))


def open_object(path: str) -> BinaryIO:
    """Opens an object for reading its raw bytes."""
    try:
        return cast(BinaryIO, _store(path).open(path, compression_type=_uncompressed()))
    except OSError:
        raise
    except Exception as error:  # each store's errors are its own
        raise OSError(f"cannot open {path}: {error}") from error


def upload(source: BinaryIO, path: str) -> None:
    """Writes an object; it appears when all of it is there."""
    with _store(path).create(path, compression_type=_uncompressed()) as target:
        shutil.copyfileobj(source, target, _COPY_CHUNK)


def delete_objects(paths: Sequence[str]) -> None:
    """Deletes objects; those that are not there do not matter."""
    if paths:
        # Beam's Google store takes what it shall delete for patterns; its S3 store does not.
        exact = [path if path.startswith("s3://") else _SPECIAL.sub(r"[\g<0>]", path) for path in paths]
        _store(paths[0]).delete(exact)


def check_store(path: str) -> None:
    """Checks that there is a way to the store of a path.

    Raises:
        InputError: There is no such store, or what it needs is not installed.
    """
    try:
        _store(path)
    except (ValueError, ImportError) as error:
        raise InputError(
            f"{path} cannot be reached: gs:// paths need pip install '.[gcp]', s3:// paths pip install '.[aws]'"
        ) from error


def _store(path: str) -> Any:
    from apache_beam.io.filesystems import FileSystems  # noqa: PLC0415 - not there where only the trainer is

    return FileSystems.get_filesystem(path)


def _uncompressed() -> str:
    from apache_beam.io.filesystem import CompressionTypes  # noqa: PLC0415

    return cast(str, CompressionTypes.UNCOMPRESSED)
