"""A loss mask of the shards: no loss where an id is predicted for which it is off; everything else as ever."""

import json

import numpy as np
import pyarrow as pa
import pytest
import torch

from tests.trainer_bridge import runs, tiny
from tests.trainer_bridge.tiny import Doc, random_documents, write_shards
from trainer_bridge.config import DataConfig
from trainer_bridge.errors import TrainerError
from trainer_bridge.evaluation import IN_ORDER, evaluate
from trainer_bridge.loader import Samples
from trainer_bridge.loss import IGNORE
from trainer_bridge.shards import ShardReader

DOCS = [Doc([1, 10, 11, 2], 0, 100), Doc([1, 20, 21, 22, 23, 24, 25, 26, 27, 2], 1, 101), Doc([1, 30, 2], 0, 102)]
ON = [True] * 17
OFF = {2, 6, 7, 8, 12, 16}  # 11; 21, 22, 23, which two rows share; 27, a row's last; the last of all


def masked(*numbers):
    return [number not in numbers for number in range(17)]


def targets(folder, rows=4, across=True):
    return Samples(IN_ORDER, folder).batch(0, rows).targets(across).tolist()


def test_the_position_that_predicts_a_masked_id_has_no_target(tmp_path):
    folder = write_shards(tmp_path, DOCS, 4, batch_rows=3, shards=1, loss=masked(*OFF))
    none = IGNORE
    assert targets(folder) == [[10, none, 2, 1], [20, none, none, none], [24, 25, 26, none], [2, 1, 30, none]]
    assert targets(folder, across=False)[0] == [10, none, 2, none]
    batch = Samples(IN_ORDER, folder).batch(0, 4)
    plain = write_shards(tmp_path / "plain", DOCS, 4, batch_rows=3, shards=1)
    assert np.array_equal(batch.ids, Samples(IN_ORDER, plain).batch(0, 4).ids)  # they are read all the same


def test_any_set_of_ids_whether_few_are_off_or_few_are_on(tmp_path):
    """Answers alone, as chats have it, are the other way round of one sample that is off."""
    stream = [number for doc in DOCS for number in doc.ids]
    for at, some in enumerate(np.random.default_rng(0).random((20, 17)) < np.linspace(0, 1, 20)[:, None]):
        folder = write_shards(tmp_path / str(at), DOCS, 4, batch_rows=3, shards=1, loss=some.tolist())
        expected = [number if on else IGNORE for number, on in zip(stream[1:], some[1:], strict=True)]
        assert np.concatenate(targets(folder)).tolist() == expected


def test_shards_with_and_without_a_mask_lie_side_by_side(tmp_path):
    folder = write_shards(tmp_path, DOCS, 4, batch_rows=1, loss=masked(*OFF), masked=[1])
    assert targets(folder, 2) == [[10, 11, 2, 1], [20, 21, 22, 23]]
    assert targets(folder)[2:] == [[24, 25, 26, IGNORE], [2, 1, 30, IGNORE]]
    reader = ShardReader(write_shards(tmp_path / "plain", DOCS, 4))
    assert reader.read(np.array([0, 3]), np.empty((2, 5), np.int32)).loss is None


def test_a_step_is_that_of_the_mean_over_the_targets_that_are_left(tmp_path):
    """By hand: log-softmax of the model's logits, at those places alone, over all micro-batches."""
    docs = random_documents(120)
    length = sum(len(doc.ids) for doc in docs)
    loss = np.random.default_rng(1).random(length) < np.where(np.arange(length) % 50 < 25, 0.95, 0.2)
    data = write_shards(tmp_path / "data", docs, runs.SEQ_LEN, loss=loss.tolist())
    trainer = runs.trainer(data, tmp_path / "run", run={"micro_batch": 2})
    reference = tiny.model(trainer.config.model)
    reference.load_state_dict(trainer.model.state_dict())
    batch = trainer.samples.batch(0, 8)
    total, counts, by_source = 0.0, 0, {0: [0.0, 0], 1: [0.0, 0]}
    for row, ids, sources in zip(batch.rows, batch.ids, batch.sources, strict=True):
        scores = torch.log_softmax(reference(torch.from_numpy(ids[None, :-1]))[0], -1)
        for at in range(runs.SEQ_LEN):
            if loss[row * runs.SEQ_LEN + at + 1]:
                one = -scores[at, int(ids[at + 1])]
                total, counts = total + one, counts + 1
                own = by_source[int(sources[at + 1])]
                own[0], own[1] = own[0] + one.item(), own[1] + 1
    (total / counts).backward()
    norm = torch.nn.utils.get_total_norm([p.grad for p in reference.parameters()])
    statistics = trainer.train_step()
    trainer.close()
    assert counts < 8 * runs.SEQ_LEN
    assert statistics[2:4].tolist() == [by_source[0][1], by_source[1][1]]
    assert statistics[:2].tolist() == pytest.approx([by_source[0][0], by_source[1][0]], rel=1e-5)
    assert statistics[4] == pytest.approx(norm.item(), rel=1e-4)
    first = runs.train(data, tmp_path / "alone", run={"steps": 1, "micro_batch": 8})[0]
    assert first["loss"] == pytest.approx((total / counts).item(), rel=1e-5)
    scored = evaluate(reference, Samples(IN_ORDER, data), DataConfig(), None, 3, None)
    assert scored["all"].tokens == loss[1 : 1 + trainer.samples.reader.manifest.rows * runs.SEQ_LEN].sum()


