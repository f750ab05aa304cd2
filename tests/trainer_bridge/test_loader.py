"""Batches: documents and sources per id, the division among ranks, the state of a run."""

import itertools
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainer_bridge.tiny import Doc, random_documents, write_shards
from trainer_bridge.config import DataConfig
from trainer_bridge.errors import TrainerError
from trainer_bridge.loader import Feeder, Samples, Share
from trainer_bridge.loss import IGNORE

IN_ORDER = DataConfig(shuffle_block=10**6, shuffle_window=1)  # one block, windows of one: rows as they lie
CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path):
    docs = [
        Doc([1, 10, 11, 2], 0, 100),
        Doc([1, 20, 21, 22, 23, 24, 25, 26, 27, 2], 1, 101),
        Doc([1, 30, 2], 0, 102),
    ]
    return write_shards(tmp_path / "shards", docs, 4, batch_rows=2)


def test_source_and_document_of_each_id(folder):
    batch = Samples(IN_ORDER, folder).batch(0, 4)
    assert batch.rows.tolist() == [0, 1, 2, 3]
    assert batch.sources.tolist() == [[0, 0, 0, 0, 1], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 0, 0, 0]]
    assert batch.documents.tolist() == [[0, 0, 0, 0, 1], [2, 2, 2, 2, 2], [3, 3, 3, 3, 3], [4, 4, 5, 5, 5]]


def test_targets_are_the_next_ids(folder):
    batch = Samples(IN_ORDER, folder).batch(0, 4)
    assert batch.targets(True).tolist() == batch.ids[:, 1:].tolist()
    assert batch.targets(False).tolist() == [
        [10, 11, 2, IGNORE],
        [20, 21, 22, 23],
        [24, 25, 26, 27],
        [2, IGNORE, 30, 2],
    ]


def test_every_token_is_predicted_once_an_epoch(tmp_path):
    docs = random_documents(50)
    samples = Samples(DataConfig(shuffle_block=3, shuffle_window=7), write_shards(tmp_path, docs, 8))
    rows = samples.order.rows
    batch = samples.batch(0, rows)
    in_order = batch.targets(True)[np.argsort(batch.rows)].flatten()
    stream = np.concatenate([doc.ids for doc in docs])
    assert in_order.tolist() == stream[1 : 1 + rows * 8].tolist()


@pytest.mark.parametrize("start", [0, 5, 4090, 4096, 20_000])
def test_stretches_join_without_a_seam(folder, start):
    samples = Samples(DataConfig(), folder)
    expected = samples.order.row_numbers(start, start + 40)
    assert samples.rows(start, start + 40).tolist() == expected.tolist()
    pieces = [samples.rows(i, i + 4) for i in range(start, start + 40, 4)]
    assert np.concatenate(pieces).tolist() == expected.tolist()


@given(step=st.integers(0, 50), micro=st.sampled_from([1, 2, 4]), ranks=st.sampled_from([1, 2, 4, 8]))
@settings(max_examples=40, deadline=None)
def test_a_step_consumes_the_same_samples_however_it_is_divided(step, micro, ranks):
    taken = []
    for rank in range(ranks):
        share = Share(batch=32, micro=micro, rank=rank, ranks=ranks)
        spans = list(itertools.islice(share.spans(step * 32), share.accumulation))
        assert len(spans) * micro * ranks == 32
        taken += [sample for start, stop in spans for sample in range(start, stop)]
    assert sorted(taken) == list(range(step * 32, step * 32 + 32))


def test_an_indivisible_batch_is_refused():
    with pytest.raises(
        TrainerError, match="a batch of 10 sequences cannot be divided into micro-batches of 4 on 2 ranks"
    ):
        Share(batch=10, micro=4, rank=0, ranks=2)


def test_state_says_all_and_comes_back(folder):
    samples = Samples(DataConfig(seed=5), folder)
    state = json.loads(json.dumps(samples.state(96)))
    assert len(json.dumps(state)) < 1000
    assert samples.resume(state, []) == 96


