"""Kills and signals: whatever happens to a run, the same command ends with the losses of an undisturbed one."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.trainer_bridge import runs
from trainer_bridge.checkpoint import list_checkpoints

STEPS = 40
LONG = 240  # seconds until a hanging command fails the test


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Shards, and a recipe whose checkpoints are large enough to be caught while they are written."""
    folder = tmp_path_factory.mktemp("corpus")
    values = {**runs.VALUES, "run": {**runs.VALUES["run"], "steps": STEPS, "save_every": 5, "log_every": 1, "keep": 2}}
    values["model"] = {**runs.VALUES["model"], "dim": 256, "ffn_hidden": 512, "heads": 4}
    (folder / "recipe.yaml").write_text(json.dumps(values))
    return runs.shards(folder / "shards"), folder / "recipe.yaml"


@pytest.fixture(scope="module")
def undisturbed(corpus, tmp_path_factory):
    run = tmp_path_factory.mktemp("undisturbed")
    assert finish(start(corpus, run)) == 0
    records = runs.steps(run)
    assert len(records) == STEPS
    return records


def start(corpus, run, *overrides):
    data, recipe = corpus
    return runs.command("train", "--model", recipe, "--data", data, "--output", run, *overrides)


def finish(process):
    """Waits; gives the exit status, with stderr shown if it is no expected one."""
    _, errors = process.communicate(timeout=LONG)
    assert process.returncode in (0, 143, -signal.SIGKILL), errors
    return process.returncode


def wait_for(process, condition):
    """Waits until something is so, while the process runs; gives whether it came to be."""
    deadline = time.monotonic() + LONG
    while process.poll() is None and time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.0005)
    return False


def lines(run):
    path = run / "metrics.jsonl"
    return len(path.read_text().splitlines()) if path.is_file() else 0


def partial_checkpoints(run):
    """Names of checkpoints that are being written, beyond their first file."""
    folder = run / "checkpoints"
    return [path for path in folder.glob("*.tmp") if (path / "run.json").is_file()] if folder.is_dir() else []


def test_kill_resume_kill_in_a_checkpoint_signal_and_finish(corpus, undisturbed, tmp_path):
    process = start(corpus, tmp_path)
    # An event line and eight steps, of which the fifth was saved: that is done beside the training.
    assert wait_for(process, lambda: lines(tmp_path) > 9 and list_checkpoints(tmp_path))
    process.kill()
    assert finish(process) == -signal.SIGKILL
    assert [path.name for path in list_checkpoints(tmp_path)][:1] == ["step-000000005"]

    for _ in range(5):  # the moment is short; a miss is a kill between two checkpoints, and harmless
        process = start(corpus, tmp_path, "run.save_every=1")
        assert wait_for(process, lambda: partial_checkpoints(tmp_path))
        process.kill()
        assert finish(process) == -signal.SIGKILL
        if partial_checkpoints(tmp_path):
            break
    else:
        pytest.fail("no kill came while a checkpoint was written")

    process = start(corpus, tmp_path)
    before = lines(tmp_path)
    assert wait_for(process, lambda: lines(tmp_path) > before + 3)
    process.send_signal(signal.SIGTERM)
    assert finish(process) == 143
    assert not partial_checkpoints(tmp_path)
    step = runs.steps(tmp_path)[-1]["step"]
    assert list_checkpoints(tmp_path)[-1].name == f"step-{step:09d}"
    assert step < STEPS

    assert finish(start(corpus, tmp_path)) == 0
    assert runs.steps(tmp_path) == undisturbed


def test_signals_that_come_several_times_save_too(corpus, undisturbed, tmp_path):
    """Slurm sends SIGTERM to launcher and ranks, and the launcher passes it on; a terminal does so with Ctrl-C."""
    process = start(corpus, tmp_path, "run.save_every=1000")
    assert wait_for(process, lambda: lines(tmp_path) > 3)
    for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM, signal.SIGTERM, signal.SIGTERM):
        process.send_signal(number)
    assert finish(process) == 143
    step = runs.steps(tmp_path)[-1]["step"]
    assert [path.name for path in list_checkpoints(tmp_path)] == [f"step-{step:09d}"]
    assert runs.steps(tmp_path) == undisturbed[:step]


