"""The cost of a run: the paper's table, a run's own records, and power as nvidia-smi tells it."""

import json
import sys

import pytest

from tests.trainer_bridge import runs
from trainer_bridge import cost
from trainer_bridge.config import CostConfig
from trainer_bridge.cost import Cost, PowerMeter, power, run_cost
from trainer_bridge.metrics import read_metrics

# Table 15: GPU hours, MWh, tCO2eq.
TABLE_15 = {
    "OPT-175B": (809_472, 356, 137),
    "BLOOM-175B": (1_082_880, 475, 183),
    "LLaMA-7B": (82_432, 36, 14),
    "LLaMA-13B": (135_168, 59, 23),
    "LLaMA-33B": (530_432, 233, 90),
    "LLaMA-65B": (1_022_362, 449, 173),
}
PAPER = CostConfig(watts=400)
STEPS = [
    {"event": "begun"},
    {"step": 1, "tokens": 36_000, "tokens_per_second": 100.0},
    {"step": 2, "tokens": 72_000, "tokens_per_second": 50.0},
    {"step": 2, "tokens": 72_000, "evaluation": {}},
]


@pytest.mark.parametrize("model", TABLE_15)
def test_table_15(model):
    hours, energy, tonnes = TABLE_15[model]
    found = Cost("GPU", hours, PAPER.watts, False, PAPER.pue, PAPER.intensity)
    # The paper cuts 449.8 MWh to 449, and has 475 where its own formula gives 476.5.
    assert found.megawatt_hours == pytest.approx(energy, abs=1.6)
    assert found.tonnes == pytest.approx(tonnes, abs=0.5)


def test_hours_are_those_of_the_steps():
    found = run_cost(STEPS, 8, "cuda", PAPER)
    assert (found.hours, found.megawatt_hours) == (8 * (360 + 720) / 3600, 2.4 * 400 * 1.1 / 1e6)


def test_watts_that_were_measured_are_weighed_by_time():
    records = [{**STEPS[1], "watts": 400.0}, {**STEPS[2], "watts": 100.0}]
    found = run_cost(records, 8, "cuda", CostConfig())
    assert (found.watts, found.measured) == (200.0, True)
    assert run_cost(records, 8, "cuda", PAPER).watts == 400  # what is given wins


def test_without_watts_there_are_hours():
    found = run_cost(STEPS, 1, "cpu", CostConfig())
    assert (found.megawatt_hours, found.tonnes) == (None, None)
    assert found.line() == (
        "cost: 0.3 CPU process hours; for energy and emissions give the watts of one: cost.watts, or --watts"
    )


def nvidia_smi(folder, said):
    """A program of that name that answers as the real one does, and writes down what it was asked."""
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\necho \"$@\" > {folder}/asked\nprintf '{said}'\n")
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize(
    ("said", "watts"),
    [("300.00\\n100.50\\n", 200.25), ("[N/A]\\n", None), ("", None), ("No devices were found\\n", None)],
)
def test_power_is_the_mean_of_the_gpus(said, watts, tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    assert power(nvidia_smi(tmp_path, said)) == watts
    asked = (tmp_path / "asked").read_text()
    assert asked == "-i 2,3 --query-gpu=power.draw --format=csv,noheader,nounits\n"


def test_the_meter_gives_each_number_once(tmp_path, monkeypatch):
    nvidia_smi(tmp_path, "250\\n")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    meter = PowerMeter(True)
    while (watts := meter.take()) is None:
        meter._ended.wait(0.01)
    meter.close()
    assert (watts, meter.take()) == (250.0, None)


def test_a_run_and_its_command_say_the_same(tmp_path, monkeypatch, capsys):
    run, _ = runs.trained(tmp_path, 2)
    monkeypatch.setattr(sys, "argv", ["cost", str(run), "--watts", "65", "--pue", "1"])
    cost.main()
    report = json.loads(capsys.readouterr().out)
    expected = run_cost(read_metrics(run / "metrics.jsonl"), 1, "cpu", CostConfig(65, 1.0))
    assert report == expected.report()
    assert report["hours"] > 0


REFUSED = {
    ("--hours", "-1"): "--hours must be at least 0",
    ("--hours", "1", "--pue", "0.5"): "--pue must be at least 1",
    ("run", "--hours", "1"): "give a run, or --hours",
    (): "give a run, or --hours",
}


@pytest.mark.parametrize("words", REFUSED)
def test_refusals(words, capsys):
    with pytest.raises(SystemExit):
        cost.parse(list(words))
    assert capsys.readouterr().err.splitlines()[-1].endswith(REFUSED[words])
