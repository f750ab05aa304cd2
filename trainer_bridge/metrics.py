"""Records of a run: one JSON line a step, a progress line, and TensorBoard or Weights & Biases where asked for."""

import importlib
import json
import math
import os
import sys
import time
from pathlib import Path
from typing import Any

from trainer_bridge.errors import TrainerError
from trainer_bridge.plot import Points, write_curves, write_loss_plot

NAME = "metrics.jsonl"
PLOT = "evaluation.svg"


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """All complete lines; a last line that was cut by a kill is left out."""
    if not path.is_file():
        return []
    records = []
    for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
        try:
            record = json.loads(line, parse_constant=lambda _: None)  # a record holds no nan
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict) and isinstance(record.get("step", 0), int):
            records.append(record)
    return records


class Metrics:
    """Writes the records; on other ranks than the first it does nothing.

    Attributes:
        records: all of the run so far, those of earlier starts included.
    """

    def __init__(self, folder: Path, steps: int, resumed: int, config: dict[str, Any], active: bool) -> None:
        """Opens the records, and forgets those of steps after the checkpoint that the run resumes from.

        Args:
            folder: of the run.
            steps: length of the run.
            resumed: steps that the checkpoint has done; 0 for a new run.
            config: the whole configuration; ``run.tensorboard`` and ``run.wandb_project`` choose the other writers.
            active: whether this is the first rank.
        """
        self._steps, self._active, self._folder = steps, active, folder
        self._terminal = active and sys.stderr.isatty()
        self._began, self._first = time.monotonic(), resumed
        self.records: list[dict[str, Any]] = []
        if not active:
            return
        path = folder / NAME
        self.records = [record for record in read_metrics(path) if record.get("step", 0) <= resumed]
        self._skipped = sum("skipped_samples" in record for record in self.records)
        partial = path.with_suffix(".tmp")
        partial.write_text("".join(_line(record) for record in self.records), encoding="utf-8")
        partial.replace(path)
        self._file = path.open("a", encoding="utf-8")
        run = config["run"]
        self._board = _tensorboard(folder) if run["tensorboard"] else None
        self._wandb = _wandb(folder, run["wandb_project"], config) if run["wandb_project"] else None

    def event(self, text: str) -> None:
        """Records something that is not a step, and says it on stderr."""
        if self._active:
            self._file.write(_line({"event": text}))
            self._file.flush()
            self.say(text)

    def to_disk(self) -> None:
        """Has all records so far written out: a checkpoint is about to count on them."""
        if self._active:
            os.fsync(self._file.fileno())

    def steps(self, records: list[dict[str, Any]]) -> None:
        """Records some finished steps, the last of which is shown as progress."""
        if not self._active or not records:
            return
        self.records += records
        self._skipped += sum("skipped_samples" in record for record in records)
        self._file.writelines(_line(record) for record in records)
        self._file.flush()
        for record in records:
            flat = _flatten(record)
            if self._board:
                for name, value in flat.items():
                    self._board.add_scalar(name, value, record["step"])
            if self._wandb:
                self._wandb.log(flat, step=record["step"])
        self._progress(records[-1])

    def evaluation(self, record: dict[str, Any]) -> None:
        """Records what was measured at a step: ``evaluation`` holds ``heldout`` and ``tasks``."""
        if not self._active:
            return
        self.records.append(record)
        self._file.write(_line(record))
        self._file.flush()
        flat = evaluation_scalars(record)
        for name, value in flat.items():
            if self._board:
                self._board.add_scalar(name, value, record["step"])
        if self._wandb:
            self._wandb.log(flat, step=record["step"])
        self.say(f"step {record['step']}  " + _in_short(record["evaluation"]))

    def close(self) -> None:
        """Draws the loss and closes all writers."""
        if not self._active:
            return
        if self._terminal:
            sys.stderr.write("\n")
        losses = [record for record in self.records if record.get("loss") is not None]
        names = sorted({name for record in losses for name in record["loss_by_source"]})
        by_source: dict[str, Points] = {
            name: [(r["tokens"], r["loss_by_source"][name]) for r in losses if name in r["loss_by_source"]]
            for name in names
        }
        curves = evaluation_curves(self.records)
        heldout = curves.pop("heldout/loss/all", [])
        write_loss_plot(self._folder / "loss.svg", [(r["tokens"], r["loss"]) for r in losses], by_source, heldout)
        tasks = {name.removeprefix("tasks/"): points for name, points in curves.items() if name.startswith("tasks/")}
        write_curves(self._folder / PLOT, "tasks", tasks)
        self._file.close()
        if self._board:
            self._board.close()
        if self._wandb:
            self._wandb.finish()

    def _progress(self, record: dict[str, Any]) -> None:
        step, spent = record["step"], time.monotonic() - self._began
        left = spent / max(1, step - self._first) * (self._steps - step)
        nothing = "not finite" if record["loss_by_source"] else "none"
        loss = nothing if record["loss"] is None else f"{record['loss']:.4f}"
        parts = [f"step {step}/{self._steps}", f"loss {loss}", f"lr {record['lr']:.2e}"]
        parts += [f"{record['tokens_per_second']:,.0f} tokens/s"]
        if record.get("mfu_full") is not None:
            parts.append(f"MFU {record['mfu_full']:.1%}")
        parts.append(f"{_duration(left)} left")
        if self._skipped:
            parts.append(f"{self._skipped} skipped")
        text = "  ".join(parts)
        if self._terminal:
            done = int(20 * step / self._steps)
            sys.stderr.write(f"\r\x1b[K[{'#' * done}{'.' * (20 - done)}] {text}")
            sys.stderr.flush()
        else:
            self.say(text)

    def say(self, text: str) -> None:
        """Says something on stderr, on a line of its own."""
        if not self._active:
            return
        sys.stderr.write(("\n" if self._terminal else "") + text + "\n")
        sys.stderr.flush()


