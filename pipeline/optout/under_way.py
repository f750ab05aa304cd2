"""What is remembered of a set of token shards while documents are taken out of it, shard by shard.

What fills places depends on what was drawn before the first shard changed, and on what earlier shards were given. Both
are kept beside the mark of what is pending till all is done, so that after a kill the same command goes on as it would
have: no document fills two places, and all bytes are the same.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.corpus.shard import read_json
from pipeline.optout.journal import Journal
from pipeline.optout.pool import Pool
from pipeline.optout.sets import Drawn
from pipeline.removals.records import BEGUN, FOLDER, PENDING, UNDER_WAY
from pipeline.storage.filesystem import exists, join, list_tree, open_input, write_bytes

Takes = Sequence[tuple[int, int]]  # what pools gave, in order: of which source, how many ids
PLACE = f"{FOLDER}/{PENDING}"


class UnderWay:
    """What is remembered of one set.

    Args:
        root: The folder of all sets.
        kind: Which set it is, as its manifest calls it.
    """

    def __init__(self, root: str, kind: str) -> None:
        self._root, self._kind = root, kind

    def drawn(self, now: Drawn) -> Drawn:
        """What the set had before the first shard changed, with the rows that have yet to change.

        Args:
            now: What it has; kept, where no shard changed yet and some has to.
        """
        path = join(self._root, FOLDER, PENDING, f"{UNDER_WAY}{self._kind}.npz")
        if exists(path):
            with open_input(path) as handle, np.load(io.BytesIO(handle.read()), allow_pickle=False) as kept:
                begun: dict[int, set[int]] = {}
                for number, offset in kept["begun"].tolist():
                    begun.setdefault(number, set()).add(offset)
                documents = np.unpackbits(kept["documents"], count=len(now.documents)).astype(bool)
                return Drawn(documents, now.rows, begun, set(kept["masked"].tolist()))
        if now.rows:
            buffer = io.BytesIO()
            begun_at = [(number, offset) for number, some in now.begun.items() for offset in sorted(some)]
            np.savez_compressed(
                buffer,
                documents=np.packbits(now.documents),
                begun=np.array(begun_at, np.int64).reshape(-1, 2),
                masked=np.array(sorted(now.masked), np.int64),
            )
            write_bytes(join(self._root, FOLDER, PENDING, BEGUN), b"")
            write_bytes(path, buffer.getvalue())
        return now

    def go_over(self, file: str, pools: Mapping[int, Pool]) -> list[tuple[int, int]]:
        """Has pools give what they gave a shard before a kill; gives what that was."""
        path = join(self._root, *self._takes(file).split("/"))
        takes = [(int(source), int(length)) for source, length in read_json(path)["takes"]] if exists(path) else []
        for source, length in takes:
            pools[source].take(length)
        return takes

    def remember(self, file: str, takes: Takes, journal: Journal) -> None:
        """Enters what pools gave a shard into its journal."""
        journal.json(self._takes(file), {"takes": [list(take) for take in takes]})

    def _takes(self, file: str) -> str:
        return f"{PLACE}/{UNDER_WAY}{self._kind}-{file}.json"


def forget(root: str, journal: Journal) -> None:
    """Enters into the last journal that nothing of a folder is under way any more."""
    for name in list_tree(join(root, FOLDER, PENDING), ""):
        if name == BEGUN or name.startswith(UNDER_WAY):
            journal.delete(f"{PLACE}/{name}")
