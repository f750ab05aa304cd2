import io
import json
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq

from sources.instructions.formats.items import Fault
from sources.instructions.formats.known import known_formats, tell, unknown
from sources.instructions.reading import items_of, records_of
from sources.instructions.recipe import FORMATS, InstructionsRecipe
from tests.sources.instructions.items import brief
from tests.tables import results

KNOWN = known_formats(InstructionsRecipe())
ALPACA = {"instruction": "a", "input": "", "output": "b"}


def parquet(rows: list[dict]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


def items(data: bytes, given: str | None = None, limit: int = 1 << 20) -> list[tuple]:
    records = records_of(io.BytesIO(data), limit, Counter())
    return [(name, offset, brief(item)) for name, offset, item in items_of(records, KNOWN, given, "file")]


def told(names: str) -> str | None:
    found = tell(dict.fromkeys(names.split()), KNOWN)
    return found.name if found else None


test_formats_are_told_by_the_names_of_fields = results(
    told,
    {
        "instruction input output": "alpaca",
        "instruction input output text id": "alpaca",
        "instruction output": "wizardlm",
        "id conversations": "sharegpt",
        "idx conversations": "sharegpt",
        "id items": "sharegpt",
        "human_0 gpt_1": "koala",
        "human_0 gpt_bad_1 marker_user fields": "koala",
        "prompt response source": "gpt4all",
        "chosen rejected": "hh-rlhf",
        "prompt chosen rejected": "messages",
        "id messages": "messages",
        "message_tree_id tree_state prompt origin": "oasst",
        "message_id parent_id text role lang": "oasst",
        "conversation": None,
        "prompt": None,
        "human_0": None,
        "text url timestamp": None,
        "": None,
    },
)


def test_lists_of_messages_are_told_by_what_they_hold():
    said = [{"role": "user", "content": "a"}]
    for record in ({"conversations": said}, {"conversation": said}, {"chosen": said, "rejected": said}):
        found = tell(record, KNOWN)
        assert found is not None
        assert found.name == "messages"
    for record in ({"conversations": []}, {"conversations": [3]}, {"items": said}):
        found = tell(record, KNOWN)
        assert found is not None
        assert found.name == "sharegpt"


def test_lists_lines_and_tables_give_the_same():
    rows = [{"id": "A", "conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "é"}]}] * 2
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    expected = ["u:a / a:é!"] * 2
    for data in (json.dumps(rows).encode(), lines, parquet(rows)):
        found = items(data)
        assert [(name, said) for name, _, said in found] == [("sharegpt", said) for said in expected]
    assert [offset for _, offset, _ in items(parquet(rows))] == [0, 1]
    assert [offset for _, offset, _ in items(lines)] == [0, len(lines) // 2]
    koala = [{"human_0": "a", "gpt_1": "b", "human_2": None}]
    assert items(parquet(koala)) == [("koala", 0, "missing_field")]
    assert items(parquet([{"human_0": "a", "gpt_1": "b"}])) == [("koala", 0, "u:a / a:b!")]


def test_what_comes_before_the_first_sound_record_is_kept():
    data = b'x\n{"no": 1}\n' + json.dumps(ALPACA).encode() + b"\ny\n"
    assert items(data) == [
        ("alpaca", 0, "broken_json"),
        ("alpaca", 2, "missing_field"),
        ("alpaca", 12, "u:a / a:b!"),
        ("alpaca", 12 + len(json.dumps(ALPACA)) + 1, "broken_json"),
    ]


def test_a_file_in_no_format_is_one_fault():
    data = b"".join(b'{"question": "a", "answer": "b"}\n' for _ in range(100))
    assert items(data) == [("", 0, "unknown_format")]
    assert unknown({"question": "a", "answer": [1]}) == (
        "its records have answer, question, which none of the formats has. Known are alpaca, sharegpt, koala, gpt4all, "
        "wizardlm, oasst, hh-rlhf, messages: docs/instructions.md says what each has, to rename the fields to; "
        "--format names one"
    )
    inner = {"$(x)": [{}], "version": 1, "data": [{"question": "a"}]}
    assert "has; if data holds the records, take them out (jq -c '.data[]'). Known" in unknown(inner)
    assert items(b"word\n" * 100) == [*(("", 5 * n, "broken_json") for n in range(32)), ("", 155, "unknown_format")]
    assert items(b"") == [("", 0, "empty_file")]
    assert items(b"[]") == []
    assert items(b"PAR1 no more") == [("", 0, "damaged_parquet")]


def test_a_format_that_is_given_is_not_told():
    found = items(b'{"question": "a"}\n' * 40 + json.dumps(ALPACA).encode(), "alpaca")
    assert [said for _, _, said in found] == [*["missing_field"] * 40, "u:a / a:b!"]


def test_every_format_has_its_name():
    assert set(KNOWN) == set(FORMATS)
    assert all(format_.name == name for name, format_ in KNOWN.items())
    assert Fault("x", "y").failed
