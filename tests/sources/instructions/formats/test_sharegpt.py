from sources.instructions.formats.sharegpt import ShareGpt
from tests.sources.instructions.items import brief, read
from tests.tables import results


def turns(*pairs: tuple) -> list[dict]:
    return [{"from": role, "value": value} for role, value in pairs]


def one(conversations) -> str:
    return brief(read(ShareGpt(), [{"id": "A", "conversations": conversations}])[0])


def test_roles_of_all_copies_are_known():
    assert one(turns(("human", "a"), ("gpt", "b"))) == "u:a / a:b!"
    assert one(turns(("system", "s"), ("user", "a"), ("ChatGPT", "b"))) == "s:s / u:a / a:b!"
    assert one(turns(("human", "a"), ("bing", "b"), ("human", "c"), ("bard", "d"))) == "u:a / a:b! / u:c / a:d!"
    assert one([]) == ""


def test_a_system_text_beside_the_list_comes_first():
    said = turns(("human", "a"), ("gpt", "b"))
    for record in ({"system": "s"}, {"system_prompt": "s"}, {"system": "s", "system_prompt": "t"}):
        assert brief(read(ShareGpt(), [{**record, "conversations": said}])[0]) == "s:s / u:a / a:b!"
    for record in ({"system": ""}, {"system": None}, {"system": 3}):
        assert brief(read(ShareGpt(), [{**record, "conversations": said}])[0]) == "u:a / a:b!"
    both = {"system": "s", "conversations": turns(("system", "t"), *said_by("a", "b"))}
    assert brief(read(ShareGpt(), [both])[0]) == "s:t / u:a / a:b!"


def said_by(human: str, gpt: str) -> list[tuple]:
    return [("human", human), ("gpt", gpt)]


test_what_is_no_conversation = results(
    lambda name: one(
        {
            "null": None,
            "text": "x",
            "number in it": [5],
            "no value": [{"from": "human"}],
            "null value": [{"from": "human", "value": None}],
            "number as value": [{"from": "human", "value": 3}],
            "no role": [{"value": "x"}],
            "parrot": turns(("parrot", "x")),
            "many": turns(("human", "")) * 100_001,
        }[name]
    ),
    {
        "null": "missing_field",
        "text": "wrong_type",
        "number in it": "wrong_type",
        "no value": "missing_field",
        "null value": "missing_field",
        "number as value": "wrong_type",
        "no role": "missing_field",
        "parrot": "unknown_role",
        "many": "too_many_turns",
    },
)


def test_what_else_a_record_tells():
    talk = turns(("human", "a"), ("gpt", "b"))
    (item,) = read(ShareGpt(), [{"id": "A", "conversations": talk, "model": "GPT-4", "plugins": []}])
    assert (item.key, item.facts) == ("A", {"model": "GPT-4", "plugins": True})
    (item,) = read(ShareGpt(), [{"idx": 4, "items": talk, "plugins": None}])
    assert (item.key, item.facts) == ("4", {"model": None, "plugins": False})
    (item,) = read(ShareGpt(), [{"id": [], "conversations": talk}])
    assert item.key is None
    (item,) = read(ShareGpt(), [{"id": "A", "conversations": turns(("human", "a"), ("me", "b"))}])
    assert item.message.startswith("turn 1 is from 'me', which is none of human, user, gpt,")
