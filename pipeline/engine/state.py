"""What the output of a source holds: whose it is, what is done there, what must be made again, what is left over."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pipeline.corpus.manifest import CONFIGURATION, READERS_REMOTE, all_stats, read_manifest
from pipeline.corpus.promised import PROMISED, files_of, promise
from pipeline.corpus.shard import (
    BLOCKS,
    IDS,
    MANIFEST,
    PART,
    PARTS,
    READINGS,
    REDO,
    SCOPES,
    SEEN,
    TIMING,
    WORK,
    Layout,
    Scope,
    Shard,
    as_json,
    read_json,
    write_json,
)
from pipeline.corpus.sink import REJECTS
from pipeline.engine.attendance import left_behind
from pipeline.engine.parts import Part
from pipeline.errors import OutputError
from pipeline.source import UNREADABLE
from pipeline.storage.filesystem import (
    create_bytes,
    delete_files,
    exists,
    file_sha256,
    file_sizes,
    forget_cached,
    is_remote,
    is_web,
    join,
    list_names,
    list_tree,
    write_bytes,
)
from pipeline.storage.locks import hold
from pipeline.storage.ownership import RECORD, Owned, check_folder, delete_names, remove_empty

# With what reasons begin where a file is damaged, and another copy of it may be sound: truncated_gzip, corrupt_bz2.
DAMAGED = ("truncated_", "corrupt_")
# What files below _work are called that are of no one shard: of a partition, a range, a month's part, a file's hash.
_WORK_STEM = re.compile(r"\d{4,}(-\d{5})?|[0-9a-f]{16}|settled|checksum")
_WORK_SUFFIXES = {"", ".arrow", ".blocks", ".npy", ".json", ".progress", ".pickle"}


@contextlib.contextmanager
def held(layout: Layout, part: Part | None = None) -> Iterator[None]:
    """Makes the output folder, checks that it can be written, and keeps other local runs out of what this one writes.

    A run without a part holds the whole folder. Parts of one number share it, and hold each its own mark.
    """
    if is_remote(layout.root):
        if part is not None:
            create_bytes(layout.part(part.number, part.count), b"")
        _end_abandoned(layout, part)
        yield
        return
    with contextlib.ExitStack() as stack:
        if not _locked(stack, layout, join(layout.root, ".lock"), shared=part is not None):
            raise OutputError(f"another run is writing to {layout.root}; wait for it, or stop it")
        if part is not None:
            if not _locked(stack, layout, layout.part(part.number, part.count), shared=False):
                raise OutputError(f"part {part} is at work in {layout.root}; wait for it, or stop it")
            _refuse_other_counts(layout, part)
        _end_abandoned(layout, part)
        yield


def _end_abandoned(layout: Layout, part: Part | None) -> None:
    """Stops what commands that were killed left at work on a cluster: this run looks at what is done next."""
    name = part.file_name if part is not None else None
    if left_behind(layout.root, name):
        from pipeline.engine.abandoned import end_abandoned  # noqa: PLC0415 - Beam, which takes a second to import

        end_abandoned(layout.root, name)


def _locked(stack: contextlib.ExitStack, layout: Layout, path: str, *, shared: bool) -> bool:
    """Holds a file till the stack ends; False where another process holds it."""
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        # NFS: a lock to be shared needs a file that can be read; another one, a file that can be written.
        lock = stack.enter_context(open(path, "a+b"))  # noqa: SIM115 - the stack closes it
    except OSError as error:
        raise OutputError(f"cannot write to {layout.root}: {error.strerror}. Choose another --output.") from error
    return hold(lock, shared=shared)


def _refuse_other_counts(layout: Layout, part: Part) -> None:
    """Refuses to work beside parts of another number: two of them would have the care of one shard."""
    for number, count in layout.parts():
        with contextlib.ExitStack() as probe:
            if count != part.count and not _locked(probe, layout, layout.part(number, count), shared=True):
                raise OutputError(
                    f"part {number}/{count} is at work in {layout.root}, and this is part {part}: all parts that are "
                    "at work at a time must be of as many. Wait for it, or stop it."
                )


def check_source(layout: Layout, source: str, command: str) -> Owned:
    """Tells whether a folder is a source's to write to, as ``check_folder`` does."""

    def earlier(root: str) -> list[str] | None:
        """What versions without records left: a configuration that names the source."""
        before = read_if_there(join(root, CONFIGURATION))
        return [CONFIGURATION, MANIFEST] if before is not None and before.get("source") == source else None

    return check_folder(layout.root, command, earlier)


