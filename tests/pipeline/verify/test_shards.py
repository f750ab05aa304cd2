"""Verification of shards: a sound folder passes, and every kind of damage is named."""

import dataclasses
import hashlib
import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.mix.chat import TEMPLATE
from pipeline.mix.folder import BESIDE, HELDOUT, KEPT_OUT
from pipeline.mix.names import DOCUMENTS
from pipeline.mix.rows import open_folder, read_document
from pipeline.recipe import fingerprint
from pipeline.verify.shards import verify_shards
from pipeline.verify.token_files import verify_token_files
from tests.pipeline.mix.corpora import mix, prose, recipe, write_corpus, write_model, write_parquet


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("verify")
    write_corpus(root / "corpus", {"a": [prose(40, 1), prose(20, 2)], "b": [prose(20, 3)]})
    write_model(root)
    mix(root, recipe({"a": 70, "b": 30}, shard_rows=30, heldout_tokens=64))
    return root


@pytest.fixture
def root(made, tmp_path):
    """A copy that may be damaged; it reads the corpus of the original."""
    shutil.copytree(made / "shards", tmp_path / "shards")
    return tmp_path


def first_shard(root):
    return sorted((root / "shards").glob("*.arrow"))[0]


def faults(root, **keys):
    return verify_shards(str(root / "shards"), **keys)[1]


def edit_json(path, change):
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def rewrite(root, change):
    """Changes the columns of the first shard, and all checksums with it: only the contents can tell."""
    path = first_shard(root)
    table = pa.ipc.open_stream(path.read_bytes()).read_all()
    columns = change({name: table[name].to_pylist() for name in table.column_names}) or {}
    arrays = [pa.array(columns.get(f.name, table[f.name].to_pylist()), f.type) for f in table.schema]
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(pa.table(arrays, schema=table.schema))
    data = path.read_bytes()
    sums = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}

    def update(manifest):
        manifest["shards"][0].update(sums)
        shards = [entry["sha256"] for entry in manifest["shards"]]
        manifest["fingerprint"] = fingerprint([manifest["configuration"], shards])

    edit_json(root / "shards/manifest.json", update)
    edit_json(root / "shards/_stats" / f"{path.stem}.json", lambda stats: stats.update(sums))


def test_a_sound_folder(made):
    rows = json.loads((made / "shards/manifest.json").read_text())["rows"]
    assert verify_shards(str(made / "shards")) == (rows, [])
    assert verify_shards(str(made / "shards/heldout")) == (4, [])


def test_changed_bytes(root):
    path = first_shard(root)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert "has changed: its sha256 is" in faults(root)[0]


def test_missing_and_unknown_files(root):
    path = first_shard(root)
    path.rename(path.with_name("data-9.arrow"))
    (found, gone) = faults(root)
    assert found.endswith("data-9.arrow is not in the manifest")
    assert gone.endswith("is missing")


def test_every_truncation_without_checksums(root):
    path = first_shard(root)
    whole = path.read_bytes()
    for size in range(0, len(whole), 397):
        path.write_bytes(whole[:size])
        assert faults(root, checksums=False)


def test_random_damage_never_ends_in_an_exception(root):
    path = first_shard(root)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    found = 0
    for _ in range(60):
        data = bytearray(whole)
        data[rng.integers(len(data))] ^= 1 << rng.integers(8)
        path.write_bytes(data)
        found += bool(faults(root, checksums=False))
    assert found > 40


def swap_words(columns):
    """Other ids of the vocabulary, in the middle of every row, such that the rows still overlap."""
    return {"input_ids": [[*r[:8], *(i if i < 3 else 399 for i in r[8:-1]), r[-1]] for r in columns["input_ids"]]}


def unlink_rows(columns):
    return {"input_ids": [[*row[:-1], 300] for row in columns["input_ids"]]}


def foreign_id(columns):
    columns["input_ids"][5][3] = 400
    return columns


