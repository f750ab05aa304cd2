"""What runs reached on tasks, and how arms differ there, against values worked out by hand."""

import json
from types import SimpleNamespace

import pytest

from pipeline.ablate.recipe import AblationRecipe
from pipeline.ablate.statistics import NONE, UNKNOWN, student_quantile
from pipeline.ablate.tasks import HIGHER, LOWER, flags_of, read_tasks, summarise_tasks
from pipeline.errors import OutputError

TASKS = AblationRecipe(tasks=("piqa", "my.yaml"), seeds=2)


def arms(*names, alike=()):
    return [SimpleNamespace(name=name, trains_alike=name not in alike) for name in ("baseline", *names)]


def runs(**values):
    return {name: [{"piqa: acc": pair} for pair in pairs] for name, pairs in values.items()}


def test_the_trainer_is_told():
    assert flags_of(AblationRecipe(), 10) == []
    assert flags_of(TASKS, 10) == [
        "evaluation.every=10", 'evaluation.tasks=["piqa", "my.yaml"]', "evaluation.limit=1000",
    ]  # fmt: skip
    more = AblationRecipe(tasks=("piqa",), task_data="sets", task_limit=None)
    assert flags_of(more, 3)[2:] == ["evaluation.limit=null", "evaluation.data=sets"]


def test_the_last_results_count(tmp_path):
    lines = [
        {"step": 1, "loss": 2.0},
        {"step": 1, "evaluation": {"tasks": {"piqa": {"acc": 0.5, "acc_stderr": 0.1}}}},
        {"step": 2, "evaluation": {"tasks": {"piqa": {"acc": 0.6, "acc_stderr": 0.2}, "a/my.yaml": {"em": 1}}}},
        {"step": 2, "evaluation": {"heldout": {}}},
        {"event": "ended"},
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert read_tasks(tmp_path) == {"piqa: acc": (0.6, 0.2), "my: em": (1.0, 0.0)}


@pytest.mark.parametrize("text", [None, '{"step": 1}\n', "{"])
def test_a_run_without_results_is_told(tmp_path, text):
    if text is not None:
        (tmp_path / "metrics.jsonl").write_text(text)
    with pytest.raises(OutputError, match=r"metrics.jsonl"):
        read_tasks(tmp_path)


def test_differences_over_seeds_and_documents():
    found = summarise_tasks(
        TASKS, arms("control", "worse"),
        runs(
            baseline=[(0.50, 0.01), (0.54, 0.01)],
            control=[(0.51, 0.01), (0.53, 0.01)],
            worse=[(0.20, 0.01), (0.24, 0.01)],
        ), 0.95,
    )["piqa: acc"]  # fmt: skip
    assert found["baseline"] == {"value": 0.52, "by_seed": [0.5, 0.54]}
    # What is left by arm and seed without the means of both: 1/3 of 0.01 twice and 2/3 of it once, for either seed.
    square = 2 * (2 * (0.01 / 3) ** 2 + (0.02 / 3) ** 2) / 2
    parts = 2 * square / 2, 0.0002
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / 2 + parts[1] ** 2 / 1e6)
    reach = student_quantile(0.975, freedom) * sum(parts) ** 0.5
    assert found["worse"]["difference"]["value"] == pytest.approx(-0.3)
    assert found["worse"]["difference"]["high"] == pytest.approx(-0.3 + reach, abs=1e-6)
    assert (found["worse"]["verdict"], found["control"]["verdict"]) == (LOWER, NONE)


def test_an_arm_that_trains_otherwise_has_its_own_variance_and_widens_no_other():
    values = runs(baseline=[(0.5, 0.0), (0.6, 0.0)], good=[(0.701, 0.0), (0.8, 0.0)], wild=[(0.1, 0.0), (0.9, 0.0)])
    found = summarise_tasks(TASKS, arms("good", "wild", alike=("wild",)), values, 0.95)["piqa: acc"]
    assert (found["good"]["verdict"], found["wild"]["verdict"]) == (HIGHER, NONE)


def test_one_seed_is_not_judged():
    found = summarise_tasks(TASKS, arms("a"), runs(baseline=[(0.5, 0.1)], a=[(0.9, 0.1)]), 0.95)["piqa: acc"]["a"]
    assert (found["difference"], found["verdict"]) == ({"value": 0.4, "low": None, "high": None}, UNKNOWN)
