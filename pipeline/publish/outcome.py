"""What publishing did, or would do, and how far it is."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console

from pipeline.engine.progress import Bar, Watcher, time_left
from pipeline.publish.contents import Item
from pipeline.report.units import bytes_

CARD = "README.md"


@dataclass(frozen=True)
class Difference:
    """How the repository differs from what is to be in it.

    Attributes:
        to_send: Files that are not there, or differ.
        unchanged: How many are there as they are here.
        stale: Names of an earlier publication that are no more.
        new_card: Whether the card differs.
    """

    to_send: tuple[Item, ...]
    unchanged: int
    stale: tuple[str, ...]
    new_card: bool

    @property
    def is_nothing(self) -> bool:
        """Whether all is there already."""
        return not (self.to_send or self.stale or self.new_card)

    @property
    def bytes(self) -> int:
        """What is to be sent."""
        return sum(item.size for item in self.to_send)

    def sentence(self) -> str:
        """In words."""
        parts = [f"{len(self.to_send):,} to send ({bytes_(self.bytes)})", f"{self.unchanged:,} there already"]
        return ", ".join([*parts, *([f"{len(self.stale):,} to remove"] if self.stale else [])])


class Sending(Watcher):
    """Shows how much is sent."""

    def __init__(self, items: Sequence[Item], console: Console) -> None:
        super().__init__(console, remote=False)
        self._total, self._wanted = len(items), sum(item.size for item in items)
        self._files = self._bytes = 0

    def sent(self, item: Item) -> None:
        """Counts a file."""
        self._files += 1
        self._bytes += item.size

    def look(self) -> None:
        """Nothing: it is told."""

    def bars(self) -> list[Bar]:
        """The one bar."""
        return [Bar("send", self._files, self._total, "files", self._note())]

    def line(self) -> str:
        """One line for a log."""
        left = time_left(self._bytes, self._wanted, time.monotonic() - self._started)
        return f"sent {self._files:,}/{self._total:,} files, {self._note()}, {left}"

    def _note(self) -> str:
        rate = self._bytes / max(time.monotonic() - self._started, 1e-9)
        return f"{bytes_(self._bytes)} of {bytes_(self._wanted)}, {bytes_(int(rate))}/s"
