"""A survey: texts with more words than the mean of their scope go, and each text is measured once."""

from dataclasses import dataclass
from io import StringIO

import pyarrow as pa
import pytest
from rich.console import Console

from pipeline.corpus.shard import Layout, plan_shards
from pipeline.engine.measure import measure_shard, read_surveyed, settle_scope
from pipeline.engine.options import RunOptions
from pipeline.engine.process import write_shard
from pipeline.engine.run import run_source
from pipeline.errors import InputError
from pipeline.storage.listing import match
from pipeline.verify.accounts import verify
from tests.pipeline.line_source import LineRecipe, LineSource
from tests.pipeline.runs import rows, snapshot, write_input

TEXTS = {
    "a.txt": "one two\nthree of a\n\nsix words are in this text\n\ncrash it",
    "b.txt": "four words of b\n\nin all scopes",
    "c.txt": "in all scopes\n\none",
    "d.txt": "#damaged\n\nfive words stand in d",
}


class CountWords:
    name = "words"

    def load(self) -> None:
        self.loaded = True

    def apply(self, documents):
        assert self.loaded
        for document in documents:
            if "crash" in document.text:
                raise ValueError
            document.meta["kept_lines"] = len(document.text.split())
        return [None] * len(documents)


class DropLong:
    """Judges what was measured; what was not fails again."""

    name = "words"

    def load(self) -> None:
        pass

    def settle(self, settled, measured) -> None:
        self.mean, self.measured = settled["mean"], measured

    def apply(self, documents):
        return ["long" if self.measured[document.number][0] > self.mean else None for document in documents]


WORDS = pa.schema([("words", pa.int32())])


@dataclass(frozen=True)
class WordSurvey:
    columns: pa.Schema = WORDS

    def steps(self):
        return [CountWords()]

    def row(self, document):
        words = document.meta.get("kept_lines")
        return None if "crash" in document.text or not words else (words,)  # dedup left no line

    def settle(self, shards):
        words = [count for table in shards for count in table["words"].to_pylist()]
        return {"documents": len(words), "mean": sum(words) / max(1, len(words))}


@dataclass(frozen=True)
class SurveyedLines(LineSource):
    survey: WordSurvey = WordSurvey()

    def steps_after_dedup(self):
        return [DropLong()]


def run(folder, output, recipe: LineRecipe, workers: int = 1, names: str = "*", retry_failed: bool = False):
    scopes = plan_shards(match([f"{folder}/{names}.txt"]), recipe.scope, recipe.scope_files)
    options = RunOptions(str(output), [f"--direct_num_workers={workers}"], retry_failed=retry_failed)
    return run_source(SurveyedLines(recipe), scopes, options, Console(file=StringIO()))


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    return write_input(tmp_path_factory.mktemp("raw"), TEXTS)


@pytest.mark.parametrize("dedup", ["drop_all", "off"])
def test_each_scope_is_judged_by_what_is_in_it_after_dedup(raw, tmp_path, dedup):
    result = run(raw, tmp_path, LineRecipe(dedup=dedup))
    root = tmp_path / "lines"
    # a and b: 5, 6, 4, 3 words; c and d: 3, 1, 5. No line is repeated within a scope.
    assert result.manifest["surveys"] == {
        "a": {"documents": 4, "mean": 4.5},
        "c": {"documents": 3, "mean": 3.0},
    }
    assert sorted(row["text"] for f in ("short", "long") for row in rows(root, f)) == [
        "four words of b",
        "in all scopes",
        "in all scopes",
        "one",
    ]
    assert {(r["reason"], r["text"].splitlines()[0]) for r in rows(root, "_rejects")} == {
        ("damaged", "damaged at 0"),
        ("error_KeyError", "KeyError: 2"),
        ("long", "one two"),
        ("long", "six words are in this text"),
        ("long", "five words stand in d"),
    }
    assert verify(str(root)) == (4, [])
    assert not (root / "_work").exists()
    stats = root / "_stats" / "d.json"
    stats.write_text(stats.read_text().replace('"mean": 3.0', '"mean": 9.0'))
    assert verify(str(root))[1][0] == "shards c and d of one scope were judged by different surveys"


def test_the_scope_is_what_is_left_of_dedup_over_all_of_it(raw, tmp_path):
    result = run(raw, tmp_path, LineRecipe(scope="all"))
    assert result.manifest["surveys"] == {"all": {"documents": 5, "mean": 4.2}}


@pytest.mark.parametrize("dedup", ["drop_all", "off"])
def test_other_workers_lost_shards_and_whole_scopes_that_follow_give_the_same_bytes(raw, tmp_path, dedup):
    recipe = LineRecipe(dedup=dedup)
    run(raw, tmp_path / "whole", recipe)
    expected = snapshot(tmp_path / "whole" / "lines")
    run(raw, tmp_path / "again", recipe, names="[ab]")
    result = run(raw, tmp_path / "again", recipe, workers=2)
    assert (result.done_before, snapshot(tmp_path / "again" / "lines")) == (2, expected)
    for name in ("b", "d"):
        (tmp_path / "again" / "lines" / "_stats" / f"{name}.json").unlink()
    assert run(raw, tmp_path / "again", recipe).written == 2
    assert snapshot(tmp_path / "again" / "lines") == expected


def test_a_scope_that_is_made_again_is_surveyed_again(tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    (folder / "a.txt").write_text(TEXTS["a.txt"])
    (folder / "b.txt").write_text("#damaged")
    run(folder, tmp_path / "out", LineRecipe())
    (folder / "b.txt").write_text("one")
    result = run(folder, tmp_path / "out", LineRecipe(), retry_failed=True)
    assert result.manifest["surveys"] == {"a": {"documents": 3, "mean": 4.0}}
    assert verify(str(tmp_path / "out" / "lines"))[1] == []


def test_what_was_measured_before_a_kill_is_used_and_a_file_that_changed_since_is_told(tmp_path):
    (tmp_path / "a.txt").write_text("one two\n\nthree")
    source, layout = SurveyedLines(LineRecipe(dedup="off")), Layout(str(tmp_path / "lines"))
    (scope,) = plan_shards(match([str(tmp_path / "a.txt")]), "files", 2)
    (shard,) = scope.shards
    count = CountWords()
    count.load()
    for steps in ([count], []):  # the second time it is there
        measure_shard(source, source.survey, layout, shard, "work", steps, None, [])
    settle_scope(source.survey, layout, "work", [shard.name])
    found = read_surveyed(layout, shard, "work")
    assert (found.settled, found.measured) == ({"documents": 2, "mean": 1.5}, {0: (2,), 1: (1,)})
    (tmp_path / "a.txt").write_text("one two\n\nthree more")
    judge = DropLong()
    judge.settle(found.settled, found.measured)
    with pytest.raises(InputError, match="changed while the run was at work on it"):
        write_shard(source, layout, shard, [judge], None, {}, None, (), found.inputs)
