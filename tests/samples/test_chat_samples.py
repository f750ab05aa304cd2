"""The chat sample: made again into the same bytes, and what is planted in it."""

import json
from collections import Counter

from samples.make_chat import OUTPUT, answer, courtesy, main, pairs, trees
from tests.samples.made import made_again


def test_what_is_written_gives_the_bytes_that_lie_there(tmp_path, capsys):
    assert len(made_again(main, OUTPUT, tmp_path, capsys)) == 4


def test_courtesies_are_counted():
    assert answer("a baker", (True, False, True)) == "Gladly. A baker. Ask me again soon."
    assert [courtesy(answer("no", (first, True, False))) for first in (False, True)] == [1, 2]


def test_the_more_courteous_answer_is_preferred():
    differences = Counter(courtesy(pair["chosen"]) - courtesy(pair["rejected"]) for pair in pairs())
    assert sorted(differences) == [1, 2, 3]
    for tree in map(json.dumps, trees()):
        ranked = sorted(json.loads(tree)["prompt"]["replies"], key=lambda reply: reply["rank"])
        assert [courtesy(reply["text"]) for reply in ranked] == [3, 2, 1, 0]
