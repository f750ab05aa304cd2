"""Tokenizer and template together."""

from collections import Counter

import pytest

from tests.trainer_bridge.chat import planted
from trainer_bridge.chat.dialogue import draw_hash, is_kept_out, prompt_hash, read_dialogues
from trainer_bridge.errors import TrainerError


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return planted.made(tmp_path_factory.mktemp("made"))


def test_an_answer_ends_with_the_ids_of_the_template(made, tmp_path):
    short = read_dialogues(made / "made.model", str(made / "short.yaml"), 96)
    assert short.stop == (short.encoder.eos_id,)
    text = tmp_path / "text.yaml"
    text.write_text('name: text\nfirst: "{bos}Q: {user} A:"\nanswer: " {answer}"\nend: "<end>"\n')
    other = read_dialogues(made / "made.model", str(text), 96)
    whole = next(other.whole([[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b c"}]], Counter()))
    assert len(other.stop) > 1
    assert other.ended(whole)
    assert not other.ended(whole[:-1])


def test_answers_come_back_as_text_without_their_end(made):
    short = read_dialogues(made / "made.model", str(made / "short.yaml"), 96)
    turns = [{"role": "user", "content": "Who made the mug?"}, {"role": "assistant", "content": "Gladly. A baker."}]
    (prompt,), (whole,) = short.prompts([turns[:1]], Counter()), short.whole([turns], Counter())
    assert whole[: len(prompt)] == prompt
    assert short.text(whole[len(prompt) :]) == "Gladly. A baker."
    assert short.text(whole[len(prompt) : -1]) == "Gladly. A baker."


def test_what_a_template_refuses_is_counted_and_the_others_stay_in_their_places(made):
    short = read_dialogues(made / "made.model", str(made / "short.yaml"), 96)
    good = [{"role": "user", "content": "a"}]
    refused: Counter[str] = Counter()
    found = list(short.prompts([good, [], [{"role": "judge", "content": "a"}], good], refused))
    assert found[0] == found[3]
    assert found[1:3] == [None, None]
    assert refused == {"no_messages": 1, "unknown_role": 1}


def test_prompts_are_known_by_what_they_say():
    first = [{"role": "user", "content": "a", "train": True}]
    assert prompt_hash(first) == prompt_hash([{"role": "user", "content": "a"}])
    assert prompt_hash(first) != prompt_hash([{"role": "user", "content": "b"}])


def test_about_a_share_is_kept_out_and_another_seed_keeps_others():
    names = [prompt_hash([{"role": "user", "content": str(number)}]) for number in range(1000)]
    kept = {name for name in names if is_kept_out(name, 0.2, 0)}
    assert 160 < len(kept) < 240
    assert kept != {name for name in names if is_kept_out(name, 0.2, 1)}
    assert draw_hash(names[0], 0) == draw_hash(names[0], 0)


def test_another_template_than_that_of_the_run_is_refused(made, tmp_path):
    with pytest.raises(TrainerError, match="the model was trained with another template than llama2"):
        read_dialogues(made / "made.model", "llama2", 96, made / "short.yaml")
    with pytest.raises(TrainerError, match="no tokenizer"):
        read_dialogues(tmp_path / "none.model", "llama2", 96)
    with pytest.raises(TrainerError, match="there is no template 'lama'"):
        read_dialogues(made / "made.model", "lama", 96)
