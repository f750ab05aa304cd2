"""Ghost Attention: where an instruction stands, and what is trained on."""

import pyarrow.parquet as pq
import pytest

from tests.tables import refusals
from tests.trainer_bridge.chat import planted
from trainer_bridge.chat.corpora import write_conversations
from trainer_bridge.chat.ghost import main
from trainer_bridge.chat.ghost_attention import (
    Instruction,
    draw_instruction,
    for_training,
    load_kinds,
    while_sampling,
)
from trainer_bridge.errors import TrainerError

TALK = [
    {"role": "user", "content": "Who are you?", "train": True},
    {"role": "assistant", "content": "A friend.", "train": True},
    {"role": "user", "content": "And then?", "train": True},
    {"role": "assistant", "content": "A stranger.", "train": True},
]


def contents(messages):
    return [(message["role"], message["content"]) for message in messages]


def trained(messages):
    return [message["train"] for message in messages if message["role"] == "assistant"]


def test_while_sampling_it_stands_before_every_turn_of_the_user():
    assert contents(while_sampling(TALK[:3], "Act as X.")) == [
        ("user", "Act as X.\nWho are you?"),
        ("assistant", "A friend."),
        ("user", "Act as X.\nAnd then?"),
    ]


def test_for_training_it_stands_at_the_beginning_alone_and_the_last_answer_has_loss():
    found = for_training(TALK, "Figure: X.", "system")
    assert contents(found) == [("system", "Figure: X."), *contents(TALK)]
    assert trained(found) == [False, True]
    found = for_training(TALK, "Figure: X.", "user")
    assert contents(found)[0] == ("user", "Figure: X.\nWho are you?")
    assert contents(found)[1:] == contents(TALK)[1:]
    assert trained(TALK) == [True, True]


def test_a_system_message_that_is_there_stays_behind_it():
    found = for_training([{"role": "system", "content": "Be brief.", "train": True}, *TALK], "Figure: X.", "system")
    assert contents(found)[0] == ("system", "Figure: X.\n\nBe brief.")
    assert len(found) == 5


def test_instructions_are_drawn_and_joined():
    kinds = load_kinds("paper")
    assert list(kinds) == ["hobby", "language", "figure"]
    first = [0.0, 0.9, 0.5, 0.0, 0.9, 0.0, 0.1, 0.0]  # one, long; the figure comes first
    assert draw_instruction(kinds, first, 2, 0.5) == Instruction(*["Always act as Napoleon from now on."] * 2)
    both = [0.6, 0.1, 0.5, 0.05, 0.9, 0.0, 0.1, 0.0]  # two, short for training
    assert draw_instruction(kinds, both, 2, 0.5) == Instruction(
        "Always act as Napoleon from now on. You enjoy chess.", "Figure: Napoleon. Hobby: chess."
    )


test_refused_instructions = refusals(
    load_kinds,
    TrainerError,
    {"papers": "no instructions 'papers'; there are paper, or give a .yaml file", "none.yaml": "no instructions"},
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "holds no kinds of instructions"),
        ("a: {instruction: 'x {}', short: 'y {}'}", "a must have the keys instruction, short and values"),
        ("a: {instruction: x, short: 'y {}', values: [z]}", "a.instruction must be a text with {} in it once"),
        ("a: {instruction: 'x {}', short: 'y {}', values: [1]}", "a.values must be a list of texts"),
        ("a: [", "is not valid YAML"),
    ],
)
def test_instructions_that_cannot_be_used(tmp_path, text, message):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(TrainerError) as caught:
        load_kinds(str(tmp_path / "mine.yaml"))
    assert message in str(caught.value)


def talks(folder, count=5):
    rows = [
        (str(number), [{**turn, "content": f"{turn['content']} {number}"} for turn in TALK], {})
        for number in range(count)
    ]
    write_conversations(folder / "a.parquet", "mine", [*rows, ("short", TALK[:2], {})])
    return folder


def run(monkeypatch, *words):
    monkeypatch.setattr("sys.argv", ["ghost", *map(str, words)])
    main()


def test_conversations_as_they_are_need_no_model(tmp_path, monkeypatch, capsys):
    words = ["--conversations", talks(tmp_path / "talks"), "--output", tmp_path / "out", "ghost.answers=given"]
    run(monkeypatch, *words)
    assert capsys.readouterr().out == "5 dialogues of 6 conversations\n"
    path = tmp_path / "out" / "corpus" / "ghost_attention" / "conversations" / "dialogues.parquet"
    rows = pq.read_table(path).to_pylist()
    assert [row["meta"]["messages"][0]["role"] for row in rows] == ["system"] * 5
    assert {row["meta"]["messages"][0]["content"] == row["meta"]["instruction"] for row in rows} == {True}
    before = path.read_bytes()
    run(monkeypatch, *words)
    assert path.read_bytes() == before


def test_a_model_answers_under_the_instruction_and_a_stopped_command_goes_on(tmp_path, monkeypatch):
    made = planted.made(tmp_path / "made")
    model = planted.random_run(tmp_path / "run", made, context=512)
    data = talks(tmp_path / "talks")
    words = ["--model", model, "--conversations", data, "ghost.tokens=6", "ghost.answers=all", "ghost.batch=2"]
    run(monkeypatch, *words, "--output", tmp_path / "a")
    path = tmp_path / "a" / "corpus" / "ghost_attention" / "conversations" / "dialogues.parquet"
    lines = (tmp_path / "a" / "dialogues.jsonl").read_text().splitlines(keepends=True)
    assert len(lines) == 5
    corpus = path.read_bytes()
    (tmp_path / "a" / "dialogues.jsonl").write_text("".join(lines[:3]) + lines[3][:20])
    run(monkeypatch, *words, "--output", tmp_path / "a")
    assert (tmp_path / "a" / "dialogues.jsonl").read_text() == "".join(lines)
    assert (
        tmp_path / "a" / "corpus" / "ghost_attention" / "conversations" / "dialogues.parquet"
    ).read_bytes() == corpus
    with pytest.raises(TrainerError, match=r"ghost\.seed: was 0, is 1"):
        run(monkeypatch, *words, "--output", tmp_path / "a", "ghost.seed=1")


def test_what_a_command_line_lacks_is_named(tmp_path, monkeypatch):
    with pytest.raises(TrainerError, match="no --model"):
        run(monkeypatch, "--conversations", tmp_path, "--output", tmp_path / "a")
    with pytest.raises(TrainerError, match=r"ghost.samples = 4 needs --reward"):
        run(monkeypatch, "--model", "m", "--conversations", tmp_path, "--output", tmp_path / "a", "ghost.samples=4")
    data = talks(tmp_path / "talks", 0)
    with pytest.raises(TrainerError, match="has no conversation with 2 turns of the user or more"):
        run(monkeypatch, "--conversations", data, "--output", tmp_path / "a", "ghost.answers=given")
