"""Publishing into a folder, local or on an object store: each file whole under its name, the card last."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import IO

from rich.console import Console

from pipeline.errors import OutputError
from pipeline.publish.command import COMMAND
from pipeline.publish.contents import Item
from pipeline.publish.outcome import CARD, Difference, Sending
from pipeline.publish.rows import made_from, write_as_parquet
from pipeline.storage.filesystem import (
    COPY_CHUNK,
    atomic_output,
    exists,
    file_sizes,
    open_input,
    read_bytes,
    write_bytes,
)
from pipeline.storage.ownership import Owned, check_folder, is_sealed


class Folder:
    """A folder that is, or becomes, a data set repository.

    Args:
        root: The folder.
        overwrite: Whether a card that somebody edited may be written over.

    Raises:
        OutputError: It holds what the command did not write.
    """

    def __init__(self, root: str, *, overwrite: bool) -> None:
        self.name = root
        self._owned: Owned = check_folder(root, COMMAND)
        self._overwrite = overwrite

    def compare(self, items: Sequence[Item], card: bytes) -> Difference:
        """Finds what differs; files of the same size are read.

        Raises:
            OutputError: The card was edited.
        """
        there = file_sizes(self.name, "")
        old = read_bytes(self._owned.path(CARD)) if CARD in there else b""
        if old and not self._overwrite and not is_sealed(old, COMMAND):
            raise OutputError(
                f"{self._owned.path(CARD)} was edited, or is another's. Move it away; --overwrite writes over it."
            )
        to_send = tuple(item for item in items if not self._is_there(item, there))
        stale = self._owned.names & there.keys() - {item.name for item in items} - {CARD}
        return Difference(to_send, len(items) - len(to_send), tuple(sorted(stale)), old != card)

    def send(self, items: Sequence[Item], difference: Difference, card: bytes, console: Console) -> str:
        """Writes what differs, and removes what is no more; gives a sentence on where it is."""
        owned = self._owned
        owned.claim()
        owned.remove_temporaries()
        owned.expect([*(item.name for item in items), CARD])
        sending = Sending(difference.to_send, console)
        with sending:
            for item in difference.to_send:
                _copy(item, owned.path(item.name))
                sending.sent(item)
        write_bytes(owned.path(CARD), card)
        owned.remove(*difference.stale)
        return f"Output: {self.name}"

    def _is_there(self, item: Item, there: dict[str, int]) -> bool:
        if item.name not in there or item.name not in self._owned.names:
            return False
        path = self._owned.path(item.name)
        if item.converted:
            return made_from(path) == item.origin
        return there[item.name] == item.size and _digest(path) == (item.sha256 or _digest(item.path))


def _copy(item: Item, path: str) -> None:
    """Copies a file.

    Raises:
        OutputError: It is not what its account says.
    """
    with atomic_output(path) as output:
        if item.converted:
            write_as_parquet(item.path, item.origin, output, masked=item.masked)
            return
        with open_input(item.path) as source:
            digest = _pass(source, output)
        check_sum(item, digest)


def check_sum(item: Item, found: str) -> None:
    """Compares what was read of a file with its account.

    Raises:
        OutputError: They differ.
    """
    if item.sha256 and found != item.sha256:
        raise OutputError(
            f"{item.path} has changed: its sha256 is {found}, its account says {item.sha256}. "
            "python -m pipeline.verify tells more."
        )


def _pass(source: IO[bytes], output: IO[bytes] | None = None) -> str:
    digest = hashlib.sha256()
    while data := source.read(COPY_CHUNK):
        digest.update(data)
        if output is not None:
            output.write(data)
    return digest.hexdigest()


def _digest(path: str) -> str:
    if not exists(path):
        return ""
    with open_input(path) as source:
        return _pass(source)
