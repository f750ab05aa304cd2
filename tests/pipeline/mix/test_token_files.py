"""Token files: row for row the ids of the texts; what is damaged costs its own file."""

import hashlib
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ModelError, OutputError
from pipeline.mix.corpus import CorpusFile
from pipeline.mix.encode import encode_file
from pipeline.mix.token_files import MARK, Coding, RunHasher, TokenReader, TokenStore, hash_ids, version_of
from pipeline.source import HashingReader
from tests.pipeline.mix.corpora import model, write_model, write_parquet
from tests.tokenizer.models import train
from tokenizer.encode import Encoder

TEXTS = ["harbour lantern", "", "a\nb  c 12\t\r\n", "caf\u00e9 \U0001f600", "winter"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return Encoder(write_model(tmp_path_factory.mktemp("model")))


def library_ids(text):
    return [1, *sentencepiece.SentencePieceProcessor(model_proto=model()).encode(text), 2]


def store(folder, encoder, **keys):
    coding = Coding(encoder.sha256, "uint16", **{"bos": True, "eos": True, **keys})
    return TokenStore(str(folder), str(folder / "_tokens"), coding)


def corpus_file(path, name="a/all/part-0.parquet", sha256=None):
    return CorpusFile("a", name, path.stat().st_size, sha256)


def documents(made, count, path="a/all/part-0.parquet"):
    stats = made.read_stats(path)
    with TokenReader(made, path, count, stats.tokens) as reader:
        offsets = reader.marks(0, count)["offset"]
        return [read(reader, int(a), int(b)) for a, b in pairwise(offsets)]


def read(reader, start, stop):
    ids = np.empty(stop - start, np.uint16)
    reader.ids(start, ids)
    return ids.tolist()


def test_row_for_row_the_ids_of_the_library(tmp_path, encoder):
    path = write_parquet(tmp_path, "a/all/part-0.parquet", TEXTS)
    made = store(tmp_path, encoder)
    stats = encode_file(made, encoder, corpus_file(path), None)
    found = documents(made, 5)
    assert found == [library_ids(text) if text else [] for text in TEXTS]
    assert (stats.documents, stats.empty, stats.tokens) == (5, 1, sum(map(len, found)))
    assert stats.text_bytes == len("".join(TEXTS).encode())
    assert stats.sha256 == HashingReader(path.open("rb")).finish()["sha256"]
    assert stats.error is None


def test_without_bos_and_eos(tmp_path, encoder):
    path = write_parquet(tmp_path, "a/all/part-0.parquet", TEXTS[:1])
    made = store(tmp_path, encoder, bos=False, eos=False)
    encode_file(made, encoder, corpus_file(path), None)
    assert documents(made, 1) == [library_ids(TEXTS[0])[1:-1]]
    assert made.coding.folder == encoder.sha256[:16]
    assert store(tmp_path, encoder).coding.folder == encoder.sha256[:16] + "-bos-eos"


def test_any_batches(tmp_path, encoder, monkeypatch):
    monkeypatch.setattr("pipeline.mix.encode.ROWS", 3)
    monkeypatch.setattr("pipeline.mix.encode.BATCH_CHARACTERS", 20)
    texts = [text for n in range(4) for text in (*TEXTS, f"{n}")]
    path = write_parquet(tmp_path, "a/all/part-0.parquet", texts)
    made = store(tmp_path, encoder)
    encode_file(made, encoder, corpus_file(path), None)
    assert documents(made, len(texts)) == [library_ids(text) if text else [] for text in texts]


def test_parts_of_a_token_file(tmp_path, encoder):
    path = write_parquet(tmp_path, "a/all/part-0.parquet", TEXTS)
    made = store(tmp_path, encoder)
    encode_file(made, encoder, corpus_file(path), None)
    with TokenReader(made, "a/all/part-0.parquet", 5, made.read_stats("a/all/part-0.parquet").tokens) as reader:
        offsets = reader.marks(2, 2)["offset"]
        assert read(reader, int(offsets[0]), int(offsets[2])) == library_ids(TEXTS[2]) + library_ids(TEXTS[3])


def test_a_file_is_done_once(tmp_path, encoder):
    path = write_parquet(tmp_path, "a/all/part-0.parquet", TEXTS)
    made, file = store(tmp_path, encoder), corpus_file(path)
    assert not made.is_done(file, "7")
    stats = encode_file(made, encoder, file, "7")
    assert made.is_done(file, "7")
    assert made.is_done(corpus_file(path, sha256=stats.sha256), None)
    assert not made.is_done(corpus_file(path, sha256="0" * 64), None)
    (tmp_path / "_tokens" / made.coding.folder / "a/all/part-0.tokens").unlink()
    assert not made.is_done(file, "7")


def test_a_token_file_that_was_cut_short_is_made_again(tmp_path, encoder):
    path = write_parquet(tmp_path, "a/all/part-0.parquet", TEXTS)
    made, file = store(tmp_path, encoder), corpus_file(path)
    encode_file(made, encoder, file, "7")
    tokens = tmp_path.joinpath(made.tokens(file.path))
    whole = tokens.read_bytes()
    for content in (whole[:-1], whole + b"0", b""):
        tokens.write_bytes(content)
        assert not made.is_done(file, "7")
    tokens.write_bytes(whole)
    assert made.is_done(file, "7")


def test_a_file_of_another_version_is_read_and_encoded_again_only_where_its_bytes_are_others(tmp_path, encoder):
    path = write_parquet(tmp_path, "a/all/part-0.parquet", TEXTS)
    made, file = store(tmp_path, encoder), corpus_file(path)
    encode_file(made, encoder, file, version_of(str(path)))
    os.utime(path)
    assert made.read_stats(file.path).version != version_of(str(path))
    assert made.is_done(file, version_of(str(path)))
    assert made.read_stats(file.path).version == version_of(str(path))
    times, whole = path.stat(), path.read_bytes()
    path.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])  # of the same size and time of change
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert not made.is_done(file, version_of(str(path)))
    assert not made.is_done(file, None)


