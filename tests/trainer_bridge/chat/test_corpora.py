"""Corpora of conversations and pairs, as they lie on the disk."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trainer_bridge.chat.corpora import (
    Pair,
    check_files,
    parquet_files,
    read_pairs,
    read_prompts,
    write_conversations,
)
from trainer_bridge.errors import TrainerError

USER = {"role": "user", "content": "Where?", "train": False}
ANSWER = {"role": "assistant", "content": "Here.", "train": False}


def write(path, meta):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"id": [f"d{number}" for number in range(len(meta))], "meta": meta}), path)
    return path


def test_what_is_written_is_a_document_of_a_corpus(tmp_path):
    path = tmp_path / "corpus" / "mine" / "conversations" / "a.parquet"
    turns = [
        {"role": "system", "content": "Be brief."},
        {**USER, "train": True},
        {**ANSWER, "train": None},
        USER,
        ANSWER,
    ]
    assert write_conversations(path, "mine", [("one", turns, {"score": 1.5})]) == 1
    (row,) = pq.read_table(path).to_pylist()
    assert (row["id"], row["text"], row["source"]) == ("one", "Be brief.\n\nWhere?\n\nHere.\n\nWhere?\n\nHere.", "mine")
    assert row["meta"] == {
        "messages": [{**turns[0], "train": False}, USER, {**ANSWER, "train": True}, USER, ANSWER],
        "chosen": None,
        "rejected": None,
        "margin": None,
        "dataset": "mine",
        "score": 1.5,
    }
    assert pq.read_schema(path).names == [
        *("id", "text", "source", "url", "language", "created", "license", "origin", "meta")
    ]
    (prompt,) = read_prompts([tmp_path / "corpus"])
    assert [message["role"] for message in prompt] == ["system", "user", "assistant", "user"]


def test_pairs_with_and_without_margin_and_labels(tmp_path):
    rows = [
        {"messages": [USER], "chosen": "a", "rejected": "b", "margin": 2.0, "chosen_safe": True, "rejected_safe": None},
        {
            "messages": [USER],
            "chosen": "c",
            "rejected": "d",
            "margin": None,
            "chosen_safe": None,
            "rejected_safe": False,
        },
    ]
    path = write(tmp_path / "a.parquet", rows)
    assert list(read_pairs([path])) == [
        Pair((USER,), "a", "b", 2.0, True, None),
        Pair((USER,), "c", "d", None, None, False),
    ]
    assert list(read_prompts([path])) == [(USER,), (USER,)]


def test_folders_that_hold_no_documents_are_passed_over(tmp_path):
    rows = [{"messages": [USER], "chosen": "a", "rejected": "b"}]
    kept = [write(tmp_path / "corpus" / "x" / name, rows) for name in ("a.parquet", "b.parquet")]
    write(tmp_path / "corpus" / "_rejects" / "a.parquet", rows)
    write(tmp_path / "corpus" / ".hidden" / "a.parquet", rows)
    assert parquet_files([tmp_path / "corpus"]) == kept


def test_what_is_no_corpus_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no")
    pq.write_table(pa.table({"id": ["a"], "text": ["b"]}), tmp_path / "plain.parquet")
    write(tmp_path / "talk.parquet", [{"messages": [USER, ANSWER]}])
    for name, message in (
        ("none", "there is no"),
        ("empty", r"holds no \*.parquet"),
        ("broken.parquet", "cannot be read as Parquet"),
        ("plain.parquet", "has no column meta.messages"),
        ("talk.parquet", "the document d0 is no preference pair"),
    ):
        with pytest.raises(TrainerError, match=message):
            list(read_pairs([tmp_path / name]))


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("messages", ["Where?"], "list<element: string>, not a list of"),
        ("messages", "Where?", "string, not a list of"),
        ("messages", [{"role": "user", "content": 5}], "content: int64"),
        ("messages", [{"content": "Where?"}], "list<element: struct<content: string>>"),
        ("margin", "much", "string, not a number"),
        ("chosen", 3, "int64, not string"),
        ("chosen_safe", 7, "int64, not bool"),
        ("rejected_safe", "no", "string, not bool"),
    ],
)
def test_columns_of_another_type_are_named(tmp_path, name, value, found):
    path = write(tmp_path / "a.parquet", [{"messages": [USER], "chosen": "a", "rejected": "b", name: value}])
    for read in (check_files, lambda paths: list(read_pairs(paths)), lambda paths: list(read_prompts(paths))):
        with pytest.raises(TrainerError) as caught:
            read([path])
        assert f"its meta.{name} holds " in str(caught.value)
        assert found in str(caught.value)


def test_nulls_where_messages_or_a_turn_should_be(tmp_path):
    rows = [{"messages": None}, {"messages": [USER, None]}, None, {"messages": [USER, ANSWER]}]
    assert list(read_prompts([write(tmp_path / "a.parquet", rows)])) == [(), (USER, {}), (), (USER,)]
