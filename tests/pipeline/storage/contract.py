"""What holds on every store of objects."""

import io

import pytest

from pipeline.storage.filesystem import (
    create_bytes,
    delete_files,
    delete_tree,
    exists,
    file_sizes,
    list_names,
    open_input,
    read_bytes,
    write_bytes,
)
from pipeline.storage.listing import match
from pipeline.storage.objects import list_objects


def names_are_no_patterns(bucket: str) -> None:
    """Objects are written, listed and removed by their exact names."""
    for name in ("v[2]/a", "v2/a", "x*/a", "x1/a", "q?/b", "q1/b", "v[2]/deep/c"):
        write_bytes(f"{bucket}/{name}", name.encode())
    assert file_sizes(f"{bucket}/v[2]", "") == {"a": 6, "deep/c": 11}
    assert list_names(f"{bucket}/x*", "a") == {""}
    assert read_bytes(f"{bucket}/q?/b") == b"q?/b"
    assert [file.path for file in match([f"{bucket}/x?/*"])] == [f"{bucket}/x*/a", f"{bucket}/x1/a"]
    delete_files([f"{bucket}/x*/a", f"{bucket}/none"])
    delete_tree(f"{bucket}/v[2]")
    left = [f"{bucket}/{name}" for name in ("q1/b", "q?/b", "v2/a", "x1/a")]
    assert [path for path, _ in list_objects(f"{bucket}/")] == left
    delete_tree(f"{bucket}/v2/a")
    assert [path for path, _ in list_objects(f"{bucket}/")] == [path for path in left if "v2" not in path]


def only_the_first_creates(bucket: str) -> None:
    """An object that must be new is written once."""
    assert create_bytes(f"{bucket}/c", b"first")
    assert not create_bytes(f"{bucket}/c", b"second")
    assert read_bytes(f"{bucket}/c") == b"first"


def what_is_not_there(bucket: str) -> None:
    """An object that is not there is told from one that is."""
    assert not exists(f"{bucket}/none")
    with pytest.raises(FileNotFoundError):
        open_input(f"{bucket}/none")


def read_by_parts(bucket: str, data: bytes) -> None:
    """An empty object, and a large one from its beginning and from its end; the data ends with the bytes 254, 255."""
    write_bytes(f"{bucket}/empty", b"")
    assert read_bytes(f"{bucket}/empty") == b""
    write_bytes(f"{bucket}/large", data)
    with open_input(f"{bucket}/large") as handle:
        assert handle.read(3) == b"\0\1\2"
        assert handle.seek(-2, io.SEEK_END) == len(data) - 2
        assert handle.read() == b"\xfe\xff"
        handle.seek(0)
        assert handle.read() == data