def test_white_space_that_the_model_removes_is_no_document(tmp_path):
    removing = Encoder(train(tmp_path / "nfkc.model", "removes_spaces", 700))
    path = write_parquet(tmp_path, "a/all/part-0.parquet", [" ", "a word", "\u3000\n", "  "])
    for keys in ({}, {"eos": False}, {"bos": False, "eos": False}):
        made = store(tmp_path, removing, **keys)
        stats = encode_file(made, removing, corpus_file(path), None)
        found = documents(made, 4)
        assert [bool(ids) for ids in found] == [False, True, bool(removing.encode("\u3000\n").tolist()), False]
        assert stats.empty == found.count([])


def test_any_change_of_a_token_file_is_found_where_it_is_read(tmp_path, encoder):
    texts = ["harbour lantern winter", "", "copper meadow", "quiet signal thread orchard"]
    path = write_parquet(tmp_path, "a/all/part-0.parquet", texts)
    made = store(tmp_path, encoder)
    stats = encode_file(made, encoder, corpus_file(path), None)
    tokens = tmp_path / "_tokens" / made.coding.folder / "a/all/part-0.tokens"
    whole = tokens.read_bytes()
    assert hashlib.sha256(whole).hexdigest() == stats.tokens_sha256

    def read_all(skip):
        with TokenReader(made, "a/all/part-0.parquet", 4, stats.tokens) as reader:
            marks = reader.all_marks()
            ids = np.empty(stats.tokens - skip, "<u2")
            reader.ids(skip, ids)
            reader.check(marks, ids, skip)

    for skip in (0, 2):
        read_all(skip)
        for at in range(len(whole) - (8 if skip else 16)):  # the last hash of a mark is that of no document
            if at in range(len(whole) - 16, len(whole) - 8) or (
                skip and at in range(stats.tokens * 2 + 8, stats.tokens * 2 + 16)
            ):
                continue  # nor is that of a document asked for of which the beginning is not
            tokens.write_bytes(whole[:at] + bytes([whole[at] ^ 64]) + whole[at + 1 :])
            with pytest.raises(OutputError, match=r"is damaged: .* Remove it and run the same command again"):
                read_all(skip)
        tokens.write_bytes(whole)


@given(st.data())
def test_parts_of_long_documents_are_checked_by_runs(tmp_path_factory, encoder, data):
    """A damage is found wherever it lies in what is read, and may be found in what lies around it."""
    folder = tmp_path_factory.mktemp("runs")
    sizes = data.draw(st.lists(st.integers(0, 30_000), min_size=1, max_size=3))
    ids = np.arange(sum(sizes)).astype("<u2")
    marks = np.zeros(len(sizes) + 1, MARK)
    marks["offset"][1:] = np.cumsum(sizes)
    marks["hash"][:-1] = hash_ids(ids, marks["offset"])
    hasher, made = RunHasher(2), store(folder, encoder)
    for part in np.array_split(ids, 3):
        hasher.add(part.tobytes())
    place = Path(made.tokens("a.parquet"))
    place.parent.mkdir(parents=True)
    begin = data.draw(st.integers(0, len(ids)))
    end = data.draw(st.integers(begin, len(ids)))
    damage = data.draw(st.none() | st.integers(0, max(0, len(ids) - 1)))
    if damage is not None and len(ids):
        ids[damage] ^= 1
    place.write_bytes(ids.tobytes() + marks.tobytes() + hasher.finish().tobytes())
    first = data.draw(st.integers(0, int(np.searchsorted(marks["offset"], begin, "right")) - 1))
    last = data.draw(st.integers(max(first, int(np.searchsorted(marks["offset"], end))), len(sizes)))
    with TokenReader(made, "a.parquet", len(sizes), len(ids)) as reader:
        read = reader.marks(first, last - first)
        out = np.empty(end - begin, "<u2")
        reader.ids(begin, out)
        try:
            reader.check(read, out, begin - int(marks["offset"][first]))
            assert damage is None or not begin <= damage < end
        except OutputError:
            assert damage is not None


