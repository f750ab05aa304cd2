"""A run in this process: it learns, it resumes to the bit, its loss does not depend on how a batch is divided."""

import json
import math

import pytest
import torch

from tests.trainer_bridge import runs, tiny
from trainer_bridge.checkpoint import list_checkpoints, load_model
from trainer_bridge.errors import TrainerError
from trainer_bridge.loss import IGNORE, source_totals
from trainer_bridge.optimizer import learning_rate
from trainer_bridge.signals import StopSignal


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return runs.shards(tmp_path_factory.mktemp("data"))


def test_the_loss_falls_and_is_drawn(data, tmp_path):
    records = runs.train(data, tmp_path, run={"steps": 60}, optimizer={"lr": 2e-2})
    assert [record["step"] for record in records] == list(range(1, 61))
    assert records[0]["loss"] == pytest.approx(math.log(64), abs=0.1)  # nothing is known at first
    assert records[-1]["loss"] < 3.6  # each source has 30 ids, ln 30 = 3.4
    assert set(records[-1]["loss_by_source"]) == {"a", "b"}
    assert records[-1]["tokens"] == 60 * 8 * 16
    assert "<polyline" in (tmp_path / "loss.svg").read_text()


def test_a_resumed_run_is_the_undisturbed_run_to_the_bit(data, tmp_path):
    whole = runs.train(data, tmp_path / "whole")
    for last in (1, 3, 4, 8):  # with pauses inside and between logging steps
        stop = StopSignal(1)
        part = runs.trainer(data, tmp_path / "parts")
        while part.step < last - 1:
            part._waiting.append((part.step + 1, part._rate(part.step), part.train_step()))
        stop.received = last < 8
        assert part.train(stop) is (last == 8)
        assert part.step == last
    assert runs.steps(tmp_path / "parts") == whole
    one, other = (
        load_model(tmp_path / "whole", torch.device("cpu")),
        load_model(tmp_path / "parts", torch.device("cpu")),
    )
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("micro", [1, 2, 8])
@pytest.mark.parametrize("across", [True, False])
def test_loss_and_gradients_do_not_depend_on_the_micro_batch(data, tmp_path, micro, across):
    """Also where documents differ in how many targets they have: one count for the whole step."""
    changes = {"data": {**runs.VALUES["data"], "predict_across_documents": across}}
    expected = runs.train(data, tmp_path / "a", **changes)
    records = runs.train(data, tmp_path / "b", **changes, run={"micro_batch": micro})
    for one, other in zip(expected, records, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-5)
        assert one["grad_norm"] == pytest.approx(other["grad_norm"], rel=1e-4)


def test_the_step_is_that_of_the_mean_over_all_valid_targets(data, tmp_path):
    trainer = runs.trainer(data, tmp_path, data={"predict_across_documents": False}, run={"micro_batch": 1})
    reference = tiny.model(trainer.config.model)
    reference.load_state_dict(trainer.model.state_dict())
    batch = trainer.samples.batch(0, 8)
    ids, targets = torch.from_numpy(batch.ids), torch.from_numpy(batch.targets(False)).long()
    assert (targets == IGNORE).any()
    logits = reference(ids[:, :-1])
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORE)
    loss.backward()
    norm = torch.nn.utils.get_total_norm([p.grad for p in reference.parameters()])
    statistics = trainer.train_step()
    assert statistics[:2].sum() / statistics[2:4].sum() == pytest.approx(loss.item(), rel=1e-6)
    assert statistics[4] == pytest.approx(norm.item(), rel=1e-5)
    trainer.close()


def test_losses_by_source_add_up(data, tmp_path):
    records = runs.train(data, tmp_path, run={"steps": 2})
    record = records[0]
    trainer = runs.trainer(data, tmp_path / "again")
    sums = trainer.train_step()[:4].tolist()
    trainer.close()
    assert record["loss_by_source"] == {"a": sums[0] / sums[2], "b": sums[1] / sums[3]}
    assert record["loss"] == pytest.approx((sums[0] + sums[1]) / (sums[2] + sums[3]))
    assert sums[2] + sums[3] == 8 * 16


def test_source_totals():
    losses = torch.tensor([[1.0, 2.0, 4.0, 8.0]])
    targets = torch.tensor([[5, IGNORE, 5, 5]])
    totals = source_totals(losses, targets, torch.tensor([[0, 0, 2, 2]]), 3)
    assert totals.tolist() == [[1.0, 0.0, 12.0], [1.0, 0.0, 2.0]]


