"""Commands in processes of their own: their log, their output, their end."""

import os

import pytest

from pipeline.build.process import StoppedError, last_lines, run_command


def never():
    return None


def test_what_a_command_prints_goes_to_its_log(tmp_path):
    log = tmp_path / "log"
    assert run_command("sources.publishers", ["--help"], log, None, never) == 0
    assert run_command("sources.publishers", ["nobody"], log, None, never) == 2
    text = log.read_text()
    assert text.startswith("usage: ")
    assert "invalid choice: 'nobody'" in last_lines(log, 1)[0]


def test_an_output_appears_when_the_command_has_succeeded(tmp_path):
    log, output = tmp_path / "log", tmp_path / "made" / "out"
    assert run_command("sources.publishers", ["nobody"], log, output, never) == 2
    assert not output.exists()
    assert run_command("sources.publishers", ["gutenberg", "--keys"], log, output, never) == 0
    assert output.read_text().startswith("catalog = ")


def test_a_command_is_stopped_for_a_reason(tmp_path):
    looks = iter([None] * 20 + ["the disk is full"])
    with pytest.raises(StoppedError, match="the disk is full"):
        run_command("http.server", ["0", "--bind", "127.0.0.1"], tmp_path / "log", None, lambda: next(looks))


def test_a_command_gets_more_of_an_environment_and_a_lock(tmp_path):
    program = tmp_path / "told.py"
    program.write_text("import os, sys; os.fstat(int(sys.argv[1])); print(os.environ['MORE'])")
    with (tmp_path / "lock").open("w") as lock:
        words, more = [str(lock.fileno())], {"MORE": "of it", "PYTHONPATH": str(tmp_path)}
        assert run_command("told", words, tmp_path / "log", None, never, more, [lock.fileno()]) == 0
    assert (tmp_path / "log").read_text() == "of it\n"


def test_the_end_of_a_log_that_is_not_there_is_nothing(tmp_path):
    assert last_lines(tmp_path / "none", 3) == []
    (tmp_path / "log").write_bytes(b"first\n\n\xff\rlast" + os.linesep.encode())
    assert last_lines(tmp_path / "log", 2) == ["\ufffd", "last"]
