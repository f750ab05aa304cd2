from datetime import datetime, timezone

from sources.instructions.formats.items import Conversation, Fault, Pair
from sources.instructions.formats.oasst import Oasst
from tests.sources.instructions.items import brief, read


def node(name: str, *replies: dict, rank: int | None = None, **fields) -> dict:
    """A message; the first letter of its name says who wrote it."""
    role = {"p": "prompter", "a": "assistant"}[name[0]]
    return {"message_id": name, "text": f"text {name}", "role": role, "rank": rank, "replies": list(replies), **fields}


def tree(prompt: object, state: str | None = "ready_for_export") -> dict:
    return {"message_tree_id": "t", "tree_state": state, "prompt": prompt}


def flat(root: dict, state: str = "ready_for_export") -> list[dict]:
    """A tree's messages, a record each."""
    found, waiting = [], [(root, None)]
    while waiting:
        one, parent = waiting.pop(0)
        fields = {key: value for key, value in one.items() if key != "replies"}
        found.append({**fields, "parent_id": parent, "message_tree_id": root["message_id"], "tree_state": state})
        waiting += [(reply, one["message_id"]) for reply in one["replies"]]
    return found


RANKED = node(
    "p0",
    node("a1", node("p4", node("a5")), rank=0),
    node("a2", rank=1),
    node("a3", rank=2),
)


def threads(items) -> list[str]:
    found = [item for item in items if isinstance(item, Conversation)]
    return [" ".join(turn.content.removeprefix("text ") for turn in item.turns) for item in found]


def pairs(items) -> list[tuple]:
    return [(item.key, item.margin) for item in items if isinstance(item, Pair)]


def reasons(items) -> list[str]:
    return [item.reason for item in items if isinstance(item, Fault)]


def of(root: dict, **options) -> tuple[list, list, list]:
    """Threads, pairs and faults, which are the same for a tree and for its messages."""
    whole = read(Oasst(**options), [tree(root)])
    parts = read(Oasst(**options), flat(root))
    assert (threads(whole), sorted(pairs(whole))) == (threads(parts), sorted(pairs(parts)))
    return threads(whole), pairs(whole), reasons(whole)


def test_one_reading_gives_the_best_thread_and_all_pairs():
    found = of(RANKED)
    assert found == (["p0 a1 p4 a5"], [("a1-a2", 1.0), ("a1-a3", 2.0), ("a2-a3", 1.0)], [])
    (thread, pair, *_) = read(Oasst(), [tree(RANKED)])
    assert brief(thread) == "u:text p0 / a:text a1! / u:text p4 / a:text a5!"
    assert brief(pair) == ["u:text p0", "text a1", "text a2", 1.0]
    assert pair.facts == {"tree": "p0", "model": None, "chosen_rank": 0, "rejected_rank": 1}


def test_more_ranks_and_fewer_pairs():
    assert of(RANKED, best=2)[0] == ["p0 a1 p4 a5", "p0 a2"]
    assert of(RANKED, best=None)[0] == ["p0 a1 p4 a5", "p0 a2", "p0 a3"]
    assert of(RANKED, pairs="adjacent")[1] == [("a1-a2", 1.0), ("a2-a3", 1.0)]
    assert of(RANKED, pairs="worst")[1] == [("a1-a3", 2.0)]
    assert of(RANKED, most_answers=2)[1] == [("a1-a2", 1.0)]


def test_a_question_at_the_end_is_left_out_once():
    root = node("p0", node("a1", node("p2"), node("p3"), node("p4", node("a5"))))
    assert of(root)[0] == ["p0 a1 p4 a5"]
    assert of(node("p0", node("a1", node("p2"), node("p3"))))[0] == ["p0 a1"]
    assert of(node("p0")) == ([], [], ["no_thread"])


def test_deleted_and_synthetic_messages_take_no_part():
    root = node("p0", node("a1", node("p2", node("a3")), rank=0, deleted=True), node("a4", rank=1), node("a5", rank=2))
    assert of(root) == ([], [("a4-a5", 1.0)], [])
    assert of(root, best=2)[0] == ["p0 a4"]
    made = node("p0", node("a1", rank=0, synthetic=True), node("a2", rank=1))
    assert of(made, best=2) == (["p0 a2"], [], [])
    assert of(made, keep_synthetic=True) == (["p0 a1"], [("a1-a2", 1.0)], [])


def test_answers_without_ranks():
    assert of(node("p0", node("a1"), node("a2"))) == ([], [], ["no_thread"])  # which is better is not known
    assert of(node("p0", node("a1"), node("a2")), best=None)[0] == ["p0 a1", "p0 a2"]
    assert of(node("p0", node("a1", rank=0), node("a2", rank=0)))[1] == []
    assert of(node("p0", node("a1", rank=0.0), node("a2", rank=1.0)))[1] == [("a1-a2", 1.0)]
    assert of(node("p0", node("a1", rank=0), node("a2", rank=True), node("a3", rank=-1), node("a4", rank="x")))[1] == []


