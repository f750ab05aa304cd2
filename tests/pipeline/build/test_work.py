"""The folder of a build: whose it is, its records, and what a changed recipe moves aside."""

import os

import pytest

from pipeline.build.units import RawFile, Unit
from pipeline.build.work import DONE, Record, Work
from pipeline.errors import InputError, OutputError


def test_records_come_back(tmp_path):
    work = Work(str(tmp_path / "work"))
    with work.held():
        assert work.record("books") is None
        record = Record({"a": 1}, DONE, ["u"], {"v": "gone"}, 3.0, 1)
        work.write("books", record)
        assert work.record("books") == record


def test_one_build_at_a_time(tmp_path):
    work = Work(str(tmp_path / "work"))
    with work.held():
        assert work.is_held()
        with pytest.raises(OutputError, match="another build is at work"), Work(str(tmp_path / "work")).held():
            pass
    assert not work.is_held()


def test_a_process_that_just_starts_in_another_thread_does_not_keep_a_folder_held(tmp_path):
    work = Work(str(tmp_path))
    with work.held():
        lock = os.stat(tmp_path / "_build" / ".lock")
        (mine,) = [fd for fd in range(3, 1024) if _is_open_on(fd, lock)]
        copy = os.dup(mine)  # as a fork has it until it becomes another program
    try:
        with work.held():
            assert work.is_held()
    finally:
        os.close(copy)


def _is_open_on(descriptor: int, file: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), file)
    except OSError:
        return False


def test_a_folder_of_others_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(OutputError, match=r"mine\.txt"), Work(str(tmp_path)).held():
        pass


def test_what_changed_is_moved_aside_and_comes_back(tmp_path):
    work = Work(str(tmp_path / "work"))
    with work.held():
        outputs = ("corpus/books",)
        for text, identity in (("old", {"a": 1}), ("new", {"a": 2})):
            work.path("corpus", "books").mkdir(parents=True)
            work.path("corpus", "books", "x").write_text(text)
            work.write("books", Record(identity, DONE))
            place = work.set_aside("books", outputs)
            assert (place / "corpus" / "books" / "x").read_text() == text
        assert work.record("books") is None
        assert not work.bring_back("books", {"a": 3}, outputs)
        assert work.bring_back("books", {"a": 1}, outputs)
        assert work.path("corpus", "books", "x").read_text() == "old"
        assert work.record("books").identity == {"a": 1}


def test_of_several_the_last_comes_back(tmp_path):
    work = Work(str(tmp_path / "work"))
    with work.held():
        for units in (["a"], ["a", "b"]):
            work.write("books", Record({"a": 1}, DONE, units))
            work.set_aside("books", ())
        assert work.bring_back("books", {"a": 1}, ())
        assert work.record("books").units == ["a", "b"]


def test_units_are_kept_for_the_raw_data_that_they_are_of(tmp_path):
    work = Work(str(tmp_path / "work"))
    with work.held():
        units = [Unit("a", "s", (RawFile("http://h/a", 3, "sha1:00"),))]
        work.write_units("books", {"publisher": "gutenberg"}, 0, units)
        assert work.units("books", {"publisher": "gutenberg"}, 0) == units
        assert work.units("books", {"publisher": "gutenberg"}, 1) is None
        assert work.units("books", {"publisher": "files"}, 0) is None


def test_there_is_nothing_to_tell_of_a_folder_without_a_build(tmp_path):
    with pytest.raises(InputError, match="there is no build in"):
        Work(str(tmp_path)).description()