def test_damaged_stats_are_made_again(tmp_path, encoder):
    path = write_parquet(tmp_path, "a/all/part-0.parquet", TEXTS)
    made, file = store(tmp_path, encoder), corpus_file(path)
    encode_file(made, encoder, file, None)
    stats = tmp_path / "_tokens" / made.coding.folder / "a/all/part-0.json"
    for text in ("", "[]", "{}", '{"coding": 3}', "{"):
        stats.write_text(text)
        assert not made.is_done(file, None)


def write_table(path, table):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
    return path


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pa.table({"body": ["x"]}), "it has no column text; it has body"),
        (pa.table({"text": [1, 2]}), "its column text holds int64, not strings"),
    ],
)
def test_other_parquet_is_an_error_in_the_stats(tmp_path, encoder, table, message):
    path = write_table(tmp_path / "a/all/part-0.parquet", table)
    made, file = store(tmp_path, encoder), corpus_file(path)
    assert message in encode_file(made, encoder, file, None).error
    assert not made.is_done(file, None)


def test_missing_texts_have_no_ids(tmp_path, encoder):
    path = write_table(tmp_path / "a/all/part-0.parquet", pa.table({"text": pa.array(["winter", None], pa.string())}))
    made = store(tmp_path, encoder)
    assert encode_file(made, encoder, corpus_file(path), None).empty == 1
    assert documents(made, 2) == [library_ids("winter"), []]


def test_every_truncation_is_an_error_in_the_stats(tmp_path, encoder):
    path = write_parquet(tmp_path, "a/all/part-0.parquet", TEXTS * 20)
    whole, made = path.read_bytes(), store(tmp_path, encoder)
    for size in range(0, len(whole), 61):
        path.write_bytes(whole[:size])
        assert "damaged" in encode_file(made, encoder, corpus_file(path), None).error
    assert not list((tmp_path / "_tokens").rglob("*.tokens"))
    assert not list((tmp_path / "_tokens").rglob("*.tmp"))


def test_random_damage_never_ends_in_an_exception(tmp_path, encoder):
    path = write_parquet(tmp_path, "a/all/part-0.parquet", TEXTS * 20)
    whole, rng, made = path.read_bytes(), np.random.default_rng(0), store(tmp_path, encoder)
    errors = 0
    for _ in range(60):
        data = bytearray(whole)
        data[rng.integers(len(data))] ^= 1 << rng.integers(8)
        path.write_bytes(data)
        errors += encode_file(made, encoder, corpus_file(path), None).error is not None
    assert errors > 10


def test_a_checksum_that_is_not_the_manifest_s(tmp_path, encoder):
    path = write_parquet(tmp_path, "a/all/part-0.parquet", TEXTS)
    stats = encode_file(store(tmp_path, encoder), encoder, corpus_file(path, sha256="0" * 64), None)
    assert f"its sha256 is {stats.sha256}, its manifest says {'0' * 64}" in stats.error


def test_a_file_that_is_gone(tmp_path, encoder):
    file = CorpusFile("a", "a/all/part-0.parquet", 10, None)
    assert "cannot be read" in encode_file(store(tmp_path, encoder), encoder, file, None).error


def test_another_tokenizer_is_refused(tmp_path, encoder):
    path = write_parquet(tmp_path, "a/all/part-0.parquet", TEXTS)
    other = TokenStore(str(tmp_path), str(tmp_path / "_tokens"), Coding("0" * 64, "uint16", True, True))
    with pytest.raises(ModelError, match="the token files are of 0000"):
        encode_file(other, encoder, corpus_file(path), None)


def test_a_damaged_token_file_is_named(tmp_path, encoder):
    path = write_parquet(tmp_path, "a/all/part-0.parquet", TEXTS)
    made = store(tmp_path, encoder)
    encode_file(made, encoder, corpus_file(path), None)
    tokens = tmp_path / "_tokens" / made.coding.folder / "a/all/part-0.tokens"
    whole = tokens.read_bytes()
    tokens.write_bytes(whole[:-10])
    with pytest.raises(OutputError, match=r"part-0\.tokens is damaged: it is cut short\. Remove it and run"):
        documents(made, 5)
    tokens.write_bytes(whole[:-24] + b"\xff" * 8 + whole[-16:])
    with pytest.raises(OutputError, match="its offsets are out of order"):
        documents(made, 5)
    tokens.unlink()
    with pytest.raises(OutputError, match="is damaged"):
        documents(made, 5)


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=30), max_size=12))
def test_any_texts(tmp_path_factory, encoder, texts):
    folder = tmp_path_factory.mktemp("any")
    path = write_table(folder / "a/all/part-0.parquet", pa.table({"text": pa.array(texts, pa.large_string())}))
    made = store(folder, encoder)
    assert encode_file(made, encoder, corpus_file(path), None).error is None
    assert documents(made, len(texts)) == [library_ids(text) if text else [] for text in texts]
