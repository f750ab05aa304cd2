import json

from hypothesis import given
from hypothesis import strategies as st

from pipeline.corpus.ledger import Ledger, Tally, total
from tests.pipeline.ledgers import reading


def sample() -> Ledger:
    """Five records of 50 characters: one failed to be read; one was dropped, one failed, 4 characters were cut."""
    ledger = Ledger()
    read, words = ledger.step("read"), ledger.step("words")
    read.entered.add(5, 50)
    read.fail("damaged", 0)
    read.left.add(4, 50)
    read.counters["text_bytes"] += 60
    words.entered.add(4, 50)
    words.drop("bad_word", 10)
    words.fail("error_ValueError", 12)
    words.left.add(2, 24)
    ledger.keep("head", 20)
    ledger.keep("tail", 4)
    return ledger


def test_as_json():
    assert sample().as_json() == {
        "steps": [
            {
                "step": "read",
                "entered": {"documents": 5, "characters": 50},
                "left": {"documents": 4, "characters": 50},
                "dropped": {},
                "failed": {"damaged": {"documents": 1, "characters": 0}},
                "counters": {"text_bytes": 60},
            },
            {
                "step": "words",
                "entered": {"documents": 4, "characters": 50},
                "left": {"documents": 2, "characters": 24},
                "dropped": {"bad_word": {"documents": 1, "characters": 10}},
                "failed": {"error_ValueError": {"documents": 1, "characters": 12}},
                "counters": {},
            },
        ],
        "kept": {"head": {"documents": 1, "characters": 20}, "tail": {"documents": 1, "characters": 4}},
    }


def test_reasons_subsets_and_counters_are_sorted_and_steps_keep_their_order():
    ledger = Ledger()
    for name in ("z", "a"):
        step = ledger.step(name)
        for reason in ("y", "b"):
            step.drop(reason, 1)
            step.fail(reason, 1)
            step.counters[reason] += 1
        ledger.keep(name, 1)
    written = ledger.as_json()
    assert [step["step"] for step in written["steps"]] == ["z", "a"]
    for kind in ("dropped", "failed", "counters"):
        assert list(written["steps"][0][kind]) == ["b", "y"]
    assert list(written["kept"]) == ["a", "z"]


def test_sound_accounts_have_no_fault():
    assert sample().check() == []
    assert Ledger().check() == []


def test_a_document_that_vanished_in_a_step():
    ledger = sample()
    ledger.step("words").dropped["bad_word"].documents = 0
    assert ledger.check() == ["step words: 4 entered, 2 left, 1 gone"]


def test_a_document_that_vanished_between_steps():
    ledger = sample()
    ledger.step("words").entered.add(-1, -3)
    ledger.step("words").dropped["bad_word"].documents = 0
    assert ledger.check() == [
        "Tally(documents=4, characters=50) left step read, Tally(documents=3, characters=47) entered step words"
    ]


def test_a_kept_document_too_many_or_changed_after_the_last_step():
    ledger = sample()
    ledger.keep("head", 1)
    (fault,) = ledger.check()
    assert fault.endswith("left step words, Tally(documents=3, characters=25) was kept")
    ledger = sample()
    ledger.kept["head"].characters += 1
    assert len(ledger.check()) == 1


counts = st.integers(0, 10**12)
tallies = st.builds(Tally, counts, counts)
by_name = st.dictionaries(st.sampled_from("abc"), tallies)


@st.composite
def ledgers(draw) -> Ledger:
    ledger = Ledger(kept=draw(by_name))
    for name in ("read", "words"):
        step = ledger.step(name)
        step.entered, step.left = draw(tallies), draw(tallies)
        step.dropped, step.failed = draw(by_name), draw(by_name)
        step.counters.update(draw(st.dictionaries(st.sampled_from("xy"), st.integers(1, 10**12))))
    return ledger


def test_records_that_became_part_of_another_document_are_accounted_for():
    ledger = reading((2, 10), (2, 10))
    read = ledger.step("read")
    ledger.keep("site", 6)
    ledger.keep("site", 4)
    read.counters.update(records=5, joined=3)
    assert ledger.check() == []
    read.counters["joined"] = 2
    assert ledger.check() == ["step read: 5 records, 2 joined, 2 entered"]


@given(ledgers(), ledgers())
def test_ledgers_add_up_through_json_in_any_order(one, two):
    written = [json.loads(json.dumps(ledger.as_json())) for ledger in (one, two)]
    sums = []
    for order in (written, written[::-1]):
        both = Ledger()
        for data in order:
            both.add_json(data)
        sums.append(both.as_json())
    assert sums[0] == sums[1]
    for i, name in enumerate(("read", "words")):
        parts = [ledger.step(name) for ledger in (one, two)]
        assert sums[0]["steps"][i]["entered"] == total(p.entered for p in parts).as_json()
        for reason in parts[0].dropped.keys() | parts[1].dropped.keys():
            expected = total(p.dropped[reason] for p in parts if reason in p.dropped)
            assert sums[0]["steps"][i]["dropped"][reason] == expected.as_json()
        assert sums[0]["steps"][i]["counters"] == dict(parts[0].counters + parts[1].counters)


@given(ledgers())
def test_one_ledger_comes_back_from_json(ledger):
    again = Ledger()
    again.add_json(ledger.as_json())
    assert again.as_json() == ledger.as_json()


def test_what_met_no_last_step_passes_through_it():
    """Of two shards, one from which documents were taken out later."""
    ledger = Ledger()
    for gone in (0, 2):
        shard = Ledger()
        shard.step("read").entered.add(5, 50)
        shard.step("read").left.add(5, 50)
        shard.kept["all"] = Tally(5 - gone, 50 - 10 * gone)
        if gone:
            shard.step("opt_out").entered.add(5, 50)
            shard.step("opt_out").left.add(5 - gone, 50 - 10 * gone)
            shard.step("opt_out").dropped["opt_out"] = Tally(gone, 10 * gone)
        assert shard.check() == []
        ledger.add_json(shard.as_json())
    assert ledger.check() != []
    ledger.pass_through("opt_out")
    ledger.pass_through("none")
    assert ledger.check() == []
    assert ledger.step("opt_out").entered == Tally(10, 100)
    assert ledger.step("opt_out").left == Tally(8, 80)
