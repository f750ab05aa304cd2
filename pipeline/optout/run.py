"""What the command does that takes documents out: looks first, and acts where it is told to."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone

from rich.console import Console

from pipeline.command_line import errors_told, sentences, warn
from pipeline.corpus.manifest import read_manifest, run_folders
from pipeline.corpus.shard import Layout
from pipeline.engine.progress import Bar, Watcher, time_left
from pipeline.engine.state import held
from pipeline.errors import InputError
from pipeline.mix.folder import HELDOUT
from pipeline.mix.masks import masks_samples
from pipeline.mix.names import TOKEN_FILES, is_shard_folder
from pipeline.mix.rows import open_folder, store_of
from pipeline.optout import corpus as documents
from pipeline.optout import shards, token_files
from pipeline.optout.journal import Journal, finish_pending
from pipeline.optout.told import check_report, report_rows, table_of, write_report
from pipeline.removals.matching import Removals, load_removals, names_of
from pipeline.removals.records import is_pending
from pipeline.storage.filesystem import is_remote, join, list_tree, require
from pipeline.terminal import make_light
from pipeline.verify.shards import SHARE_TOLERANCE


@dataclass
class Folders:
    """What the command was given.

    Attributes:
        sources: The folders of sources.
        shards: The folders of token shards.
        corpora: The folders above the sources.
    """

    sources: list[str] = field(default_factory=list)
    shards: list[str] = field(default_factory=list)
    corpora: list[str] = field(default_factory=list)


def run(args: argparse.Namespace) -> None:
    """Looks, and acts."""
    make_light()
    with errors_told(stopped="What is done is kept: the same command ends it."):
        removals = load_removals(args.list)
        given = _classified(args.folders)
        if args.report:
            check_report(args.report)
        work = Work(args, given, removals)
        work.say(f"{args.list}: {names_of(removals.listed.removals)} (sha256 {removals.sha256})")
        with contextlib.ExitStack() as stack:
            if args.apply:
                _hold(stack, given, args.corpus)
            work.run()


def _classified(folders: Sequence[str]) -> Folders:
    """Tells sources from shards."""
    given = Folders()
    for name in folders:
        require(name)
        root = name if is_remote(name) else name.rstrip("/") or name
        if not is_remote(root) and not os.path.isdir(root):
            raise InputError(f"there is no folder {root}")
        if is_shard_folder(root):
            given.shards.append(root)
            continue
        sources = [found for found in run_folders(root) if _is_source(found)]
        if not sources:
            raise InputError(f"{root} is neither a corpus nor a folder of token shards")
        given.sources += sources
        given.corpora.append(root if sources != [root] else os.path.dirname(os.path.abspath(root)))
    if not given.sources:
        raise InputError(
            "give the corpus of the shards, too: only its ids and addresses tell which documents are listed"
        )
    return given


def _is_source(root: str) -> bool:
    if is_shard_folder(root):
        return False
    manifest = read_manifest(Layout(root))
    return manifest is None or "source" in manifest


def _hold(stack: contextlib.ExitStack, given: Folders, corpus: str | None) -> None:
    """Keeps others out of all folders till the end, and ends what was begun there."""
    for root in dict.fromkeys([*given.sources, *_token_roots(given, corpus), *given.shards]):
        stack.enter_context(held(Layout(root)))
        finish_pending(root)


def _token_roots(given: Folders, corpus: str | None) -> dict[str, str]:
    """The folders of token files, each with its corpus: those beside the corpora, and those that the shards name."""
    roots = {_tidy(join(root, TOKEN_FILES)): root for root in given.corpora}
    for root in given.shards:
        place = _corpus_of(root, given, corpus)
        roots[_tidy(store_of(open_folder(root, place)).root)] = place
    return {root: place for root, place in roots.items() if list_tree(root, ".json")}


def _tidy(root: str) -> str:
    return root if is_remote(root) else os.path.realpath(root)


def _corpus_of(root: str, given: Folders, corpus: str | None) -> str:
    """The corpus of a folder of shards, which is one of those that are given.

    Raises:
        InputError: It is not.
    """
    said = corpus or str(open_folder(root).manifest["corpus"])
    if _tidy(said) in map(_tidy, given.corpora):
        return said
    if corpus is None and len(given.corpora) == 1 and not os.path.isdir(said):
        return given.corpora[0]
    raise InputError(
        f"{root} was made of the corpus {said}: give that, too; or, if it was moved, its place by --corpus"
    )


class CountWatcher(Watcher):
    """Shows how many shards, or other things, are done.

    Args:
        name: Of the step.
        total: How many there are.
        console: Where it shows.
        things: What they are.
    """

    def __init__(self, name: str, total: int, console: Console, things: str = "shards") -> None:
        super().__init__(console, False)
        self.count = [0]
        self._name, self._total, self._things = name, total, things

    def __enter__(self) -> CountWatcher:
        super().__enter__()
        return self

    def look(self) -> None:
        """Nothing to look for: the work counts."""

    def bars(self) -> list[Bar]:
        """The one bar."""
        return [Bar(self._name, self.count[0], self._total)]

    def line(self) -> str:
        """One line for a log."""
        left = time_left(self.count[0], self._total, time.monotonic() - self._started)
        return f"{self._name}: {self.count[0]:,}/{self._total:,} {self._things}, {left}"


class Work:
    """One run of the command.

    Args:
        args: The command's flags.
        given: The folders.
        removals: The list.
    """

    def __init__(self, args: argparse.Namespace, given: Folders, removals: Removals) -> None:
        self._args, self._given, self._removals = args, given, removals
        self._progress, self._console = Console(stderr=True, quiet=args.quiet), Console(highlight=False)
        self.say = sentences(self._console)
        self._date = args.date or datetime.now(timezone.utc).date().isoformat()

    def run(self) -> None:
        """Looks, tells, and acts where it may."""
        pending = [root for root in (*self._given.sources, *self._given.shards) if is_pending(root)]
        if pending and not self._args.apply:
            self.say(f"Removals were begun and not ended in {', '.join(pending)}: --apply ends them.")
        with self._watch("look", self._given.sources) as watcher:
            found = [documents.find(root, self._removals, watcher.count) for root in self._given.sources]
        if self._args.report:
            write_report(self._args.report, self._removals.listed, report_rows(self._removals.listed, found))
        self._console.print(table_of(found, self._tokens(found)))
        self._tell_unused(found)
        if self._args.apply:
            self._apply(found)
        else:
            for root in self._given.shards:
                self._tell_impact(root, found)
            self.say("Nothing was changed. --apply takes out what is listed.")

    def _watch(self, name: str, roots: Sequence[str]) -> CountWatcher:
        total = sum(len(Layout(root).done()) for root in roots)
        return CountWatcher(name, total, self._progress)

    def _tell_unused(self, found: Sequence[documents.SourceMatches]) -> None:
        used = {place for source in found for shard in source.shards for file in shard.files for place in file.places}
        total = len(self._removals.listed.removals)
        self.say(f"Lines of the list that mean something here: {len(used):,} of {total:,}.")

    def _tokens(self, found: Sequence[documents.SourceMatches]) -> dict[str, int] | None:
        """Ids of the documents that are listed, by source, where token files count them."""
        stores = [store_of(open_folder(root, self._corpus(root))) for root in self._given.shards]
        if not stores:
            return None
        tokens: dict[str, int] = {}
        for source in found:
            files = [file for shard in source.shards for file in shard.outputs]
            counts = [token_files.count(stores[0], source.layout.root, file) for file in files]
            tokens[source.name] = tokens.get(source.name, 0) + sum(counts)
        return tokens

    def _corpus(self, root: str) -> str:
        return _corpus_of(root, self._given, self._args.corpus)

    def _tell_impact(self, root: str, found: Sequence[documents.SourceMatches]) -> None:
        following = shards.follow(root, self._corpus(root))
        removed = [*following.removed, *shards.numbers_of(following, found)]
        with self._watch("look", [root, join(root, HELDOUT)]) as watcher:
            impact = shards.impact(following, removed, watcher.count)
        tokens = ", ".join(f"{name} {count:,}" for name, count in impact.tokens.items() if count) or "none"
        rows = following.folder.manifest["rows"] + (following.heldout.manifest["rows"] if following.heldout else 0)
        self.say(f"{root}: {impact.rows:,} of {rows:,} rows, in {impact.shards:,} shards; tokens: {tokens}")

    def _apply(self, found: Sequence[documents.SourceMatches]) -> None:
        changed = sum(len(source.shards) for source in found)
        with CountWatcher("write", changed, self._progress) as watcher:
            for source in found:
                documents.take_out(source, self._removals, self._date, watcher.count)
        cut = sum(self._cut(root, place) for root, place in _token_roots(self._given, self._args.corpus).items())
        gone = sum(source.documents for source in found)
        self.say(f"Corpus: {gone:,} documents left {changed:,} shards. Token files written again: {cut:,}.")
        for root in self._given.shards:
            self._apply_to_shards(root)
        if self._args.exact:
            self._tell_exact(found)
        self._tell_next()

    def _cut(self, root: str, place: str) -> int:
        count = 0
        for stale in token_files.stale_files(root, place):
            journal = Journal(root, f"{count:06d}")
            token_files.cut(stale, journal)
            journal.commit()
            count += 1
        return count

    def _apply_to_shards(self, root: str) -> None:
        following = shards.follow(root, self._corpus(root))
        if not following.changes:
            self.say(f"{root}: nothing of it is to go.")
            return
        with self._watch("look", [root, join(root, HELDOUT)]) as watcher:
            done = shards.take_out(following, self._date, watcher.count)
        if "padding" in following.folder.manifest:
            self.say(f"{root}: documents stay whole in its rows, so what went is not filled: its place fills rows up.")
        else:
            self.say(
                f"{root}: {done['filled']:,} ids filled with documents of the same sources, {done['again']:,} of them "
                f"with such as were drawn before; {done['rows_out']:,} rows taken out for want of any."
            )
        if done["filled"] and masks_samples(following.folder.manifest):
            self.say(
                "  What fills places has no loss mask yet: run the same python -m pipeline.decontaminate --mask again."
            )
        for one in following.sets:
            off = shards.share_error(one.root)
            if off > SHARE_TOLERANCE:
                warn(
                    f"{one.root}: shares are off by {off:.3%} now. python -m pipeline.mix makes shards anew in another "
                    "folder."
                )

    def _tell_exact(self, found: Sequence[documents.SourceMatches]) -> None:
        for source in found:
            if scopes := documents.mark_scopes(source.layout, self._removals.sha256):
                self.say(
                    f"To be made anew: {len(scopes):,} scopes of {source.name}, by the command that made them, with"
                )
                self.say(f"  python -m sources.{source.name} ... --set optout={shlex.quote(self._args.list)}")

    def _tell_next(self) -> None:
        self.say("Next:")
        folders = " ".join(shlex.quote(root) for root in dict.fromkeys([*self._given.corpora, *self._given.shards]))
        places = {self._corpus(root): str(open_folder(root).manifest["corpus"]) for root in self._given.shards}
        moved = next((f" --corpus {shlex.quote(now)}" for now, then in places.items() if _tidy(now) != _tidy(then)), "")
        self.say(f"  python -m pipeline.verify {folders}{moved} --absent {shlex.quote(self._args.list)}")
        self.say("Make anew what was made of these folders elsewhere: reports, cards, published copies.")
