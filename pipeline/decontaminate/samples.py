"""Reading evaluation samples: JSON lines, Parquet, and task files of lm-evaluation-harness whose data lie here."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import yaml

from pipeline.errors import InputError, StoreError
from pipeline.formats.json_lines import JsonFault, read_json_lines
from pipeline.formats.parquet_rows import ParquetFault, read_parquet_rows
from pipeline.storage.filesystem import exists, is_remote, join, open_input, read_bytes
from pipeline.storage.listing import match

JSON_LINES = (".jsonl", ".json", ".jsonl.gz", ".json.gz")
PARQUET = (".parquet",)
TASKS = (".yaml", ".yml")
KINDS = "*.jsonl (or .json with an object a line, also .gz), *.parquet, and *.yaml of lm-evaluation-harness"
MAX_RECORD_BYTES = 64 << 20
MAX_INCLUDES = 16  # of task files, one in the other
# Fields that say which sample it is, not what it says; not compared unless they are asked for.
NAMING = {"id", "_id", "ids", "idx", "index", "ind", "uid", "uuid", "guid", "label", "labels", "url", "split"}
SPLITS = ("test_split", "validation_split")  # those that the harness evaluates on, in this order
_TEMPLATE_FIELD = re.compile(r"\{\{-?\s*(?:doc\.)?([A-Za-z_]\w*)")


@dataclass(frozen=True)
class Sample:
    """One evaluation sample.

    Attributes:
        number: The number of its set.
        line: Its line in the file, from 1 on; in Parquet its row.
        text: Its fields, a line each.
    """

    number: int
    line: int
    text: str


@dataclass(frozen=True)
class EvaluationSet:
    """One file of samples.

    Attributes:
        name: What it is called: the file's name without its ending, or the task's.
        path: The file.
        sha256: Its checksum.
        fields: The fields that are compared; all of text where empty.
    """

    name: str
    path: str
    sha256: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Samples:
    """The samples of all sets, one set after the other."""

    sets: tuple[EvaluationSet, ...]
    samples: tuple[Sample, ...]


def read_samples(paths: Sequence[str], fields: Sequence[str] = ()) -> Samples:
    """Reads evaluation sets.

    Args:
        paths: Files, patterns, and folders, of which all files of a known kind are read.
        fields: The fields to compare; all that hold text where none is named.

    Raises:
        InputError: One cannot be read, or holds what is no sample: says the file and the line.
    """
    sets: list[EvaluationSet] = []
    samples: list[Sample] = []
    for name, path, wanted in _files(paths, tuple(fields)):
        digest, found = hashlib.sha256(), []
        for line, value in _records(path, digest):
            text = "\n".join(_text_of(value, wanted, f"{path}, line {line}"))
            if not text.strip():
                raise InputError(f"{path}, line {line}: it has no text{_in_fields(wanted)}. Name others with --fields.")
            found.append(Sample(len(sets), line, text))
        if not found:
            raise InputError(f"{path} holds no sample")
        sets.append(EvaluationSet(_unlike(name, sets), path, digest.hexdigest(), wanted))
        samples += found
    return Samples(tuple(sets), tuple(samples))


def _in_fields(wanted: Sequence[str]) -> str:
    return f" in {', '.join(wanted)}" if wanted else ""


def _unlike(name: str, sets: Sequence[EvaluationSet]) -> str:
    """A name that no set has yet."""
    taken = {one.name for one in sets}
    return next(n for n in (name, *(f"{name}-{k}" for k in range(2, len(sets) + 3))) if n not in taken)


def _files(paths: Sequence[str], fields: tuple[str, ...]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Name, path, and fields of each file of samples."""
    for given in paths:
        found = [file.path for file in match([given], flag="--against")]
        known = [path for path in found if path.endswith((*JSON_LINES, *PARQUET, *TASKS))]
        if not known:
            raise InputError(f"{given}: there are no evaluation sets; they are {KINDS}")
        for path in known:
            if path.endswith(TASKS):
                yield from _task_files(path, fields)
            else:
                yield _stem(path), path, fields


def _stem(path: str) -> str:
    name = path.replace("\\", "/").rpartition("/")[2]
    ending = max((e for e in (*JSON_LINES, *PARQUET, *TASKS) if name.endswith(e)), key=len)
    return name.removesuffix(ending)


