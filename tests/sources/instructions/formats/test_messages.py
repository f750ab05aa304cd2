from sources.instructions.formats.messages import Messages
from tests.sources.instructions.items import brief, read
from tests.tables import results


def said(*pairs: tuple) -> list[dict]:
    return [{"role": role, "content": content} for role, content in pairs]


ROUND = said(("user", "a"), ("assistant", "b"))


def one(record: dict):
    return brief(read(Messages(), [record])[0])


def test_conversations_of_all_names_are_read():
    for name in ("messages", "conversation", "conversations"):
        assert one({name: ROUND, "prompt": "a"}) == "u:a / a:b!"
    assert one({"messages": said(("System", "s"), ("user", "a"), ("assistant", "b"))}) == "s:s / u:a / a:b!"
    assert one({"messages": said(("developer", "s"), ("user", "a"))}) == "s:s / u:a"
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert one({"messages": said(("user", parts), ("assistant", "c"))}) == "u:ab / a:c!"
    assert one({"messages": []}) == ""


def test_an_answer_that_is_not_to_be_learned_is_not():
    for mark in ({"weight": 0}, {"train": False}):
        assert one({"messages": [ROUND[0], {**ROUND[1], **mark}]}) == "u:a / a:b"
    for mark in ({"weight": 1}, {"weight": None}, {"train": None}):
        assert one({"messages": [ROUND[0], {**ROUND[1], **mark}]}) == "u:a / a:b!"


PAIRS = {
    "text": {"prompt": "a", "chosen": "b", "rejected": "c"},
    "lists": {"prompt": ROUND[:1], "chosen": ROUND[1:], "rejected": said(("assistant", "c"))},
    "whole": {"prompt": "a", "chosen": ROUND, "rejected": said(("user", "a"), ("assistant", "c"))},
    "without a prompt": {"chosen": ROUND, "rejected": said(("user", "a"), ("assistant", "c"))},
    "list and text": {"prompt": [*ROUND, ROUND[0]], "chosen": "b", "rejected": "c"},
    "margin": {"prompt": "a", "chosen": "b", "rejected": "c", "margin": 2},
    "scores": {"prompt": "a", "chosen": "b", "rejected": "c", "score_chosen": 8.5, "score_rejected": 8},
    "scores the other way": {"prompt": "a", "chosen": "b", "rejected": "c", "score_chosen": 3, "score_rejected": 8},
    "margin of nothing": {"prompt": "a", "chosen": "b", "rejected": "c", "margin": float("nan")},
    "unlike": {"chosen": ROUND, "rejected": said(("user", "x"), ("assistant", "c"))},
    "no answer": {"chosen": ROUND[:1], "rejected": ROUND},
    "one answer": {"prompt": "a", "chosen": "b"},
    "number": {"prompt": 3, "chosen": "b", "rejected": "c"},
}
test_pairs = results(
    lambda name: one(PAIRS[name]),
    {
        "text": ["u:a", "b", "c", None],
        "lists": ["u:a", "b", "c", None],
        "whole": ["u:a", "b", "c", None],
        "without a prompt": ["u:a", "b", "c", None],
        "list and text": ["u:a / a:b / u:a", "b", "c", None],
        "margin": ["u:a", "b", "c", 2.0],
        "scores": ["u:a", "b", "c", 0.5],
        "scores the other way": ["u:a", "b", "c", None],
        "margin of nothing": ["u:a", "b", "c", None],
        "unlike": "unlike_prompts",
        "no answer": "no_answer",
        "one answer": "missing_field",
        "number": "wrong_type",
    },
)

test_what_is_no_list_of_messages = results(
    lambda name: one(
        {
            "null": {"messages": None},
            "text": {"messages": "x"},
            "number in it": {"messages": [5]},
            "no role": {"messages": [{"content": "a"}]},
            "null content": {"messages": said(("user", None))},
            "image": {"messages": said(("user", [{"type": "image_url"}]))},
            "tool": {"messages": said(("tool", "x"))},
            "many": {"messages": said(("user", "")) * 100_001},
        }[name]
    ),
    {
        "null": "missing_field",
        "text": "wrong_type",
        "number in it": "wrong_type",
        "no role": "missing_field",
        "null content": "missing_field",
        "image": "wrong_type",
        "tool": "unknown_role",
        "many": "too_many_turns",
    },
)


def test_what_else_a_record_tells():
    (item,) = read(Messages(), [{"id": 7, "messages": ROUND, "model": "GPT-4"}])
    assert (item.key, item.facts) == ("7", {"model": "GPT-4"})
    (item,) = read(Messages(), [{"conversation_id": "C", "chosen": "b", "rejected": "c", "prompt": "a"}])
    assert (item.key, item.facts) == ("C", {"model": None})
    (item,) = read(Messages(), [{"messages": said(("user", "a"), ("tool", "b"))}])
    assert item.message.startswith("messages, turn 1: its role is 'tool', which is none of user, assistant, system")
