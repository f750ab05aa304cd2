from datetime import datetime, timezone

import pyarrow as pa
import pytest

from pipeline.corpus.document import document_schema
from pipeline.errors import InputError
from pipeline.inspect.conditions import (
    Condition,
    NoSuchField,
    column_path,
    columns_read,
    matches,
    parse_condition,
    text_matches,
)
from tests.pipeline.report.corpora import META
from tests.tables import refusals

SCHEMA = document_schema(META)
ROWS = [
    {"id": "a", "text": "short", "url": "https://x.example/Harbour", "meta": {"perplexity": 10.0, "checked": True}},
    {"id": "b", "text": "a longer text", "language": "en", "meta": {"perplexity": 300.5, "kept_lines": 3}},
    {"id": "c", "text": "third", "created": datetime(2026, 3, 2, tzinfo=timezone.utc), "meta": {"title": "Übersicht"}},
]
ROWS = [{"source": "s", **row} for row in ROWS]
BATCH = pa.RecordBatch.from_pylist(ROWS, SCHEMA)


@pytest.mark.parametrize(
    ("expression", "condition"),
    [
        ("perplexity>300", Condition("perplexity", ">", "300")),
        (" meta.title ~ two words ", Condition("meta.title", "~", "two words")),
        ("url!=a=b", Condition("url", "!=", "a=b")),
        ("language_score<=0.5", Condition("language_score", "<=", "0.5")),
        ("license=", Condition("license", "=", "")),
    ],
)
def test_expressions(expression, condition):
    assert parse_condition(expression) == condition


@pytest.mark.parametrize("expression", ["", "perplexity", ">3", "a b=3", "__import__('os')"])
def test_what_is_no_expression(expression):
    with pytest.raises(InputError, match="must be a field"):
        parse_condition(expression)


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("perplexity>10", "b"),
        ("perplexity>=10", "ab"),
        ("kept_lines<3.5", "b"),
        ("url~harbour", "a"),
        ("language=en", "b"),
        ("language!=en", "ac"),
        ("checked=yes", "a"),
        ("checked!=true", "bc"),
        ("created>2026-03-01", "c"),
        ("created<2026-03-01T12:00:00", ""),
        ("title~über", "c"),
        ("characters>5", "b"),
        ("id=c", "c"),
    ],
)
def test_conditions_choose_rows(expression, found):
    kept = matches(BATCH, [parse_condition(expression)], SCHEMA)
    assert "".join(BATCH.filter(kept).column("id").to_pylist()) == found


def test_all_conditions_must_hold():
    both = [parse_condition("perplexity>1"), parse_condition("characters<10")]
    assert matches(BATCH, both, SCHEMA).to_pylist() == [True, False, False]
    assert matches(BATCH, [], SCHEMA).to_pylist() == [True, True, True]


def test_dictionaries_are_compared_by_value():
    batch = pa.RecordBatch.from_arrays(
        [pa.array(["x", "y", "x"]).dictionary_encode(), BATCH.column("meta")], ["language", "meta"]
    )
    schema = pa.schema([("language", pa.string()), ("meta", META)])
    assert matches(batch, [parse_condition("language=x")], schema).to_pylist() == [True, False, True]


test_values_that_do_not_fit = refusals(
    lambda expression: matches(BATCH, [parse_condition(expression)], SCHEMA),
    InputError,
    {
        "perplexity>high": "cannot be compared with perplexity",
        "checked=perhaps": "it is yes or no",
        "created>soon": "cannot be compared with created",
        "perplexity~3": "is no text, so it has no parts",
        "answer_scores=3": "holds lists",
    },
)


def test_fields_are_found_by_their_names():
    assert column_path("perplexity", SCHEMA) == "meta.perplexity"
    assert column_path("meta.title", SCHEMA) == "meta.title"
    assert column_path("file", SCHEMA) == "origin.file"
    assert columns_read([parse_condition("characters>3"), parse_condition("url~x")], SCHEMA) == ["text", "url"]
    assert columns_read([], SCHEMA) == ["id"]
    with pytest.raises(NoSuchField, match="did you mean perplexity"):
        column_path("perplexty", SCHEMA)


def test_patterns():
    assert text_matches(BATCH, "(?i)SHORT|^th").to_pylist() == [True, False, True]
    with pytest.raises(InputError, match="--grep"):
        text_matches(BATCH, "(")
