"""Two rounds of dedup: a text whose first line came before goes whole, then repeated lines go from those that stay."""

from dataclasses import dataclass
from io import StringIO

import numpy as np
import pytest
import xxhash
from rich.console import Console

from pipeline.corpus.shard import plan_shards
from pipeline.engine.options import RunOptions
from pipeline.engine.run import run_source
from pipeline.source import Round, rounds_of
from pipeline.steps import Step
from pipeline.storage.listing import match
from pipeline.units import Units
from pipeline.verify.accounts import verify
from tests.pipeline.line_source import LineDedup, LineRecipe, LineSource
from tests.pipeline.runs import rows, snapshot


@dataclass(frozen=True)
class TitleDedup:
    """A document is one unit, known by its first line; the longest stays."""

    policy: str = "keep_smallest"
    unit: str = "title"
    unit_bytes: int = 100

    def hashes(self, document) -> Units:
        title = document.text.split("\n")[0]
        return Units(np.array([xxhash.xxh3_64_intdigest(title.encode())], np.uint64), 2**64 - 1 - len(document.text))

    def count(self, document) -> int:
        return 1

    def keep(self, document, mask) -> str | None:
        return None if mask[0] else "same_title"


class CutTitle:
    """Takes the first line off, and counts what it did."""

    name = "title"

    def load(self) -> None:
        self.loaded = True
        self.counters = None

    def apply(self, documents):
        assert self.loaded
        cut = [document.text.partition("\n")[2] for document in documents]
        if any("crash" in text for text in cut):
            raise ValueError
        for document, text in zip(documents, cut, strict=True):
            document.text = text
        self.counters["titles"] += len(cut)
        return [None] * len(documents)


@dataclass(frozen=True)
class TitledSource(LineSource):
    def earlier_rounds(self) -> list[Round]:
        return [Round(super().steps_before_dedup(), TitleDedup(), "title_dedup")]

    def steps_before_dedup(self) -> list[Step]:
        return [CutTitle()]


TEXTS = {
    "a.txt": "T1\nshared by a loser and a winner\n\nT2\nsecond of a\nin two winners",
    "b.txt": "T1\nlonger than the other T1, so it stays\n\nT3\nshared by a loser and a winner\n\nT5\ncrash",
    "c.txt": "T4\nin two winners\nonly c\n\nT2\nshort",
}


def run(folder, output, recipe: LineRecipe, workers: int = 1):
    scopes = plan_shards(match([str(folder)]), recipe.scope, recipe.scope_files)
    options = RunOptions(str(output), [f"--direct_num_workers={workers}"])
    return run_source(TitledSource(recipe), scopes, options, Console(file=StringIO()))


@pytest.fixture
def raw(tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    for name, text in TEXTS.items():
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize("policy", ["drop_all", "off"])
def test_a_line_of_a_text_that_went_in_the_first_round_does_not_count_in_the_second(raw, tmp_path, policy):
    result = run(raw, tmp_path / "out", LineRecipe(dedup=policy, scope="all"))
    root = tmp_path / "out" / "lines"
    texts = sorted(row["text"] for folder in ("short", "long") for row in rows(root, folder))
    lost = policy == "drop_all"
    assert texts == sorted([
        "longer than the other T1, so it stays",
        "shared by a loser and a winner",
        "second of a" if lost else "second of a\nin two winners",
        "only c" if lost else "in two winners\nonly c",
    ])  # fmt: skip
    steps = {step["step"]: step for step in result.manifest["ledger"]["steps"]}
    assert list(steps) == ["read", "length", "title_dedup", "title", *(["dedup"] if lost else []), "words"]
    assert steps["title_dedup"]["dropped"] == {"same_title": {"documents": 2, "characters": 41}}
    assert steps["title"]["failed"] == {"error_ValueError": {"documents": 1, "characters": 8}}
    assert steps["title"]["counters"] == {"titles": 4}  # the batch that raised was not counted, its good ones were
    assert verify(str(root))[1] == []
    assert not (root / "_work").exists()


def test_a_shard_added_to_none_of_the_others_is_hashed_in_both_rounds_and_gives_the_same_bytes(raw, tmp_path):
    recipe = LineRecipe(dedup="drop_all", scope="all")
    whole = run(raw, tmp_path / "whole", recipe)
    again = run(raw, tmp_path / "again", recipe, workers=2)
    assert snapshot(tmp_path / "whole" / "lines") == snapshot(tmp_path / "again" / "lines")
    stats = tmp_path / "again" / "lines" / "_stats" / "b.json"
    stats.unlink()
    assert (again.written, run(raw, tmp_path / "again", recipe).written, whole.written) == (3, 1, 3)
    assert snapshot(tmp_path / "whole" / "lines") == snapshot(tmp_path / "again" / "lines")


def test_a_source_without_dedup_has_only_its_earlier_rounds():
    assert [r.name for r in rounds_of(TitledSource(LineRecipe(dedup="off")))] == ["title_dedup"]
    assert [r.name for r in rounds_of(TitledSource())] == ["title_dedup", "dedup"]
    assert [r.name for r in rounds_of(LineSource())] == ["dedup"]
    assert rounds_of(LineSource(LineRecipe(dedup="off"))) == []
    assert isinstance(rounds_of(LineSource())[0].dedup, LineDedup)
