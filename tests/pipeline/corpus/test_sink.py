import gc
import hashlib
import random
import string
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.corpus.document import Document, Reject, document_schema, reject_schema
from pipeline.corpus.sink import ROW_GROUP_CHARACTERS, ROW_GROUP_DOCUMENTS, RejectPolicy, ShardSink
from pipeline.errors import OutputError
from tests.pipeline.line_source import META
from tests.pipeline.small_disk import small_disk, small_files


def doc(number: int, text: str = "text", **fields) -> Document:
    return Document(f"d{number}", text, "lines", "folder/f.txt", number, **fields)


def sink(root: Path, rejects: RejectPolicy | None = None) -> ShardSink:
    return ShardSink(str(root), "s", META, rejects or RejectPolicy())


def files_below(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def random_text(number: int, characters: int) -> str:
    return "".join(random.Random(number).choices(string.ascii_letters, k=characters))


def test_a_file_for_each_subset_and_one_for_the_rejects(tmp_path):
    with sink(tmp_path) as output:
        output.keep(doc(1, "ünï", meta={"kept_lines": 1, "line_numbers": [0]}), "tail")
        output.keep(doc(2), "head")
        output.keep(doc(3), "tail")
        output.reject(Reject(doc(4, "bad"), "words", "bad_word"))
        assert files_below(tmp_path) == []
        outputs, rejects = output.finish()
    assert files_below(tmp_path) == ["_rejects/s.parquet", "head/s.parquet", "tail/s.parquet"]
    assert [(o.path, o.documents, o.characters) for o in outputs] == [
        ("head/s.parquet", 1, 4),
        ("tail/s.parquet", 2, 7),
    ]
    assert (rejects.path, rejects.documents, rejects.characters) == ("_rejects/s.parquet", 1, 3)
    for entry in (*outputs, rejects):
        data = (tmp_path / entry.path).read_bytes()
        assert (entry.bytes, entry.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    tail = pq.read_table(tmp_path / "tail/s.parquet")
    assert tail.schema == document_schema(META)
    assert tail.column("id").to_pylist() == ["d1", "d3"]
    assert tail.to_pylist()[0] == {
        "id": "d1",
        "text": "ünï",
        "source": "lines",
        "url": None,
        "language": None,
        "created": None,
        "license": None,
        "origin": {"file": "folder/f.txt", "offset": 1},
        "meta": {"kept_lines": 1, "line_numbers": [0]},
    }
    dropped = pq.read_table(tmp_path / "_rejects/s.parquet")
    assert dropped.schema == reject_schema(META)
    assert dropped.select(["id", "text", "step", "reason"]).to_pylist() == [
        {"id": "d4", "text": "bad", "step": "words", "reason": "bad_word"}
    ]


def test_nothing_to_write_gives_no_file(tmp_path):
    with sink(tmp_path) as output:
        assert output.finish() == ([], None)
    assert files_below(tmp_path) == []


def test_huggingface_datasets_open_it(tmp_path):
    datasets = pytest.importorskip("datasets")
    with sink(tmp_path / "corpus") as output:
        for n in range(5):
            output.keep(doc(n, f"text {n}", url="http://u"), "all")
        output.finish()
    loaded = datasets.load_dataset(
        "parquet", data_files=f"{tmp_path}/corpus/all/*.parquet", split="train", cache_dir=f"{tmp_path}/cache"
    )
    assert loaded["text"][:] == [f"text {n}" for n in range(5)]
    assert loaded[4]["origin"] == {"file": "folder/f.txt", "offset": 4}


class TestRowGroups:
    def test_so_many_documents(self, tmp_path):
        with sink(tmp_path) as output:
            for n in range(ROW_GROUP_DOCUMENTS + 1):
                output.keep(doc(n, ""), "all")
            output.finish()
        metadata = pq.read_metadata(tmp_path / "all/s.parquet")
        rows = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
        assert rows == [ROW_GROUP_DOCUMENTS, 1]

    @pytest.mark.parametrize("field", ["text", "meta"])
    def test_so_many_characters_in_whatever_field(self, tmp_path, field):
        meta = pa.struct([("title", pa.string())])
        half = "x" * (ROW_GROUP_CHARACTERS // 2)
        with ShardSink(str(tmp_path), "s", meta, RejectPolicy()) as output:
            for n in range(3):
                output.keep(doc(n, half) if field == "text" else doc(n, "", meta={"title": half}), "all")
            output.finish()
        metadata = pq.read_metadata(tmp_path / "all/s.parquet")
        assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [2, 1]


def test_equal_documents_give_equal_bytes(tmp_path):
    sums = []
    for run in ("one", "two"):
        with sink(tmp_path / run) as output:
            for n in range(2000):
                output.keep(doc(n, random_text(n, 50), url=f"http://{n}", language="en"), "all")
            (entry,), _ = output.finish()
        sums.append(entry.sha256)
    assert sums[0] == sums[1]


class TestFailure:
    def test_an_error_leaves_nothing_and_is_not_covered_up(self, tmp_path):
        with pytest.raises(KeyError, match="a bug"):
            self.write_and_fail(tmp_path, KeyError("a bug"))
        gc.collect()  # a writer that is collected half-way must not complain, either
        assert files_below(tmp_path) == []

    def test_an_interrupt_leaves_nothing(self, tmp_path):
        with pytest.raises(KeyboardInterrupt):
            self.write_and_fail(tmp_path, KeyboardInterrupt())
        assert files_below(tmp_path) == []

    @staticmethod
    def write_and_fail(root: Path, error: BaseException) -> None:
        with sink(root) as output:
            for n in range(ROW_GROUP_DOCUMENTS + 1):
                output.keep(doc(n, ""), "all")
                output.keep(doc(n, ""), "other")
            assert len(files_below(root)) == 2  # the first row groups, in temporary files
            raise error

    @staticmethod
    def write(root: Path) -> None:
        with sink(root) as output:
            for n in range(300):
                output.keep(doc(n, random_text(n, 1000)), "a")
                output.keep(doc(n, "short"), "b")
            output.finish()

    def test_a_full_disk(self, tmp_path):
        with small_disk(tmp_path / "disk", 128) as disk:
            with pytest.raises(OutputError, match=r"cannot write .*/disk/a/s\.parquet: No space left on device\. Free"):
                self.write(disk)
            gc.collect()
            assert files_below(disk) == []

    def test_a_file_beyond_the_allowed_size(self, tmp_path):
        with small_files(100_000), pytest.raises(OutputError, match=r"a/s\.parquet: File too large"):
            self.write(tmp_path)
        assert files_below(tmp_path) == []

    def test_a_subset_whose_place_is_taken(self, tmp_path):
        (tmp_path / "a").write_text("in the way")
        with pytest.raises(OutputError, match=r"cannot write .*/a/s\.parquet: (File exists|Not a directory)"):
            self.write(tmp_path)
        assert files_below(tmp_path) == ["a"]


class TestRejectPolicy:
    def test_all_and_none(self):
        assert RejectPolicy("all").wants("x")
        assert not RejectPolicy("none").wants("x")

    def test_the_sample_goes_by_the_id_alone(self):
        policy = RejectPolicy("sample", 0.25)
        chosen = [n for n in range(4000) if policy.wants(f"d{n}")]
        assert (len(chosen), chosen[:6]) == (1022, [15, 17, 18, 20, 23, 25])

    def test_a_smaller_sample_is_part_of_a_larger_one(self):
        small, large = RejectPolicy("sample", 0.1), RejectPolicy("sample", 0.5)
        assert all(large.wants(f"d{n}") for n in range(1000) if small.wants(f"d{n}"))
        assert all(RejectPolicy("sample", 1.0).wants(f"d{n}") for n in range(1000))

    @given(st.text(st.characters(codec=None)))
    def test_any_text_may_be_an_id(self, identifier):
        assert RejectPolicy("sample", 1.0).wants(identifier)

    @pytest.mark.parametrize("fraction", [0, -0.5, 1.01, float("nan")])
    def test_the_fraction_must_be_one(self, fraction):
        with pytest.raises(ValueError, match="fraction must be above 0 and at most 1, it is"):
            RejectPolicy("sample", fraction)

    @pytest.mark.parametrize(("policy", "kept"), [("all", 3), ("none", 0)])
    def test_what_is_not_wanted_is_not_written(self, tmp_path, policy, kept):
        with sink(tmp_path, RejectPolicy(policy)) as output:
            for n in range(3):
                output.reject(Reject(doc(n), "words", "bad_word"))
            _, rejects = output.finish()
        assert (rejects.documents if rejects else 0) == kept
        assert files_below(tmp_path) == (["_rejects/s.parquet"] if kept else [])


def test_surrogates_are_written_as_replacement_characters(tmp_path):
    with sink(tmp_path) as output:
        output.keep(doc(1, "a\ud800b", url="http://\udcff"), "all")
        output.reject(Reject(doc(2, "\udc00"), "words", "bad_word"))
        (entry,), _ = output.finish()
    row = pq.read_table(tmp_path / "all/s.parquet").to_pylist()[0]
    assert (row["text"], row["url"], entry.characters) == ("a\ufffdb", "http://\ufffd", 3)
    assert pq.read_table(tmp_path / "_rejects/s.parquet").column("text").to_pylist() == ["\ufffd"]
