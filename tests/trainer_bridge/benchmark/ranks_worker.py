"""What each of two ranks runs: training with tasks evaluated on the way and without, then the tasks on whole weights.

Arguments: shards, tokenizer, data sets, a task file, a trained run, folder for the answers.
"""

import functools
import json
import os
import sys
from pathlib import Path

import torch
import torch.distributed as dist

from tests.trainer_bridge import runs
from tests.trainer_bridge.parallel_worker import whole
from tokenizer.encode import Encoder
from trainer_bridge.benchmark.evaluation import evaluate
from trainer_bridge.checkpoint import load_model
from trainer_bridge.loader import Samples
from trainer_bridge.parallel import start_world
from trainer_bridge.signals import StopSignal
from trainer_bridge.trainer import Trainer
from trainer_bridge.training import set_up_torch


def trained(world, shards, tokenizer, folder, evaluation):
    """The weights after a few steps, whole, and the trainer's last evaluation."""
    efficiency = {"checkpointing": "linear", "compile": "on"}
    run = {"micro_batch": 1, "steps": 3}
    made = runs.config(model=json.loads(sys.argv[7]), run=run, efficiency=efficiency, evaluation=evaluation)
    set_up_torch(made)
    folder.mkdir(exist_ok=True)
    trainer = Trainer(made, Samples(made.data, shards), folder, world, tokenizer=tokenizer)
    assert trainer.train(StopSignal(world.ranks))
    return {name: whole(parameter) for name, parameter in trainer.model.named_parameters()}


def main():
    shards, tokenizer, data, task, run, answers = map(Path, sys.argv[1:7])
    torch.compile = functools.partial(torch.compile, backend="aot_eager")  # as in parallel_worker
    world = start_world(1)
    evaluation = {"every": 2, "tasks": [str(task), "llama1:piqa"], "data": str(data)}
    plain = trained(world, shards, tokenizer, answers / "plain", {})
    watched = trained(world, shards, tokenizer, answers / "watched", evaluation)
    same = all(torch.equal(plain[name], watched[name]) for name in plain)
    model = load_model(run, world.device)
    scores = evaluate(model, Encoder(tokenizer), [str(task)], world=world, batch_tokens=150)
    (answers / f"rank{world.rank}.json").write_text(json.dumps({"same": same, "scores": scores}))
    dist.barrier()
    dist.destroy_process_group()
    os._exit(0)


if __name__ == "__main__":
    main()
