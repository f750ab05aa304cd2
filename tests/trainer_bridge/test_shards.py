"""Shard directories: what was written is read, without a copy; what is damaged is named."""

import json

import numpy as np
import pyarrow as pa
import pytest

from tests.trainer_bridge.tiny import Doc, random_documents, write_shards
from trainer_bridge.errors import TrainerError
from trainer_bridge.shards import ShardReader, read_manifest

DOCS = [
    Doc([1, 10, 11, 2], 0, 100),
    Doc([1, 20, 21, 22, 23, 24, 25, 26, 27, 2], 1, 101),
    Doc([1, 30, 2], 0, 102),
]


def read(folder, rows):
    reader = ShardReader(folder)
    out = np.empty((len(rows), reader.manifest.seq_len + 1), np.int32)
    return out, reader.read(np.array(rows), out)


def test_rows_and_their_documents(tmp_path):
    folder = write_shards(tmp_path, DOCS, 4, vocab=64, shards=2, batch_rows=1)
    ids, segments = read(folder, [0, 1, 2, 3])
    assert ids.tolist() == [
        [1, 10, 11, 2, 1],
        [1, 20, 21, 22, 23],
        [23, 24, 25, 26, 27],
        [27, 2, 1, 30, 2],
    ]
    assert segments.counts.tolist() == [2, 1, 1, 2]
    assert segments.starts.tolist() == [0, 4, 0, 0, 0, 2]
    assert segments.sources.tolist() == [0, 1, 1, 1, 1, 0]
    assert segments.numbers.tolist() == [100, 101, 101, 101, 101, 102]


def test_any_rows_in_any_order_from_any_batch(tmp_path):
    folder = write_shards(tmp_path, random_documents(60), 16, shards=3, batch_rows=5)
    rows = ShardReader(folder).manifest.rows
    whole, _ = read(folder, list(range(rows)))
    order = np.random.default_rng(0).permutation(rows)
    ids, _ = read(folder, order.tolist())
    assert np.array_equal(ids, whole[order])
    # rows overlap by one id, across batches and files too
    assert np.array_equal(whole[:-1, -1], whole[1:, 0])


def test_nothing_is_copied(tmp_path):
    folder = write_shards(tmp_path, random_documents(200), 32)
    before = pa.total_allocated_bytes()
    reader = ShardReader(folder)
    view, row = reader.locate(3)
    assert pa.total_allocated_bytes() == before
    assert not view.ids.flags.owndata
    assert not view.ids.flags.writeable
    out = np.empty((1, 33), np.int32)
    reader.read(np.array([3]), out)
    assert out[0].tolist() == view.ids[row].tolist()


def test_wide_vocabularies(tmp_path):
    docs = [Doc([1, 100_000, 70_000, 2] * 4, 0, 0)]
    folder = write_shards(tmp_path, docs, 4, vocab=128_000, dtype=pa.uint32(), shards=1)
    assert read(folder, [0])[0].tolist() == [[1, 100_000, 70_000, 2, 1]]


def test_asking_to_read_ahead_changes_nothing(tmp_path):
    folder = write_shards(tmp_path, random_documents(60), 16, shards=3, batch_rows=5)
    reader = ShardReader(folder)
    reader.will_need(np.array([0, 1, 2, 9, 10, 11, 12, 30]))
    reader.close()
    reader.close()


@pytest.fixture
def folder(tmp_path):
    return write_shards(tmp_path / "shards", random_documents(60), 16, shards=2, batch_rows=4)


def cut(path, size):
    path.write_bytes(path.read_bytes()[:size])


def test_every_truncation_is_an_error_that_names_the_file(folder):
    path = folder / "data-00001-of-00002.arrow"
    whole = path.read_bytes()
    for size in range(0, len(whole), 97):
        path.write_bytes(whole[:size])
        with pytest.raises(TrainerError, match=r"damaged shard: .*data-00001-of-00002\.arrow"):
            ShardReader(folder)


