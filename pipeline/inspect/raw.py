"""What documents were before any step: their raw records, read again by the reader of their source.

The manifest names the source. ``pipeline`` imports none: the module that can read them is loaded by its name, and only
when it is asked for.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UserError
from pipeline.inspect.search import Found
from pipeline.report.corpus import SourceCorpus
from pipeline.steps import READ_STEP
from pipeline.storage.filesystem import InputFile, exists, is_remote

REREADER = "sources.reread"


@dataclass(frozen=True, slots=True)
class Before:
    """The text of a raw record; where there is none to be had, the reason."""

    text: str | None
    missing: str = ""


def read_before(found: Sequence[Found], raw: str | None, cache: Path | None) -> list[Before]:
    """Reads the raw records of documents, each raw file once.

    Args:
        found: The documents.
        raw: A folder in which the raw files lie now; None where they are where they were.
        cache: The cache folder for fetched files.
    """
    results: dict[int, Before] = {}
    groups: dict[tuple[str, str], list[int]] = {}
    for number, one in enumerate(found):
        origin = one.row.get("origin") or {}
        if one.step == READ_STEP or origin.get("file") is None:
            results[number] = Before(None, "it never became a document: what stands here says why")
        else:
            raw_file = input_of(one.corpus, origin["file"])
            groups.setdefault((one.corpus.layout.root, raw_file), []).append(number)
    for (_, path), numbers in groups.items():
        results.update(_read_file(found[numbers[0]].corpus, path, {n: found[n] for n in numbers}, raw, cache))
    return [results[number] for number in range(len(found))]


def _read_file(
    corpus: SourceCorpus, recorded: str, members: Mapping[int, Found], raw: str | None, cache: Path | None
) -> dict[int, Before]:
    path = find_raw(recorded, raw)
    if path is None:
        where = f"in {raw} nor where it was" if raw else "where it was; --raw DIR says where it lies now"
        return dict.fromkeys(members, Before(None, f"the raw file {recorded} is not {where}"))
    results: dict[int, Before] = {}
    changed = _changed(corpus, recorded, path)
    for file, numbers in _by_part(corpus, recorded, path, members).items():
        keys = {number: (members[number].row["id"], members[number].row["origin"]["offset"]) for number in numbers}
        try:
            reader = importlib.import_module(REREADER)
            texts = reader.reread(
                corpus.name,
                corpus.manifest["configuration"],
                corpus.layout.root,
                file,
                {key: members[number].row for number, key in keys.items()},
                recorded,
                cache,
            )
        except UserError as error:
            results.update(dict.fromkeys(numbers, Before(None, str(error))))
            continue
        lost = f"the record is not in {path} any more" + (f": {changed}" if changed else "")
        for number, key in keys.items():
            results[number] = Before(texts[key]) if key in texts else Before(None, lost)
    return results


def input_of(corpus: SourceCorpus, recorded: str) -> str:
    """The input that holds a file: the file itself, or the folder that was read as one input, such as a repository."""
    paths = {entry["path"] for entry in corpus.manifest["inputs"]}
    if recorded in paths:
        return recorded
    folders = [path for path in paths if recorded.startswith(f"{path.rstrip('/')}/")]
    return max(folders, key=len, default=recorded)


def find_raw(recorded: str, raw: str | None) -> str | None:
    """Where a raw file lies now: under ``raw``, by as much of its path as is found there, or where it was.

    Args:
        recorded: Its path when the corpus was made.
        raw: The folder to look in first.
    """
    if raw is not None and not is_remote(recorded):
        parts = Path(recorded).parts
        for start in range(len(parts)):
            candidate = os.path.join(raw, *parts[start:]) if parts[start] != os.sep else ""
            if candidate and os.path.exists(candidate):
                return candidate
    if is_remote(recorded):
        return recorded
    return recorded if exists(recorded) else None


def _changed(corpus: SourceCorpus, recorded: str, path: str) -> str:
    """Says so where the file has another size than it had."""
    sizes = [e["bytes"] for e in corpus.manifest["inputs"] if e["path"] == recorded and "start" not in e]
    if not sizes or sizes[0] is None or sizes[0] < 0 or not os.path.isfile(path) or os.path.getsize(path) == sizes[0]:
        return ""
    return f"the file has {os.path.getsize(path):,} bytes, it had {sizes[0]:,}"


def _by_part(
    corpus: SourceCorpus, recorded: str, path: str, members: Mapping[int, Found]
) -> dict[InputFile, list[int]]:
    """Groups documents by the part of the file that was read as one, so that no more of it is read again."""
    parts = sorted(_parts(corpus, recorded, path))
    grouped: dict[InputFile, list[int]] = {}
    for number, one in members.items():
        offset = one.row["origin"]["offset"]
        holder = [part for part in parts if part.start <= offset] or [InputFile(path, -1)]
        grouped.setdefault(holder[-1], []).append(number)
    return grouped


def _parts(corpus: SourceCorpus, recorded: str, path: str) -> Iterable[InputFile]:
    for entry in corpus.manifest["inputs"]:
        if entry["path"] == recorded:
            size = entry["bytes"] if entry["bytes"] is not None else -1
            yield InputFile(path, size, entry.get("start") or 0, entry.get("end"))