def _records(path: str, digest: Any) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The records of a file with their numbers; the checksum of its bytes grows meanwhile."""
    try:
        data = read_bytes(path)
    except StoreError:
        raise
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    digest.update(data)
    with open_input(path) as handle:
        if path.endswith(PARQUET):
            yield from _parquet_records(path, handle)
        else:
            yield from _json_records(path, handle)


def _json_records(path: str, handle: BinaryIO) -> Iterator[tuple[int, Mapping[str, Any]]]:
    with open_input(path) as again:
        lines = _LineNumbers(again)
        for record in read_json_lines(handle, MAX_RECORD_BYTES):
            line = lines.at(record.offset)
            if isinstance(record, JsonFault):
                raise InputError(f"{path}, line {line}: {record.message}")
            yield line, record.value


class _LineNumbers:
    """Which line begins at an offset of an inflated file; offsets come in order."""

    def __init__(self, raw: BinaryIO) -> None:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        self._stream: Any = gzip.GzipFile(fileobj=raw) if packed else raw
        self._place, self._line = 0, 1

    def at(self, offset: int) -> int:
        while self._place < offset and (data := self._read(offset - self._place)):
            self._line += data.count(b"\n")
            self._place += len(data)
        return self._line

    def _read(self, size: int) -> bytes:
        try:
            return bytes(self._stream.read(min(size, 1 << 20)))
        except (OSError, EOFError):  # a damaged end, which the reader of records tells
            return b""


def _parquet_records(path: str, handle: BinaryIO) -> Iterator[tuple[int, Mapping[str, Any]]]:
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        columns = pq.ParquetFile(handle).schema_arrow.names
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} is no Parquet file, or damaged: {error}") from error
    handle.seek(0)
    for row in read_parquet_rows(handle, columns, MAX_RECORD_BYTES):
        if isinstance(row, ParquetFault):
            raise InputError(f"{path}, row {row.offset + 1}: {row.message}")
        yield row.offset + 1, row.value


def _text_of(value: Mapping[str, Any], fields: Sequence[str], where: str) -> list[str]:
    """The texts of the fields of a sample, in order."""
    if not fields:
        return list(_strings({key: inner for key, inner in value.items() if key not in NAMING}))
    missing = [field for field in fields if field not in value]
    if missing:
        raise InputError(f"{where}: it has no field {', '.join(missing)}; its fields are {', '.join(value)}")
    return [text for field in fields for text in _strings(value[field])]


def _strings(value: Any) -> Iterator[str]:
    """All strings in a value, in order; those of nested values, too, however deep."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, bytes):
            yield one.decode("utf-8", "replace")
        elif isinstance(one, Mapping):
            left += [inner for key, inner in one.items() if key not in NAMING][::-1]
        elif isinstance(one, (list, tuple)):
            left += one[::-1]


class _TaskLoader(yaml.SafeLoader):
    """Reads a task file; its own tags, such as ``!function``, name code, which is not run: they become nothing."""


_TaskLoader.add_multi_constructor("!", lambda loader, suffix, node: None)


def _task_files(path: str, fields: tuple[str, ...]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """The data files of a task of lm-evaluation-harness."""
    task = _task(path, 0)
    kind = task.get("dataset_path")
    files = (
        (task.get("dataset_kwargs") or {}).get("data_files") if isinstance(task.get("dataset_kwargs"), dict) else None
    )
    if kind not in ("json", "parquet") or not files:
        raise InputError(
            f"{path}: its data are {kind!r}, which do not lie here. Save them as JSON lines or Parquet, and give that "
            "file to --against; of task files those are read that have dataset_path json or parquet, and "
            "dataset_kwargs with data_files."
        )
    if isinstance(files, dict):
        split = next((task[key] for key in SPLITS if task.get(key) in files), None)
        if split is None:
            raise InputError(f"{path}: data_files has {', '.join(files)}, none of which is its test_split")
        files = files[split]
    name, wanted = str(task.get("task") or _stem(path)), fields or _query_fields(task)
    for place in [files] if isinstance(files, str) else files:
        for data in match([_beside(path, str(place))], flag=f"{path}: data_files"):
            if not data.path.endswith((*JSON_LINES, *PARQUET)):
                raise InputError(f"{path}: {data.path} is neither JSON lines nor Parquet")
            yield name, data.path, wanted


def _task(path: str, depth: int) -> dict[str, Any]:
    """A task file, and below it what it includes."""
    if depth > MAX_INCLUDES:
        raise InputError(f"{path}: more than {MAX_INCLUDES} task files include each other")
    try:
        task = yaml.load(read_bytes(path), _TaskLoader)
    except StoreError:
        raise
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError(f"{path} is no task file: {' '.join(str(error).split())}") from error
    if not isinstance(task, dict):
        raise InputError(f"{path} is no task file: it holds a {type(task).__name__}")
    if isinstance(base := task.get("include"), str):
        return {**_task(_beside(path, base), depth + 1), **task}
    return task


def _beside(path: str, name: str) -> str:
    """A file that a task file names: from where the command runs, as the harness has it, or from beside the task."""
    if is_remote(name) or os.path.isabs(name):
        return name
    near = join(path.replace("\\", "/").rpartition("/")[0] or ".", name)
    return name if not is_remote(path) and exists(name) else near


def _query_fields(task: Mapping[str, Any]) -> tuple[str, ...]:
    """What a task says is to be compared: ``doc_to_decontamination_query``, a field or a template of some."""
    query = task.get("doc_to_decontamination_query")
    if not isinstance(query, str) or not query:
        return ()
    return (query,) if query.isidentifier() else tuple(dict.fromkeys(_TEMPLATE_FIELD.findall(query)))


def fingerprint_of(samples: Samples) -> list[Iterable[str]]:
    """What tells the samples from others."""
    return [[one.name, one.sha256, *one.fields] for one in samples.sets]
