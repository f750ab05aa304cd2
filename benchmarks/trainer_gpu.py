"""Training speed on one GPU, in at most nine minutes: python -m benchmarks.trainer_gpu [--output gpu.json].

Sweeps recomputation, micro-batch and attention kernel for the 7B and the 1.3B on random tokens, and prints tokens per
second with both conventions of model FLOPs utilisation (trainer_bridge/flops.py). What is timed is the trainer's own
step: forward, backward, gradient norm, guard and AdamW, with fp32 weights, gradients and master copy; batches come from
random shards through the trainer's loader.

NOT YET RUN ON A GPU. It has been run on a CPU in small (--model tiny --seconds 10), which proves that every
configuration starts, is timed and is written down; it proves nothing about speed.
"""

import argparse
import gc
import itertools
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.result import result_file, write_result
from benchmarks.trainer_loader import SEQ_LEN, VOCAB, write_random_shards
from trainer_bridge.attention import attention_backends
from trainer_bridge.config import TrainConfig
from trainer_bridge.errors import TrainerError
from trainer_bridge.flops import flops_per_token_causal, flops_per_token_full, peak_flops
from trainer_bridge.loader import Samples
from trainer_bridge.parallel import World
from trainer_bridge.recipe import load_config
from trainer_bridge.trainer import Trainer
from trainer_bridge.training import set_up_torch

LIMIT = 540.0  # seconds for everything
WARM_UP, TIMED = 3, 10  # steps; the first compiles
ROWS = 2048
# Best first, so that a sweep that runs out of time has measured what matters. 8,192 tokens are enough to fill the GPU.
MODELS = ("7B", "1.3B")
MICRO_BATCHES = {"7B": (4, 2, 8), "1.3B": (8, 16), "tiny": (1, 2)}
CHECKPOINTING = ("linear", "none", "full")
BACKENDS = ("auto", "flash")


@dataclass(frozen=True)
class Measurement:
    """One configuration and what came of it; ``error`` says why there are no numbers."""

    model: str
    checkpointing: str
    micro_batch: int
    attention: str
    moments: str
    tokens_per_second: float | None = None
    mfu_full: float | None = None
    mfu_causal: float | None = None
    memory_gb: float | None = None
    milliseconds: float | None = None
    loss: float | None = None
    clock_mhz: float | None = None
    power_w: float | None = None
    error: str | None = None


def configuration(case: Measurement, data: Path) -> TrainConfig:
    """The recipe of a case: one micro-batch a step, so that the optimiser's share is larger than in a real run."""
    tokens = case.micro_batch * SEQ_LEN
    return load_config(
        case.model,
        [
            f"data.path={data}",
            f"model.vocab_size={VOCAB}",
            f"efficiency.checkpointing={case.checkpointing}",
            f"efficiency.attention={case.attention}",
            f"optimizer.moment_dtype={case.moments}",
            f"run.micro_batch={case.micro_batch}",
            f"run.batch_tokens={tokens}",
            "run.steps=1000000",
            "run.tensorboard=false",
        ],
    )


def measure(case: Measurement, data: Path, device: torch.device) -> Measurement:
    """Times the trainer's step of one configuration."""
    config = configuration(case, data)
    set_up_torch(config)
    with tempfile.TemporaryDirectory() as run, attention_backends(case.attention):
        trainer = Trainer(config, Samples(config.data, data), Path(run), World(0, 1, device, None))
        try:
            for _ in range(WARM_UP):
                trainer.train_step()
            _wait(device)
            with watch(device) as readings:
                began = time.perf_counter()
                for _ in range(TIMED):
                    statistics = trainer.train_step()
                _wait(device)
                seconds = (time.perf_counter() - began) / TIMED
            return replace(case, **_numbers(trainer, seconds, statistics), **readings)
        finally:
            trainer.close()


