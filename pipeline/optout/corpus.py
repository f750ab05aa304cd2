"""Takes what is listed out of the folder of a source: shard after shard, and its manifest at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.corpus.manifest import all_stats, build_manifest, read_manifest
from pipeline.corpus.shard import MANIFEST, Layout, read_json
from pipeline.errors import InputError
from pipeline.optout.documents import stage_shard
from pipeline.optout.journal import Journal
from pipeline.optout.reports import stage_reports
from pipeline.removals.matching import Removals
from pipeline.removals.records import BEGUN, FOLDER, LOG, PENDING, changed_files, log_with, read_changes, read_log
from pipeline.removals.scan import ShardMatches, listed_rows, scan_source
from pipeline.storage.filesystem import exists, join, write_bytes

# Journals of what a source's folder has but once; no shard's name begins so.
REPORTS = "_reports"
END = "_end"


@dataclass(frozen=True)
class SourceMatches:
    """What is listed of a source.

    Attributes:
        layout: Its folder.
        name: Its name.
        shards: What is listed of each shard of which anything is.
        scanned: How many shards were looked through.
    """

    layout: Layout
    name: str
    shards: Sequence[ShardMatches]
    scanned: int

    @property
    def documents(self) -> int:
        """Documents that are listed."""
        return sum(len(found.rows) for shard in self.shards for found in shard.outputs)

    @property
    def rejects(self) -> int:
        """Rejects that are listed."""
        return sum(len(shard.rejects.rows) for shard in self.shards if shard.rejects)


def find(root: str, removals: Removals, seen: list[int] | None = None) -> SourceMatches:
    """Looks through a source.

    Args:
        root: Its folder.
        removals: The list.
        seen: Counts the shards that were looked through.

    Raises:
        InputError: No run has ended there.
    """
    layout = Layout(root)
    manifest = read_manifest(layout)
    if manifest is None:
        raise InputError(f"{root} has no manifest: run the source's command to its end first")
    found, scanned = [], 0
    for matches in scan_source(layout, removals):
        scanned += 1
        if seen is not None:
            seen[0] += 1
        if matches:
            found.append(matches)
    return SourceMatches(layout, str(manifest["source"]), found, scanned)


def take_out(found: SourceMatches, removals: Removals, date: str, seen: list[int] | None = None) -> None:
    """Takes what was found out of a source's folder, which nobody else may write to meanwhile.

    A shard is written anew, entered into a journal, and moved into place before the next. A mark stays till the
    manifest is new, so it is made, too, where a command was killed behind the last shard.

    Args:
        found: What ``find`` found.
        removals: The list.
        date: Today, for the log.
        seen: Counts the shards that were written.
    """
    layout = found.layout
    mark = join(layout.root, FOLDER, PENDING, BEGUN)
    if found.shards:
        write_bytes(mark, removals.sha256.encode())
        _commit_reports(found)
    for matches in found.shards:
        journal = Journal(layout.root, matches.shard)
        stage_shard(layout, matches, removals.sha256, journal)
        journal.commit()
        if seen is not None:
            seen[0] += 1
    if exists(mark) or not is_applied(layout.root, removals.sha256):
        _end(layout, removals, date, changed=exists(mark))


def _commit_reports(found: SourceMatches) -> None:
    """Reports come first: of shards that are written, ids are not found any more after a kill."""
    ids = {
        row["id"]
        for shard in found.shards
        for file in shard.files
        for row in listed_rows(found.layout.root, file, ["id"])
    }
    journal = Journal(found.layout.root, REPORTS)
    stage_reports(found.layout.root, ids, journal)
    journal.commit()


def _end(layout: Layout, removals: Removals, date: str, *, changed: bool) -> None:
    """Writes manifest and log, and takes the mark away."""
    journal = Journal(layout.root, END)
    if changed:
        before = read_json(layout.manifest)
        built = build_manifest(all_stats(layout), before["source"], before["configuration"])
        timing = {"timing": before["timing"]} if "timing" in before else {}
        journal.json(MANIFEST, {**built, "versions": before["versions"], **timing})
    documents = removed_by(layout.root, removals.sha256)
    logged = sum(int(line["documents"]) for line in read_log(layout.root) if line["list"] == removals.sha256)
    entry = {"date": date, "list": removals.sha256, "documents": documents - logged}
    with journal.file(f"{FOLDER}/{LOG}") as output:
        output.write(log_with(layout.root, entry))
    journal.delete(f"{FOLDER}/{PENDING}/{BEGUN}")
    journal.commit()


def is_applied(root: str, list_sha256: str) -> bool:
    """Whether a folder's log has a list."""
    return any(line.get("list") == list_sha256 for line in read_log(root))


def removed_by(root: str, list_sha256: str) -> int:
    """How many documents a list took out of a source, ever."""
    changes = (change for shard in changed_files(root) for change in read_changes(root, shard))
    return sum(len(change.rows) for change in changes if change.list_sha256 == list_sha256)


def mark_scopes(layout: Layout, list_sha256: str) -> list[str]:
    """Marks the scopes of shards that are as a list left them, so that the source's command makes them anew.

    For ``--exact``: what was dropped as a copy of a document that went comes back then.

    Args:
        layout: The source's folder.
        list_sha256: The checksum of the list.

    Returns:
        The names of the scopes.
    """
    names = set()
    for shard in layout.done().intersection(changed_files(layout.root)):
        stats = layout.read_stats(shard)
        there = {entry["path"]: entry["sha256"] for entry in stats["outputs"]}
        changes = [change for change in read_changes(layout.root, shard) if change.list_sha256 == list_sha256]
        if any(there.get(change.path) == change.after for change in changes):
            names.add(str(stats["scope"]["name"]))
    for name in sorted(names):
        write_bytes(layout.redo(name), b"")
    return sorted(names)