def test_a_mask_by_which_all_loss_is_on_changes_nothing(tmp_path):
    docs = random_documents(60)
    length = sum(len(doc.ids) for doc in docs)
    plain = write_shards(tmp_path / "plain", docs, runs.SEQ_LEN)
    on = write_shards(tmp_path / "on", docs, runs.SEQ_LEN, loss=[True] * length)
    assert runs.train(plain, tmp_path / "a") == runs.train(on, tmp_path / "b")


def test_a_step_and_a_set_without_any_target(tmp_path):
    docs = random_documents(60)
    length = sum(len(doc.ids) for doc in docs)
    data = write_shards(tmp_path / "data", docs, runs.SEQ_LEN, loss=[False] * length)
    records = runs.train(data, tmp_path / "run", run={"steps": 2})
    assert [(record["loss"], record["loss_by_source"]) for record in records] == [(None, {}), (None, {})]
    with pytest.raises(TrainerError, match="the loss is off for all of its ids"):
        evaluate(tiny.model(), Samples(IN_ORDER, data), DataConfig(), None, 3, None)


def test_a_run_is_told_of_a_mask_that_was_written_since(tmp_path):
    docs = random_documents(120)
    length = sum(len(doc.ids) for doc in docs)
    data, run = write_shards(tmp_path / "data", docs, runs.SEQ_LEN), tmp_path / "run"
    before = json.loads((data / "manifest.json").read_text())["fingerprint"]
    runs.train(data, run, run={"steps": 2})
    write_shards(data, docs, runs.SEQ_LEN, loss=[n % 3 > 0 for n in range(length)])
    with pytest.raises(TrainerError, match="the data are not those that this run was reading"):
        runs.train(data, run, run={"steps": 3})  # another set of data: nothing says what became of the old one
    manifest = json.loads((data / "manifest.json").read_text())
    manifest["loss_mask"] = {"tokens": {}, "against": [], "earlier": [before]}
    (data / "manifest.json").write_text(json.dumps(manifest))
    runs.train(data, run, run={"steps": 3})
    told = [json.loads(line).get("event", "") for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert sum("a loss mask was written" in event for event in told) == 1


@pytest.mark.parametrize("kind", [pa.list_(pa.bool_(), 4), pa.list_(pa.bool_()), pa.list_(pa.uint8(), 5)])
def test_a_mask_of_another_kind_is_refused(tmp_path, kind):
    folder = write_shards(tmp_path, DOCS, 4, shards=1)
    path = folder / "data-00000-of-00001.arrow"
    table = pa.ipc.open_stream(path.read_bytes()).read_all()
    width = 4 if kind == pa.list_(pa.bool_(), 4) else 5
    table = table.append_column("loss_mask", pa.array([[1] * width] * 4, pa.list_(pa.uint8())).cast(kind))
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(TrainerError, match=r"loss_mask is .*, not fixed_size_list<bool>"):
        ShardReader(folder)


def test_a_mask_with_nulls_is_damage(tmp_path):
    folder = write_shards(tmp_path, DOCS, 4, shards=1, loss=[None, *ON[1:]])
    with pytest.raises(TrainerError, match=r"damaged shard.*loss mask"):
        Samples(IN_ORDER, folder).batch(0, 1)
