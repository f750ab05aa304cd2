"""The benchmarks in small: they start, measure and write down; speed itself is no test."""

import json
import sys

import pytest
import torch

from benchmarks import trainer_gpu, trainer_loader
from trainer_bridge.config import DataConfig
from trainer_bridge.loader import Samples


@pytest.fixture
def small(monkeypatch):
    for module in (trainer_gpu, trainer_loader):
        monkeypatch.setattr(module, "SEQ_LEN", 32)
        monkeypatch.setattr(module, "VOCAB", 100)
    monkeypatch.setattr(trainer_loader, "DOCUMENT", 20)
    monkeypatch.setattr(trainer_gpu, "ROWS", 64)
    monkeypatch.setattr(trainer_gpu, "BACKENDS", ("auto",))
    monkeypatch.setattr(trainer_gpu, "WARM_UP", 1)
    monkeypatch.setattr(trainer_gpu, "TIMED", 2)


def test_random_shards_are_whole_and_not_zeros(small, tmp_path):
    trainer_loader.write_random_shards(tmp_path, 64)
    batch = Samples(DataConfig(), tmp_path).batch(0, 64)
    assert batch.ids.max() == 99
    assert (batch.ids == 0).mean() < 0.05
    assert sorted(batch.rows) == list(range(64))
    assert len(set(batch.sources.ravel().tolist())) == 7


def test_the_gpu_benchmark_writes_each_configuration(small, tmp_path, monkeypatch, capsys):
    output = tmp_path / "gpu.json"
    words = ["trainer_gpu", "--model", "tiny", "--model", "nothing", "--output", str(output)]
    monkeypatch.setattr(sys, "argv", words)
    trainer_gpu.main()
    report = json.loads(output.read_text())
    assert report["before"]["torch"] == torch.__version__
    tiny = [r for r in report["results"] if r["model"] == "tiny"]
    wanted = {(c, m, "auto") for c in ("none", "linear", "full") for m in (1, 2)}
    assert {(r["checkpointing"], r["micro_batch"], r["attention"]) for r in tiny} == wanted
    assert all(r["error"] is None and r["tokens_per_second"] > 0 and 4 < r["loss"] < 5 for r in tiny)
    rest = [r for r in report["results"] if r["model"] == "nothing"]
    assert rest
    assert all(r["error"].startswith("no recipe 'nothing'") for r in rest)
    assert "tokens/s" in capsys.readouterr().out


def test_the_sweep_ends_in_time(small, tmp_path, monkeypatch):
    output = tmp_path / "gpu.json"
    monkeypatch.setattr(sys, "argv", ["gpu", "--model", "tiny", "--seconds", "0", "--output", str(output)])
    trainer_gpu.main()
    assert not output.exists()