@pytest.mark.parametrize(
    ("config", "changes", "line"),
    [
        (DataConfig(seed=2), {}, "order.seed: was 1, is 2"),
        (DataConfig(shuffle_block=8), {}, "order.block: was 64, is 8"),
        (DataConfig(), {"fingerprint": "abc"}, "dataset.fingerprint: was '.*', is 'abc'"),
        (DataConfig(), {"sources": ["a", "c"]}, r"dataset.sources: was \['a', 'b'\], is \['a', 'c'\]"),
        (DataConfig(), {"tokenizer_sha256": "ff"}, "dataset.tokenizer_sha256: was '0+', is 'ff'"),
    ],
)
def test_changed_data_are_refused_with_the_difference(folder, config, changes, line):
    state = Samples(DataConfig(), folder).state(8)
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(TrainerError, match=f"not those that this run was reading:\n  {line}\n"):
        Samples(config, folder).resume(state, [])


def removed_from(folder, earlier, **changes):
    """Shards as a list of removals leaves them."""
    path = folder / "manifest.json"
    values = {**json.loads(path.read_text()), "fingerprint": "after", "optout": {"earlier": earlier}, **changes}
    path.write_text(json.dumps(values))


def test_a_run_goes_on_where_documents_were_replaced_and_is_told_so(folder):
    state = Samples(DataConfig(), folder).state(8)
    removed_from(folder, ["long ago", state["dataset"]["fingerprint"]])
    samples, events = Samples(DataConfig(), folder), []
    assert samples.resume(state, events) == 8
    assert ["a list of removals had documents replaced" in event for event in events] == [True]
    assert samples.resume(samples.state(16), after := []) == 16
    assert after == []
    with pytest.raises(TrainerError, match=r"order.seed: was 1, is 2"):
        Samples(DataConfig(seed=2), folder).resume(state, [])


def test_a_run_does_not_go_on_where_rows_were_taken_out(folder):
    samples = Samples(DataConfig(), folder)
    state = samples.state(8)
    state["dataset"]["rows"] += 3
    removed_from(folder, [state["dataset"]["fingerprint"]])
    with pytest.raises(TrainerError, match=r"rows were taken out .* run.init_from=RUN"):
        Samples(DataConfig(), folder).resume(state, [])


@pytest.mark.parametrize("mask", [False, True])
def test_the_feeder_hands_over_the_shares_samples(tmp_path, mask):
    folder = write_shards(tmp_path, random_documents(80), 16)
    config = DataConfig(document_mask=mask, predict_across_documents=False)
    samples, share = Samples(config, folder), Share(8, 2, 1, 2)
    feeder = Feeder(samples, share, 8, config, CPU)
    reference = Samples(config, folder)
    for (start, stop), batch in zip(itertools.islice(share.spans(8), 40), feeder, strict=False):
        expected = reference.batch(start, stop)
        assert batch.inputs.tolist() == expected.ids[:, :-1].tolist()
        assert batch.targets.tolist() == expected.targets(False).tolist()
        assert batch.sources.tolist() == expected.sources[:, 1:].tolist()
        assert (batch.documents is not None) == mask
        if mask:
            assert batch.documents.tolist() == expected.documents[:, :-1].tolist()
    feeder.close()
    assert batch.targets.dtype == torch.int64


def test_the_feeder_raises_what_its_thread_met(tmp_path):
    # ids that the manifest's vocabulary lacks
    folder = write_shards(tmp_path, random_documents(80), 16, vocab=20)
    feeder = Feeder(Samples(DataConfig(), folder), Share(8, 8, 0, 1), 0, DataConfig(), CPU)
    with pytest.raises(TrainerError, match="an id is not in the vocabulary"):
        for _ in feeder:
            pass
    feeder.close()
