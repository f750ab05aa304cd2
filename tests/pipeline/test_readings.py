"""What a pass puts aside is what passed, and nothing hangs on it."""

import os
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline import readings
from pipeline.corpus.document import Document, Reject
from pipeline.corpus.shard import Shard
from pipeline.readings import Found, Recorder, forget, open_reading
from pipeline.storage.filesystem import InputFile

TIME = datetime(2001, 2, 3, tzinfo=timezone.utc)
BATCHES = [
    (
        [Reject(Document("r", "why", "s", "f", 3, number=2), "read", "bad")],
        [
            Document("a", "é", "s", "f", 0, "http://a.example/", "en", TIME, "mit", {"n": [1, "x", None, {"m": 2}]}, 7),
            Document("b", "", "s", "f", 7),
        ],
    ),
    ([], []),
    ([], [Document("c", "x" * 3_000_000, "s", "f", 9, meta={"score": 0.5})]),
]
FOUND = Found({"steps": [], "kept": {}}, [{"path": "raw", "records": 4}], exhausted=False)
DECIDED = {1: [None, []], 2: [None, ["mask"]]}


@pytest.fixture
def shard(tmp_path):
    file = tmp_path / "raw"
    file.write_bytes(b"raw")
    return Shard("s", (InputFile(str(file), 3),), "all")


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "work" / "reading")


def record(path, shard, batches=BATCHES, level=1):
    with Recorder(path, shard, level, DECIDED[level]) as recorder:
        for batch in batches:
            recorder.put(batch)
        recorder.finish(FOUND)


def replay(path, shard, decided=DECIDED):
    reading = open_reading(path, shard, decided)
    if reading is None:
        return None
    with reading:
        return reading.level, reading.found, list(reading.batches())


def test_what_passed_comes_again(path, shard):
    assert replay(path, shard) is None
    record(path, shard)
    assert replay(path, shard) == (1, FOUND, BATCHES)
    assert replay(path, shard) == (1, FOUND, BATCHES)
    assert os.listdir(Path(path).parent) == ["reading"]
    forget(path)
    forget(path)
    forget(None)
    assert replay(path, shard) is None is replay(None, shard)


def test_a_later_stage_takes_the_place_of_an_earlier(path, shard):
    record(path, shard)
    with open_reading(path, shard, DECIDED) as reading:
        batches = reading.batches()
        first = next(batches)
        record(path, shard, BATCHES[:1], level=2)  # while the earlier is read
        assert [first, *batches] == BATCHES
    assert replay(path, shard) == (2, FOUND, BATCHES[:1])


def test_other_decisions_other_stages_and_other_files_are_seen(path, shard):
    record(path, shard, level=2)
    assert replay(path, shard, {**DECIDED, 2: [None, ["another"]]}) is None
    assert replay(path, shard, {**DECIDED, 2: ["a list", ["mask"]]}) is None
    assert replay(path, shard, {1: DECIDED[1]}) is None  # the pass before: it goes by less
    assert replay(path, shard) is not None
    os.utime(shard.inputs[0].path, ns=(1, 1))
    assert replay(path, shard) is None


def test_a_pass_that_ends_early_keeps_nothing(path, shard):
    with Recorder(path, shard, 1, DECIDED[1]) as recorder:
        recorder.put(BATCHES[0])
        assert len(os.listdir(Path(path).parent)) == 1  # what is being written
    assert os.listdir(Path(path).parent) == []


@pytest.mark.parametrize("place", [0, 12, 200, -20, -9, -1])
def test_a_damaged_reading_is_not_used(path, shard, place):
    record(path, shard)
    data = bytearray(Path(path).read_bytes())
    data[place] ^= 1
    Path(path).write_bytes(data)
    assert replay(path, shard) is None


@pytest.mark.parametrize("size", [0, 7, 8, 30, -1])
def test_a_cut_reading_is_not_used(path, shard, size):
    record(path, shard)
    Path(path).write_bytes(Path(path).read_bytes()[:size])
    assert replay(path, shard) is None


class Evil:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("value", [Evil("never"), Path("p"), {1, 2}.__iter__, Document])
def test_what_is_neither_a_value_nor_a_time_is_not_kept(path, shard, value):
    record(path, shard, [BATCHES[0], ([], [Document("n", "", "s", "f", 8, meta={"n": value})])])
    assert not os.path.exists(path)


def test_a_reading_makes_nothing_but_values(path, shard, tmp_path, monkeypatch):
    """Bytes that somebody put there call nothing, even with a right check sum."""
    monkeypatch.setattr(readings, "_Pickler", readings.pickle.Pickler)
    record(path, shard, [([], [Document("a", "x", "s", "f", 0, meta={"evil": Evil(tmp_path / "mark")})])])
    with pytest.raises(Exception, match=r"holds no posix.mkdir"):
        replay(path, shard)
    assert not (tmp_path / "mark").exists()


def test_no_room_no_reading(path, shard, monkeypatch):
    for free in (300, 301):
        monkeypatch.setattr(readings.shutil, "disk_usage", lambda _, free=free: SimpleNamespace(free=free))
        record(path, shard)
        assert os.path.exists(path) == (free > 300)


def test_a_disk_that_fills_costs_the_reading_alone(path, shard):
    with Recorder(path, shard, 1, DECIDED[1]) as recorder, open("/dev/full", "wb", 0) as full:
        recorder.put(BATCHES[0])
        recorder._handle = full
        for batch in BATCHES:
            recorder.put(batch)
        recorder.finish(FOUND)
    assert os.listdir(Path(path).parent) == []


def test_a_folder_that_cannot_be_written_costs_the_reading_alone(tmp_path, shard):
    (tmp_path / "work").write_bytes(b"a file")
    record(str(tmp_path / "work" / "reading"), shard)
    assert (tmp_path / "work").read_bytes() == b"a file"