def evaluation_scalars(record: dict[str, Any]) -> dict[str, float]:
    """An evaluation's numbers by flat names: ``heldout/loss/SOURCE``, ``heldout/bits_per_byte/SOURCE``,
    ``tasks/TASK/METRIC``."""
    found = record["evaluation"]
    flat = {
        f"heldout/{what}/{source}": values[what]
        for source, values in found.get("heldout", {}).items()
        for what in ("loss", "bits_per_byte")
        if values.get(what) is not None
    }
    for task, metrics in found.get("tasks", {}).items():
        flat |= {f"tasks/{task}/{metric}": value for metric, value in metrics.items()}
    return flat


def evaluation_curves(records: list[dict[str, Any]]) -> dict[str, list[tuple[float, float]]]:
    """(tokens seen, value) of each flat name, in order; standard errors left out."""
    curves: dict[str, list[tuple[float, float]]] = {}
    for record in records:
        for name, value in evaluation_scalars(record).items() if "evaluation" in record else ():
            if not name.endswith("_stderr"):
                curves.setdefault(name, []).append((record["tokens"], value))
    return curves


def _in_short(found: dict[str, Any]) -> str:
    """An evaluation in a line."""
    loss = found.get("heldout", {}).get("all", {}).get("loss")
    parts = [f"held-out loss {'not finite' if loss is None else f'{loss:.4f}'}"] if "heldout" in found else []
    for task, metrics in found.get("tasks", {}).items():
        shown = (f"{name} {value:.4g}" for name, value in metrics.items() if not name.endswith("_stderr"))
        parts.append(f"{task} {' '.join(shown)}")
    return "  ".join(parts)


def finite(value: float) -> float | None:
    """A number for JSON, which has neither nan nor infinity."""
    return value if math.isfinite(value) else None


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, allow_nan=False) + os.linesep


def _flatten(record: dict[str, Any]) -> dict[str, float]:
    flat = {}
    for name, value in record.items():
        for inner, number in value.items() if isinstance(value, dict) else [("", value)]:
            if isinstance(number, int | float) and name != "step":
                flat[f"{name}/{inner}" if inner else name] = float(number)
    return flat


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s"


def _missing(key: str, package: str) -> TrainerError:
    return TrainerError(f"{key}, but the package {package} is not installed: pip install '.[trackers]'")


def _tensorboard(folder: Path) -> Any:
    try:
        return importlib.import_module("torch.utils.tensorboard").SummaryWriter(str(folder / "tensorboard"))
    except ImportError as error:
        raise TrainerError(
            "run.tensorboard is on, but the package tensorboard is not installed: pip install '.[trackers]'"
        ) from error


def _wandb(folder: Path, project: str, config: dict[str, Any]) -> Any:
    try:
        wandb = importlib.import_module("wandb")
    except ImportError as error:
        raise TrainerError(
            "run.wandb_project is set, but the package wandb is not installed: pip install '.[trackers]'"
        ) from error
    identity = folder.resolve().name
    return wandb.init(project=project, id=identity, resume="allow", dir=str(folder), config=config)
