"""Templates: those that are built in are the publishers' own strings; what cannot be used is named."""

import pytest

from tests.tables import refusals
from tests.tokenizer.chat.conversations import conversation
from tokenizer.chat.encode import segments
from tokenizer.chat.messages import check_messages
from tokenizer.chat.template import Template, TemplateError, load_template, parse_template, template_names

ALPACA = (
    "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
    "### Instruction:\nQ1\n\n### Response:"
)
ALPACA_WITH_INPUT = (
    "Below is an instruction that describes a task, paired with an input that provides further context. Write a "
    "response that appropriately completes the request.\n\n### Instruction:\nQ1\n\n### Input:\nI1\n\n### Response:"
)
VICUNA = (
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, "
    "and polite answers to the user's questions."
)
ONE, TWO = conversation("Q1", "A1"), conversation("Q1", "A1", "Q2", "A2")
# What stands in brackets has loss.
STRINGS = {
    "alpaca": {
        "one": (ONE, f"<s>{ALPACA}[A1</s>]"),
        "input": (conversation("Q1\n\n### Input:\nI1", "A1"), f"<s>{ALPACA_WITH_INPUT}[A1</s>]"),
    },
    "gpt4all": {"one": (ONE, "<s>Q1\n[A1</s>]")},
    "koala": {
        "two": (TWO, "<s>BEGINNING OF CONVERSATION: USER: Q1 GPT:[ A1</s>]USER: Q2 GPT:[ A2</s>]"),
    },
    "llama2": {
        "two": (TWO, "<s>{INST} Q1 {/INST}[ A1 </s>]<s>{INST} Q2 {/INST}[ A2 </s>]"),
        "system": (
            conversation("Q1", "A1", system="Be brief."),
            "<s>{INST} <<SYS>>\nBe brief.\n<</SYS>>\n\nQ1 {/INST}[ A1 </s>]",
        ),
        "empty system": (
            conversation("Q1", "A1", system=""),
            "<s>{INST} <<SYS>>\n\n<</SYS>>\n\nQ1 {/INST}[ A1 </s>]",
        ),
        "white space": (conversation(" Q1\n", "\tA1  "), "<s>{INST} Q1 {/INST}[ A1 </s>]"),
        "white space behind a system text": (
            conversation(" Q1\n", "A1", system=" S "),
            "<s>{INST} <<SYS>>\n S \n<</SYS>>\n\n Q1 {/INST}[ A1 </s>]",
        ),
    },
    "stable_vicuna": {
        "two": (
            TWO,
            "<s>### Human: Q1\n### Assistant:[ A1</s>]### Human: Q2\n### Assistant:[ A2</s>]",
        ),
    },
    "vicuna_v1.1": {
        "two": (TWO, f"<s>{VICUNA} USER: Q1 ASSISTANT:[ A1</s>]USER: Q2 ASSISTANT:[ A2</s>]"),
        "system": (conversation("Q1", "A1", system="Be brief."), "<s>Be brief. USER: Q1 ASSISTANT:[ A1</s>]"),
    },
    "wizardlm_7b": {"one": (ONE, "<s>Q1\n\n### Response:[A1</s>]")},
}


def shown(template, messages):
    """A conversation as text, what has loss in brackets; Llama 2's own brackets are braces."""
    text, on = "", False
    for piece in segments(template, check_messages(messages)):
        if piece.loss != on:
            text, on = text + "]["[piece.loss], piece.loss
        special = {"bos": "<s>", "eos": "</s>"}.get(piece.special)
        text += special or piece.text.replace("[INST]", "{INST}").replace("[/INST]", "{/INST}")
    return text + "]" * on


@pytest.mark.parametrize(("name", "case"), [(name, case) for name, cases in STRINGS.items() for case in cases])
def test_the_built_in_templates_are_the_publishers_strings(name, case):
    messages, expected = STRINGS[name][case]
    assert shown(load_template(name), messages) == expected


def test_all_that_are_built_in_were_looked_at():
    assert template_names() == sorted(STRINGS)


@pytest.mark.parametrize("name", sorted(STRINGS))
def test_the_text_of_a_template_is_the_template(name, tmp_path):
    template = load_template(name)
    path = tmp_path / "copy.yaml"
    path.write_text(template.text, encoding="utf-8")
    assert load_template(path) == template
    assert load_template(path).sha256 == template.sha256


