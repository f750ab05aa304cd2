"""What a run cost, as the paper gives it (section 6, table 15): python -m trainer_bridge.cost RUN.

Energy is GPU hours x watts x PUE; emissions are energy x the grid's intensity.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer_bridge.command_line import local_path
from trainer_bridge.config import CostConfig
from trainer_bridge.errors import TrainerError, run_command
from trainer_bridge.recipe import build

SECONDS = 30.0  # between two looks at the power
PATIENCE = 20.0  # seconds for an answer of nvidia-smi
EXAMPLES = """\
examples:
  python -m trainer_bridge.cost run/
  python -m trainer_bridge.cost run/ --watts 400 --intensity 0.057
  python -m trainer_bridge.cost --hours 82432 --watts 400             LLaMA-7B, as in table 15: 36 MWh, 14 tCO2eq

Time is that of the training steps: not of starts, checkpoints and evaluations."""


@dataclass(frozen=True)
class Cost:
    """What a run cost.

    Attributes:
        device: ``GPU`` or ``CPU process``.
        hours: of all devices together.
        watts: of one of them; None: not known.
        measured: whether nvidia-smi said so.
        pue: power usage effectiveness.
        intensity: kg of CO2 equivalent for a kWh.
    """

    device: str
    hours: float
    watts: float | None
    measured: bool
    pue: float
    intensity: float

    @property
    def megawatt_hours(self) -> float | None:
        """Of the whole data centre."""
        return None if self.watts is None else self.hours * self.watts * self.pue / 1e6

    @property
    def tonnes(self) -> float | None:
        """Of CO2 equivalent."""
        energy = self.megawatt_hours
        return None if energy is None else energy * self.intensity

    def report(self) -> dict[str, float | str | bool | None]:
        """All of it, for JSON."""
        return {
            **{"device": self.device, "hours": self.hours, "watts": self.watts, "watts_measured": self.measured},
            **{"pue": self.pue, "kg_co2eq_per_kwh": self.intensity},
            **{"mwh": self.megawatt_hours, "tco2eq": self.tonnes},
        }

    def line(self) -> str:
        """All of it, in a sentence."""
        hours = f"{_figures(self.hours)} {self.device} hours"
        if self.watts is None:
            return f"cost: {hours}; for energy and emissions give the watts of one: cost.watts, or --watts"
        said = "measured" if self.measured else "given"
        return (
            f"cost: {hours} at {self.watts:,.0f} W ({said}), PUE {self.pue:g}, {self.intensity:g} kg CO2eq/kWh: "
            f"{_figures(self.megawatt_hours or 0.0)} MWh, {_figures(self.tonnes or 0.0)} tCO2eq"
        )


def _figures(value: float) -> str:
    """As many digits as say something."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def run_cost(records: Iterable[Mapping[str, Any]], ranks: int, device: str, config: CostConfig) -> Cost:
    """The cost of a run's steps, over all its starts.

    Args:
        records: of ``metrics.jsonl``: each step's tokens and tokens per second; ``watts`` where they were measured.
        ranks: devices that worked together.
        device: ``cuda`` or ``cpu``.
        config: what is taken for granted.
    """
    seconds = energy = known = 0.0
    before = 0
    for record in records:
        if "tokens_per_second" not in record:
            continue
        spent = (record["tokens"] - before) / record["tokens_per_second"] if record["tokens_per_second"] else 0.0
        before = record["tokens"]
        seconds += spent
        if record.get("watts") is not None:
            energy, known = energy + spent * record["watts"], known + spent
    measured = config.watts is None and known > 0
    watts = energy / known if measured else config.watts
    name = "GPU" if device == "cuda" else "CPU process"
    return Cost(name, seconds / 3600 * ranks, watts, measured, config.pue, config.intensity)


class PowerMeter:
    """Asks nvidia-smi now and then, in a thread, what one of the GPUs that this machine uses draws, on average."""

    def __init__(self, wanted: bool) -> None:
        """Begins to measure where that is wanted, and nvidia-smi is there."""
        self._program = shutil.which("nvidia-smi") if wanted else None
        self._sum, self._count = 0.0, 0
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._measure, name="power", daemon=True)
        if self._program is not None:
            self._thread.start()

    def take(self) -> float | None:
        """The mean, in watts, since this was last asked; None where nothing was measured."""
        with self._lock:
            mean = self._sum / self._count if self._count else None
            self._sum, self._count = 0.0, 0
        return mean

    def close(self) -> None:
        """Ends the thread."""
        self._ended.set()

    def _measure(self) -> None:
        while not self._ended.is_set():
            watts = power(self._program or "")
            if watts is not None:
                with self._lock:
                    self._sum, self._count = self._sum + watts, self._count + 1
            self._ended.wait(SECONDS)


def power(program: str) -> float | None:
    """What one of the visible GPUs draws now, on average, in watts; None where nvidia-smi does not say."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    chosen = ["-i", visible] if visible else []
    words = [program, *chosen, "--query-gpu=power.draw", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=True)
        values = [float(line) for line in done.stdout.splitlines() if line.strip()]
    except (OSError, ValueError, subprocess.SubprocessError):  # "[N/A]", an old driver, none at all
        return None
    return sum(values) / len(values) if values else None


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = argparse.ArgumentParser(
        prog="python -m trainer_bridge.cost",
        description=(__doc__ or "").split("\n")[0],
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument("run", nargs="?", type=local_path, help="directory of a run")
    result.add_argument("--hours", type=float, help="GPU hours of a run that is not here")
    result.add_argument("--watts", type=float, help="of one GPU (default: measured, or the run's cost.watts)")
    result.add_argument("--pue", type=float, help="power usage effectiveness (default: the run's; 1.1)")
    result.add_argument("--intensity", type=float, help="kg of CO2 equivalent for a kWh (default: the run's; 0.385)")
    return result


def parse(arguments: list[str]) -> argparse.Namespace:
    """Reads the command line."""
    commands = parser()
    options = commands.parse_args(arguments)
    if (options.run is None) == (options.hours is None):
        commands.error("give a run, or --hours")
    for name, least in (("hours", 0), ("watts", 0), ("pue", 1), ("intensity", 0)):
        if (value := getattr(options, name)) is not None and not least <= value < float("inf"):
            commands.error(f"--{name} must be at least {least}")
    return options


def _cost_of(run: Path, given: Mapping[str, float]) -> Cost:
    from trainer_bridge.checkpoint import latest_checkpoint, read_info, run_of  # noqa: PLC0415 - PyTorch
    from trainer_bridge.metrics import NAME, read_metrics  # noqa: PLC0415

    checkpoint = latest_checkpoint(run)
    info = read_info(checkpoint)
    records = read_metrics(run_of(checkpoint) / NAME)
    if not records or "ranks" not in info:
        raise TrainerError(f"{run} has no record of its steps ({NAME})")
    config = build(CostConfig, {**info["config"].get("cost", {}), **given}, "cost.")
    return run_cost(records, info["ranks"], info["device"], config)


def main() -> None:
    """Runs the command line: a sentence on stderr, JSON on stdout."""
    options = parse(sys.argv[1:])
    given = {key: getattr(options, key) for key in ("watts", "pue", "intensity") if getattr(options, key) is not None}
    if options.run is None:
        config = CostConfig(**given)
        cost = Cost("GPU", options.hours, config.watts, False, config.pue, config.intensity)
    else:
        cost = _cost_of(options.run, given)
    sys.stderr.write(cost.line() + "\n")
    sys.stdout.write(json.dumps(cost.report()) + "\n")


if __name__ == "__main__":
    run_command(main, alone=True)
