from datetime import datetime, timedelta, timezone

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.corpus.document import Document, document_schema, parse_time, reject_schema, to_columns
from pipeline.text import encodable

META = pa.struct([("title", pa.string()), ("numbers", pa.list_(pa.int32())), ("names", pa.list_(pa.string()))])
COLUMNS = ["id", "text", "source", "url", "language", "created", "license", "origin", "meta"]


def table(documents: list[Document]) -> pa.Table:
    schema = document_schema(META)
    return pa.table(to_columns(documents, schema), schema)


def test_the_schema_is_what_the_format_says():
    schema = document_schema(META)
    assert schema.names == COLUMNS
    assert schema.field("text").type == pa.large_string()
    assert schema.field("created").type == pa.timestamp("us", tz="UTC")
    assert schema.field("origin").type == pa.struct([("file", pa.string()), ("offset", pa.int64())])
    assert schema.field("meta").type == META
    assert [f.name for f in schema if not f.nullable] == ["id", "text", "source"]
    assert reject_schema(META).names == [*COLUMNS, "step", "reason"]


def test_a_document_as_a_row():
    time = datetime(2019, 7, 16, 12, 30, tzinfo=timezone.utc)
    document = Document(
        "i", "the text", "src", "f.gz", 77, "http://u", "en", time, "CC0", {"title": "T", "numbers": [1, 2]}
    )
    row = {
        "id": "i",
        "text": "the text",
        "source": "src",
        "url": "http://u",
        "language": "en",
        "created": time,
        "license": "CC0",
        "origin": {"file": "f.gz", "offset": 77},
        "meta": {"title": "T", "numbers": [1, 2], "names": None},
    }
    empty = {**dict.fromkeys(COLUMNS), "id": "j", "text": "", "source": "src", "origin": {"file": "g", "offset": 0}}
    empty["meta"] = dict.fromkeys(("title", "numbers", "names"))
    assert table([document, Document("j", "", "src", "g", 0)]).to_pylist() == [row, empty]


def test_surrogates_become_replacement_characters_in_every_column():
    bad = "a\ud800b\udcffc\ud83d\ude00"
    good = "a\ufffdb\ufffdc\ufffd\ufffd"
    fine = Document("ok", "ünï", "src", "f", 0, meta={"title": "ß", "names": ["é"]})
    document = Document(
        bad, bad, "src", bad, 0, url=bad, language=bad, license=bad, meta={"title": bad, "names": [bad]}
    )
    first, second = table([fine, document]).to_pylist()
    assert (first["text"], first["meta"]["title"], first["meta"]["names"]) == ("ünï", "ß", ["é"])
    assert {second[name] for name in ("id", "text", "url", "language", "license")} == {good}
    assert second["origin"]["file"] == good
    assert second["meta"] == {"title": good, "numbers": None, "names": [good]}


@given(st.text(st.characters(codec=None, categories=["Cs", "L", "Zs"])))
def test_encodable_keeps_the_length_and_can_be_encoded(text):
    result = encodable(text)
    assert len(result) == len(text)
    result.encode()
    assert all(new in (old, "\ufffd") for old, new in zip(text, result, strict=True))


def test_encodable_text_is_the_same_object():
    text = "plain, ünïcode and 😀"
    assert encodable(text) is text


def test_weight_counts_text_url_and_fields():
    document = Document("i", "four", "s", "f", 0, url="12", meta={"title": "abc", "numbers": [1] * 10, "score": 0.5})
    assert document.weight == 4 + 2 + 3 + 10
    assert Document("i", "four", "s", "f", 0).weight == 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2019-07-16T00:00:05Z", datetime(2019, 7, 16, 0, 0, 5, tzinfo=timezone.utc)),
        (" 2019-07-16T00:00:05+02:00 ", datetime(2019, 7, 15, 22, 0, 5, tzinfo=timezone.utc)),
        ("2019-07-16T00:00:05.250000", datetime(2019, 7, 16, 0, 0, 5, 250_000, tzinfo=timezone.utc)),
        ("2019-07-16", datetime(2019, 7, 16, tzinfo=timezone.utc)),
        ("2019-02-30T00:00:00Z", None),
        ("yesterday", None),
        ("", None),
        (None, None),
        ("0001-01-01T00:00:00+23:59", None),
        ("9999-12-31T23:59:59-23:59", None),
    ],
)
def test_parse_time(text, expected):
    assert parse_time(text) == expected


@given(st.datetimes(timezones=st.sampled_from([timezone.utc, timezone(timedelta(hours=-11))])))
def test_any_time_that_is_read_can_be_written_and_read_again(time):
    parsed = parse_time(time.isoformat())
    rows = table([Document("i", "", "s", "f", 0, created=parsed)]).to_pylist()
    assert rows[0]["created"] == parsed
    assert parsed in (time, None)


def test_the_weight_of_a_document_counts_what_its_structs_hold():
    turns = [{"role": "user", "content": "question", "train": False}, {"role": "assistant", "content": "answer"}]
    fields = {"messages": turns, "title": "abc", "places": [1, 2], "none": None, "number": 5, "empty": []}
    assert Document("i", "text", "s", "f", 0, url="u", meta=fields).weight == 4 + 1 + 27 + 3 + 2
