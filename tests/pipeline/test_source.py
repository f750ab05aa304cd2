import hashlib
import io
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest

from pipeline.corpus.document import Document, Refused
from pipeline.corpus.shard import Shard
from pipeline.errors import ModelError
from pipeline.source import DropDuplicates, HashingReader, read_shard
from pipeline.steps import Chain
from pipeline.storage.filesystem import InputFile
from pipeline.storage.listing import match
from tests.pipeline.line_source import LineDedup, LineSource


def shard_of(*paths) -> Shard:
    return Shard("s", tuple(InputFile(str(path), 0) for path in paths), "s")


class TestReadShard:
    def test_all_files_one_after_the_other(self, tmp_path):
        (tmp_path / "a.txt").write_text("one\n\ntwo\nlines")
        (tmp_path / "b.txt").write_text("#damaged\n\n#comment\n\nthree")
        counters, inputs = Counter(), []
        items = list(read_shard(LineSource(), shard_of(tmp_path / "a.txt", tmp_path / "b.txt"), None, counters, inputs))
        folder = tmp_path.name
        assert [(i.id, i.text, i.offset) for i in items if isinstance(i, Document)] == [
            (f"{folder}/a.txt@0", "one", 0),
            (f"{folder}/a.txt@5", "two\nlines", 5),
            (f"{folder}/b.txt@20", "three", 20),
        ]
        assert [i for i in items if isinstance(i, Refused)] == [
            Refused("damaged", "damaged at 0", f"{tmp_path}/b.txt", 0),
            Refused("comment", "only a comment", f"{tmp_path}/b.txt", 10, failed=False),
        ]
        assert counters == {"text_bytes": 3 + 9 + 5}
        assert inputs == [
            {
                "path": f"{tmp_path}/{name}",
                "bytes": len(data),
                "sha256": hashlib.sha256(data).hexdigest(),
                "records": records,
                "failed": failed,
            }
            for name, data, records, failed in (
                ("a.txt", b"one\n\ntwo\nlines", 2, 0),
                ("b.txt", b"#damaged\n\n#comment\n\nthree", 3, 1),
            )
        ]

    def test_an_unreadable_file_is_one_failed_record(self, tmp_path):
        (tmp_path / "link.txt").symlink_to(tmp_path / "nowhere")
        (tmp_path / "ok.txt").write_text("fine")
        shard = Shard("s", tuple(match([str(tmp_path)])), "s")
        inputs = []
        refused, document = read_shard(LineSource(), shard, None, Counter(), inputs)
        assert (refused.reason, refused.file, refused.failed) == ("unreadable_file", f"{tmp_path}/link.txt", True)
        assert "No such file or directory" in refused.message
        assert document.text == "fine"
        counts = {"records": 1, "failed": 1}
        assert inputs[0] == {"path": f"{tmp_path}/link.txt", "bytes": -1, "sha256": None, **counts}
        assert inputs[1]["bytes"] == 4

    def test_a_folder_in_the_place_of_a_file(self, tmp_path):
        (refused,) = read_shard(LineSource(), shard_of(tmp_path), None, Counter())
        assert refused.reason == "unreadable_file"

    def test_an_error_that_the_reader_did_not_foresee_keeps_what_it_gave_before(self, tmp_path):
        class Fails(LineSource):
            def read(self, stream, path, counters):
                for item in super().read(stream, path, counters):
                    if item.text == "two":
                        raise ValueError("odd bytes")
                    yield item

        (tmp_path / "a.txt").write_text("one\n\ntwo\n\nthree")
        (tmp_path / "b.txt").write_text("four")
        shard = shard_of(tmp_path / "a.txt", tmp_path / "b.txt")
        inputs = []
        one, refused, four = read_shard(Fails(), shard, None, Counter(), inputs)
        assert (one.text, four.text) == ("one", "four")
        assert refused.reason == "error_ValueError"
        counts = [(entry["records"], entry["failed"], entry["sha256"] is None) for entry in inputs]
        assert counts == [(2, 1, True), (1, 0, False)]
        assert refused.message == f"{tmp_path}/a.txt: the rest is not read: ValueError('odd bytes')"

    @pytest.mark.parametrize("error", [ModelError("gone"), MemoryError()])
    def test_errors_of_the_machine_or_the_models_end_the_run(self, tmp_path, error):
        class Fails(LineSource):
            def read(self, stream, path, counters):
                yield Document("i", "text", "s", path, 0)
                raise error

        (tmp_path / "a.txt").write_text("x")
        with pytest.raises(type(error)):
            list(read_shard(Fails(), shard_of(tmp_path / "a.txt"), None, Counter()))


@dataclass(frozen=True)
class Prepared(LineSource):
    def read_prepared(self, shard, counters, inputs):
        counters["records"] += 1
        inputs.append({"path": shard.inputs[0].path, "records": 1, "failed": 0})
        yield Document("1", "prepared", self.name, shard.inputs[0].path, 0)


def test_a_source_that_prepared_its_records_reads_them_itself(tmp_path):
    inputs: list[dict] = []
    counters: Counter[str] = Counter()
    (document,) = read_shard(Prepared(), shard_of(tmp_path / "not there"), None, counters, inputs)
    assert document.text == "prepared"
    assert (inputs[0]["records"], counters) == (1, {"records": 1})


class TestHashingReader:
    def test_the_checksum_is_the_whole_files_whatever_was_read(self):
        data = bytes(range(256)) * 40_000
        reader = HashingReader(io.BytesIO(data))
        assert reader.read(10) == data[:10]
        assert reader.finish() == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    def test_an_empty_file(self):
        assert HashingReader(io.BytesIO()).finish() == {"bytes": 0, "sha256": hashlib.sha256(b"").hexdigest()}


def doc(text: str) -> Document:
    return Document(text.split(maxsplit=1)[0], text, "lines", "f", 0)


class TestDropDuplicates:
    def test_each_document_gets_its_own_flags(self):
        step = DropDuplicates(LineDedup("drop_all"), np.array([1, 0, 0, 0, 1, 1], bool))
        documents = [doc("a1\na2"), doc("b"), doc("c1\nc2\nc3")]
        found = list(Chain([step], "lines").run(documents))
        kept = [d for d in found if isinstance(d, Document)]
        assert [(d.text, d.meta["kept_lines"], d.meta["line_numbers"].tolist()) for d in kept] == [
            ("a1", 1, [0]),
            ("c2\nc3", 2, [1, 2]),
        ]
        assert found[0].reason == "no_line_left"
        assert step.exhausted

    def test_a_document_that_raises_leaves_the_others_their_own_flags(self):
        class Fails(LineDedup):
            def keep(self, document, mask):
                reason = super().keep(document, mask)
                if document.id == "b":
                    raise ValueError("no")
                return reason

        step = DropDuplicates(Fails("drop_all"), np.array([1, 0, 1, 1, 0, 1, 1, 0], bool))
        items = list(Chain([step], "lines").run([doc("a\na2"), doc("b\nb2"), doc("c\nc2\nc3"), doc("d")]))
        ends = {i.id if isinstance(i, Document) else i.document.id: i for i in items}
        assert (ends["a"].text, ends["c"].text) == ("a", "c2\nc3")
        assert (ends["b"].reason, ends["d"].reason) == ("error_ValueError", "no_line_left")
        assert step.exhausted

    @pytest.mark.parametrize("flags", [1, 3])
    def test_other_documents_than_were_hashed_do_not_fit(self, flags):
        step = DropDuplicates(LineDedup("drop_all"), np.ones(flags, bool))
        list(Chain([step], "lines").run([doc("a\na2")]))
        assert not step.exhausted
