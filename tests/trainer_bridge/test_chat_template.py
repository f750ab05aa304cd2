"""The exported chat template: transformers' apply_chat_template gives the ids of the project's own encoding."""

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenizer.chat.conversations import conversation
from tests.tokenizer.models import RELEASED, train
from tokenizer.chat.encode import encode_conversation, encode_prompt, segments
from tokenizer.chat.messages import check_messages
from tokenizer.chat.template import load_template, parse_template, template_names
from tokenizer.encode import Encoder
from trainer_bridge.exporting import write_tokenizer

transformers = pytest.importorskip("transformers")
# As Llama 2's chat models have it, in its own words: user and answer stripped, bos before each pair, eos behind.
LLAMA_2 = (
    "{% set turns = messages %}{% if messages[0].role == 'system' %}{% set turns = messages[1:] %}{% endif %}"
    "{% for m in turns %}{% set text = m.content %}{% if loop.first and turns|length < messages|length %}"
    "{% set text = '<<SYS>>\n' + messages[0].content + '\n<</SYS>>\n\n' + text %}{% endif %}"
    "{% if m.role == 'user' %}{{ bos_token + '[INST] ' + text.strip() + ' [/INST]' }}"
    "{% else %}{{ ' ' + text.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)
TEXTS = st.text(st.sampled_from("ab xyz.,:#\n\t▁é中😀1"), min_size=1, max_size=14).filter(lambda text: text.strip())


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A small model and, where it is there, the released one, each with its encoder and a folder for exports."""
    folder = tmp_path_factory.mktemp("models")
    found = {"small": train(folder / "small.model", "released_settings")}
    found |= {"released": RELEASED} if RELEASED.exists() else {}
    return {name: (path, Encoder(path), folder / name) for name, path in found.items()}


def exported(models, name, template):
    """The tokenizer as transformers reads it from an exported folder."""
    path, _, folder = models[name]
    place = folder / template.name
    if not place.exists():
        place.mkdir(parents=True)
        assert write_tokenizer(path, place, 2048, template) is None
    return transformers.AutoTokenizer.from_pretrained(place)


def applied(tokenizer, messages):
    found = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False)
    return list(found)


def straddles(encoder, template, messages):
    """Whether a unit reaches over the border of a prompt and an answer that no space begins."""
    pieces = list(segments(template, check_messages(messages)))
    for before, piece in pairwise(pieces):
        if piece.loss and not before.loss and not piece.special and not before.special:
            end, whole = len(before.text), before.text + piece.text
            if any(first < end < stop for first, stop in encoder.spans(whole)[1].tolist()):
                return True
    return False


@pytest.mark.parametrize("name", ["small", "released"])
@pytest.mark.parametrize("kind", template_names())
def test_the_ids_are_the_same(models, name, kind):
    if name not in models:
        pytest.skip("the released model is not there")
    template, encoder = load_template(kind), models[name][1]
    theirs = exported(models, name, template)

    @settings(max_examples=25)
    @given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=3), st.one_of(st.none(), st.just(""), TEXTS))
    def same(pairs, system):
        pairs = pairs if template.later else pairs[:1]
        system = system if template.first_with_system else None
        messages = conversation(*(text for pair in pairs for text in pair), system=system)
        assert applied(theirs, messages[:-1]) == encode_prompt(encoder, template, messages[:-1]).tolist()
        ours = encode_conversation(encoder, template, messages)[0].tolist()
        assert applied(theirs, messages) == ours or straddles(encoder, template, messages)

    same()


def test_alpaca_s_input(models):
    template, encoder = load_template("alpaca"), models["small"][1]
    messages = conversation("Add.\n\n### Input:\n1 and 2", " three")
    theirs = exported(models, "small", template)
    assert applied(theirs, messages) == encode_conversation(encoder, template, messages)[0].tolist()
    assert "### Input:\n1 and 2\n\n### Response: three" in theirs.apply_chat_template(messages, tokenize=False)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=3), st.one_of(st.none(), st.just(""), TEXTS), st.data())
def test_llama_2_s_own_template(models, pairs, system, data):
    name = data.draw(st.sampled_from(sorted(models)))
    template, encoder = load_template("llama2"), models[name][1]
    theirs = exported(models, name, template)
    theirs.chat_template = LLAMA_2
    messages = conversation(*(text for pair in pairs for text in pair), system=system)
    assert applied(theirs, messages) == encode_conversation(encoder, template, messages)[0].tolist()
    assert applied(theirs, messages[:-1]) == encode_prompt(encoder, template, messages[:-1]).tolist()


def test_what_is_refused_here_is_refused_there(models):
    theirs = exported(models, "small", load_template("llama2"))
    for messages, what in (
        (conversation("a [INST] b"), "a message holds a tag of the template, or of the tokenizer"),
        (conversation("a", "</s>", "b"), "a message holds a tag of the template, or of the tokenizer"),
        (conversation("a <unk> b"), "a message holds a tag of the template, or of the tokenizer"),
        (conversation("a", "b")[::-1], "user and assistant must take turns"),
        (conversation("a", " \n", "b"), "a message is empty"),
        (conversation(system="s"), "there must be a turn of the user"),
    ):
        with pytest.raises(Exception, match=what):
            applied(theirs, messages)
    alpaca = exported(models, "small", load_template("alpaca"))
    for messages, what in (
        (conversation("a", "b", "c"), "later"),
        (conversation("a", system="s"), "first_with_system"),
    ):
        with pytest.raises(Exception, match=f"the template alpaca has no {what}"):
            applied(alpaca, messages)


def test_odd_texts_and_an_end_that_is_a_text(models):
    yaml = r"""
name: odd
first: "it's \\ \"{{user}}\"\t{user}\u2028|"
later: "\n{user}|"
answer: "{answer}"
end: "<|end|>\n"
"""
    template, encoder = parse_template(yaml), models["small"][1]
    messages = conversation("a", "b", "c", "d")
    theirs = exported(models, "small", template)
    assert theirs.apply_chat_template(messages, tokenize=False) == (
        'it\'s \\ "{user}"\ta\u2028|b<|end|>\n\nc|d<|end|>\n'
    )
    assert encoder.decode(encode_conversation(encoder, template, messages)[0]) == (
        theirs.apply_chat_template(messages, tokenize=False)
    )


def test_without_a_template_nothing_changes(models):
    path, _, folder = models["small"]
    (folder / "plain").mkdir(parents=True)
    write_tokenizer(path, folder / "plain", 2048)
    config = json.loads((folder / "plain" / "tokenizer_config.json").read_text())
    assert config["split_special_tokens"] is True
    assert "chat_template" not in config
