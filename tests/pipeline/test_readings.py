"""What a pass keeps of what it read is what was read, and nothing hangs on it."""

import os
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline import readings
from pipeline.corpus.document import Document, Refused
from pipeline.corpus.shard import Shard
from pipeline.readings import forget, read_once
from pipeline.storage.filesystem import InputFile

TIME = datetime(2001, 2, 3, tzinfo=timezone.utc)
ITEMS = [
    Document("a", "lone \ud800 surrogate", "s", "f", 0, "http://a.example/", "en", TIME, "mit", {"n": [1, "x", None]}),
    Refused("bad", "why", "f", 3, failed=False, number=2),
    Document("b", "", "s", "f", 7),
    Document("c", "x" * 3_000_000, "s", "f", 9, meta={"score": 0.5}),
]


@pytest.fixture
def shard(tmp_path):
    file = tmp_path / "raw"
    file.write_bytes(b"raw")
    return Shard("s", (InputFile(str(file), 3),), "all")


class Reader:
    """Gives the items, and counts how often it is asked."""

    def __init__(self, items=ITEMS):
        self.items, self.times = items, 0

    def __call__(self, counters, inputs):
        self.times += 1
        counters["text_bytes"] += 5
        yield from self.items
        counters["pages"] += len(self.items)
        inputs.append({"path": "raw", "records": len(self.items)})


def read(path, shard, reader):
    counters, inputs = Counter(), []
    found = list(read_once(str(path), shard, reader, counters, inputs))
    assert (counters, inputs) == ({"text_bytes": 5, "pages": 4}, [{"path": "raw", "records": 4}])
    return found


def test_a_second_pass_gets_the_same_without_reading(tmp_path, shard):
    path, reader = tmp_path / "work" / "reading", Reader()
    assert read(path, shard, reader) == ITEMS
    assert read(path, shard, reader) == ITEMS
    assert reader.times == 1
    assert os.listdir(path.parent) == ["reading"]
    forget(str(path))
    forget(str(path))
    assert os.listdir(path.parent) == []


def test_what_steps_do_to_a_document_is_not_kept(tmp_path, shard):
    path = tmp_path / "reading"
    for document in read_once(str(path), shard, Reader([Document("a", "whole", "s", "f", 0)]), Counter(), []):
        document.text = "cut"
        document.meta["lines"] = 1
    (document,) = read_once(str(path), shard, Reader([]), Counter(), [])
    assert (document.text, document.meta) == ("whole", {})


def test_raw_files_that_changed_are_read_again(tmp_path, shard):
    path, reader = tmp_path / "reading", Reader()
    read(path, shard, reader)
    os.utime(shard.inputs[0].path, ns=(1, 1))
    read(path, shard, reader)
    assert reader.times == 2
    read(path, shard, reader)
    assert reader.times == 2


def test_a_pass_that_ends_early_keeps_nothing(tmp_path, shard):
    path = tmp_path / "work" / "reading"
    passing = read_once(str(path), shard, Reader(), Counter(), [])
    next(passing)
    assert len(os.listdir(path.parent)) == 1  # what is being written
    passing.close()
    assert os.listdir(path.parent) == []


@pytest.mark.parametrize("place", [0, 12, 200, -9, -1])
def test_a_damaged_reading_is_not_used(tmp_path, shard, place):
    path, reader = tmp_path / "reading", Reader()
    read(path, shard, reader)
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    assert read(path, shard, reader) == ITEMS
    assert reader.times == 2


@pytest.mark.parametrize("size", [0, 7, 30, -1])
def test_a_cut_reading_is_not_used(tmp_path, shard, size):
    path, reader = tmp_path / "reading", Reader()
    read(path, shard, reader)
    path.write_bytes(path.read_bytes()[:size])
    assert read(path, shard, reader) == ITEMS
    assert reader.times == 2


def test_a_reading_makes_nothing_but_values(tmp_path, shard):
    """Bytes that somebody put there call nothing, even with a right check sum."""
    path, mark = tmp_path / "reading", tmp_path / "mark"

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(mark),)

    recorder = readings._Recorder(str(path), shard)
    recorder.put(Document("a", "x", "s", "f", 0, meta={"evil": Evil()}))
    recorder.finish(Counter(), [])
    assert read(path, shard, Reader()) == ITEMS
    assert not mark.exists()


def test_no_room_no_reading(tmp_path, shard, monkeypatch):
    path, reader = tmp_path / "work" / "reading", Reader()
    for free in (300, 301):
        monkeypatch.setattr(readings.shutil, "disk_usage", lambda _, free=free: SimpleNamespace(free=free))
        assert read(path, shard, reader) == ITEMS
        assert path.exists() == (free > 300)


def test_a_disk_that_fills_costs_the_reading_alone(tmp_path, shard, monkeypatch):
    path = tmp_path / "work" / "reading"
    recorded = []

    class Full(readings._Recorder):
        def put(self, item):
            recorded.append(item)
            if len(recorded) == 2:
                self._handle = open("/dev/full", "wb", 0)  # noqa: SIM115
            super().put(item)

    monkeypatch.setattr(readings, "_Recorder", Full)
    assert read(path, shard, Reader()) == ITEMS
    assert os.listdir(path.parent) == []
    assert len(recorded) == 4


def test_a_folder_that_cannot_be_written_costs_the_reading_alone(tmp_path, shard):
    (tmp_path / "work").write_bytes(b"a file")
    assert read(tmp_path / "work" / "reading", shard, Reader()) == ITEMS


def test_what_a_reading_cannot_hold_is_read_from_the_raw_file_again(tmp_path, shard):
    path, reader = (
        tmp_path / "reading",
        Reader([*ITEMS[:2], Document("n", "", "s", "f", 8, meta={"n": Path("p")}), ITEMS[2]]),
    )
    assert read(path, shard, reader) == reader.items
    assert read(path, shard, reader) == reader.items
    assert reader.times == 2
