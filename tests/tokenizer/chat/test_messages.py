"""Conversations are checked, and the template's tags within them refused or escaped."""

import pytest

from tests.tables import results
from tests.tokenizer.chat.conversations import conversation
from tokenizer.chat.messages import Conversation, ConversationError, Turn, check_messages, without_tags

A, U, S = ({"role": role, "content": role[0]} for role in ("assistant", "user", "system"))


def reason(messages, prompt=False):
    try:
        check_messages(messages, prompt=prompt)
    except ConversationError as error:
        return error.reason
    return "good"


BAD = {
    "none": (None, "no_messages"),
    "empty": ([], "no_messages"),
    "no mapping": (["x"], "no_message"),
    "null": ([None], "no_message"),
    "null of a table": ([{"role": None, "content": None, "train": None}, A], "no_message"),
    "role": ([{"role": "tool", "content": "x"}], "unknown_role"),
    "no role": ([{"content": "x"}], "unknown_role"),
    "no content": ([{"role": "user", "content": None}, A], "no_content"),
    "number": ([{"role": "user", "content": 7}, A], "no_content"),
    "blank": ([{"role": "user", "content": " \n"}, A], "empty_turn"),
    "empty answer": ([U, {"role": "assistant", "content": ""}], "empty_turn"),
    "two users": ([U, U, A], "roles_out_of_turn"),
    "two answers": ([U, A, A], "roles_out_of_turn"),
    "answer first": ([A, U, A], "roles_out_of_turn"),
    "system later": ([U, S, A], "roles_out_of_turn"),
    "system twice": ([S, S, U, A], "roles_out_of_turn"),
    "system alone": ([S], "no_messages"),
    "cut": ([U, A, U], "no_answer"),
}
test_what_is_wrong_has_a_word = results(lambda name: reason(BAD[name][0]), {n: r for n, (_, r) in BAD.items()})


def test_prompts_end_with_the_user():
    assert [reason(m, True) for m in ([U], [S, U], [U, A, U])] == ["good"] * 3
    assert [reason(m, True) for m in ([U, A], [S], [])] == ["ends_with_answer", "no_messages", "no_messages"]


def test_turns():
    messages = conversation("a", "b", "c", "d", system="", untrained=[0])
    assert check_messages(messages) == Conversation("", (Turn("a", "b", False), Turn("c", "d")))
    assert check_messages(messages[1:4], prompt=True) == Conversation(None, (Turn("a", "b", False), Turn("c", None)))
    assert check_messages([U, {**A, "train": None}]) == Conversation(None, (Turn("u", "a"),))


def test_tags_are_refused_or_escaped():
    tags = ("[INST]", "<<SYS>>")
    assert without_tags("[INST", tags, "refuse") == "[INST"
    with pytest.raises(ConversationError, match=r"a message holds '\[INST\]', which is the template's own") as error:
        without_tags("a [INST] b", tags, "refuse")
    assert error.value.reason == "special_tag"
    assert without_tags("[[INST]]<<SYS>>[INST]", tags, "escape") == "[[ INST]]< <SYS>>[ INST]"
    with pytest.raises(ConversationError):
        without_tags("a#b", ("#",), "escape")


def test_a_long_role_does_not_fill_the_screen():
    with pytest.raises(ConversationError) as error:
        check_messages([{"role": "x" * 10_000, "content": "a"}])
    assert len(str(error.value)) < 200
