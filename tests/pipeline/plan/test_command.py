"""The command's tables, and what it says of wrong arguments."""

import json
from pathlib import Path

import pytest

from pipeline.plan.command import main
from pipeline.plan.rates import Rates, SourceRate, StageRate
from pipeline.plan.recipe import PlanRecipe
from pipeline.recipe import RECIPES, load_recipe
from tests.pipeline.plan.test_rates import manifest, write

RATE = SourceRate(10**9, 10**9, 10**8, 4 * 10**7, 100.0, 10**9)
SOURCES = ("commoncrawl", "c4", "github", "wikipedia", "books", "arxiv", "stackexchange")


@pytest.fixture
def rates(tmp_path: Path) -> str:
    stage = StageRate(10**7, 1.0, 10**8)
    path = tmp_path / "rates.json"
    path.write_text(Rates("a machine", dict.fromkeys(SOURCES, RATE), stage, stage).as_json())
    return str(path)


def test_the_paper_is_the_plan_of_its_own_budget(rates: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--tokens", "1.4T", "--rates", rates, "--json"])
    plan = json.loads(capsys.readouterr().out)
    facts = load_recipe(PlanRecipe, str(RECIPES / "plan" / "facts.yaml"))
    for need in plan["needs"]:
        paper = facts.sources[need["source"]].paper
        assert not need["is_short"]
        assert need["epochs"] == pytest.approx(paper.epochs)
        assert need["text_bytes"] == pytest.approx(paper.gigabytes * 1e9, rel=0.01)
    assert sum(need["tokens"] for need in plan["needs"]) == pytest.approx(1.4e12)


def test_the_tables_name_every_part(rates: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--tokens", "10B", "--rates", rates, "--workers", "16"])
    out = capsys.readouterr().out
    assert "10B tokens: what each source takes" in out
    assert "The work, with 16 cores (rates: a machine)" in out
    for part in [*(f"clean {source}" for source in SOURCES), "encode", "write token shards", "in all"]:
        assert f"\n {part} " in out
    assert "a core hour" in out
    assert "unknown" not in out


def test_sources_without_a_rate_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rates.json"
    path.write_text(Rates().as_json())
    main(["--rates", str(path)])
    out = capsys.readouterr().out
    assert "No rate is known for commoncrawl, c4, github, wikipedia, books, arxiv, stackexchange:" in out


def test_runs_that_are_too_small_to_tell_a_rate_are_told(
    rates: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "corpus", "books", manifest("books", 59.0, [1000]))
    write(tmp_path / "corpus", "c4", manifest("c4", 61.0, [1000]))
    main(["--rates", rates, "--corpus", str(tmp_path / "corpus"), "--json"])
    with_own = json.loads(capsys.readouterr().out)
    main(["--rates", rates, "--json"])
    without = json.loads(capsys.readouterr().out)
    differ = [a["source"] for a, b in zip(with_own["needs"], without["needs"], strict=True) if a != b]
    assert differ == ["c4"]
    main(["--rates", rates, "--corpus", str(tmp_path / "corpus")])
    assert "The runs of books in " in capsys.readouterr().out


def test_a_budget_beyond_what_there_is_raises_the_epochs(rates: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--tokens", "2.8T", "--rates", rates])
    assert "wikipedia: all there is, seen 4.89 times; in the paper 2.45 times." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    {
        "--tokens auto": "needs a corpus to look at",
        "--tokens many": "--tokens must look like",
        "--workers 0": "error: --workers must be at least 1, it is 0",
        "--rates nowhere.json": "`make bench` writes them",
        "--proportions llama9": "there are no proportions 'llama9'",
        "--corpus nowhere": "run a source into it first",
        "--set sources.c4.units=0": "units must be above 0",
    }.items(),
)
def test_wrong_arguments_are_told_in_one_message(
    rates: str, arguments: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--rates", rates, *arguments.split()])
    assert stopped.value.code == 1
    assert message in capsys.readouterr().err


def test_a_mixture_with_an_unknown_source_is_refused(
    rates: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mixture = tmp_path / "mine.yaml"
    mixture.write_text("sources: {commoncrawl: {share: 90}, letters: {share: 10}}\n")
    with pytest.raises(SystemExit):
        main(["--rates", rates, "--proportions", str(mixture)])
    assert "the facts know nothing of letters" in capsys.readouterr().err