def test_document_mask_changes_the_loss_only_where_documents_meet(tmp_path):
    docs = [tiny.Doc([1, *range(3, 16), 2, 1, *range(20, 34), 2])]  # one document a row, as far as ids go
    joined = tiny.write_shards(tmp_path / "one", docs * 8, 16)
    changes = {"run": {"steps": 1}}
    one = runs.train(joined, tmp_path / "r1", data={"document_mask": True}, **changes)
    other = runs.train(joined, tmp_path / "r2", data={"document_mask": False}, **changes)
    assert one[0]["loss"] != other[0]["loss"]
    docs = [tiny.Doc([1] + [7] * 400 + [2])]
    single = tiny.write_shards(tmp_path / "single", docs, 16)
    one = runs.train(single, tmp_path / "r3", data={"document_mask": True}, **changes)
    other = runs.train(single, tmp_path / "r4", data={"document_mask": False}, **changes)
    assert one[0]["loss"] == pytest.approx(other[0]["loss"], rel=1e-6)


def test_only_the_newest_checkpoints_stay(data, tmp_path):
    runs.train(data, tmp_path, run={"save_every": 2, "keep": 2})
    assert [path.name for path in list_checkpoints(tmp_path)] == ["step-000000006", "step-000000008"]
    assert len(list((tmp_path / "checkpoints").iterdir())) == 2


def test_a_checkpoint_is_a_copy_of_its_moment(data, tmp_path):
    trainer = runs.trainer(data, tmp_path)
    trainer.train_step()
    before = {name: p.detach().clone() for name, p in trainer.model.named_parameters()}
    trainer.save()
    trainer.train_step()  # while the checkpoint is being written
    trainer.checkpointer.wait()
    trainer.close()
    for name, parameter in load_model(tmp_path, torch.device("cpu")).named_parameters():
        assert torch.equal(parameter, before[name])


def test_a_finished_run_stays_finished(data, tmp_path):
    first = runs.train(data, tmp_path)
    assert runs.train(data, tmp_path) == first


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": {"dim": 64}}, "the model is not that of the run's checkpoint:\n  model.dim: was 32, is 64"),
        ({"data": {"seed": 7}}, "order.seed: was 1, is 7"),
        ({"run": {"batch_tokens": 16 * 16}}, "a step had 8 rows, and has 16 now"),
    ],
)
def test_what_may_not_change_is_refused(data, tmp_path, changes, message):
    runs.train(data, tmp_path, run={"steps": 2})
    with pytest.raises(TrainerError, match=message):
        runs.trainer(data, tmp_path, **changes)


def test_other_data_are_refused(data, tmp_path):
    runs.train(data, tmp_path / "run", run={"steps": 2})
    other = runs.shards(tmp_path / "other", count=121)
    with pytest.raises(
        TrainerError, match=r"dataset\.fingerprint: was '[0-9a-f]+', is '[0-9a-f]+'\n  dataset.rows: was"
    ):
        runs.trainer(other, tmp_path / "run")


def test_a_changed_choice_is_recorded(data, tmp_path):
    runs.train(data, tmp_path, run={"steps": 2})
    runs.train(data, tmp_path, run={"steps": 3}, efficiency={"checkpointing": "linear"})
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    events = [line["event"] for line in lines if "event" in line]
    assert "resumed at step 2" in events[-1]
    assert "efficiency.checkpointing: was 'none', is 'linear'" in events[-1]
    assert "run.steps: was 2, is 3" in events[-1]


def test_weights_of_another_run_can_be_the_start(data, tmp_path):
    runs.train(data, tmp_path / "first", run={"steps": 20})
    records = runs.train(data, tmp_path / "second", run={"steps": 2, "init_from": str(tmp_path / "first")})
    assert records[0]["loss"] < 4.0
    assert records[0]["lr"] == learning_rate(runs.config(run={"steps": 2}).optimizer, 0, 2)


def test_a_damaged_checkpoint_is_named(data, tmp_path):
    runs.train(data, tmp_path, run={"steps": 2})
    part = next((tmp_path / "checkpoints" / "step-000000002").glob("*.distcp"))
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(TrainerError, match="step-000000002 cannot be loaded"):
        runs.trainer(data, tmp_path)


def test_same_seed_same_weights_other_seed_other_weights(data, tmp_path):
    one, same, other = (runs.trainer(data, tmp_path / str(i), run={"seed": s}) for i, s in enumerate((1, 1, 2)))
    weights = [t.model.layers[1].attention.wo.weight for t in (one, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    standard = [t.model.layers[0].feed_forward.w13.weight.std().item() for t in (one, other)]
    assert standard == pytest.approx([0.02, 0.02], rel=0.05)
    assert weights[0].std().item() == pytest.approx(0.02 / 2, rel=0.08)  # sqrt(2 * 2 layers)
    for trainer in (one, same, other):
        trainer.close()


def test_same_choices_same_files(data, tmp_path):
    """Checkpoints say nothing of where and when they were written, nor hold a state that nobody chose."""
    for name in ("one", "two"):
        runs.train(data, tmp_path / name, run={"steps": 1})
    first, second = (tmp_path / name / "checkpoints" / "step-000000001" for name in ("one", "two"))
    names = {path.name for path in first.iterdir()}
    assert {".metadata", "checksums.json", "run.json"} < names
    assert [name for name in names if (first / name).read_bytes() != (second / name).read_bytes()] == []
