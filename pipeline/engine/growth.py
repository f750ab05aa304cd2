"""A source that grows: files that its output does not have yet become scopes of their own, which join what is there.

A scope that joins others is deduplicated in itself as ever, and then against what those have: of copies in two scopes,
the one in the earlier scope stays. So nothing that is there is made again, and the whole holds no text twice. For
that, each scope leaves the hashes of its units, 8 bytes each, in ``_seen/``, without those that scopes before it have:
made again itself, after files of it were mended, it is deduplicated against the later ones, and takes in what they
dropped for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from pipeline.corpus.shard import SCOPES, Layout, Scope, Shard
from pipeline.engine.exchange.seen import collect
from pipeline.engine.state import scope_record
from pipeline.engine.tasks import grids_of, work_folder
from pipeline.errors import InputError, OutputError
from pipeline.source import Round
from pipeline.storage.filesystem import exists, join, list_names, write_bytes

MARK_CHARACTERS = 8  # of a fingerprint, in the name of a scope that joins others
_JOINED = re.compile(rf"(.+)\+[0-9a-f]{{{MARK_CHARACTERS}}}")


def refuse_other_dedup(source: str, rounds: Sequence[Round]) -> None:
    """Refuses a source whose dedup cannot tell from hashes alone which of the copies in two scopes stays.

    Raises:
        InputError: It is such a source.
    """
    if len(rounds) != 1 or rounds[0].dedup.policy == "drop_all":
        raise InputError(f"--grow is not for what {source} is deduplicated by here: later files join as whole scopes")


def grown(layout: Layout, scopes: Sequence[Scope]) -> list[Scope]:
    """The plan of a run whose output grows: shards that are there stay in their scopes, the others are new ones.

    Args:
        layout: The output.
        scopes: The scopes of what is given, as if it were all.

    Raises:
        OutputError: A scope before is not finished, or was made without leaving its hashes.
    """
    names = sorted(list_names(join(layout.root, SCOPES), ".json"))
    records = {name: scope_record(layout, name) for name in names}
    found: list[Scope] = []
    for scope in scopes:
        before = {name: record for name, record in records.items() if _base(name) == scope.name}
        found += _of_scope(layout, scope, before)
    return sorted(found, key=lambda scope: len(scope.after or ()))  # a scope comes behind those that it joins


def _of_scope(layout: Layout, scope: Scope, records: dict[str, dict[str, Any]]) -> Iterator[Scope]:
    """What is there of one scope, as far as it is given again; and the rest of it, joining that."""
    holder = {shard: name for name, record in records.items() for shard in record["shards"]}
    parts: dict[str, list[Shard]] = {}
    for shard in scope.shards:
        parts.setdefault(holder.get(shard.name, ""), []).append(shard)
    new = parts.pop("", None)
    sizes = {name: int(record.get("bytes", 0)) for name, record in records.items()}
    for name, shards in parts.items():
        after = records[name].get("after")
        if after is None:
            raise _without_hashes(layout, name)
        yield _scope(name, shards, after, sizes)
    if new:
        for name, record in records.items():
            if name not in parts and not exists(layout.seen(name)):
                raise _unfinished(layout, name, record)
        alone = Scope(scope.name, tuple(new))
        name = f"{scope.name}+{alone.fingerprint[:MARK_CHARACTERS]}" if records else scope.name
        yield _scope(name, new, sorted(records), sizes)


def _scope(name: str, shards: Iterable[Shard], after: Sequence[str], sizes: dict[str, int]) -> Scope:
    named = tuple(replace(shard, scope=name) for shard in shards)
    return Scope(name, named, tuple(after), sum(sizes.get(other, 0) for other in after))


def _base(name: str) -> str:
    """The scope that one belongs to, as a plan without growth has it."""
    joined = _JOINED.fullmatch(name)
    return joined[1] if joined else name


def _without_hashes(layout: Layout, name: str) -> OutputError:
    return OutputError(
        f"scope {name} in {layout.root} was made without --grow, so nothing can join it. Leave --grow out, or choose "
        "another --output."
    )


def _unfinished(layout: Layout, name: str, record: dict[str, Any]) -> OutputError:
    if record.get("after") is None:
        return _without_hashes(layout, name)
    return OutputError(
        f"scope {name} in {layout.root} is not finished, or {layout.seen(name)} is lost, so nothing can join it. Give "
        f"its files too ({len(record['shards'])} shards, {record['shards'][0]} among them), or finish it first."
    )


def mark_unjoined(layout: Layout, scopes: Iterable[Scope], done: set[str]) -> None:
    """Marks unfinished scopes to be made again of which one that they join was forgotten since.

    Args:
        layout: The output.
        scopes: The scopes.
        done: The shards that are done.
    """
    for scope in scopes:
        is_done = done.issuperset(shard.name for shard in scope.shards)
        if not is_done and not all(exists(layout.seen(name)) for name in scope.after or ()):
            write_bytes(layout.redo(scope.name), b"")


def keep_seen(layout: Layout, scopes: Iterable[Scope], rounds: Sequence[Round], done: set[str]) -> None:
    """Keeps the hashes of finished scopes for those that join them; what is kept already stays.

    Args:
        layout: The output.
        scopes: The scopes.
        rounds: The source's round of dedup.
        done: The shards that are done.
    """
    for scope in scopes:
        if scope.after is not None and done.issuperset(shard.name for shard in scope.shards):
            parts = layout.seen_parts(work_folder(scope.fingerprint))
            collect(parts, grids_of(scope, rounds)[-1].partitions, layout.seen(scope.name))