def claim_source(layout: Layout, source: str, command: str, names: Sequence[str] = (), *, alone: bool = True) -> Owned:
    """Makes the folder of a source its own, and removes what a killed run left half-written.

    The record lists what the folder has once. Files of shards and scopes are listed by their own records: those of
    scopes, stats, and promises.

    Args:
        layout: The folder.
        source: The source's name.
        command: What runs it.
        names: Files that the source has beside those of all sources.
        alone: Whether no other run is at work there, of which something may be half-written.

    Raises:
        OutputError: It holds what the source's command did not write.
    """
    owned = check_source(layout, source, command)
    if owned.names and not exists(join(layout.root, RECORD)):  # of a version without records: all is as it left it
        _promise_unfinished(layout)
        owned.adopt(name for name in names if exists(join(layout.root, *name.split("/"))))
    owned.claim()
    if alone:
        owned.remove_temporaries()
    owned.expect([CONFIGURATION, MANIFEST, *names])
    return owned


def _promise_unfinished(layout: Layout) -> None:
    """Lists the files of shards that a run of a version without promises did not finish."""
    done = layout.done()
    unfinished = set[str]().union(*_recorded(layout).values()) - done
    for path in list_tree(layout.root, ".parquet") if unfinished else ():
        folder, _, name = path.removesuffix(".parquet").partition("/")
        if name in unfinished and (folder == REJECTS or not folder.startswith(("_", "."))):
            promise(layout, name, [path])


def _recorded(layout: Layout) -> dict[str, set[str]]:
    """The shards of each scope of which there is a record; a file that is none is passed over."""
    found = {}
    for name in sorted(list_names(join(layout.root, SCOPES), ".json")):
        with contextlib.suppress(OutputError, KeyError, TypeError):
            found[name] = set(scope_record(layout, name)["shards"])
    return found


def scope_record(layout: Layout, scope: str) -> dict[str, Any]:
    """What is recorded of a scope: its fingerprint and its shards; none where there is no record."""
    return read_if_there(layout.scope(scope)) or {"fingerprint": "", "shards": []}


def forget_all(layout: Layout) -> None:
    """Removes what runs left that finished nothing, by their records of scopes; files they promised wait for others."""
    scopes = _recorded(layout)
    shards = set[str]().union(*scopes.values())
    remove_work(layout, shards)
    _remove_timings(layout, shards, set(scopes))
    delete_files([layout.ids(shard) for shard in sorted(shards & list_names(join(layout.root, IDS), ".npy"))])
    delete_files([layout.seen(scope) for scope in sorted(scopes.keys() & list_names(join(layout.root, SEEN), BLOCKS))])
    delete_files([path for scope in scopes for path in (layout.scope(scope), layout.redo(scope))])


def remove_work(layout: Layout, shards: Set[str], folder: str = "") -> None:
    """Removes files below ``_work`` that runs of some shards wrote, promises apart; what else lies there stays.

    Args:
        layout: The source's folder.
        shards: Names of the shards.
        folder: The one folder that is meant.
    """
    below = join(layout.work, folder) if folder else layout.work
    prefix = f"{WORK}/{folder}/" if folder else f"{WORK}/"
    names = [prefix + name for name in file_sizes(below, "") if _is_work(name, shards)]
    delete_names(layout.root, [name for name in names if not name.startswith(f"{WORK}/{PROMISED}/")])
    readings = [f"{prefix}{READINGS}", prefix.rstrip("/")] if folder else []  # whose files may be gone already
    remove_empty(layout.root, [*readings, WORK, f"{WORK}/{PROMISED}"])


def remove_marks(layout: Layout) -> None:
    """Removes the marks of parts, which a run of the whole does not need."""
    delete_names(layout.root, [f"{PARTS}/{number}-of-{count}{PART}" for number, count in layout.parts()])


def _is_work(name: str, shards: Set[str]) -> bool:
    file = name.rpartition("/")[2]
    stem, suffix = os.path.splitext(file)
    return file in shards or (suffix in _WORK_SUFFIXES and (stem in shards or bool(_WORK_STEM.fullmatch(stem))))


def _remove_timings(layout: Layout, shards: Set[str], scopes: Set[str]) -> None:
    """Removes the times of shards, and of passes over them: ``<shard>.hash``, ``<scope>-<range>.rows``."""

    def is_theirs(name: str) -> bool:
        parts = name.split(".")
        heads = {".".join(parts[:cut]) for cut in range(1, len(parts) + 1)}
        return bool(heads & shards) or (parts[-1] == "rows" and name.rpartition("-")[0] in scopes)

    delete_files([layout.timing(name) for name in list_names(join(layout.root, TIMING), ".json") if is_theirs(name)])


