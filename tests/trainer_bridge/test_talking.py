"""Talks: what a model reads of a conversation, where an answer ends, and what is forgotten."""

import io
from dataclasses import replace

import pytest
import torch

from tests.pipeline.mix import corpora
from tests.tokenizer.chat.conversations import conversation
from tests.trainer_bridge import tiny
from tokenizer.chat.encode import encode_prompt
from tokenizer.chat.messages import ConversationError
from tokenizer.chat.template import load_template, parse_template
from tokenizer.encode import Encoder
from trainer_bridge.config import ModelConfig
from trainer_bridge.errors import TrainerError
from trainer_bridge.generation import generate
from trainer_bridge.talking import Choices, Talk, questions, say

SHAPE = ModelConfig(dim=16, layers=1, heads=2, vocab_size=400, ffn_hidden=16, context=400)
CHOICES = Choices(30, 1.0, 1.0, 0)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return Encoder(corpora.write_model(tmp_path_factory.mktemp("model")))


def model_of(ids):
    """A model that draws from some ids alone, all alike: every id is embedded in the same way, so it reads nothing."""
    model = tiny.model(SHAPE)
    with torch.no_grad():
        model.tok_embeddings.weight[:] = 1.0
        model.output.weight[:] = 0.0
        h = model.hidden(torch.tensor([[1, 2]]))[0, 0]
        model.output.weight[ids] = 60 * h / h.square().sum()
    return model


def answer_of(model, encoder, messages, name="llama2", choices=CHOICES):
    """The ids that a model draws as an answer, eos among them, by the other command's function."""
    prompt = encode_prompt(encoder, load_template(name), messages).tolist()
    count = min(choices.tokens, model.config.context - len(prompt))
    return generate(model, prompt, count, choices.temperature, choices.top_p, choices.seed, encoder.eos_id)


def text_of(encoder, ids):
    return encoder.decode([number for number in ids if number != encoder.eos_id]).strip()


@pytest.mark.parametrize("name", ["llama2", "vicuna_v1.1", "koala"])
def test_a_conversation_is_read_as_it_would_be_trained(encoder, name):
    model = tiny.model(SHAPE)
    talk = Talk(model, encoder, load_template(name), CHOICES)
    first = "".join(talk.answer("first"))
    messages = conversation("first", first, "second")
    assert first.strip() == text_of(encoder, answer_of(model, encoder, messages[:1], name))
    second = "".join(talk.answer("second"))
    assert second.strip() == text_of(encoder, answer_of(model, encoder, messages, name, replace(CHOICES, seed=1)))
    assert [message["content"] for message in talk.messages] == ["first", first, "second", second]


def test_an_answer_ends_with_eos(encoder):
    water = encoder.encode("water").tolist()
    assert len(water) == 1
    model, choices = model_of([*water, encoder.eos_id]), replace(CHOICES, tokens=300)
    talk = Talk(model, encoder, load_template("llama2"), choices)
    ids = answer_of(model, encoder, conversation("q"), choices=choices)
    assert ids[-1] == encoder.eos_id
    assert "".join(talk.answer("q")) == " ".join(["water"] * (len(ids) - 1))
    only_eos = Talk(model_of([encoder.eos_id]), encoder, load_template("llama2"), CHOICES)
    assert ("".join(only_eos.answer("q")), only_eos.messages) == ("", [])  # an empty answer is no turn


def test_an_answer_that_does_not_end_is_cut(encoder):
    model = model_of(encoder.encode("water").tolist())
    talk = Talk(model, encoder, load_template("llama2"), replace(CHOICES, tokens=9))
    assert "".join(talk.answer("q")) == " ".join(["water"] * 9)


def test_an_end_that_is_a_text(encoder):
    ids = encoder.encode("water village").tolist()
    model = model_of(ids)
    plain = 'name: t\nfirst: "U: {user} A:"\nanswer: " {answer}"\nend: '
    whole = "".join(Talk(model, encoder, parse_template(f'{plain}"#"'), CHOICES).answer("q"))
    assert {"water", "village"} == set(whole.split())
    for end in ("village", "village water", "e w"):
        found = "".join(Talk(model, encoder, parse_template(f'{plain}"{end}"'), CHOICES).answer("q"))
        assert found == whole.partition(end)[0]


def test_an_answer_comes_in_pieces_none_of_which_is_taken_back(encoder):
    model, found = model_of(encoder.encode_batch(["é😀 water"])[0].tolist()), set()
    for seed in range(4):
        talk = Talk(model, encoder, load_template("llama2"), replace(CHOICES, seed=seed))
        pieces = list(talk.answer("q"))
        ids = answer_of(model, encoder, conversation("q"), choices=replace(CHOICES, seed=seed))
        assert "".join(pieces) == text_of(encoder, ids)
        found.add(len(pieces) > 2)
    assert True in found


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ('answer: " water {answer}"', 8),  # the front comes in two ids
        ('answer: "{answer} water"\nstrip: true', 8),
        ('answer: "{answer} water"', 8),
        ('answer: " {answer}"\nstrip: true', 9),
    ],
)
def test_the_frame_of_an_answer_is_none_of_it(encoder, keys, expected):
    template = parse_template(f'name: t\nfirst: "U: {{user}} A:"\nend: "{{eos}}"\n{keys}')
    pieces = Talk(model_of(encoder.encode("water").tolist()), encoder, template, replace(CHOICES, tokens=9)).answer("q")
    assert "".join(pieces).strip() == " ".join(["water"] * expected)


