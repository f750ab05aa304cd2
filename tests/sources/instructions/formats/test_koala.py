import pytest

from sources.instructions.formats.koala import Koala
from tests.sources.instructions.items import brief, read
from tests.tables import results

MARKERS = {"marker_user": "USER:", "marker_gpt": "GPT:", "marker_gpt_bad": "An Unhelpful Answer:"}
TWO_ROUNDS = "[marker_user+human_0+marker_gpt],gpt_1,<|eos|>,[marker_user+human_2+marker_gpt],gpt_3,<|eos|>"
PARTS = {"human_0": "a", "gpt_1": "b", "human_2": "c", "gpt_3": "d", "gpt_bad_1": "x", "quote_0": "q", "gpt_0": "e"}


def one(fields: str) -> str:
    return brief(read(Koala(), [{**MARKERS, **PARTS, "fields": fields}])[0])


test_fields_tell_the_turns_and_the_loss = results(
    one,
    {
        TWO_ROUNDS: "u:a / a:b! / u:c / a:d!",
        "[marker_user+human_0+marker_gpt_bad],gpt_bad_1,<|eos|>": "u:a / a:x",
        "[marker_user+human_0+marker_gpt_bad],gpt_1,<|eos|>": "u:a / a:b",
        "[marker_user+human_0+marker_gpt_bad],gpt_bad_1,<|eos|>,[marker_user+human_2+marker_gpt],gpt_3": (
            "u:a / a:x / u:c / a:d!"
        ),
        "[marker_user+human_0+marker_gpt],[gpt_1],<|eos|>,[marker_user+human_2+marker_gpt],gpt_3,<|eos|>": (
            "u:a / a:b / u:c / a:d!"
        ),
        "[marker_user+human_0+quote_0+marker_gpt],gpt_0,<|eos|>": "u:a q / a:e!",
        "[human_0],[<|eos|>],gpt_1,<|eos|>,[human_2]": "u:a / a:b! / u:c",
        " [human_0] , gpt_1 ": "u:a / a:b!",
        "[marker_user+human_0+marker_gpt],gpt_1,[marker_gpt_bad],gpt_bad_1": "u:a / a:b! / a:x",
        "": "",
        "[human_7],gpt_1": "missing_field",
        "[human_0],{gpt_1}": "encoded_tokens",
        "<|32000|>,[human_0],gpt_1": "u:a / a:b!",
    },
)


def test_a_record_without_fields_is_read_in_the_order_of_its_numbers():
    (item,) = read(Koala(), [{"gpt_11": "d", "human_10": "c", "human_0": "a", "gpt_1": "b"}])
    assert brief(item) == "u:a / a:b! / u:c / a:d!"


def test_bad_answers_are_counted_and_may_go():
    record = {**MARKERS, **PARTS, "fields": "[marker_user+human_0+marker_gpt_bad],gpt_bad_1,<|eos|>"}
    assert read(Koala(), [record])[0].facts == {"bad_answers": 1}
    (fault,) = read(Koala("drop"), [record])
    assert (fault.reason, fault.failed) == ("bad_answer", False)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"human_0": 3, "gpt_1": "b"}, "wrong_type"),
        ({"human_0": "a", "gpt_1": None}, "missing_field"),
        ({"human_0": "a", "gpt_1": "b", "fields": ["gpt_1"]}, "wrong_type"),
        ({"human_0": "a", "gpt_1": "b", "fields": "human_0," * 100_001}, "too_many_turns"),
        ({"human_0": "a", "gpt_1": "b", "fields": "marker_user+human_0"}, "missing_field"),
    ],
)
def test_what_is_no_conversation(record, reason):
    assert [fault.reason for fault in read(Koala(), [record])] == [reason]