def _numbers(trainer: Trainer, seconds: float, statistics: torch.Tensor) -> dict[str, Any]:
    device, config = trainer.world.device, trainer.config.model
    rate = trainer.batch_tokens / seconds
    peak = peak_flops(torch.cuda.get_device_name(device)) if device.type == "cuda" else None
    shape = (config, trainer.parameters, SEQ_LEN)
    sources = len(trainer.sources)
    return {
        "tokens_per_second": rate,
        "mfu_full": rate * flops_per_token_full(*shape) / peak if peak else None,
        "mfu_causal": rate * flops_per_token_causal(*shape) / peak if peak else None,
        "memory_gb": torch.cuda.max_memory_allocated(device) / 1e9 if device.type == "cuda" else None,
        "milliseconds": seconds * 1000,
        "loss": (statistics[:sources].sum() / statistics[sources : 2 * sources].sum()).item(),
    }


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@contextmanager
def watch(device: torch.device) -> Iterator[dict[str, float]]:
    """Reads clock and power twice a second in a process beside the steps; the means are there when the block ends."""
    means: dict[str, float] = {}
    if device.type != "cuda" or shutil.which("nvidia-smi") is None:
        yield means
        return
    words = ["nvidia-smi", "--query-gpu=clocks.sm,power.draw", "--format=csv,noheader,nounits", "-lms", "500"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield means
    finally:
        process.terminate()
        text, _ = process.communicate(timeout=20)
        rows = [line.split(",") for line in text.splitlines() if line.count(",") == 1]
        readings = [(float(clock), float(power)) for clock, power in rows]
        if readings:
            clocks, powers = zip(*readings, strict=True)
            means |= {"clock_mhz": sum(clocks) / len(clocks), "power_w": sum(powers) / len(powers)}


def try_case(case: Measurement, data: Path, device: torch.device) -> Measurement:
    """Measures, or says why not: too little memory ends one case, not the sweep."""
    try:
        return measure(case, data, device)
    except torch.OutOfMemoryError:
        return replace(case, error="out of memory")
    except (RuntimeError, TrainerError) as error:
        return replace(case, error=str(error).splitlines()[0][:200])
    finally:
        gc.collect()
        torch._dynamo.reset()
        if device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(device)


def environment(device: torch.device) -> dict[str, Any]:
    """What the numbers depend on: versions, and on a GPU its name, clocks and power."""
    facts: dict[str, Any] = {"torch": torch.__version__, "cuda": torch.version.cuda, "device": device.type}
    if device.type == "cuda":
        query = "name,driver_version,clocks.sm,clocks.max.sm,clocks.mem,power.draw,power.limit,temperature.gpu"
        words = ["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader"]
        try:
            answer = subprocess.run(words, capture_output=True, text=True, timeout=20, check=True).stdout
            facts |= dict(zip(query.split(","), map(str.strip, answer.splitlines()[0].split(",")), strict=True))
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            facts["nvidia-smi"] = str(error)
        facts["cudnn"] = torch.backends.cudnn.version()
    return facts


def cases(model: str, device: torch.device) -> list[Measurement]:
    """The configurations of a model, likely winners first; both kinds of moments where memory is what is short."""
    moments = ["bf16", "fp32"] if model == "7B" and device.type == "cuda" else ["fp32"]
    grid = itertools.product(BACKENDS, MICRO_BATCHES.get(model, (4,)), CHECKPOINTING, moments)
    return [Measurement(model, checkpointing, micro, backend, kind) for backend, micro, checkpointing, kind in grid]


def show(result: Measurement) -> None:
    name = (
        f"{result.model:>5} {result.checkpointing:>6} x{result.micro_batch:<2} {result.attention:>5} {result.moments}"
    )
    if result.error or result.tokens_per_second is None:
        print(f"{name}  {result.error}")
        return
    shares = [f"{v:.1%}" if v is not None else "-" for v in (result.mfu_full, result.mfu_causal)]
    memory = f"{result.memory_gb:.1f} GB" if result.memory_gb else ""
    print(f"{name}  {result.tokens_per_second:>10,.0f} tokens/s  MFU {shares[0]} full, {shares[1]} causal  {memory}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=result_file, default="trainer_gpu.json")
    parser.add_argument("--model", action="append", help=f"default: {', '.join(MODELS)}")
    parser.add_argument("--seconds", type=float, default=LIMIT, help="no new configuration after this time")
    options = parser.parse_args()
    began = time.monotonic()
    device = torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    facts = environment(device)
    print(json.dumps(facts))
    results: list[Measurement] = []
    models = options.model or list(MODELS)
    with tempfile.TemporaryDirectory() as folder:
        write_random_shards(Path(folder), ROWS)  # random, since a GPU multiplies zeros faster
        for number, model in enumerate(models):
            deadline, longest = began + options.seconds * (number + 1) / len(models), 0.0  # each has an equal share
            for case in cases(model, device):
                started = time.monotonic()
                if started + longest > deadline:
                    break
                results.append(try_case(case, Path(folder), device))
                longest = max(longest, time.monotonic() - started)
                show(results[-1])
                report = {"before": facts, "after": environment(device), "results": [asdict(r) for r in results]}
                write_result(options.output, report)
    print(f"{len(results)} configurations in {time.monotonic() - began:.0f} s: {options.output}")


if __name__ == "__main__":
    main()
