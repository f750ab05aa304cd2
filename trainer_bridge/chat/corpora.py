"""Corpora of conversations and of preference pairs, read and written (docs/formats.md).

A conversation has ``meta.messages`` (``role``, ``content``, ``train``), a pair ``meta.messages`` up to the user's turn,
``meta.chosen``, ``meta.rejected`` and ``meta.margin``; ``meta.chosen_safe`` and ``meta.rejected_safe`` where somebody
said of the answers whether they are safe.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from trainer_bridge.chat.dialogue import Message
from trainer_bridge.errors import TrainerError

ROWS = 1024  # read at a time
MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string()), ("train", pa.bool_())]))
ORIGIN = pa.struct([("file", pa.string()), ("offset", pa.int64())])


@dataclass(frozen=True)
class Pair:
    """Two answers to a prompt, of which people prefer one.

    Attributes:
        messages: the prompt's turns, the user's last.
        chosen: the better answer.
        rejected: the other one.
        margin: how much better, in the data set's own terms; None where it does not say.
        chosen_safe: whether the better answer is safe; None where nobody says.
        rejected_safe: whether the other one is.
    """

    messages: tuple[Message, ...]
    chosen: str
    rejected: str
    margin: float | None = None
    chosen_safe: bool | None = None
    rejected_safe: bool | None = None


@dataclass(frozen=True)
class Row:
    """A document: its id, what its ``meta`` says, and the file that holds it."""

    id: str
    meta: dict[str, Any]
    file: Path

    @property
    def messages(self) -> tuple[Message, ...]:
        """Its turns; none where it has no list of them, and an empty one where one is null."""
        return tuple(message or {} for message in self.meta["messages"] or ())


def parquet_files(paths: Iterable[str | Path]) -> list[Path]:
    """The Parquet files of some paths, sorted; of folders all below, but for those that begin with ``_`` or a point.

    Raises:
        TrainerError: a path is not there, or holds none.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if not path.exists():
            raise TrainerError(f"there is no {path}")
        inside = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
        kept = [file for file in inside if not any(p[0] in "_." for p in file.relative_to(path).parts)]
        if not kept:
            raise TrainerError(
                f"{path} holds no *.parquet: give a corpus of python -m sources.instructions, or its files"
            )
        found += kept
    return found


def _is_text(kind: pa.DataType) -> bool:
    return any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _is_messages(kind: pa.DataType) -> bool:
    is_list = any(test(kind) for test in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list))
    if not is_list or pa.types.is_null(kind.value_type):
        return is_list
    fields = {field.name: field.type for field in kind.value_type} if pa.types.is_struct(kind.value_type) else {}
    known = {"role": _is_text, "content": _is_text, "train": pa.types.is_boolean}
    right = all(pa.types.is_null(fields[name]) or test(fields[name]) for name, test in known.items() if name in fields)
    return right and {"role", "content"} <= fields.keys()


# Of ``meta``: what each column holds, where it is there.
KINDS: dict[str, tuple[str, Callable[[pa.DataType], bool]]] = {
    "messages": ("a list of {role: string, content: string, train: bool}", _is_messages),
    "chosen": ("string", _is_text),
    "rejected": ("string", _is_text),
    "margin": ("a number", _is_number),
    "chosen_safe": ("bool", pa.types.is_boolean),
    "rejected_safe": ("bool", pa.types.is_boolean),
}


def _check_schema(path: Path, schema: pa.Schema) -> None:
    """Refuses a file whose columns are not those of conversations or pairs."""
    kind: Any = schema.field("meta").type if "meta" in schema.names else pa.null()
    fields = {field.name: field.type for field in kind} if pa.types.is_struct(kind) else {}
    if "id" not in schema.names or "messages" not in fields:
        raise TrainerError(f"{path} has no column meta.messages: it holds neither conversations nor pairs")
    for name, (wanted, is_right) in KINDS.items():
        found = fields.get(name, pa.null())
        if not pa.types.is_null(found) and not is_right(found):
            raise TrainerError(f"{path} is damaged, or no corpus: its meta.{name} holds {found}, not {wanted}")


