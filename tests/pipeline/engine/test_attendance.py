import json
import os
from pathlib import Path

import pytest

from pipeline.engine.attendance import CALLED, FOLDER, WHOLE, Attendance, Called, attend, left_behind
from pipeline.engine.cli import run_options
from pipeline.engine.parts import Part
from pipeline.errors import OutputError
from pipeline.service_options import ServiceOptions
from tests.pipeline import line_command

JOB = Called("corpus-1", "localhost:1", "localhost:2")


def dies(root: Path, name: str, called: Called) -> None:
    """Leaves what a command leaves that is killed."""
    list_ = Attendance(str(root), name, called)
    list_.__enter__()
    list_._held.close()  # as the system does with all files of a process


def test_workers_sign_the_list_of_their_part_and_of_no_other(tmp_path):
    root = str(tmp_path)
    with Attendance(root, "1-of-2", JOB) as one, Attendance(root, "2-of-2", JOB) as two:
        attend(root, "1-of-2")
        assert (len(one.look()), len(two.look())) == (1, 0)
        with pytest.raises(OutputError, match=f"does not see the output folder {root} of the command"):
            attend(root, WHOLE)
    assert os.listdir(root) == []


def test_the_end_of_one_part_leaves_the_list_of_another(tmp_path):
    root = str(tmp_path)
    with Attendance(root, "2-of-2", JOB):
        with Attendance(root, "1-of-2", JOB):
            pass
        attend(root, "2-of-2")


def test_a_part_names_its_list_among_the_flags(tmp_path):
    args = line_command.parser().parse_args(["--input", "x", "--output", str(tmp_path), "--part", "2/3"])
    options = run_options(args, ["--runner=PortableRunner"])
    assert options.beam.view_as(ServiceOptions).attendance == Part(2, 3).file_name == "2-of-3"
    args = line_command.parser().parse_args(["--input", "x", "--output", str(tmp_path)])
    assert run_options(args, []).beam.view_as(ServiceOptions).attendance == ""


def test_the_list_of_a_killed_command_is_told_from_that_of_a_living_one(tmp_path):
    root = str(tmp_path)
    assert left_behind(root) == []
    dies(tmp_path, "1-of-2", JOB)
    (tmp_path / FOLDER / "half").mkdir()
    (tmp_path / FOLDER / "half" / f".{CALLED}").write_bytes(b"")
    with Attendance(root, WHOLE, JOB):
        found = {Path(folder).name: (called.job, dead) for folder, called, dead in left_behind(root)}
        assert found == {"1-of-2": ("corpus-1", True), "half": ("", True), WHOLE: ("corpus-1", False)}
        assert [Path(folder).name for folder, _, _ in left_behind(root, "1-of-2")] == ["1-of-2"]
    (_, called, _), _ = left_behind(root)
    assert (called.endpoint, called.flink) == ("localhost:1", "localhost:2")
    assert called.token == json.loads((tmp_path / FOLDER / "1-of-2" / CALLED).read_text())["token"]
