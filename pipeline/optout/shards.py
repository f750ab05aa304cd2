"""Takes documents out of a folder of token shards: from both of its sets, as the corpus's record of changes says.

A shard is written anew only where it has any id of a document that went. The places of these are filled by documents of
the same source (``pool``); where these do not suffice, rows are taken out. All other rows keep their bytes, and all
other documents their numbers. The lists of documents and the manifests come last: by them it is known what was done.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import chain
from typing import Any

import numpy as np

from pipeline.corpus.shard import MANIFEST
from pipeline.errors import InputError
from pipeline.mix.blocks import TokenFile
from pipeline.mix.corpus import CorpusFile
from pipeline.mix.encode import encode_file, load_encoder
from pipeline.mix.folder import (
    HELDOUT,
    KEPT_OUT,
    TOKENIZER,
    read_kept_out,
)
from pipeline.mix.rows import ShardFolder, open_folder, store_of
from pipeline.mix.token_files import TokenReader, TokenStats, TokenStore
from pipeline.optout.corpus import SourceMatches
from pipeline.optout.journal import Journal
from pipeline.optout.manifests import KeptOut, below_root, stage_end
from pipeline.optout.pool import Candidate, Open, Pool, kept_apart, undrawn
from pipeline.optout.sets import Drawn, look_through, plan_edit, spans_of, stage_edit
from pipeline.optout.token_files import changes_of
from pipeline.optout.under_way import Takes, UnderWay, forget
from pipeline.removals.records import FOLDER, LOG, Change, log_with
from pipeline.storage.filesystem import exists, join
from pipeline.storage.listing import match
from pipeline.verify.shards import planned_form

END = "_end"  # the journal of what a folder of shards has but once


@dataclass(frozen=True)
class Impact:
    """What documents have of a folder of shards: shards, rows, and ids by source."""

    shards: int
    rows: int
    tokens: dict[str, int]


@dataclass(frozen=True)
class Following:
    """A folder of token shards, and what it has to follow.

    Attributes:
        folder: The set for training, as it is.
        heldout: The held-out set; None without.
        changes: By file of documents, what went of it since the shards were made.
        removed: The numbers of the documents that went, sorted.
    """

    folder: ShardFolder
    heldout: ShardFolder | None
    changes: Mapping[str, Sequence[Change]]
    removed: list[int]

    @property
    def sets(self) -> list[ShardFolder]:
        """All sets, that for training last."""
        return [*([self.heldout] if self.heldout else []), self.folder]

    @property
    def lists(self) -> list[str]:
        """The checksums of the lists that took documents out."""
        return sorted({change.list_sha256 for changes in self.changes.values() for change in changes})


def follow(root: str, corpus: str | None) -> Following:
    """Tells what a folder of shards has to follow.

    Args:
        root: The folder.
        corpus: Where the corpus lies now, if not where it did.

    Raises:
        UserError: It is none, or the record of changes is damaged.
    """
    folder = open_folder(root, corpus)
    if folder.manifest["kind"] == "heldout":
        raise InputError(f"{root} is the held-out set of the folder above: give that, which has both sets")
    held = join(root, HELDOUT)
    heldout = open_folder(held, corpus) if exists(join(held, MANIFEST)) else None
    changes, removed = {}, list[int]()
    for file in folder.files:
        if found := changes_of(folder.corpus, file.path, file.sha256) if file.rows else []:
            changes[file.path] = found
            removed += np.setdiff1d(file.numbers(), after_changes(file, found).numbers()).tolist()
    return Following(folder, heldout, changes, removed)


def after_changes(file: TokenFile, changes: Sequence[Change]) -> TokenFile:
    """A file with what went of it removed; its ids and their checksum are yet to be told."""
    left = file.numbers() - file.first_number
    for change in changes:
        left = np.delete(left, change.rows)
    gone = np.delete(np.arange(file.documents), left)
    sha256 = changes[-1].after if changes else None
    return replace(file, removed=tuple(gone.tolist()), sha256=sha256 or file.sha256)


def take_out(following: Following, date: str, seen: list[int] | None = None) -> dict[str, Any]:
    """Takes documents out of all sets of a folder, which nobody else may write to meanwhile.

    Args:
        following: What it has to follow.
        date: Today, for the log.
        seen: Counts the shards that were looked through.

    Returns:
        The line of the log.

    Raises:
        UserError: A shard or token file is damaged, or missing.
    """
    root, store = following.folder.root, store_of(following.folder)
    files = [_new_file(store, file, following, root) for file in following.folder.files]
    removed = frozenset(following.removed)
    kept_out = _kept_out(following.heldout, removed)
    end = Journal(root, END)
    done = {"rows_out": 0, "filled": 0, "again": 0}
    for before in following.sets:
        folder = replace(before, files=files)
        under_way = UnderWay(root, str(folder.manifest["kind"]))
        drawn = under_way.drawn(look_through(folder, np.array(following.removed, np.int64), seen))
        pools = _pools(folder, partial(_opened, store, root), drawn, kept_out)
        for shard, entry in enumerate(folder.manifest["shards"]):
            takes = under_way.go_over(entry["file"], pools)
            if rows := drawn.rows.get(entry["file"]):
                _edit_shard(root, folder, shard, rows, removed, pools, under_way, takes)
        stage_end(root, before, files, kept_out, following.lists, end, done)
    entry = {"date": date, "lists": following.lists, "documents": len(removed), **done}
    with end.file(f"{FOLDER}/{LOG}") as output:
        output.write(log_with(root, entry))
    forget(root, end)
    end.commit()
    return entry


def _edit_shard(
    root: str,
    folder: ShardFolder,
    shard: int,
    rows: Sequence[int],
    removed: frozenset[int],
    pools: Mapping[int, Pool],
    under_way: UnderWay,
    takes: Takes,
) -> None:
    file, below = folder.manifest["shards"][shard]["file"], below_root(root, folder)
    journal = Journal(root, f"{below.replace('/', '-')}{file}")
    edit = plan_edit(folder, file, rows, removed, pools)
    stage_edit(folder, planned_form(folder), shard, edit, journal, below)
    under_way.remember(file, [*takes, *edit.takes], journal)
    journal.commit()


def _new_file(store: TokenStore, file: TokenFile, following: Following, root: str) -> TokenFile:
    """A file of documents as it is now; its token file is made again where it is missing or of another one."""
    changes = following.changes.get(file.path)
    if changes is None:
        return file
    after = after_changes(file, changes)
    if changes[-1].after is None:
        return replace(after, tokens=0)
    stats = _encoded(store, root, after)
    return replace(after, tokens=stats.tokens, tokens_sha256=stats.tokens_sha256)


def _encoded(store: TokenStore, root: str, file: TokenFile) -> TokenStats:
    """The stats of the token file of a file of documents, which is made where it is not there."""
    stats = store.read_stats(file.path)
    if stats is not None and not stats.error and stats.sha256 == file.sha256 and exists(store.tokens(file.path)):
        return stats
    place = join(store.corpus, *file.path.split("/"))
    encoder = load_encoder(join(root, TOKENIZER))
    stats = encode_file(store, encoder, CorpusFile("", file.path, match([place])[0].size, file.sha256), None)
    if stats.error:
        raise InputError(f"{place}: {stats.error}")
    return stats


def _opened(store: TokenStore, root: str, file: TokenFile) -> TokenReader:
    """Opens the token file of a file of documents."""
    return TokenReader(store, file.path, file.rows, _encoded(store, root, file).tokens)


def _kept_out(heldout: ShardFolder | None, removed: frozenset[int]) -> KeptOut:
    """What training may not have, by document, without what went."""
    found: KeptOut = {}
    if heldout is not None:
        table = read_kept_out(join(heldout.root, KEPT_OUT))
        for number, start, stop in zip(*(table[key].to_pylist() for key in ("number", "start", "stop")), strict=True):
            if number not in removed:
                found.setdefault(number, []).append((start, stop))
    return found


def _pools(folder: ShardFolder, opened: Open, drawn: Drawn, kept_out: KeptOut) -> dict[int, Pool]:
    """What may fill places in a set, by source."""
    manifest, files = folder.manifest, folder.files
    bos = manifest["bos"] if manifest["inserts_bos"] else None
    pools = {}
    for source in range(len(manifest["sources"])):
        if manifest["kind"] == "heldout":
            candidates = kept_apart(opened, files, source, kept_out, drawn.begun, manifest["seed"])
            pools[source] = Pool(
                candidates, opened, bos, _EachTextOnce(partial(_texts, opened, files, drawn, kept_out))
            )
        else:
            apart = frozenset(kept_out)
            of = partial(undrawn, opened, files, source, drawn.documents, seed=manifest["seed"])
            pools[source] = Pool(chain(of(apart=apart), of(apart=apart | drawn.masked, again=True)), opened, bos)
    return pools


class _EachTextOnce:
    """Lets a text be held out once: of copies, all of which are kept out of training, one is in the set.

    Args:
        texts: Gives those in the set: the hash of each one's document, and where in it the part begins.
    """

    def __init__(self, texts: Callable[[], set[tuple[int, int]]]) -> None:
        self._find = texts

    @cached_property
    def _texts(self) -> set[tuple[int, int]]:
        return self._find()

    def __call__(self, candidate: Candidate) -> bool:
        """Whether a part is that of no text in the set; it counts as one of them from here on."""
        text = (candidate.hash, candidate.start)
        known = text in self._texts
        self._texts.add(text)
        return not known


def _texts(opened: Open, files: Sequence[TokenFile], drawn: Drawn, kept_out: KeptOut) -> set[tuple[int, int]]:
    """The texts in the held-out set: the hash of each one's document, and where in it the part begins."""
    found, begun = set(), np.array(list(drawn.begun), np.int64)
    for file in files:
        numbers = file.numbers()
        there = numbers[np.isin(numbers, begun)].tolist() if file.tokens else []
        if not there:
            continue
        with opened(file) as reader:
            hashes = reader.all_marks()["hash"]
        for number in there:
            row = file.row_of(number)
            found |= {(int(hashes[row]), start) for start, _ in kept_out.get(number, ())}
    return found