@pytest.mark.parametrize(("tags", "kept"), [('["ter"]', "wat er wat er"), ('["wa", "w a"]', None)])
def test_an_answer_that_holds_a_tag_is_read_again_without_it(encoder, tags, kept):
    """A model can say anything; the talk goes on."""
    text = f'name: t\nfirst: "U: {{user}} A:"\nlater: "U: {{user}} A:"\nanswer: " {{answer}}"\nend: "#"\ntags: {tags}'
    model = model_of(encoder.encode("water").tolist())
    talk = Talk(model, encoder, parse_template(text), replace(CHOICES, tokens=2))
    for _ in range(2):
        assert "".join(talk.answer("q")) == "water water"
    assert [m["content"] for m in talk.messages if m["role"] == "assistant"] == ([kept] * 2 if kept else [])


def test_of_an_answer_that_is_stopped_its_part_is_kept(encoder):
    talk = Talk(model_of(encoder.encode("water").tolist()), encoder, load_template("llama2"), CHOICES)
    answer = talk.answer("q")
    said = next(answer) + next(answer)
    answer.close()
    assert said == "water water"
    assert talk.messages == [{"role": "user", "content": "q"}, {"role": "assistant", "content": said}]


def test_what_is_old_is_forgotten_turn_by_turn_but_for_the_system_text(encoder):
    model, template = model_of(encoder.encode("water").tolist()), load_template("llama2")
    talk = Talk(model, encoder, template, replace(CHOICES, tokens=8), system="Be.")
    answer = " ".join(["water"] * 8)
    words = next(
        n
        for n in range(1, 400)
        if len(
            encode_prompt(encoder, template, conversation("two", answer, "three", answer, "water " * n, system="Be."))
        )
        == SHAPE.context - 8
    )
    long = "water " * words
    for question in ("one", "two", "three", long):
        "".join(talk.answer(question))
    asked = [message["content"] for message in talk.messages if message["role"] == "user"]
    assert asked == ["two", "three", long]
    talk.begin_anew()
    assert "".join(talk.answer("four")) == " ".join(["water"] * 8)
    assert len(talk.messages) == 2


def test_a_template_of_one_turn_forgets_all(encoder):
    talk = Talk(model_of(encoder.encode("water").tolist()), encoder, load_template("gpt4all"), CHOICES)
    answers = ["".join(talk.answer(question)) for question in ("one", "two")]
    assert [message["content"] for message in talk.messages] == ["two", answers[1]]


def test_what_cannot_be_asked(encoder):
    model = tiny.model(SHAPE)
    talk = Talk(model, encoder, load_template("llama2"), CHOICES)
    with pytest.raises(ConversationError, match="a message holds"):
        next(talk.answer("a <<SYS>>"))
    with pytest.raises(TrainerError, match=r"the question makes \d+ ids; the model's context is 400"):
        next(talk.answer("water " * 500))
    with pytest.raises(TrainerError, match="the template koala has no place for a system text: leave --system out"):
        Talk(model, encoder, load_template("koala"), CHOICES, system="s")
    with pytest.raises(TrainerError, match=r"--system: a message holds '\[INST\]'"):
        Talk(model, encoder, load_template("llama2"), CHOICES, system="[INST]")
    with pytest.raises(TrainerError, match=r"system text and question make \d+ ids; the model's context is 400"):
        next(Talk(model, encoder, load_template("llama2"), CHOICES, system="water " * 500).answer("a"))
    with pytest.raises(TrainerError, match="the tokenizer has more ids than the model's 64"):
        Talk(tiny.model(), encoder, load_template("koala"), CHOICES)


def test_draws_are_the_seed_s(encoder):
    model, template = tiny.model(SHAPE), load_template("llama2")
    talks = [Talk(model, encoder, template, replace(CHOICES, seed=seed)) for seed in (0, 0, 7)]
    drawn = [["".join(talk.answer("a")) for _ in range(2)] for talk in talks]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_line_is_a_turn():
    assert list(questions(io.StringIO("one\n\n  two \nthree"), shows=False)) == ["one", "two", "three"]


def test_ctrl_c_stops_an_answer_and_not_the_talk(capsys):
    def stopped():
        yield "one"
        raise KeyboardInterrupt

    say(stopped(), may_stop=True)
    assert capsys.readouterr().out == "one\n"
    with pytest.raises(KeyboardInterrupt):
        say(stopped(), may_stop=False)


def test_a_terminal_gets_no_control_characters(monkeypatch, capsys):
    for is_terminal, expected in ((True, "a\ufffd[2J\tb\n\ufffd\n"), (False, "a\x1b[2J\tb\n\x9b\n")):
        with monkeypatch.context() as patch:
            patch.setattr("sys.stdout.isatty", lambda found=is_terminal: found)
            say((text for text in ("a\x1b[2J", "\tb\n\x9b")), may_stop=False)
        assert capsys.readouterr().out == expected
