"""What the tool says of clusters, by their records; tests/end_to_end/test_engines.py starts real ones."""

import subprocess
import sys

from tests.end_to_end.commands import ROOT
from tools.engines.cluster import Setting
from tools.engines.flink import Flink


def test_advice_is_for_this_cluster_and_no_other(tmp_path):
    own, other = Flink(Setting(tmp_path, tmp_path / "flink")), Flink(Setting(tmp_path, tmp_path / "second"))
    assert own.command("stop") == "python -m tools.engines flink stop"
    assert other.command("stop") == f"python -m tools.engines flink stop --state {tmp_path / 'second'}"


def test_all_workers_that_were_started_are_shown_whatever_their_number(tmp_path):
    for name in ("jobmanager", "taskmanager-1", "taskmanager-2", "taskmanager-3", "jobserver"):
        (tmp_path / f"{name}.json").write_text('{"pid": 1, "started": "another time"}')
    cluster = Flink(Setting(tmp_path, tmp_path))
    assert list(cluster.parts()) == ["jobmanager", "taskmanager-1", "taskmanager-2", "taskmanager-3", "jobserver"]
    assert cluster.flags(dict.fromkeys(cluster.own_ports, 1))[-1] == "--parallelism 3"
    assert Flink(Setting(tmp_path, tmp_path / "new", workers=5)).workers == 5


def test_a_folder_that_cannot_be_written_is_told_before_anything_starts(tmp_path):
    (tmp_path / "file").write_text("")
    command = [
        sys.executable,
        "-m",
        "tools.engines",
        "flink",
        "start",
        "--any-ports",
        "--state",
        tmp_path / "file/state",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("error: records cannot be written")
    assert "Traceback" not in done.stderr
