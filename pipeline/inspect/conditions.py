"""Conditions on the columns of a document, such as ``perplexity>300``: parsed once, applied to record batches."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import InputError

TEXT = "text"
CHARACTERS = "characters"
_EXPRESSION = re.compile(r"\s*([A-Za-z_][\w.]*)\s*(<=|>=|!=|=|<|>|~)\s*(.*?)\s*", re.S)
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "=": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
_TRUE, _FALSE = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0"})


@dataclass(frozen=True)
class Condition:
    """A column, an operator (``~``: a part of the text, its case ignored), and the value to compare with."""

    name: str
    operator: str
    value: str

    def __str__(self) -> str:
        return f"{self.name}{self.operator}{self.value}"


class NoSuchField(InputError):
    """A source has no field of that name; another one may have it.

    Attributes:
        name: The name.
        known: The fields that there are.
    """

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        self.known = sorted(set(known))
        close = difflib.get_close_matches(name, self.known, 1)
        hint = f"did you mean {close[0]}? " if close else ""
        super().__init__(f"there is no field {name!r}; {hint}There are: {', '.join(self.known)}")

    def beside(self, other: NoSuchField | None) -> NoSuchField:
        """The same with the fields of a source looked through before, where that one lacked the same field, too."""
        return NoSuchField(self.name, [*self.known, *other.known]) if other and other.name == self.name else self


def parse_condition(expression: str) -> Condition:
    """Parses ``field operator value``.

    Raises:
        InputError: It has not that form.
    """
    found = _EXPRESSION.fullmatch(expression)
    if not found:
        raise InputError(
            f"--where {expression!r} must be a field, one of = != < <= > >= ~ and a value: perplexity>300, title~Berlin"
        )
    return Condition(found[1], found[2], found[3])


def column_path(name: str, schema: pa.Schema) -> str:
    """The column that a name stands for: a top one, a field of ``meta``, ``origin``'s file, or ``characters``.

    Raises:
        NoSuchField: There is none; the fields that there are are named.
    """
    meta = [child.name for child in schema.field("meta").type]
    plain = name.removeprefix("meta.")
    if plain in meta and (name != plain or name not in schema.names):
        return f"meta.{plain}"
    if name in schema.names and name not in {"meta", "origin"}:
        return name
    if name in {"origin.file", "file"}:
        return "origin.file"
    if name == CHARACTERS:
        return CHARACTERS
    raise NoSuchField(name, {*schema.names, *meta, CHARACTERS, "file"} - {"meta", "origin"})


def columns_read(conditions: Sequence[Condition], schema: pa.Schema) -> list[str]:
    """The columns that must be read to judge the conditions; one at least, to have the number of rows."""
    paths = [column_path(condition.name, schema) for condition in conditions]
    return list(dict.fromkeys(TEXT if path == CHARACTERS else path for path in paths)) or ["id"]


def matches(batch: pa.RecordBatch, conditions: Sequence[Condition], schema: pa.Schema) -> pa.Array:
    """Tells of each row whether all conditions hold; a value that is not there meets none but ``!=``."""
    kept = pa.array([True] * batch.num_rows)
    for condition in conditions:
        found = _holds(_column(batch, column_path(condition.name, schema)), condition)
        kept = pc.and_(kept, pc.fill_null(found, condition.operator == "!="))
    return kept


def _column(batch: pa.RecordBatch, path: str) -> pa.Array:
    if path == CHARACTERS:
        return pc.utf8_length(batch.column(TEXT))
    top, _, rest = path.partition(".")
    column = batch.column(top)
    if not rest:
        return column
    return pc.struct_field(column, [column.type.get_field_index(rest)])


def _holds(column: pa.Array, condition: Condition) -> pa.Array:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_null(kind):
        return pa.nulls(len(column), pa.bool_())
    if condition.operator == "~":
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            raise InputError(f"{condition}: {condition.name} is no text, so it has no parts; use = or < or >")
        return pc.match_substring(column, condition.value, ignore_case=True)
    return _COMPARE[condition.operator](column, _scalar(condition, kind))


def _scalar(condition: Condition, kind: pa.DataType) -> pa.Scalar:
    """The value of a condition, in the column's type; numbers as floats, so that 0.5 can be compared with counts."""
    text = condition.value
    try:
        if pa.types.is_boolean(kind):
            if text.lower() not in _TRUE | _FALSE:
                raise ValueError("it is yes or no")
            return pa.scalar(text.lower() in _TRUE)
        if pa.types.is_integer(kind) or pa.types.is_floating(kind):
            return pa.scalar(float(text), pa.float64())
        if pa.types.is_timestamp(kind):
            return pa.scalar(text, pa.string()).cast(pa.timestamp("us")).cast(kind)
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            return pa.scalar(text, kind)
    except (ValueError, pa.ArrowException) as error:
        raise InputError(f"{condition}: {text!r} cannot be compared with {condition.name} ({error})") from error
    raise InputError(f"{condition}: {condition.name} holds lists, which cannot be compared")


def text_matches(batch: pa.RecordBatch, pattern: str) -> pa.Array:
    """Tells of each row whether its text holds a pattern (RE2: time linear in the text).

    Raises:
        InputError: It is no pattern.
    """
    try:
        return cast(pa.Array, pc.match_substring_regex(batch.column(TEXT), pattern))
    except pa.ArrowInvalid as error:
        raise InputError(f"--grep {pattern!r}: {error}") from error