def test_a_text_holds_any_character():
    odd = Template(
        "odd", first="\x00\t\x85\u2028\ufeff😀\\\"'{{ä{user}", answer="{answer}", end="\x7f", tags=("\r", "ä")
    )
    assert parse_template(odd.text) == odd
    escaped = parse_template('name: a\nfirst: "{{x}} {user}"\nanswer: "{answer}"\nend: "\\0\\u2028\\U0001F600"\n')
    assert parse_template(escaped.text) == escaped
    assert escaped.stop_text == "\0\u2028😀"
    assert escaped.frames["first"][0] == "{x} "


def test_what_ends_an_answer():
    text = "name: a\nfirst: '{user}'\nanswer: '{answer}'\nend: "
    found = {end: parse_template(f"{text}{end!r}") for end in ("{eos}", "<|end|>", "###{eos}")}
    assert {end: (t.stop_text, t.ends_with_eos) for end, t in found.items()} == {
        "{eos}": ("", True),
        "<|end|>": ("<|end|>", False),
        "###{eos}": ("###", True),
    }
    assert [t.begins_with_bos for t in found.values()] == [False] * 3
    assert load_template("llama2").begins_with_bos


GOOD = {"name": "a", "first": "{user}", "answer": "{answer}", "end": "{eos}"}


def parse(changes: str):
    """A good template with some keys changed: lines of YAML, ``-key`` to leave one out."""
    lines = {key: f"{key}: '{value}'" for key, value in GOOD.items()}
    for line in changes.split("\n"):
        key = line.partition(":")[0]
        lines.pop(key.lstrip("-"), None)
        if not key.startswith("-"):
            lines[key] = line
    return parse_template("\n".join(lines.values()))


test_what_cannot_be_used_is_named = refusals(
    parse,
    TemplateError,
    {
        "-end": "the template: it has no end mark: without one a model never learns to stop. Give end, such as",
        "end: ''": "the template: it has no end mark",
        "end:": "the template: it has no end mark",
        "-answer": "the template: the key answer is missing",
        "answr: x": "the template: there is no key answr. Did you mean answer?",
        "first: '{usr}'": "first: there is no placeholder {usr} here; it may hold {user}, {bos}, {eos}",
        "first: 'x'": "first: {user} must stand in it once, it does 0 times",
        "first: '{user}{user}'": "first: {user} must stand in it once, it does 2 times",
        "first: '{user!r}'": "first: {user} is no placeholder: a brace that is text is written twice",
        "first: '{user'": "first: expected '}' before end of string: a brace that is text is written twice",
        "first: '{}{user}'": "first: {} is no placeholder",
        "answer: '{answer}{eos}'": "answer: there is no placeholder {eos} here; it may hold {answer}",
        "end: '{eos}x'": "end: {eos} must stand last, and once",
        "later: ''": "later: {user} must stand in it once, it does 0 times",
        "later: 7": "later must be a text, it is 7; put it in quotes",
        "name: 'a b'": "name must be of letters, digits, point, line and underline, it is 'a b'",
        "strip: 1": "strip must be true or false, it is 1",
        "tags: x": "tags must be a list of texts, it is 'x'",
        "tags: ['']": "tags holds an empty text",
        "input_mark: x": "first_with_input and input_mark go together",
        "first: [": "the template is not valid YAML",
    },
)


def test_files_that_are_none_are_refused(tmp_path):
    for content, message in {
        b"- a\n": "must be a mapping of keys, it is a list",
        b"\xff": "cannot read the template",
        b"x" * ((1 << 20) + 1): "has more than 1,048,576 bytes: is it one?",
    }.items():
        path = tmp_path / "t.yaml"
        path.write_bytes(content)
        with pytest.raises(TemplateError, match=message):
            load_template(path)
    with pytest.raises(TemplateError, match=r"cannot read the template .*No such file"):
        load_template(tmp_path / "none.yaml")
    with pytest.raises(TemplateError, match="there is no template 'llama'; built in are alpaca, gpt4all, koala, "):
        load_template("llama")