def lose_bos(columns):
    row = next(n for n, starts in enumerate(columns["doc_starts"]) if starts and 0 < starts[0] < 16)
    columns["input_ids"][row][columns["doc_starts"][row][0]] = 300
    return columns


def other_number(columns):
    return {"doc_numbers": [[0] * len(numbers) for numbers in columns["doc_numbers"]]}


def other_source(columns):
    return {"doc_sources": [[0] * len(numbers) for numbers in columns["doc_numbers"]]}


def other_offset(columns):
    return {"doc_offsets": [[n + 2 * (place > 0) for place, n in enumerate(row)] for row in columns["doc_offsets"]]}


def shifted_text(columns):
    """All of it stands in the documents, but in other places."""
    return {"doc_offsets": [[n + 3 * (n > 0) for n in row] for row in columns["doc_offsets"]]}


def fewer_sources(columns):
    return {"doc_sources": [sources[:-1] for sources in columns["doc_sources"]]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (swap_words, "are not in document"),
        (unlink_rows, "a row does not begin with the last id of the row before"),
        (foreign_id, "an id is not in the vocabulary"),
        (lose_bos, "a document begins without bos"),
        (other_number, "a document is listed under another source"),
        (other_offset, "a document does not go on where the row before left it"),
        (shifted_text, "a document does not go on where the row before left it"),
        (other_source, "a document is listed under another source"),
        (fewer_sources, "the lists of documents do not match"),
    ],
)
def test_contents_that_only_look_right(root, change, message):
    rewrite(root, change)
    assert any(message in fault for fault in faults(root)), faults(root)


def miscount(manifest):
    manifest["mixture"]["a"]["tokens"] += 1


def misask(manifest):
    manifest["mixture"]["a"]["share_asked"] = 0.5


def misreckon(manifest):
    manifest["shards"][0]["tokens"][0] += 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (miscount, "ids of a, its manifest says"),
        (misask, "a has a share of 69.9"),
        (misreckon, "ids by source, the manifest says"),
        (lambda m: m.update(rows=7), "rows, its manifest says 7"),
        (lambda m: m.update(fingerprint="0"), "its fingerprint is not that of its shards"),
        (lambda m: m["configuration"].update(tokens=5), "is not the manifest's configuration: tokens"),
        (lambda m: m.pop("mixture"), "its manifest is damaged"),
        (lambda m: m.update(shards=3), "its manifest is damaged"),
        (lambda m: m.update(tokenizer_sha256="0"), "is not the tokenizer of the shards"),
    ],
)
def test_a_manifest_that_is_not_that_of_the_shards(root, change, message):
    edit_json(root / "shards/manifest.json", change)
    assert any(message in fault for fault in faults(root)), faults(root)


@pytest.mark.parametrize(
    "name",
    [*(name for name in BESIDE if name not in (KEPT_OUT, TEMPLATE)), f"{HELDOUT}/{KEPT_OUT}", f"{HELDOUT}/{DOCUMENTS}"],
)
def test_what_lies_beside_the_shards(root, name):
    path = root / "shards" / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert any(name in fault for fault in faults(root))


def test_other_lists(root):
    edit_json(root / "shards/state.json", lambda state: state["_data_files"].pop())
    assert faults(root)[0].endswith("state.json does not list the files of the manifest")
    (root / "shards/state.json").unlink()
    assert "state.json is missing: the command that made the shards writes it again" in faults(root)[0]


def test_held_out_documents_in_training(root, made):
    """The held-out set of another seed, over the same corpus: training has documents of it."""
    if not (made / "other").exists():
        mix(made, recipe({"a": 70, "b": 30}, shard_rows=30, heldout_tokens=64, seed=1), output="other")
    shutil.rmtree(root / "shards/heldout")
    assert faults(root) == [
        f"heldout: {root}/shards/heldout is no finished folder of shards: run python -m pipeline.mix to its end"
    ]
    shutil.copytree(made / "other/heldout", root / "shards/heldout")
    found = faults(root)
    assert f"{root}/shards/heldout was held out by another configuration than that of the shards" in found
    assert any(fault.endswith("text that is held out") for fault in found)


