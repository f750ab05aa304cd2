"""What each rank of the parallel tests runs: torchrun-like processes over gloo, started by test_parallel.py.

Arguments: shards, folder for the answers, number of ranks that share a tensor, compile on or off.
"""

import functools
import json
import os
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch.distributed.tensor import DTensor

from tests.trainer_bridge import runs
from trainer_bridge.parallel import start_world
from trainer_bridge.signals import StopSignal


def whole(tensor):
    return (tensor.full_tensor() if isinstance(tensor, DTensor) else tensor).detach().clone()


def gradients(trainer):
    """The gradients of the first step by parameter, and whether each lies in parts on the ranks."""
    caught = {}
    original = trainer.optimizer.step

    def step(*args, **kwargs):
        if not caught:
            caught.update({name: whole(p.grad) for name, p in trainer.model.named_parameters()})
        return original(*args, **kwargs)

    trainer.optimizer.step = step
    return caught


def main():
    data, answers, tensor_parallel = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    efficiency = {"tensor_parallel": tensor_parallel, "checkpointing": "linear", "compile": sys.argv[4]}
    # The compiler's front half is what meets the ranks' tensors; its code generation would take a minute more.
    torch.compile = functools.partial(torch.compile, backend="aot_eager")
    world = start_world(tensor_parallel)
    choices = {"efficiency": efficiency, "run": {"micro_batch": 1, "steps": 6}, "evaluation": {"every": 2}}
    trainer = runs.trainer(data, answers / "run", world, **choices)
    initial = {name: whole(parameter) for name, parameter in trainer.model.named_parameters()}
    local = sum(p.to_local().numel() for p in trainer.model.parameters())
    caught = gradients(trainer)
    stop = StopSignal(world.ranks)
    step = trainer.train_step

    def step_with_signal():  # one rank alone gets the signal, at its fourth step
        stop.received = stop.received or (world.rank == 1 and trainer.step == 3)
        return step()

    trainer.train_step = step_with_signal
    complete = trainer.train(stop)
    if world.rank == 0:
        torch.save({"initial": initial, "gradients": caught}, answers / "tensors.pt")
    facts = {"rank": world.rank, "complete": complete, "step": trainer.step, "local": local}
    (answers / f"rank{world.rank}.json").write_text(json.dumps(facts))
    dist.barrier()
    dist.destroy_process_group()
    os._exit(0)


if __name__ == "__main__":
    main()
