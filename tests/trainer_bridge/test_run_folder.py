"""A run's directory: nobody else's files are written over or removed, two runs do not write to it at a time."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.pipeline.small_disk import small_files
from tests.trainer_bridge import runs
from trainer_bridge import run_folder
from trainer_bridge.checkpoint import list_checkpoints, load_model
from trainer_bridge.errors import TrainerError
from trainer_bridge.run_folder import RunFolder
from trainer_bridge.signals import StopSignal


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return runs.shards(tmp_path_factory.mktemp("data"))


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def names(run):
    return sorted(path.name for path in (run / "checkpoints").iterdir())


def test_a_refused_command_changes_nothing(data, tmp_path):
    runs.train(data, tmp_path, run={"save_every": 1, "keep": 100, "steps": 4})
    (tmp_path / "checkpoints" / "step-000000009.tmp").mkdir()
    (tmp_path / "checkpoints" / "step-000000009.tmp" / "mine").write_text("x")
    before = files(tmp_path)
    other = runs.shards(data.parent / "other", count=121)
    for shards, changes in ((data, {"model": {"heads": 8}}), (data, {"data": {"seed": 7}}), (other, {})):
        with pytest.raises(TrainerError):
            runs.trainer(shards, tmp_path, **changes)
    assert {**before, ".lock": b""} == {**files(tmp_path), ".lock": b""}


def test_a_file_in_the_way_is_met_before_anything_is_removed(data, tmp_path):
    runs.train(data, tmp_path, run={"save_every": 1, "keep": 100, "steps": 4})
    trace = tmp_path / "profile" / "steps-15-16.json.gz"
    trace.parent.mkdir()
    trace.write_text("mine")
    before = files(tmp_path)
    with pytest.raises(TrainerError, match=r"holds profile/steps-15-16\.json\.gz, which .* did not write"):
        runs.trainer(data, tmp_path, run={"keep": 1, "steps": 20, "profile": 2})
    assert {**before, ".lock": b""} == {**files(tmp_path), ".lock": b""}


def test_retention_removes_the_runs_own_checkpoints_only(data, tmp_path):
    folder = tmp_path / "checkpoints"
    runs.train(data, tmp_path, run={"save_every": 1, "keep": 2, "steps": 2})
    shutil.copytree(folder / "step-000000002", folder / "step-000000002-best")
    shutil.copytree(folder / "step-000000001", folder / "step-000000000")  # a name like the run's own
    (folder / "step-000000001").rename(folder / "step-000000001.keep")
    (folder / "step-000000002" / "notes.txt").write_text("mine")
    (folder / "step-000000003.tmp").mkdir()
    (folder / "step-000000003.tmp" / "notes.txt").write_text("mine")
    runs.train(data, tmp_path, run={"save_every": 1, "keep": 1, "steps": 5})
    assert names(tmp_path) == [
        *("step-000000000", "step-000000001.keep", "step-000000002", "step-000000002-best"),
        *("step-000000003.tmp", "step-000000005"),
    ]
    assert [p.name for p in (folder / "step-000000002").iterdir()] == ["notes.txt"]
    assert [p.name for p in (folder / "step-000000003.tmp").iterdir()] == ["notes.txt"]
    assert {".metadata", "run.json"} < {p.name for p in (folder / "step-000000002-best").iterdir()}


def test_only_new_empty_or_own_folders_are_written_to(data, tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "metrics.jsonl").write_text("mine\n")
    with pytest.raises(TrainerError, match=r"is not empty \(metrics\.jsonl\).*Choose another --output"):
        runs.trainer(data, tmp_path / "book")
    assert files(tmp_path / "book") == {"metrics.jsonl": b"mine\n"}
    with pytest.raises(TrainerError, match="all of which is read"):
        runs.trainer(data, data / "run")
    with pytest.raises(TrainerError, match="where the command writes"):
        runs.trainer(data, data)
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(TrainerError, match=r"is no folder|Not a directory"):
            RunFolder(path)
    with pytest.raises(TrainerError, match="is no local directory"):
        RunFolder("s3://bucket/run")


def test_a_run_of_a_version_without_records_goes_on(data, tmp_path):
    runs.train(data, tmp_path, run={"save_every": 1, "keep": 9, "steps": 2})
    (tmp_path / ".owner.json").unlink()
    for sums in tmp_path.glob("checkpoints/*/checksums.json"):
        sums.unlink()
    runs.train(data, tmp_path, run={"keep": 1, "steps": 4})
    assert names(tmp_path) == ["step-000000001", "step-000000002", "step-000000004"]  # what is not on record stays
    assert [record["step"] for record in runs.steps(tmp_path)] == [1, 2, 3, 4]


def test_a_second_run_waits_and_is_then_refused(data, tmp_path, monkeypatch, capsys):
    first = runs.trainer(data, tmp_path)
    with pytest.raises(TrainerError, match=rf"is being written by process {os.getpid()} on .*outlived its launcher"):
        RunFolder(tmp_path, patience=0.1)
    assert "waiting up to 0.1 s" in capsys.readouterr().err
    first.close()
    RunFolder(tmp_path, patience=0).close()


def test_the_lock_goes_with_a_killed_process(data, tmp_path):
    code = "import sys, time; from pathlib import Path; from trainer_bridge.run_folder import RunFolder\n"
    code += "held = RunFolder(Path(sys.argv[1])); print(1, flush=True); time.sleep(60)"
    root = Path(run_folder.__file__).parents[1]
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, cwd=root)
    process.stdout.read(1)
    with pytest.raises(TrainerError, match=f"process {process.pid} "):
        RunFolder(tmp_path, patience=0)
    process.kill()
    process.communicate()
    RunFolder(tmp_path, patience=0).close()


def test_ranks_without_their_launcher_save_and_stop(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    stop = StopSignal(1)
    assert not stop.asked()
    monkeypatch.setattr(os, "getppid", lambda: 1)
    assert stop.asked()
    monkeypatch.delenv("TORCHELASTIC_RUN_ID")
    assert not StopSignal(1).asked()


def test_a_full_disk_is_said_and_what_was_saved_stays(data, tmp_path):
    big = {"model": {"dim": 64, "ffn_hidden": 256}}
    runs.train(data, tmp_path, run={"steps": 2}, **big)
    trainer = runs.trainer(data, tmp_path, run={"steps": 4}, **big)
    message = r"could not be written: .*(too large|full)\..*Free space"
    with small_files(200_000), pytest.raises(TrainerError, match=message):
        trainer.train(StopSignal(1))
    assert names(tmp_path) == ["step-000000002"]
    runs.train(data, tmp_path, run={"steps": 4}, **big)
    assert [record["step"] for record in runs.steps(tmp_path)] == [1, 2, 3, 4]


def test_a_damaged_newest_checkpoint_names_a_whole_one(data, tmp_path):
    expected = runs.train(data, tmp_path / "whole", run={"steps": 4})
    run = tmp_path / "run"
    runs.train(data, run, run={"save_every": 1, "steps": 3, "keep": 9})
    for checkpoint in list_checkpoints(run)[1:]:  # steps 2 and 3, by one bit each
        part = checkpoint / "__0_0.distcp"
        damaged = bytearray(part.read_bytes())
        damaged[damaged.index(model_bytes(checkpoint))] ^= 1
        part.write_bytes(damaged)
    before = files(run)
    with pytest.raises(
        TrainerError,
        match=r"step-000000003 cannot be loaded: .*checksum(.|\n)*step-000000001 is whole: add --resume-from 1",
    ):
        runs.trainer(data, run, run={"steps": 4})
    assert {**before, ".lock": b""} == {**files(run), ".lock": b""}
    with pytest.raises(TrainerError, match="has no checkpoint of that step; it has 1, 2, 3"):
        resumed(data, run, 7)
    assert resumed(data, run, 1).train(StopSignal(1))
    assert runs.steps(run) == expected
    assert names(run) == ["step-000000001", "step-000000002.set-aside", "step-000000003.set-aside", "step-000000004"]


def model_bytes(checkpoint):
    """Some bytes of a weight as they lie in the file."""
    return load_model(checkpoint, torch.device("cpu")).output.weight[3].numpy().tobytes()


def resumed(data, run, step):
    from trainer_bridge.loader import Samples
    from trainer_bridge.trainer import Trainer

    made = runs.config(run={"steps": 4, "keep": 9})
    return Trainer(made, Samples(made.data, data), run, runs.ALONE, step)


def test_what_was_logged_before_a_checkpoint_is_there_with_it(data, tmp_path):
    trainer = runs.trainer(data, tmp_path, run={"log_every": 100, "steps": 4})
    for _ in range(3):
        trainer._waiting.append((trainer.step + 1, 0.1, trainer.train_step()))
    trainer.save()
    trainer.checkpointer.wait()
    assert [json.loads(line)["step"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()[1:]] == [1, 2, 3]
    trainer.close()


def test_fewer_steps_than_are_done_change_nothing(data, tmp_path):
    from trainer_bridge.training import summary

    runs.train(data, tmp_path, run={"steps": 4})
    before = files(tmp_path / "checkpoints")
    trainer = runs.trainer(data, tmp_path, run={"steps": 2})
    assert trainer.train(StopSignal(1))
    assert "is at step 4 already, beyond the 2 that were asked for: nothing to do" in summary(trainer, True)
    assert files(tmp_path / "checkpoints") == before
    assert len(runs.steps(tmp_path)) == 4


def test_a_folder_that_is_in_use_elsewhere_is_waited_for(tmp_path):
    first = RunFolder(tmp_path)
    process = os.fork()
    if process == 0:  # holds a copy of the lock for a moment, then ends
        time.sleep(0.3)
        os._exit(0)
    first.close()
    RunFolder(tmp_path, patience=30).close()
    os.waitpid(process, 0)
