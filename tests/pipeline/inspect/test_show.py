import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from pipeline.inspect.raw import Before
from pipeline.inspect.search import Query, search
from pipeline.inspect.show import as_json, show
from pipeline.report.corpus import find
from tests.pipeline.report.corpora import HOSTILE, Made, make_source


@pytest.fixture
def found(tmp_path):
    meta = {"title": HOSTILE, "answer_scores": [5, -1], "checked": False, "perplexity": 12.5}
    shards = {"a": [Made(HOSTILE + "\nline two", fields={"meta": meta}), Made("bad", "length", "too_short\x1b")]}
    make_source(tmp_path, shards)
    return list(search(find([str(tmp_path)]).sources[0], Query(limit=0)))


def printed(found, characters=0, before=None, colour=False) -> str:
    file = io.StringIO()
    console = Console(file=file, width=100, force_terminal=colour, color_system="standard" if colour else None)
    show(console, found, characters, before)
    return file.getvalue()


def test_a_document_is_printed_to_the_letter_and_without_what_acts(found):
    text = printed(found[0])
    assert text.startswith("kept  a/0")
    assert "a.txt@0" in text
    assert "answer_scores 5, -1" in text
    assert "checked no" in text
    assert "<script>document.title = 'gone'</script>" in text
    assert "␛[31mred␇ [U+202E]abc[U+202C] {{ 7 * 7 }}" in text.replace("\n", " ")
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_colours_are_our_own_only(found):
    coloured = printed(found[1], colour=True)
    assert "\x1b[" in coloured
    assert "dropped by length: too_short␛" in coloured


def test_long_texts_are_clipped_with_a_word(found):
    assert "more characters (--characters 0 shows all)" in printed(found[0], characters=10)
    assert "more characters" not in printed(found[0], characters=0)


def test_before_and_after_stand_side_by_side(found):
    one = replace(found[0], row={**found[0].row, "text": "The lamp was lit."})
    text = printed(one, before=Before("'''The lamp''' was lit.\nmenu"))
    assert "before: 28 characters" in text
    assert "after: 17 characters" in text
    lines = [line.split() for line in text.splitlines()]
    assert ["-", "'''The", "lamp'''", "was", "lit.", "The", "lamp", "was", "lit."] in lines
    assert ["-", "menu"] in lines


def test_a_missing_raw_record_is_said(found):
    assert "before: the raw file is gone" in printed(found[0], before=Before(None, "the raw file is gone"))


def test_json_holds_all_and_steers_no_terminal(found):
    line = as_json(found[0], Before("raw \u009b", ""))
    assert "\n" not in line
    assert not set(line) & set("\x1b\u202e\u009b")
    value = json.loads(line)
    assert value["text"] == HOSTILE + "\nline two"
    assert value["meta"]["perplexity"] == 12.5
    assert value["created"] == "2026-03-01T00:00:00+00:00"
    assert (value["before"], value["before_missing"]) == ("raw \u009b", None)
    assert "before" not in json.loads(as_json(found[0], None))


def test_lines_that_are_broken_go_on_beside_the_place_of_marks(found):
    one = replace(found[0], row={**found[0].row, "text": "w" * 46 + " - 92"})
    text = printed(one, before=Before("w" * 46 + " - 92"))
    assert not [line for line in text.splitlines() if line.startswith("-")]
    assert "  - 92" in text


def test_a_conversation_is_shown_as_a_dialogue(found):
    turns = [("system", "Be brief.", False), ("user", "Hi\x1b\nassistant\n  no", False), ("assistant", "Ho", False)]
    messages = [dict(zip(("role", "content", "train"), turn, strict=True)) for turn in turns]
    meta = {"messages": [*messages, {**messages[2], "train": True}], "chosen": None, "rejected": None, "piece": 0}
    one = replace(found[0], row={**found[0].row, "text": "all", "meta": meta})
    lines = printed(one).splitlines()
    assert "messages" not in "".join(lines)
    said = ["system", "  Be brief.", "user", "  Hi␛", "  assistant", "    no", "assistant (no loss)", "  Ho"]
    assert lines[3:] == [*said, "assistant", "  Ho", ""]
    assert printed(one, characters=6).splitlines()[5] == "  … 3 more characters (--characters 0 shows all)"
    pair = replace(one, row={**one.row, "meta": {"messages": messages[1:2], "chosen": "A", "rejected": "B"}})
    lines = printed(pair).splitlines()
    assert lines[-5:] == ["chosen", "  A", "rejected", "  B", ""]
    long = {"messages": [{**messages[1], "content": "p" * 90}], "chosen": "a" * 90, "rejected": "b" * 50}
    lines = printed(replace(one, row={**one.row, "meta": long}), characters=90).splitlines()
    assert [lines[at] for at in (-10, -7, -4)] == ["user", "chosen", "rejected"]
    assert [lines[at] for at in (-9, -6, -3)] == ["  " + letter * 30 for letter in "pab"]
