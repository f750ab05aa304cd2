"""Proves that nothing of a list of removals is left: in a corpus, and in token shards, by what their files say.

Of a source every row of documents and rejects is compared with the list. Of token shards it is told from the corpus
which documents are listed, and which were removed before; none of either may stand in any row of any set. That rows
hold the documents that they name is what the rest of the verification is for.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from pipeline.corpus.manifest import read_manifest
from pipeline.corpus.shard import Layout
from pipeline.errors import UserError
from pipeline.mix.blocks import TokenFile
from pipeline.mix.folder import HELDOUT, KEPT_OUT, read_kept_out
from pipeline.mix.rows import ShardFolder, open_folder, read_batches
from pipeline.removals.matching import Removals
from pipeline.removals.records import is_pending
from pipeline.removals.scan import FileMatches, scan_file, scan_source
from pipeline.storage.filesystem import exists, join

ROWS_NAMED = 3


def absent_from_source(root: str, removals: Removals, *, rejects: bool = True) -> list[str]:
    """A sentence for each file of a source that holds what is listed.

    Args:
        root: The folder of the source.
        removals: The list.
        rejects: Whether the rejects must be there; a published corpus may be without.
    """
    try:
        faults = list(_pending(root))
        for shard in scan_source(Layout(root), removals, rejects=rejects):
            faults += [_found(join(root, *file.path.split("/")), file, removals) for file in shard.files]
        return faults
    except UserError as error:
        return [str(error)]


def _pending(root: str) -> Iterator[str]:
    if is_pending(root):
        yield f"{root}: removals were begun and not ended: run the same python -m pipeline.optout again"


def _found(place: str, file: FileMatches, removals: Removals) -> str:
    lines = sorted({removals.removal(number).line for number in file.places})
    rows = ", ".join(map(str, file.rows[:ROWS_NAMED])) + (", ..." if len(file.rows) > ROWS_NAMED else "")
    shown = ", ".join(map(str, lines[:ROWS_NAMED])) + (", ..." if len(lines) > ROWS_NAMED else "")
    return f"{place} holds {len(file.rows):,} rows that are listed (rows {rows}; lines {shown} of the list)"


def absent_from_shards(root: str, removals: Removals, corpus: str | None = None) -> list[str]:
    """A sentence for each way in which token shards hold what is listed, or cannot be shown not to.

    Args:
        root: The folder of the shards.
        removals: The list.
        corpus: Where the corpus lies now, if not where it did.
    """
    try:
        folder = open_folder(root, corpus)
        held = join(root, HELDOUT)
        sets = [folder, *([open_folder(held, corpus)] if exists(join(held, "manifest.json")) else [])]
        faults = [*_pending(root), *_of_other_files(folder)]
        return faults or [fault for one in sets for fault in _absent(one, removals)]
    except UserError as error:
        return [str(error)]


def _of_other_files(folder: ShardFolder) -> Iterator[str]:
    """The files of documents must be those of which the shards were made: else their rows tell nothing."""
    sums: dict[str, dict[str, str] | None] = {}
    for file in folder.files:
        source, _, name = _split(file.path)
        if source not in sums:
            manifest = read_manifest(Layout(join(folder.corpus, *source.split("/"))))
            sums[source] = manifest and {entry["path"]: entry["sha256"] for entry in manifest["outputs"]}
        known = sums[source]
        if known is None:  # a folder without a manifest: what there is is read
            there = file.sha256 if exists(join(folder.corpus, *file.path.split("/"))) else None
        else:
            there = known.get(name)
        if file.rows and there != file.sha256:
            yield (
                f"{file.path} {'changed' if there else 'is gone'} since the shards were made: "
                f"python -m pipeline.optout {folder.corpus} {folder.root} --list LIST --apply has them follow what was "
                "removed from it"
            )


def _split(path: str) -> tuple[str, str, str]:
    """The folder of a file's source, the file's name, and its path below the source."""
    *source, subset, name = path.split("/")
    return "/".join(source), name, f"{subset}/{name}"


def _absent(folder: ShardFolder, removals: Removals) -> Iterator[str]:
    wanted = np.zeros(max((file.first_number + file.documents for file in folder.files), default=0), bool)
    for file in folder.files:
        wanted[file.first_number + np.array(file.removed, np.int64)] = True
        wanted[_listed(folder, file, removals)] = True
    for entry in folder.manifest["shards"]:
        rows = 0
        for batch in read_batches(join(folder.root, entry["file"])):
            column = batch.column("doc_numbers")
            numbers = np.asarray(column.flatten()).astype(np.int64)
            owners = np.repeat(np.arange(len(column)), np.asarray(column.value_lengths()))
            rows += len(np.unique(owners[wanted[numbers]]))
        if rows:
            yield f"{join(folder.root, entry['file'])} has {rows:,} rows with documents that are listed"
    if folder.manifest["kind"] == "heldout":
        numbers = read_kept_out(join(folder.root, KEPT_OUT))["number"].to_numpy().astype(np.int64)
        if listed := int(wanted[numbers].sum()):
            yield f"{join(folder.root, KEPT_OUT)} has {listed:,} entries of documents that are listed"


def _listed(folder: ShardFolder, file: TokenFile, removals: Removals) -> npt.NDArray[np.int64]:
    """The numbers of the documents of a file that are listed."""
    if not file.rows:
        return np.empty(0, np.int64)
    source, _, name = _split(file.path)
    found = scan_file(join(folder.corpus, *source.split("/")), name, removals)
    return file.numbers()[found.rows] if found else np.empty(0, np.int64)
