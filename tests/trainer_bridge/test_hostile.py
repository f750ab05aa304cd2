"""Files that somebody sent: nothing in a run, a checkpoint, shards or an import is executed, whatever stands in it."""

import io
import json
import pickle
import shutil
import warnings
import zipfile

import numpy as np
import pyarrow as pa
import pytest
import torch

from tests.trainer_bridge import runs
from trainer_bridge.checkpoint import find_damage, list_checkpoints, load_model
from trainer_bridge.errors import TrainerError
from trainer_bridge.exporting import export
from trainer_bridge.importing import import_weights
from trainer_bridge.shards import ShardReader
from trainer_bridge.stored import Damaged, read_metadata
from trainer_bridge.vocabulary import Vocabulary

CPU = torch.device("cpu")


class Carried:
    """An object whose pickle makes a file when it is read with everything allowed."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return open, (str(self.mark), "w")


def by_name(module, name, argument):
    """A pickle that calls a function by its name, in the oldest protocol."""
    return f"c{module}\n{name}\n(S'{argument}'\ntR.".encode()


def through_class(mark):
    """A pickle of the format's own classes that plants something in one of them."""
    return (
        b"\x80\x04\x8c\x26torch.distributed.checkpoint.metadata\x8c\x08Metadata\x93"
        b"}\x8c\x0c__setstate__c__builtin__\neval\ns\x62."
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run of one checkpoint and its shards."""
    return runs.trained(tmp_path_factory.mktemp("made"), 1)


@pytest.fixture
def run(made, tmp_path):
    shutil.copytree(made[0], tmp_path / "run")
    return tmp_path / "run"


def payloads(mark):
    return {
        "an object": pickle.dumps(Carried(mark)),
        "a function by name": by_name("builtins", "open", mark),
        "a system command": by_name("posix", "system", f"touch {mark}"),
        "a part of torch": by_name("torch.hub", "load", mark),
        "a dotted name": by_name("torch", "serialization.os.system", f"touch {mark}"),
        "a nested list": pickle.dumps([{"a": Carried(mark)}]),
        "a class changed": through_class(mark),
        "other data": pickle.dumps({"a": 1}),
        "no pickle": b"\x00" * 100,
        "a memo of 4 GB": b"\x80\x04Nr\xff\xff\xff\xff.",
        "a text of 8 EB": b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7fa.",
        "nothing": b"",
    }


def test_no_metadata_is_carried_out(made, run, tmp_path):
    mark = tmp_path / "mark"
    checkpoint = list_checkpoints(run)[-1]
    (checkpoint / "checksums.json").unlink()  # who sends a run writes them anew
    for name, payload in payloads(mark).items():
        (checkpoint / ".metadata").write_bytes(payload)
        with pytest.raises(Damaged, match=r"\.metadata cannot be read"):
            read_metadata(checkpoint)
        assert not mark.exists(), name
    (checkpoint / ".metadata").write_bytes(payloads(mark)["an object"])
    for use in (
        lambda: load_model(run, CPU),  # generate and evaluate
        lambda: export(run, tmp_path / "hf", "fp32", None),
        lambda: runs.trainer(made[1], run),
        lambda: runs.trainer(made[1], tmp_path / "other", run={"init_from": str(run)}),
    ):
        with pytest.raises(TrainerError, match=r"\.metadata cannot be read: it asks for (_?io|builtins)\.open"):
            use()
    assert find_damage(checkpoint)
    assert not mark.exists()


def test_no_entry_of_a_shard_is_carried_out(run, tmp_path):
    """A byte entry in place of a tensor, and a tensor's archive whose pickle calls a function."""
    mark = tmp_path / "mark"
    checkpoint = list_checkpoints(run)[-1]
    (checkpoint / "checksums.json").unlink()
    from torch.distributed.checkpoint.metadata import BytesStorageMetadata

    original = (checkpoint / ".metadata").read_bytes()
    found = pickle.loads(original)
    first = next(iter(found.storage_data))
    hostile = io.BytesIO()
    torch.save(Carried(mark), hostile)
    place = found.storage_data[first]
    place.relative_path, place.offset, place.length = "__9_0.distcp", 0, len(hostile.getvalue())
    found.state_dict_metadata[first.fqn] = BytesStorageMetadata()
    (checkpoint / "__9_0.distcp").write_bytes(hostile.getvalue())
    (checkpoint / ".metadata").write_bytes(pickle.dumps(found))
    with pytest.raises(Damaged, match="BytesStorageMetadata, which no checkpoint needs"):
        load_model(run, CPU)

    found = pickle.loads(original)
    name = next(index for index in found.storage_data if index.fqn == "model.norm.weight")
    place = found.storage_data[name]
    place.relative_path, place.offset, place.length = "__9_0.distcp", 0, len(hostile.getvalue())
    (checkpoint / ".metadata").write_bytes(pickle.dumps(found))
    with pytest.raises(Damaged, match="cannot be loaded"):
        load_model(run, CPU)
    for path in ("../data.distcp", "/etc/passwd", "__0_0.distcp/../x"):
        place.relative_path = path
        (checkpoint / ".metadata").write_bytes(pickle.dumps(found))
        with pytest.raises(Damaged, match="which is no file of a checkpoint"):
            load_model(run, CPU)
    assert not mark.exists()


def test_numbers_in_run_json_do_not_fill_the_memory(run):
    checkpoint = list_checkpoints(run)[-1]
    (checkpoint / "checksums.json").unlink()
    info = json.loads((checkpoint / "run.json").read_text())
    for key, value in (("layers", 10**9), ("dim", 1 << 20), ("vocab_size", 1 << 40), ("ffn_hidden", 1 << 40)):
        model = {**info["config"]["model"], key: value}
        (checkpoint / "run.json").write_text(json.dumps({**info, "config": {**info["config"], "model": model}}))
        with pytest.raises(Damaged, match="are not those of a model"):
            load_model(run, CPU)
    for text in ("[]", "{}", '{"step": 1}', '{"step": 1, "loader": 2, "config": {"model": 7}}', "{" * 10_000):
        (checkpoint / "run.json").write_text(text)
        with pytest.raises(TrainerError, match="step-000000001"):
            load_model(run, CPU)


def test_no_import_is_carried_out(tmp_path):
    mark = tmp_path / "mark"
    folder = tmp_path / "meta"
    folder.mkdir()
    (folder / "params.json").write_text(json.dumps({"dim": 32, "n_layers": 1, "n_heads": 2, "norm_eps": 1e-6}))
    for payload in (Carried(mark), {"tok_embeddings.weight": Carried(mark)}):
        torch.save(payload, folder / "consolidated.00.pth")
        with pytest.raises(TrainerError, match="the weights cannot be read"):
            import_weights(folder, tmp_path / "run")
    (folder / "consolidated.00.pth").write_bytes(pickle.dumps(Carried(mark)))
    with pytest.raises(TrainerError, match="the weights cannot be read"):
        import_weights(folder, tmp_path / "run")
    hf = tmp_path / "hf"
    hf.mkdir()
    (hf / "config.json").write_text(
        json.dumps({"model_type": "llama", "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
                   | {"vocab_size": 8, "intermediate_size": 16, "auto_map": {"AutoModel": "evil.Evil"}})
    )  # fmt: skip
    (hf / "evil.py").write_text(f"open({str(mark)!r}, 'w')")
    (hf / "model.safetensors").write_bytes(pickle.dumps(Carried(mark)))
    with pytest.raises(TrainerError, match="cannot be read"):
        import_weights(hf, tmp_path / "run")
    assert not mark.exists()


def test_no_shard_and_no_tokenizer_is_carried_out(tmp_path):
    """Arrow's extension types have been unpickled on reading; a tokenizer has been a pickle."""
    mark = tmp_path / "mark"
    data = runs.shards(tmp_path / "data")
    path = sorted(data.glob("*.arrow"))[0]
    table = pa.ipc.open_stream(path.read_bytes()).read_all()
    for name in (b"arrow.py_extension_type", b"datasets.features.features.Array2DExtensionType"):
        hostile = {b"ARROW:extension:name": name, b"ARROW:extension:metadata": pickle.dumps(Carried(mark))}
        schema = table.schema
        for i, field in enumerate(schema):
            schema = schema.set(i, field.with_metadata(hostile))
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
            writer.write_table(pa.table(table.columns, schema=schema), 4)
        with warnings.catch_warnings():
            try:
                reader = ShardReader(data)
                reader.read(np.arange(2), np.empty((2, 17), np.int32))
            except TrainerError:
                pass
        assert not mark.exists()
    (tmp_path / "tokenizer.model").write_bytes(pickle.dumps(Carried(mark)))
    with pytest.raises(TrainerError, match="is no SentencePiece model"):
        Vocabulary(tmp_path / "tokenizer.model")
    assert not mark.exists()


def test_an_archive_that_unpacks_to_more_is_refused(run):
    checkpoint = list_checkpoints(run)[-1]
    (checkpoint / "checksums.json").unlink()
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"0" * (1 << 22))
    found = pickle.loads((checkpoint / ".metadata").read_bytes())
    place = next(place for index, place in found.storage_data.items() if index.fqn == "model.norm.weight")
    place.relative_path, place.offset, place.length = "__9_0.distcp", 0, len(bomb.getvalue())
    (checkpoint / "__9_0.distcp").write_bytes(bomb.getvalue())
    (checkpoint / ".metadata").write_bytes(pickle.dumps(found))
    with pytest.raises(Damaged, match="it is compressed"):
        load_model(run, CPU)


def test_the_tests_payload_would_work(tmp_path):
    """What the tests above plant is carried out by a reader that allows everything."""
    mark = tmp_path / "mark"
    pickle.loads(payloads(mark)["an object"]).close()
    assert mark.exists()