def claim_scopes(layout: Layout, scopes: Sequence[Scope], done: set[str], inputs: str, *, alone: bool = True) -> None:
    """Records what each scope holds; refuses a shard that is done in another company, or of another input.

    Where this run is not alone, it also refuses a scope that was begun in another company: that may be at work.
    """
    with ThreadPoolExecutor(READERS_REMOTE if is_remote(layout.root) else 1) as pool:
        records = list(pool.map(read_if_there, [layout.scope(scope.name) for scope in scopes]))
    for scope, before in zip(scopes, records, strict=True):
        record: dict[str, Any] = {"fingerprint": scope.fingerprint, "shards": [s.name for s in scope.shards]}
        if scope.after is not None:
            record.update(after=list(scope.after), bytes=scope.size)
        company = {*record["shards"], *(before["shards"] if before else ())}
        if before is not None and "after" in before and scope.after is None:
            raise OutputError(f"scope {scope.name} in {layout.root} was made with --grow: give it again")
        if before != record and company & done:
            there = len(before["shards"]) if before else "other"
            counts = f"{there} shards there, {len(scope.shards)} here, or files of other names or sizes"
            raise OutputError(
                f"shard {min(company & done)} in {layout.root} was deduplicated with other files than now "
                f"({_what_differs(layout, scope, done) or counts}). Give the same "
                f"{inputs} as before, wherever they lie now (more files may follow, in whole scopes; --retry-failed "
                "takes in a file that could not be read then), or choose another --output."
            )
        _check_moved(layout, scope, done)
        if alone and before != record:
            write_json(layout.scope(scope.name), record)
        elif not alone and not _records(layout.scope(scope.name), record):
            raise OutputError(
                f"scope {scope.name} in {layout.root} was begun with other files than now, or files of other names "
                f"or sizes. Give all parts the same {inputs}; or, to begin the scope anew once no part is at work, run "
                "the same command with --finish in place of --part, and then all parts."
            )


def _what_differs(layout: Layout, scope: Scope, done: set[str]) -> str:
    """Which file of a finished shard has another size now; empty where none has."""
    for shard in scope.shards:
        entries = layout.read_stats(shard.name)["inputs"] if shard.name in done else []
        sizes = {entry["path"].rpartition("/")[2]: entry["bytes"] for entry in entries}
        for file in shard.inputs:
            before = sizes.get(file.path.rpartition("/")[2])
            if not file.is_part and before is not None and 0 <= file.size != before:
                return f"{file.path} had {before:,} bytes, and has {file.size:,}"
    return ""


def _records(path: str, record: dict[str, Any]) -> bool:
    """Writes a record where there is none; tells whether it is there."""
    return create_bytes(path, as_json(record)) or read_if_there(path) == record


def _check_moved(layout: Layout, scope: Scope, done: set[str]) -> None:
    """Refuses a scope whose files were moved and are not those that were read: it compares one file's checksum."""
    for shard in scope.shards:
        if shard.name not in done or all(is_remote(file.path) for file in shard.inputs):
            continue
        entries = layout.read_stats(shard.name)["inputs"]
        pairs = zip(shard.inputs, entries, strict=False) if len(entries) == len(shard.inputs) else ()
        for file, entry in pairs:
            is_whole = os.path.isfile(file.path) and not file.is_part and entry["sha256"]
            if file.path == entry["path"] or not is_whole:
                continue
            if file_sha256(file.path) != entry["sha256"]:
                raise OutputError(
                    f"{file.path} is not the file of which shard {shard.name} in {layout.root} was made "
                    f"({entry['path']}), though it has its name and size. Give the same files as before, or choose "
                    "another --output."
                )
            return


def mark_failed(layout: Layout, scopes: Sequence[Scope], done: Set[str]) -> None:
    """Marks the scopes that hold a file that could not be read, to be made again."""
    for scope in scopes:
        finished = [shard.name for shard in scope.shards if shard.name in done]
        if any(map(has_unreadable, all_stats(layout, finished))):
            write_bytes(layout.redo(scope.name), b"")


