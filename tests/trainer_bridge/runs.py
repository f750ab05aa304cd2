"""Runs of the trainer for tests: in this process, or as the command that a user types."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import torch

from tests.trainer_bridge import tiny
from trainer_bridge.config import TrainConfig
from trainer_bridge.loader import Samples
from trainer_bridge.metrics import read_metrics
from trainer_bridge.parallel import World
from trainer_bridge.recipe import build
from trainer_bridge.signals import StopSignal
from trainer_bridge.trainer import Trainer
from trainer_bridge.training import set_up_torch

ROOT = Path(__file__).parents[2]
ALONE = World(0, 1, torch.device("cpu"), None)
SEQ_LEN = 16
VALUES = {
    "model": {"dim": 32, "layers": 2, "heads": 4, "kv_heads": 2, "vocab_size": 64, "ffn_hidden": 64, "context": 32},
    "data": {"shuffle_block": 2, "shuffle_window": 32},
    "optimizer": {"lr": 1e-2, "warmup_steps": 3, "eps": 1e-6},
    "run": {"steps": 8, "batch_tokens": 8 * SEQ_LEN, "micro_batch": 4, "save_every": 100, "log_every": 3, "threads": 1},
}


def shards(folder: Path, count: int = 120, **kwargs) -> Path:
    """A small corpus of two sources."""
    return tiny.write_shards(folder, tiny.random_documents(count), SEQ_LEN, **kwargs)


def config(**sections) -> TrainConfig:
    """The test recipe with some keys changed, section by section."""
    values = {name: {**VALUES.get(name, {}), **sections.get(name, {})} for name in {*VALUES, *sections}}
    return build(TrainConfig, values)


def trainer(shards: Path, folder: Path, /, world: World = ALONE, **sections) -> Trainer:
    """A trainer at its first step, or resumed."""
    made = config(**sections)
    set_up_torch(made)
    folder.mkdir(parents=True, exist_ok=True)
    return Trainer(made, Samples(made.data, shards), folder, world)


def train(shards: Path, folder: Path, /, **sections) -> list[dict]:
    """Trains to the end; gives the records of the steps."""
    assert trainer(shards, folder, **sections).train(StopSignal(1))
    return steps(folder)


def trained(folder: Path, count: int) -> tuple[Path, Path]:
    """A run of a few steps and its shards."""
    data = shards(folder / "data")
    train(data, folder / "run", run={"steps": count})
    return folder / "run", data


def steps(run: Path) -> list[dict]:
    """The records of a run's steps, without what depends on the clock."""
    clock = ("tokens_per_second", "mfu_full", "mfu_causal", "memory_gb")
    records = [record for record in read_metrics(run / "metrics.jsonl") if "step" in record]
    return [{key: value for key, value in record.items() if key not in clock} for record in records]


def python_path(root: Path) -> str:
    """The checkout before whatever the tests themselves were started with."""
    return os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])


def command(module: str, *arguments: object, **kwargs) -> subprocess.Popen:
    """Starts one of the trainer's commands."""
    environment = {**os.environ, "PYTHONPATH": python_path(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    words = [sys.executable, "-m", f"trainer_bridge.{module}", *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(words, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True, **kwargs)


def launch(ranks, *arguments, module="tests.trainer_bridge.parallel_worker"):
    """Starts one process a rank, with the environment that torchrun gives."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    processes = []
    for rank in range(ranks):
        environment = {**os.environ, "RANK": str(rank), "WORLD_SIZE": str(ranks), "LOCAL_RANK": str(rank)}
        environment |= {
            "MASTER_ADDR": "localhost",
            "MASTER_PORT": port,
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": python_path(ROOT),
        }
        words = [sys.executable, "-m", module, *map(str, arguments)]
        processes.append(subprocess.Popen(words, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True))
    for process in processes:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
