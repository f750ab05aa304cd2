"""Scratch folders go with their runs, and those of killed runs with the next."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pipeline.engine.scratch import PREFIX, interruptible, remove_abandoned

ROOT = Path(__file__).parents[3]
HOLD = """
import tempfile, time
from pipeline.engine.scratch import interruptible
with interruptible() as sign:
    tempfile.mkdtemp()
    print(sign, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_temporary_files_lie_in_it_and_go_with_it(temporary):
    with interruptible() as sign:
        folder = Path(sign).parent
        assert folder.parent == temporary
        assert folder.name.startswith(PREFIX)
        assert Path(tempfile.mkdtemp()).parent == folder
        assert os.environ["TMPDIR"] == str(folder)
    assert list(temporary.iterdir()) == []
    assert (os.environ["TMPDIR"], tempfile.gettempdir()) == (str(temporary), str(temporary))


def test_those_of_killed_runs_go_and_those_of_living_ones_stay(temporary):
    others = [
        subprocess.Popen([sys.executable, "-c", HOLD], cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    try:
        killed, living = (Path(other.stdout.readline().strip()).parent for other in others)
        assert (killed.parent, living.parent) == (temporary, temporary)
        others[0].send_signal(signal.SIGKILL)
        others[0].wait()
        (temporary / f"{PREFIX}mine").mkdir()  # somebody's own folder: no run's, since it has no sign
        remove_abandoned()
        assert sorted(temporary.iterdir()) == sorted([living, temporary / f"{PREFIX}mine"])
    finally:
        for other in others:
            other.kill()
            other.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_stop_ends_the_workers_and_is_told_as_ctrl_c(temporary, number):
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), interruptible():
        signal.raise_signal(number)
    assert signal.getsignal(number) is before
    assert list(temporary.iterdir()) == []