def has_unreadable(stats: Mapping[str, Any]) -> bool:
    """Whether a file broke off while it was read, was cut short or damaged, or gave nothing but failures.

    Args:
        stats: A shard's, or a source's manifest.
    """
    reasons = stats["ledger"]["steps"][0]["failed"]
    broke_off = any(reason == UNREADABLE or reason.startswith(DAMAGED) for reason in reasons)
    return broke_off or any(0 < entry.get("failed", 0) == entry.get("records", 0) for entry in stats["inputs"])


def forget_marked(layout: Layout, scopes: Sequence[Scope], cache: Path | None = None) -> set[str]:
    """Forgets that the shards of marked scopes were done; the mark goes last, so that no half of it is ever done.

    Their Parquet files stay till what replaces them is there. Files of theirs that were fetched, and of which something
    failed, leave the cache, and are fetched anew.

    Args:
        layout: The output.
        scopes: Those that are planned.
        cache: Where fetched files are kept; the default cache where None.

    Returns:
        The shards, those among them that are not planned any more.
    """
    marked, forgotten = list_names(join(layout.root, SCOPES), REDO), set[str]()
    for scope in scopes:
        if scope.name not in marked:
            continue
        record = scope_record(layout, scope.name)
        names = {*record["shards"], *(shard.name for shard in scope.shards)}
        _forget_fetched(layout, names, cache)
        forget_shards(layout, names)
        _remove_timings(layout, names, {scope.name})
        remove_work(layout, names, record["fingerprint"][:16])
        delete_files([layout.seen(scope.name)])
        delete_files([layout.scope(scope.name)])
        delete_files([layout.redo(scope.name)])
        forgotten |= names
    return forgotten


def refuse_marked(layout: Layout, scopes: Sequence[Scope]) -> None:
    """Refuses to go on with a scope that must be made again and is not this run's alone.

    Raises:
        OutputError: There is one.
    """
    marked = list_names(join(layout.root, SCOPES), REDO)
    for scope in scopes:
        if scope.name in marked:
            raise OutputError(
                f"scope {scope.name} in {layout.root} must be made again, since a file of it changed while parts were "
                "at work. Once no part is at work, run the same command with --finish in place of --part, which "
                "forgets what was made of it, and then all parts again."
            )


def _forget_fetched(layout: Layout, names: Iterable[str], cache: Path | None) -> None:
    """Removes from the cache what shards read of it in which something failed: the copy may be what is wrong."""
    for name in sorted(names):
        for entry in (read_if_there(layout.stats(name)) or {"inputs": []})["inputs"]:
            if is_web(entry["path"]) and entry.get("failed"):
                forget_cached(entry["path"], cache)


def forget_shards(layout: Layout, names: Iterable[str]) -> None:
    """Forgets that shards were done; their files are promised till others replace them."""
    for name in sorted(names):
        stats = read_if_there(layout.stats(name))
        if stats is not None:
            promise(layout, name, files_of(stats))
            delete_files([layout.stats(name)])


def forget_damaged(layout: Layout, shards: Sequence[Shard], done: Set[str]) -> set[str]:
    """Forgets that shards were done whose Parquet files are missing or cut, so that this run makes them again.

    Args:
        layout: The output.
        shards: Those that are planned.
        done: The shards whose stats are there.

    Returns:
        The shards.
    """
    sizes = file_sizes(layout.root, ".parquet") if done else {}
    planned = [shard.name for shard in shards if shard.name in done]
    stats = all_stats(layout, planned)
    damaged = {name for name, entry in zip(planned, stats, strict=True) if _lacks_files(entry, sizes)}
    forget_shards(layout, damaged)
    return damaged


def promise_listed(layout: Layout, missing: Set[str]) -> None:
    """Promises what the manifest lists of shards that are to be made: their stats files were removed since."""
    manifest = read_manifest(layout) if missing else None
    listed: dict[str, set[str]] = {}
    for file in (*manifest["outputs"], *manifest["rejects"]) if manifest else ():
        shard = file["path"].removesuffix(".parquet").partition("/")[2]
        if shard in missing:
            listed.setdefault(shard, set()).add(file["path"])
    for shard, files in sorted(listed.items()):
        promise(layout, shard, files)


def _lacks_files(stats: Mapping[str, Any], sizes: Mapping[str, int]) -> bool:
    """Whether a Parquet file of a shard is not there with its size."""
    files = [*stats["outputs"], *([stats["rejects"]] if stats["rejects"] else [])]
    return any(sizes.get(file["path"]) != file["bytes"] for file in files)


def read_if_there(path: str) -> dict[str, Any] | None:
    """A mapping that ``write_json`` wrote; None where there is no such file."""
    return read_json(path) if exists(path) else None