def test_trees_that_are_not_taken():
    assert reasons(read(Oasst(), [tree(RANKED, "growing")])) == ["tree_state"]
    assert threads(read(Oasst(states=("growing",)), [tree(RANKED, "growing")])) == ["p0 a1 p4 a5"]
    assert threads(read(Oasst(), [tree(RANKED, None)])) == ["p0 a1 p4 a5"]
    assert of({**RANKED, "review_result": False})[2] == ["not_reviewed"]
    assert reasons(read(Oasst(), flat(RANKED, "growing"))) == ["tree_state"]


def test_a_message_that_is_none_costs_what_hangs_on_it():
    bad = [5, {"message_id": "x"}, node("a8", role="parrot"), node("a9", message_id=None), node("a7", text=3)]
    root = node("p0", *bad, node("a1", node("p2", node("a3")), rank=0))
    found = read(Oasst(), [tree(root)])
    assert threads(found) == ["p0 a1 p2 a3"]
    assert sorted(reasons(found)) == ["missing_field", "missing_field", "unknown_role", "wrong_type", "wrong_type"]
    assert reasons(read(Oasst(), [tree(node("p0", node("a1"), replies="none"))])) == ["wrong_type", "no_thread"]
    for prompt, reason in ((None, "missing_field"), ("x", "wrong_type"), ({}, "missing_field")):
        assert reasons(read(Oasst(), [tree(prompt)])) == [reason]


def test_ids_that_are_there_twice():
    double = node("p0", node("a1", rank=0), node("a1", node("p2", node("a3")), rank=1, text="other"))
    found = read(Oasst(best=None), [tree(double)])
    assert (threads(found), reasons(found)) == (["p0 a1"], ["duplicate_message"])


def test_messages_that_hang_on_none_or_on_one_another():
    records = flat(RANKED)
    for name, parent in (
        ("a20", "gone"),
        ("p21", "a20"),
        ("a30", "p31"),
        ("p31", "a30"),
        ("a32", "p31"),
        ("a33", "a33"),
    ):
        records.append({**records[1], "message_id": name, "parent_id": parent, "role": "assistant"})
    records += [{**records[0], "message_id": "p40"}, {**records[1], "message_id": "a41", "parent_id": "p40"}]
    records.append(records[2])
    found = read(Oasst(), records)
    assert threads(found) == ["p0 a1 p4 a5"]
    assert {item.message.split()[1]: item.reason for item in found if isinstance(item, Fault)} == {
        "a20": "missing_parent",
        "p21": "missing_parent",
        "a30": "cycle",
        "p31": "cycle",
        "a32": "cycle",
        "a33": "cycle",
        "p40": "second_root",
        "a41": "second_root",
        "a2": "duplicate_message",
    }


def test_messages_of_one_tree_may_come_in_any_order_and_trees_one_behind_the_other():
    other = [{**one, "message_tree_id": "u", "message_id": f"{one['message_id']}u"} for one in flat(RANKED)]
    for one in other:
        one["parent_id"] = one["parent_id"] and f"{one['parent_id']}u"
    found = list(Oasst().read(iter(list(enumerate([*flat(RANKED)[::-1], *other]))), ""))
    assert threads(item for _, item in found) == ["p0 a1 p4 a5", "p0 a1 p4 a5"]
    places = [place for place, item in found if isinstance(item, Conversation)]
    assert places == [0, 11]  # of the records of their last messages
    assert len(pairs(item for _, item in found)) == 6


def test_depth_is_bounded_and_no_recursion():
    root = node("p0")
    last = root
    for depth in range(1, 5000):
        last["replies"] = [node(f"{'pa'[depth % 2]}{depth}")]
        (last,) = last["replies"]
    found = read(Oasst(), [tree(root)])
    assert [len(item.turns) for item in found if isinstance(item, Conversation)] == [64]
    assert [item.message for item in found if isinstance(item, Fault)] == [
        "4,936 messages of the tree t come behind 64 others"
    ]
    assert [len(item.turns) for item in read(Oasst(max_depth=9), flat(root)) if isinstance(item, Conversation)] == [8]


def test_what_else_a_message_tells():
    root = node("p0", node("a1", lang="pt-BR", model_name="m", created_date="2023-02-05T14:23:50+00:00"))
    (item,) = read(Oasst(), [tree(root)])
    assert (item.key, item.language, item.facts) == ("a1", "pt-BR", {"tree": "p0", "model": "m"})
    assert item.created == datetime(2023, 2, 5, 14, 23, 50, tzinfo=timezone.utc)


def test_faults_and_trees_among_messages_end_a_tree():
    records = [*flat(RANKED)[:3], Fault("broken_json", "no"), *flat(RANKED)[3:], tree(RANKED)]
    found = read(Oasst(), records)
    assert reasons(found) == ["broken_json"]
    assert threads(found) == ["p0 a1 p4 a5"] * 2