def impact(following: Following, removed: Sequence[int], seen: list[int] | None = None) -> Impact:
    """What documents have of the shards.

    Args:
        following: The folder.
        removed: The numbers of the documents.
        seen: Counts the shards that were looked through.
    """
    shards, rows, tokens = 0, 0, dict.fromkeys(following.folder.manifest["sources"], 0)
    for folder in following.sets:
        drawn = look_through(folder, np.array(sorted(removed), np.int64), seen)
        for file, some in drawn.rows.items():
            shards, rows = shards + 1, rows + len(some)
            for span in spans_of(folder, file, some, frozenset(removed)):
                tokens[folder.manifest["sources"][span.source]] += len(span)
    return Impact(shards, rows, tokens)


def numbers_of(following: Following, found: Iterable[SourceMatches]) -> list[int]:
    """The numbers that documents have in a folder of shards that are found in its corpus, and have yet to go."""
    files = {file.path: file for file in following.folder.files}
    base, numbers = os.path.realpath(following.folder.corpus), list[int]()
    for source in found:
        below = os.path.relpath(os.path.realpath(source.layout.root), base).replace(os.sep, "/")
        for listed in (listed for shard in source.shards for listed in shard.outputs):
            file = files.get(f"{below}/{listed.path}")
            if file is not None:
                now = after_changes(file, following.changes.get(file.path, ()))
                numbers += now.numbers()[listed.rows].tolist()
    return numbers


def share_error(root: str) -> float:
    """How far the worst share of a set is off, at the end of all rows."""
    return float(open_folder(root).manifest["share_error"])