def check_files(paths: Iterable[str | Path]) -> None:
    """Refuses what is no corpus, before anything is read of it.

    Raises:
        TrainerError: a path is not there, or a file cannot be read, or has not the columns of one.
    """
    for path in parquet_files(paths):
        try:
            schema = pq.read_schema(path)
        except (OSError, pa.ArrowException) as error:
            raise TrainerError(f"{path} cannot be read as Parquet: {error}") from error
        _check_schema(path, schema)


def read_rows(paths: Iterable[str | Path]) -> Iterator[Row]:
    """The documents of some corpora, in the order of their files.

    Raises:
        TrainerError: a file cannot be read, or has not the columns of a corpus.
    """
    for path in parquet_files(paths):
        try:
            with pq.ParquetFile(path) as file:
                _check_schema(path, file.schema_arrow)
                for batch in file.iter_batches(ROWS, columns=["id", "meta"]):
                    for row in batch.to_pylist():
                        yield Row(str(row["id"]), row["meta"] or {"messages": None}, path)
        except (OSError, pa.ArrowException) as error:
            raise TrainerError(f"{path} cannot be read as Parquet: {error}") from error


def read_pairs(paths: Sequence[str | Path]) -> Iterator[Pair]:
    """The preference pairs of some corpora.

    Raises:
        TrainerError: a document is no pair.
    """
    for row in read_rows(paths):
        meta = row.meta
        if not isinstance(meta.get("chosen"), str) or not isinstance(meta.get("rejected"), str):
            raise TrainerError(
                f"the document {row.id} is no preference pair, as it lacks meta.chosen or meta.rejected: {row.file}. "
                "Give pairs alone, such as corpus/instructions/preferences"
            )
        safe = (meta.get("chosen_safe"), meta.get("rejected_safe"))
        yield Pair(row.messages, meta["chosen"], meta["rejected"], meta.get("margin"), *safe)


def read_prompts(paths: Sequence[str | Path]) -> Iterator[tuple[Message, ...]]:
    """The prompts of conversations, which is all before the last answer, and of pairs."""
    for row in read_rows(paths):
        messages = row.messages
        is_answered = bool(messages) and messages[-1].get("role") == "assistant"
        yield messages[:-1] if is_answered else messages


def write_conversations(path: Path, source: str, rows: Iterable[tuple[str, Sequence[Message], dict[str, Any]]]) -> int:
    """Writes conversations as documents of a corpus; the file appears when it is whole.

    Args:
        path: the Parquet file.
        source: what wrote them.
        rows: of each its id, its messages, and what ``meta`` says besides (numbers, texts); the same keys in all.

    Returns:
        How many there are.
    """
    found = list(rows)
    more = {key: [extra[key] for _, _, extra in found] for key in (found[0][2] if found else {})}
    messages = pa.array([[_message(m) for m in turns] for _, turns, _ in found], MESSAGES)
    nothing = pa.nulls(len(found), pa.string())
    own = {"chosen": nothing, "rejected": nothing, "margin": pa.nulls(len(found), pa.float64())}
    extras = {key: pa.array(values) for key, values in more.items()}
    columns = {"messages": messages, **own, "dataset": pa.array([source] * len(found)), **extras}
    meta = pa.StructArray.from_arrays(list(columns.values()), list(columns))
    texts = ["\n\n".join(str(m["content"]) for m in turns) for _, turns, _ in found]
    table = pa.table(
        {
            "id": pa.array([name for name, _, _ in found], pa.string()),
            "text": pa.array(texts, pa.large_string()),
            "source": pa.array([source] * len(found), pa.string()),
            "url": nothing,
            "language": nothing,
            "created": pa.nulls(len(found), pa.timestamp("us", "UTC")),
            "license": nothing,
            "origin": pa.nulls(len(found), ORIGIN),
            "meta": meta,
        }
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.tmp")
    pq.write_table(table, partial, compression="zstd", compression_level=3)
    partial.replace(path)
    return len(found)


def _message(message: Message) -> dict[str, Any]:
    is_trained = message["role"] == "assistant" and message.get("train") is not False
    return {"role": message["role"], "content": message["content"], "train": is_trained}