def test_truncation_names_the_record_batch(folder):
    path = folder / "data-00000-of-00002.arrow"
    cut(path, path.stat().st_size - 100)
    batches = -(-ShardRows(path) // 4)
    with pytest.raises(TrainerError, match=rf"record batch {batches - 1} \(byte \d+\)"):
        ShardReader(folder)


def ShardRows(path):
    """Rows of the first half of the directory: its file may be cut, so they come from the manifest."""
    return json.loads((path.parent / "manifest.json").read_text())["rows"] // 2


def test_a_cut_between_batches_is_noticed(folder):
    path = folder / "data-00000-of-00002.arrow"
    cut(path, path.stat().st_size - 8)
    with pytest.raises(TrainerError, match="the end mark is missing"):
        ShardReader(folder)


def test_an_id_outside_the_vocabulary_is_named_by_row(folder):
    path = folder / "data-00000-of-00002.arrow"
    reader = ShardReader(folder)
    view, row = reader.locate(6)
    _, base = reader.descriptors[path]
    offset = view.ids[row].ctypes.data - base
    data = bytearray(path.read_bytes())
    data[offset + 20 : offset + 22] = b"\xff\xff"
    path.write_bytes(data)
    with pytest.raises(TrainerError, match=r"data-00000-of-00002\.arrow, record batch 1, row 2: an id"):
        read(folder, [0, 6, 1])
    assert read(folder, [0, 1])[0].shape == (2, 17)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("doc_sources", [[0], [2], [0], [0]]),
        ("doc_sources", [[0], [0, 1], [0], [0]]),
        ("doc_starts", [[], [17], [], []]),
        ("doc_starts", [[], [0, 0], [], []]),
        ("doc_starts", [[], [9, 4], [], []]),
    ],
    ids=["no such source", "one source too many", "beyond the row", "the same start twice", "backwards"],
)
def test_damaged_documents_are_named_by_row(tmp_path, column, values):
    folder = write_shards(tmp_path, [Doc([1, *[5] * 64, 2])], 16, shards=1)
    good = {"doc_starts": [[0], [], [], []], "doc_sources": [[0]] * 4, "doc_numbers": [[0]] * 4}
    assert read(folder, [1])[1].counts.tolist() == [1]
    lists = {**good, column: values}
    lists["doc_numbers"] = [[0] * len(part) for part in lists["doc_sources"]]
    if column == "doc_starts":
        lists["doc_sources"] = lists["doc_numbers"] = [[0] * (len(part) + (part[:1] != [0])) for part in values]

    def change(table):
        for name, value in lists.items():
            at = table.schema.get_field_index(name)
            table = table.set_column(at, name, pa.chunked_array([pa.array(value, table.schema.field(at).type)]))
        return table.combine_chunks()

    rewrite(folder, change, name="data-00000-of-00001.arrow")
    edit_manifest(folder, bos=None)
    with pytest.raises(TrainerError, match="record batch 0, row 1: a document's start or source is out of range"):
        read(folder, [3])


def test_random_damage_never_ends_in_another_error(folder):
    path = folder / "data-00000-of-00002.arrow"
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    refused = []
    for _ in range(150):
        data = bytearray(whole)
        data[rng.integers(len(data))] ^= 1 << rng.integers(8)
        path.write_bytes(data)
        try:
            rows = ShardReader(folder).manifest.rows
            read(folder, list(range(rows)))
        except TrainerError as error:
            refused.append(str(error))
    assert len(refused) > 20
    assert all(str(folder) in message for message in refused)


def edit_manifest(folder, **changes):
    path = folder / "manifest.json"
    values = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in values.items() if value != "absent"}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": 3}, "the manifest says 3 rows, the files hold"),
        ({"seq_len": 8}, r"input_ids is fixed_size_list.*\[17\], not .*\[9\]"),
        ({"sources": "absent"}, "lacks the key 'sources'"),
        ({"rows": "many"}, "manifest.json cannot be read"),
        ({"bos": 5}, "a document begins without bos"),
    ],
)
def test_a_wrong_manifest_is_refused(folder, changes, message):
    edit_manifest(folder, **changes)
    with pytest.raises(TrainerError, match=message):
        ShardReader(folder)


def test_double_bos_is_refused(tmp_path):
    folder = write_shards(tmp_path, [Doc([1, 1, 10, 11, 12, 2] * 3)], 4)
    with pytest.raises(TrainerError, match="begins with bos twice"):
        ShardReader(folder)


def test_missing_things_are_named(folder, tmp_path):
    with pytest.raises(TrainerError, match="no shard directory"):
        read_manifest(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(TrainerError, match=r"has no manifest\.json"):
        read_manifest(tmp_path / "empty")
    (folder / "data-00001-of-00002.arrow").unlink()
    with pytest.raises(TrainerError, match=r"missing shard: .*data-00001"):
        ShardReader(folder)


def test_state_json_gives_the_order_of_the_files(folder):
    (folder / "state.json").unlink()
    by_name, _ = read(folder, [0])
    names = sorted(path.name for path in folder.glob("*.arrow"))
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names[::-1]]}))
    reversed_files, _ = read(folder, [0])
    assert by_name.tolist() != reversed_files.tolist()
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": "../data.arrow"}]}))
    with pytest.raises(TrainerError, match="names files outside"):
        ShardReader(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop_columns(["doc_sources"]), "lacks the column doc_sources"),
        (lambda t: t.set_column(2, "doc_sources", t["doc_sources"].cast(pa.list_(pa.int32()))), "doc_sources is list"),
    ],
)
def test_other_schemas_are_refused(folder, change, message):
    rewrite(folder, change)
    with pytest.raises(TrainerError, match=message):
        ShardReader(folder)


def rewrite(folder, change, name="data-00000-of-00002.arrow", **options):
    path = folder / name
    table = change(pa.ipc.open_stream(path.read_bytes()).read_all())
    with pa.ipc.new_stream(str(path), table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)


def test_compressed_shards_are_refused(tmp_path):
    folder = write_shards(tmp_path, [Doc([1] + [5] * 2000 + [2])], 256, shards=1)
    (folder / "data-00000-of-00001.arrow").rename(folder / "data-00000-of-00002.arrow")
    (folder / "state.json").unlink()
    rewrite(folder, lambda t: t, compression="lz4")
    with pytest.raises(TrainerError, match="record batch 0 is compressed"):
        ShardReader(folder)
