"""Records and the loss plot."""

import json
from xml.dom import minidom

import pytest

from trainer_bridge import metrics
from trainer_bridge.errors import TrainerError
from trainer_bridge.metrics import Metrics, read_metrics
from trainer_bridge.plot import smooth, ticks, write_loss_plot

CONFIG = {"run": {"tensorboard": False, "wandb_project": None}}


def record(step, loss=2.0):
    return {
        "step": step,
        "tokens": step * 100,
        "loss": loss,
        "loss_by_source": {"a": loss},
        "lr": 1e-3,
        "tokens_per_second": 1234.5,
        "mfu_full": 0.5,
    }


def test_one_json_line_a_step(tmp_path, capsys):
    log = Metrics(tmp_path, 10, 0, CONFIG, True)
    log.event("begun")
    log.steps([record(1), record(2, None)])
    log.close()
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert lines == [{"event": "begun"}, record(1), record(2, None)]
    shown = capsys.readouterr().err
    assert "step 2/10  loss not finite  lr 1.00e-03  1,234 tokens/s  MFU 50.0%" in shown
    assert (tmp_path / "loss.svg").is_file()


def test_steps_after_the_checkpoint_are_forgotten_and_a_cut_line_is_no_obstacle(tmp_path):
    log = Metrics(tmp_path, 10, 0, CONFIG, True)
    log.steps([record(step) for step in range(1, 6)])
    log.close()
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "lo')
    log = Metrics(tmp_path, 10, 3, CONFIG, True)
    log.steps([record(4, 1.5)])
    log.close()
    assert read_metrics(tmp_path / "metrics.jsonl") == [record(1), record(2), record(3), record(4, 1.5)]


def test_other_ranks_write_nothing(tmp_path):
    log = Metrics(tmp_path, 10, 0, CONFIG, False)
    log.event("begun")
    log.steps([record(1)])
    log.close()
    assert list(tmp_path.iterdir()) == []


def test_tensorboard(tmp_path):
    pytest.importorskip("tensorboard")
    log = Metrics(tmp_path, 10, 0, {"run": {"tensorboard": True, "wandb_project": None}}, True)
    log.steps([record(1)])
    log.close()
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert {"loss", "loss_by_source/a", "lr", "mfu_full", "tokens"} <= set(events.Tags()["scalars"])
    assert [(e.step, e.value) for e in events.Scalars("loss")] == [(1, 2.0)]


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(metrics.importlib, "import_module", missing)
    for key, value, package in (("tensorboard", True, "tensorboard"), ("wandb_project", "x", "wandb")):
        with pytest.raises(TrainerError, match=f"the package {package} is not installed"):
            Metrics(tmp_path, 1, 0, {"run": {**CONFIG["run"], key: value}}, True)


def test_the_plot_holds_every_line_and_its_last_value(tmp_path):
    path = tmp_path / "loss.svg"
    loss = [(float(i), 4.0 - 0.01 * i) for i in range(100)]
    write_loss_plot(path, loss, {"books <&>": [(0.0, 3.0), (99.0, 3.0)]})
    document = minidom.parse(str(path))
    lines = document.getElementsByTagName("polyline")
    assert len(lines) == 3  # each step, the mean, the source
    texts = [text.firstChild.data for text in document.getElementsByTagName("text")]
    assert "books <&> 3.000" in texts
    assert any(text.startswith("all 3.0") for text in texts)
    points = [tuple(map(float, p.split(","))) for p in lines[0].getAttribute("points").split()]
    assert points[0] == (62.0, 34.0)  # the highest loss, at the left and the top
    assert points[-1][0] == 710.0
    assert [y for _, y in points] == sorted(y for _, y in points)


def test_a_plot_of_nothing_is_not_drawn(tmp_path):
    write_loss_plot(tmp_path / "loss.svg", [], {})
    write_loss_plot(tmp_path / "loss.svg", [(1.0, float("nan"))], {})
    assert not (tmp_path / "loss.svg").exists()
    write_loss_plot(tmp_path / "loss.svg", [(1.0, 2.0)], {})
    assert (tmp_path / "loss.svg").exists()


def test_the_running_mean_of_a_constant_is_that_constant():
    assert [y for _, y in smooth([(i, 5.0) for i in range(50)])] == pytest.approx([5.0] * 50)


def test_ticks_are_round():
    assert ticks(0, 100) == [0, 20, 40, 60, 80, 100]
    assert ticks(2.13, 10.4) == [4, 6, 8, 10]
    assert ticks(0, 0.5) == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])
