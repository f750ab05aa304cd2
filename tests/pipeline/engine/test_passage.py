"""A pass that goes on from where the one before came to finds what it would have found in the raw files."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pytest

from pipeline.corpus.shard import Shard
from pipeline.engine.passage import Decided, Passage
from pipeline.steps import DropShort
from pipeline.storage.filesystem import InputFile
from tests.pipeline.engine.test_rounds import CutTitle, TitledSource
from tests.pipeline.line_source import LineRecipe

TEXT = "T1\nfirst\nsecond\n\n#damaged\n\nT2\nthird\n\nT3\n\nT4\ncrash\n\nT5\nfourth\nfifth"
done = Counter()  # what was done, by kind


class CountedCut(CutTitle):
    def apply(self, documents):
        done["cut"] += len(documents)
        return super().apply(documents)


@dataclass(frozen=True)
class Counted(TitledSource):
    """Titles go first, in a round of their own."""

    def read(self, stream, file, counters):
        done["read"] += 1
        counters["text_bytes"] += 5
        yield from super().read(stream, file, counters)

    def steps_before_dedup(self):
        return [CountedCut()]


@pytest.fixture
def shard(tmp_path):
    path = tmp_path / "raw.txt"
    path.write_text(TEXT)
    return Shard("raw", (InputFile(str(path), path.stat().st_size),), "all")


def decisions(*masks):
    return [Decided(np.array(mask), []) for mask in masks]


def passed(source, shard, decided, reading=None, then=(), keep=True):
    passage = Passage(source, shard, None, decided, reading)
    items = list(passage.run(then, keep=keep))
    return repr(items), passage.ledger.as_json(), passage.inputs, passage.exhausted


TITLES = [True, True, True, True, False]  # T5 goes; T3 is too short to be one of them
LINES = [True, False, True, True]
PASSES = ([], [TITLES], [TITLES, LINES])


@pytest.fixture(params=["titles and lines", "titles alone", "no dedup"])
def source(request):
    recipe = LineRecipe(min_characters=1, dedup="off" if request.param == "titles alone" else "drop_all")
    if request.param == "no dedup":
        return Once(replace(recipe, dedup="off"))
    return Counted(recipe)


class Once(Counted):
    def earlier_rounds(self):
        return []


def passes_of(source):
    if isinstance(source, Once):
        return [[], []]
    return PASSES if source.dedup else PASSES[:2]


def test_passes_that_go_on_find_what_passes_from_the_raw_file_find(source, shard, tmp_path):
    reading, then = str(tmp_path / "reading"), [DropShort(6)]
    passes = passes_of(source)
    for number, masks in enumerate(passes):
        decided = decisions(*masks)
        more = then if number == len(passes) - 1 else []
        plain = passed(source, shard, decided, None, more)
        done.clear()
        assert passed(source, shard, decided, reading, more) == plain
        assert done["read"] == (number == 0)
        again = passed(source, shard, decided, reading, more)  # as after a kill
        assert again == plain
    done.clear()
    assert passed(source, shard, decided, reading, more, keep=False) == plain
    assert done == ({} if source.dedup or isinstance(source, Once) else {"cut": 8})  # one fails: all come again


def test_a_damaged_document_fails_by_itself_in_every_pass(shard, tmp_path):
    source, reading = Counted(LineRecipe(min_characters=1)), str(tmp_path / "reading")
    for masks in PASSES[:2]:
        items, ledger, _, _ = passed(source, shard, decisions(*masks), reading)
        assert ("reason='error_ValueError'" in items) == bool(masks)
    assert [step["step"] for step in ledger["steps"]] == ["read", "length", "title_dedup", "title"]
    assert ledger["steps"][-1]["counters"] == {"titles": 3}


def test_other_decisions_are_not_met_by_what_was_kept(shard, tmp_path):
    source, reading = Counted(LineRecipe(min_characters=1)), str(tmp_path / "reading")
    for masks in PASSES[:2]:
        passed(source, shard, decisions(*masks), reading)
    other = decisions([False, True, True, True, True], LINES)
    assert passed(source, shard, other, reading) == passed(source, shard, other)


@pytest.mark.parametrize("count", [4, 6])
def test_decisions_for_other_units_are_seen_by_each_later_pass(shard, tmp_path, count):
    source, reading = Counted(LineRecipe(min_characters=1)), str(tmp_path / "reading")
    passed(source, shard, [], reading)
    wrong = [[True] * count]
    assert not passed(source, shard, decisions(*wrong), reading)[3]
    assert not passed(source, shard, decisions(*wrong, LINES), reading)[3]
