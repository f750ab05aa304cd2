"""All or nothing, for changes of several files: they are written beside their places first, then listed, then moved.

The list, a journal, is what decides. Where it is there, what it says is done to its end, by whoever comes next; where
it is not, what lies beside is thrown away. So a kill at any point leaves nothing in between.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from pipeline.corpus.shard import read_json, write_json
from pipeline.errors import OutputError
from pipeline.removals.records import BEGUN, FOLDER, JOURNAL, PENDING, UNDER_WAY
from pipeline.storage.filesystem import (
    atomic_output,
    delete_files,
    exists,
    file_sizes,
    is_remote,
    join,
    list_names,
    open_input,
    remove_temporaries,
)
from pipeline.storage.ownership import remove_empty


class Journal:
    """Changes of files below a folder that become real together.

    Args:
        root: The folder.
        name: What the changes are called; of one name there is one at a time.
    """

    def __init__(self, root: str, name: str) -> None:
        self._root, self._name = root, name
        self._moves: list[list[str]] = []
        self._writes: dict[str, Any] = {}
        self._deletes: list[str] = []

    @contextmanager
    def file(self, path: str) -> Iterator[BinaryIO]:
        """Writes a file that will have this path, below the folder with ``/``; it is hidden till then."""
        staged = f"{self._name}/{len(self._moves):04d}"
        with atomic_output(_place(self._root, staged)) as handle:
            yield handle
        self._moves.append([staged, path])

    def json(self, path: str, value: Any) -> None:
        """Writes a small file of JSON."""
        self._writes[path] = value

    def delete(self, path: str) -> None:
        """Removes a file."""
        self._deletes.append(path)

    def commit(self) -> None:
        """Makes all changes real."""
        if not (self._moves or self._writes or self._deletes):
            return
        entries = {"moves": self._moves, "writes": self._writes, "deletes": self._deletes}
        path = _place(self._root, self._name + JOURNAL)
        write_json(path, entries)
        _carry_out(self._root, self._name)


def finish_pending(root: str) -> int:
    """Ends what was begun below a folder, and throws away what was not; gives how many journals were carried out.

    Nobody else may be at work there.
    """
    pending = join(root, FOLDER, PENDING)
    if file_sizes(pending, ""):
        remove_temporaries(root)
    names = sorted(list_names(pending, JOURNAL))
    for name in names:
        _carry_out(root, name)
    left = [f"{FOLDER}/{PENDING}/{name}" for name in file_sizes(pending, "") if not _is_kept(name)]
    delete_files([_below(root, name) for name in left])
    _remove_folders(root, left)
    return len(names)


def _is_kept(name: str) -> bool:
    """Whether a file of what is pending stays till all of it is done, not till its journal is."""
    return name == BEGUN or name.startswith(UNDER_WAY)


def _carry_out(root: str, name: str) -> None:
    """Does what a journal says, of which some may be done; the journal goes last."""
    path = _place(root, name + JOURNAL)
    entries = read_json(path)
    with _refusals_told(root):
        for staged, final in entries["moves"]:
            _move(_place(root, staged), _below(root, final))
        for final, value in entries["writes"].items():
            write_json(_below(root, final), value)
        delete_files([_below(root, final) for final in entries["deletes"]])
    delete_files([_place(root, staged) for staged, _ in entries["moves"]])
    delete_files([path])
    _remove_folders(root, [f"{FOLDER}/{PENDING}/{name}/x"])


@contextmanager
def _refusals_told(root: str) -> Iterator[None]:
    """Turns an error of the file system, such as of a folder that may not be written to, into an OutputError."""
    try:
        yield
    except OSError as error:
        where = error.filename2 or error.filename or root
        raise OutputError(
            f"{where} cannot be changed: {error.strerror or error}. Mend that, and run the same command again: it ends "
            "what was begun."
        ) from error


def _move(staged: str, final: str) -> None:
    """Moves a file to its place; nothing happens where it is there already."""
    if not is_remote(final):
        if os.path.exists(staged):
            os.makedirs(os.path.dirname(final), exist_ok=True)
            os.replace(staged, final)
    elif exists(staged):  # object stores cannot move; what is staged goes with the journal
        with open_input(staged) as source, atomic_output(final) as output:
            shutil.copyfileobj(source, output)


def _place(root: str, name: str) -> str:
    return join(root, FOLDER, PENDING, *name.split("/"))


def _below(root: str, name: str) -> str:
    return join(root, *name.split("/"))


def _remove_folders(root: str, names: list[str]) -> None:
    folders = {"/".join(name.split("/")[:depth]) for name in names for depth in range(2, name.count("/") + 1)}
    remove_empty(root, {*folders, f"{FOLDER}/{PENDING}", FOLDER})