def launch(corpus, output, *more):
    """Two ranks under torchrun, in a group of their own."""
    data, recipe = corpus
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    words += ["-m", "trainer_bridge.train", "--model", recipe, "--data", data, "--output", output, *more]
    root = Path(__file__).parents[2]
    environment = {
        **os.environ,
        "PYTHONPATH": runs.python_path(root),
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.Popen(
        [*map(str, words)], cwd=root, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def test_an_error_that_all_ranks_meet_is_said_once(corpus, tmp_path):
    _, errors = launch(corpus, tmp_path / "run", "optimizer.lr=fast").communicate(timeout=LONG)
    assert errors.count("error: optimizer.lr = 'fast' cannot be used") == 1


def test_a_launcher_that_gets_the_signal_with_its_ranks(corpus, undisturbed, tmp_path):
    """The signal goes to the whole group, as Slurm's does; then to the launcher again."""
    process = launch(corpus, tmp_path, "run.save_every=1000")
    assert wait_for(process, lambda: lines(tmp_path) > 3)
    os.killpg(process.pid, signal.SIGTERM)
    _, errors = process.communicate(timeout=LONG)
    step = runs.steps(tmp_path)[-1]["step"]
    assert [path.name for path in list_checkpoints(tmp_path)] == [f"step-{step:09d}"], errors
    assert step < STEPS
    assert [record["step"] for record in runs.steps(tmp_path)] == [record["step"] for record in undisturbed[:step]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "8B"], "no recipe '8B'; there are 1.3B, 134M, 13B"),
        (["--model", "tiny", "optimizer.learning_rate=1"], "unknown key optimizer.learning_rate; known: lr, betas"),
        (["--model", "tiny", "run.batch_token=1"], "unknown key run.batch_token; did you mean run.batch_tokens?"),
        (
            ["--model", "tiny", "optimizer.lr=fast"],
            "optimizer.lr = 'fast' cannot be used; allowed: a value of type float",
        ),
        (["--model", "tiny", "efficiency.checkpointing=some"], "allowed: none, linear, full"),
        (["--model", "tiny", "model.heads=5"], "model.heads = 5 cannot be used; allowed: a divisor of model.dim = 128"),
        (["--model", "7B"], "the shards have 64 ids, model.vocab_size is 32000"),
        (["--model", "tiny", "model.context=8"], "the shards have 16 positions, model.context is 8"),
        (["--model", "tiny", "run.micro_batch=7"], "cannot be divided into micro-batches of 7"),
        (["--model", "tiny", "--tokenizer", "/nowhere.model"], "no tokenizer /nowhere.model"),
        (["--model", "tiny", "--tokenizer", "recipe"], "is not the tokenizer of these shards"),
        (["--model", "tiny", "--data", "/nowhere"], "no shard directory /nowhere"),
        (["--model", "tiny", "efficiency.tensor_parallel=2"], "does not divide the 1 ranks"),
    ],
)
def test_bad_input_is_one_clear_line(corpus, tmp_path, capsys, monkeypatch, arguments, message):
    """In this process, since nothing of it gets as far as training."""
    from trainer_bridge.errors import run_command
    from trainer_bridge.train import main

    data, recipe = corpus
    words = ["train", "--data", str(data), "--output", str(tmp_path / "run"), *arguments]
    monkeypatch.setattr("sys.argv", [str(recipe) if word == "recipe" else word for word in words])
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # the test's own process keeps its handlers
    with pytest.raises(SystemExit) as end:
        run_command(main)
    assert end.value.code == 2
    errors = capsys.readouterr().err
    assert errors.startswith("error: ")
    assert message in errors
    assert "Traceback" not in errors


def test_the_command_itself_ends_with_status_2(tmp_path):
    process = runs.command("train", "--model", "tiny", "--data", tmp_path, "--output", tmp_path / "run")
    _, errors = process.communicate(timeout=LONG)
    assert process.returncode == 2
    assert errors == f"error: {tmp_path} is no shard directory: it has no manifest.json\n"
