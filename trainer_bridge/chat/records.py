"""What a command writes down of itself: metrics, and what a second run of it must have in common."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch

from pipeline.errors import InputError, OutputError
from pipeline.storage.ownership import check_apart, check_folder
from trainer_bridge.checkpoint import INFO, SUMS, latest_checkpoint
from trainer_bridge.errors import TrainerError
from trainer_bridge.metrics import read_metrics
from trainer_bridge.run_folder import RunFolder

CONFIGURATION = "configuration.json"


class Records:
    """``metrics.jsonl``: a JSON object a line, appended."""

    def __init__(self, path: Path, kept: Callable[[dict[str, Any]], bool]) -> None:
        """Opens the file.

        Args:
            path: the file.
            kept: which of its records stay: those of steps that are taken anew do not.
        """
        partial = path.with_suffix(".tmp")
        self.records = [record for record in read_metrics(path) if kept(record)]
        partial.write_text("".join(map(_line, self.records)), encoding="utf-8")
        partial.replace(path)
        self._file = path.open("a", encoding="utf-8")

    def write(self, record: dict[str, Any]) -> None:
        """Appends a record."""
        self.records.append(record)
        self._file.write(_line(record))
        self._file.flush()

    def to_disk(self) -> None:
        """Has all records so far written out: a checkpoint is about to count on them."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def resume_lines(path: Path, size: int, total: int) -> list[dict[str, Any]]:
    """What a killed command had written of a file of JSON lines, in whole batches; the file then holds these alone.

    Args:
        path: the file; there may be none.
        size: lines of a batch.
        total: of all.
    """
    found: list[dict[str, Any]] = []
    if path.is_file():
        for line in path.read_bytes().decode("utf-8", "replace").split("\n")[:-1]:
            try:
                found.append(dict(json.loads(line)))
            except (ValueError, TypeError):
                break
    whole = found if len(found) == total else found[: len(found) // size * size]
    write_lines(path, whole)
    return whole


def write_lines(path: Path, records: Iterable[dict[str, Any]]) -> None:
    """Writes a file of JSON lines, which appears when it is whole."""
    partial = path.with_name(f".{path.name}.tmp")
    partial.write_text("".join(map(json_line, records)), encoding="utf-8")
    partial.replace(path)


def json_line(record: dict[str, Any]) -> str:
    """A record as a line, its text as it is."""
    return json.dumps(record, ensure_ascii=False) + "\n"


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, allow_nan=False) + "\n"


def check_output(output: Path, command: str, inputs: Iterable[object]) -> list[str]:
    """Refuses an output where a command may not write, before anything large is read; writes nothing.

    Args:
        output: the directory.
        command: who writes there.
        inputs: what is read; None among them: nothing.

    Returns:
        The inputs, for ``RunFolder``.
    """
    read = [str(path) for path in inputs if path]
    try:
        check_apart(str(output), read, "the input")
        check_folder(str(output), command)
    except (InputError, OutputError) as error:
        raise TrainerError(str(error)) from error
    return read


def model_identity(run: Path) -> str:
    """SHA-256 of the checksums of a run's newest checkpoint: another one where its weights are others."""
    checkpoint = latest_checkpoint(run)
    path = checkpoint / SUMS
    return hashlib.sha256((path if path.is_file() else checkpoint / INFO).read_bytes()).hexdigest()


def dtype_name(dtype: torch.dtype) -> str:
    """What a computation is in: a command that goes on in another would give other numbers."""
    return str(dtype).removeprefix("torch.")


def check_same(target: RunFolder, said: dict[str, Any]) -> None:
    """Writes what decides an output, or compares it with what is there.

    Raises:
        TrainerError: something differs; says what was and what is.
    """
    path = target.path / CONFIGURATION
    target.expect(CONFIGURATION)
    now = json.loads(json.dumps(said))
    if not path.is_file():
        partial = path.with_name(f".{path.name}.tmp")
        partial.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")
        partial.replace(path)
        return
    try:
        before = json.loads(path.read_bytes())
    except ValueError as error:
        raise TrainerError(f"{path} cannot be read: {error}; choose another --output") from error
    if lines := _differences(before, now):
        raise TrainerError(
            f"{target.path} was begun with other choices:\n" + "\n".join(lines) + "\nGive these, or another --output."
        )


def _differences(before: Any, now: Any, where: str = "") -> list[str]:
    if not isinstance(before, dict) or not isinstance(now, dict):
        return [] if before == now else [f"  {where.rstrip('.')}: was {before!r}, is {now!r}"]
    lines: list[str] = []
    for key in sorted({*before, *now}):
        lines += _differences(before.get(key), now.get(key), f"{where}{key}.")
    return lines
