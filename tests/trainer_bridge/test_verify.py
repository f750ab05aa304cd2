"""Verification of runs: every damage is found, in each file, and a sound run is sound."""

import json
import shutil

import pytest

from tests.trainer_bridge import runs
from trainer_bridge.checkpoint import find_damage
from trainer_bridge.errors import run_command
from trainer_bridge.verification import verify_run
from trainer_bridge.verify import main


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    data = runs.shards(folder / "data")
    runs.train(data, folder / "run", run={"steps": 4, "save_every": 2})
    return folder / "run"


@pytest.fixture
def run(sound, tmp_path):
    return shutil.copytree(sound, tmp_path / "run")


def test_a_sound_run(sound):
    assert verify_run(sound) == ("2 checkpoints are whole", [])
    assert verify_run(sound / "checkpoints" / "step-000000002") == ("1 checkpoint is whole", [])


@pytest.mark.parametrize("name", [".metadata", "run.json", "checksums.json", "__0_0.distcp"])
def test_every_byte_of_a_checkpoint_counts(run, name):
    """Bits flipped all over a file, its end cut, bytes added, the file gone."""
    checkpoint = run / "checkpoints" / "step-000000004"
    path = checkpoint / name
    data = path.read_bytes()
    assert find_damage(checkpoint) == []
    for at in (*range(0, len(data), max(1, len(data) // 12)), len(data) - 1):
        path.write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
        assert find_damage(checkpoint), at
    for damaged in (data[:-1], data[: len(data) // 2], b"", data + b"x"):
        path.write_bytes(damaged)
        assert find_damage(checkpoint), len(damaged)
    path.unlink()
    assert verify_run(run)[1]


def test_a_version_without_checksums_or_records(run):
    for path in (*run.glob("checkpoints/*/checksums.json"), run / ".owner.json"):
        path.unlink()
    assert verify_run(run) == ("2 checkpoints are whole", [])
    (run / ".owner.json").write_bytes(b"{")
    assert verify_run(run)[1] == [f"{run}/.owner.json is damaged: no command will write here any more"]


def test_damage_without_checksums_is_found_by_the_archives_own(run):
    checkpoint = run / "checkpoints" / "step-000000004"
    (checkpoint / "checksums.json").unlink()
    assert find_damage(checkpoint) == []
    path = checkpoint / "__0_0.distcp"
    data = path.read_bytes()
    path.write_bytes(data[:100])
    assert "is cut: it has 100 bytes" in find_damage(checkpoint)[0]
    path.unlink()
    assert find_damage(checkpoint) == [f"{path} is missing"]


def test_what_lies_beside_the_checkpoints_is_looked_at(run, tmp_path):
    metrics = run / "metrics.jsonl"
    lines = metrics.read_text().splitlines(keepends=True)
    metrics.write_text("".join(line for line in lines if '"step": 2' not in line))
    assert verify_run(run)[1] == [f"{metrics} lacks step 2"]
    metrics.write_text("".join(lines[:-2]) + "{" + lines[-2] + lines[-1])
    assert verify_run(run)[1] == [f"{metrics}, line {len(lines) - 1} is damaged", f"{metrics} lacks step 3"]
    metrics.write_text("".join(lines) + '{"step": 5, "lo')  # cut by a kill: nothing counts on it
    assert verify_run(run)[1] == []
    (run / "tokenizer.model").write_text("another")
    assert "is not the tokenizer of the run" in verify_run(run)[1][0]
    (run / "tokenizer.model").unlink()
    assert verify_run(run)[1] == []  # its shards had none
    record = json.loads((run / ".owner.json").read_text())
    (run / ".owner.json").write_text(json.dumps({**record, "names": [*record["names"], "tokenizer.model"]}))
    assert verify_run(run)[1] == [
        f"{run}/tokenizer.model is missing: the run's command copies it from the shards again"
    ]
    (run / ".owner.json").write_text(json.dumps(record))
    (run / "checkpoints" / "step-000000002").rename(run / "checkpoints" / "step-000000003")
    assert verify_run(run)[1] == [f"{run / 'checkpoints' / 'step-000000003'} holds step 2"]
    (run / "checkpoints" / "step-000000003" / "run.json").unlink()
    assert "has no run.json" in verify_run(run)[1][0]
    metrics.unlink()
    assert verify_run(run)[1][-1] == f"{metrics} is missing"
    assert "holds no checkpoint" in verify_run(tmp_path)[1][0]


@pytest.mark.parametrize("module", ["trainer_bridge.verify", "pipeline.verify"])
def test_both_commands_say_it_and_the_cure(run, sound, module, capsys, monkeypatch):
    if module == "pipeline.verify":
        from pipeline.verify.command import main as command
    else:
        command = main
    monkeypatch.setattr("sys.argv", [module, str(sound)])
    with pytest.raises(SystemExit) as end:
        run_command(command)
    assert end.value.code == 0
    assert "2 checkpoints are whole" in capsys.readouterr().out
    (run / "checkpoints" / "step-000000004" / "run.json").write_text("{}")
    monkeypatch.setattr("sys.argv", [module, str(run)])
    with pytest.raises(SystemExit) as end:
        run_command(command)
    assert end.value.code == 1
    out = capsys.readouterr().out
    assert "step-000000004/run.json has changed since it was written" in out
    assert "add --resume-from 2 to the run's command" in out