def test_copies_of_held_out_documents_in_training(tmp_path):
    """The list of what is kept out does not name them: their ids tell."""
    texts = prose(60, 1, longest=6)
    write_corpus(tmp_path / "corpus", {"a": [texts, texts[::-1]]})
    write_model(tmp_path)
    made = recipe({"a": 100}, seq_len=64, heldout_tokens=128, max_epochs=1.0)
    mix(tmp_path, made)
    assert faults(tmp_path) == []
    mix(tmp_path, dataclasses.replace(made, seed=1), output="other")
    shutil.rmtree(tmp_path / "shards/heldout")
    shutil.copytree(tmp_path / "other/heldout", tmp_path / "shards/heldout")
    table = pq.read_table(tmp_path / "shards/heldout/kept_out.parquet")
    held = read_document(open_folder(str(tmp_path / "shards/heldout")), table["number"][0].as_py(), ["text"])
    assert texts.count(held[2]["text"]) == 1
    assert any(" documents that are copies of held-out ones" in fault for fault in faults(tmp_path))


def test_what_changed_beside_the_shards(root, made):
    """A token file, a Parquet file, the list of what is kept out: each is found, and the cure is named."""
    moved = root / "corpus"
    shutil.copytree(made / "corpus", moved)
    assert faults(root, corpus=str(moved)) == []
    tokens = next(moved.rglob("part-0.tokens"))
    data = tokens.read_bytes()
    tokens.write_bytes(data[:9] + bytes([data[9] ^ 1]) + data[10:])
    (fault,) = faults(root, corpus=str(moved))
    assert fault.startswith(f"{tokens} has changed: its sha256 is ")
    assert fault.endswith("Remove it: python -m pipeline.mix makes it again.")
    assert faults(root, corpus=str(moved), checksums=False) == []
    tokens.unlink()  # it is not needed
    assert faults(root, corpus=str(moved)) == []
    parquet = moved / "a/all/part-1.parquet"
    parquet.write_bytes(parquet.read_bytes() + b"0")
    assert any(
        f"{parquet} has changed" in fault and "make the shards anew" in fault
        for fault in faults(root, corpus=str(moved))
    )


def test_the_token_files_of_a_corpus(root, made):
    moved = root / "corpus"
    shutil.copytree(made / "corpus", moved)
    assert verify_token_files(str(moved / "_tokens"), str(moved)) == (3, [])
    stats = next(moved.rglob("part-1.json"))
    stats.write_text("{}")
    tokens = next(moved.rglob("b/all/part-0.tokens"))
    tokens.write_bytes(tokens.read_bytes()[:-1])
    parquet = moved / "a/all/part-0.parquet"
    parquet.write_bytes(b"another")
    count, (damaged, changed, cut) = verify_token_files(str(moved / "_tokens"), str(moved))
    assert count == 2
    assert damaged.startswith(f"{stats} is damaged")
    assert changed.startswith(f"{parquet} has changed")
    assert cut.startswith(f"{tokens} has changed")


def test_a_corpus_that_changed_or_is_gone(root, made):
    moved = root / "corpus"
    shutil.copytree(made / "corpus", moved)
    assert faults(root, corpus=str(moved)) == []
    write_parquet(moved, "b/all/part-0.parquet", prose(20, 4))
    assert any("are not in document" in fault for fault in faults(root, corpus=str(moved)))
    shutil.rmtree(moved)
    assert "Where is the corpus now? Give --corpus" in faults(root, corpus=str(moved))[0]


def test_what_is_no_folder_of_shards(tmp_path):
    assert verify_shards(str(tmp_path)) == (
        0,
        [f"{tmp_path} is no finished folder of shards: run python -m pipeline.mix to its end"],
    )
