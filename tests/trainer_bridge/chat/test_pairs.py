"""Pairs as a reward model is trained on them."""

from collections import Counter

import pyarrow as pa
import pytest

from tests.tables import results
from tests.trainer_bridge.chat import planted
from trainer_bridge.chat.config import RewardConfig
from trainer_bridge.chat.corpora import Pair
from trainer_bridge.chat.dialogue import read_dialogues
from trainer_bridge.chat.pairs import accuracies, encode_pairs, level_of, prepare_pairs
from trainer_bridge.errors import TrainerError

ASKED = ({"role": "user", "content": "Who made the mug?"},)

test_levels = results(
    lambda margin: level_of(margin, (3.0, 2.0, 1.0)),
    {5.0: 0, 3.0: 0, 2.9: 1, 2.0: 1, 1.0: 2, 0.5: 3, 0.0: 3, -1.0: 3, None: 3, float("nan"): 3},
)


@pytest.fixture(scope="module")
def dialogues(tmp_path_factory):
    made = planted.made(tmp_path_factory.mktemp("made"))
    return read_dialogues(made / "made.model", str(made / "short.yaml"), 96)


def test_pairs_have_the_margin_of_their_level_and_the_ids_of_whole_dialogues(dialogues):
    pairs = [Pair(ASKED, "A baker.", "My sister.", 2.0, True, None), Pair(ASKED, "A baker.", "A sailor.")]
    first, second = encode_pairs(pairs, dialogues, RewardConfig(margins="large"), Counter())
    assert (first.margin, first.level, second.margin, second.level) == (2.0, 1, 0.0, 3)
    assert (first.chosen_safe, first.rejected_safe) == (1, -1)
    assert first.chosen_ids[-1] == dialogues.encoder.eos_id
    assert dialogues.encoder.decode(first.rejected_ids) == "USER: Who made the mug? ASSISTANT: My sister."
    assert first.prompt == second.prompt


def test_pairs_that_cannot_be_used_are_counted_once_each(dialogues):
    left_out: Counter[str] = Counter()
    pairs = [
        Pair(ASKED, "A baker.", "A baker."),
        Pair(ASKED, "A baker." * 80, "No."),
        Pair(ASKED, "", "No."),
        Pair(ASKED, " ", ""),
        Pair((), "a", "b"),
        Pair(ASKED, "Yes.", "No."),
    ]
    assert len(list(encode_pairs(pairs, dialogues, RewardConfig(), left_out))) == 1
    assert left_out == {"same_answers": 1, "too_long": 1, "empty_turn": 2, "roles_out_of_turn": 1}


def prepare(folder, dialogues, data, more=(), judged=(), **keys):
    folder.mkdir()
    return prepare_pairs(folder, data, more, judged, dialogues, RewardConfig(**keys))


def rows_of(path):
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_stream(source).read_all().to_pylist()


def test_the_pairs_of_a_prompt_are_all_trained_on_or_all_held_out(dialogues, tmp_path):
    data = planted.write_pairs(tmp_path / "data", planted.pair_rows(500))
    files = prepare(tmp_path / "a", dialogues, [str(data)], heldout=0.2)
    train, held = rows_of(files.train), rows_of(files.heldout)
    assert files.counts == {"train": len(train), "heldout": len(held)}
    assert len(train) + len(held) == 500
    assert 60 < len(held) < 140
    assert not {row["prompt"] for row in train} & {row["prompt"] for row in held}


def test_other_pairs_are_mixed_in_to_their_share(dialogues, tmp_path):
    rows = planted.pair_rows(300)
    data, more = planted.write_pairs(tmp_path / "data", rows[:60]), planted.write_pairs(tmp_path / "more", rows[60:])
    held = planted.write_pairs(tmp_path / "held", rows[60:70])
    files = prepare(tmp_path / "a", dialogues, [str(data)], [str(more)], [str(held)], more_share=0.25)
    assert files.counts == {"train": 60, "heldout": 10, "more": 20}
    kept_out = {row["prompt"] for row in rows_of(files.heldout)}
    assert files.more is not None
    assert not kept_out & {row["prompt"] for row in rows_of(files.more)}


def test_prompts_that_are_judged_by_are_not_trained_on(dialogues, tmp_path):
    rows = planted.pair_rows(50)
    data, held = planted.write_pairs(tmp_path / "data", rows), planted.write_pairs(tmp_path / "held", rows[:10])
    files = prepare(tmp_path / "a", dialogues, [str(data)], judged=[str(held)])
    assert files.counts == {"train": 40, "heldout": 10}


def test_nothing_to_train_on_is_an_error_that_says_why(dialogues, tmp_path):
    rows = [{"messages": list(ASKED), "chosen": "same", "rejected": "same", "margin": None}]
    data = planted.write_pairs(tmp_path / "data", rows)
    with pytest.raises(TrainerError, match=r'holds no pairs to train on \(\{"same_answers": 1\} were left out\)'):
        prepare(tmp_path / "a", dialogues, [str(data)])
    one = planted.write_pairs(tmp_path / "one", planted.pair_rows(1))
    with pytest.raises(TrainerError, match=r"reward\.heldout leaves no pairs to judge by"):
        prepare(tmp_path / "b", dialogues, [str(one)], heldout=1e-9)


def test_accuracy_by_level_and_of_all():
    assert accuracies([2.0, 1.0, 0.0, 5.0], [1.0, 1.0, 1.0, 4.0], [0, 0, 2, 2]) == {
        "significantly": {"pairs": 2, "accuracy": 0.5},
        "slightly": {"pairs": 2, "accuracy": 0.5},
        "all": {"pairs": 4, "accuracy": 0.5},
    }
