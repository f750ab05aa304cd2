"""Where a benchmark writes what it measured: a new file, or one of an earlier measurement."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
KEYS = ({"machine"}, {"before", "results"})  # one of these every file of measurements has


def result_file(text: str) -> Path:
    """The path of a result, for command lines; a file that is there and is no result is refused before the work."""
    path = Path(text)
    if path.exists() and not _is_result(path):
        raise argparse.ArgumentTypeError(f"{text} is there, and no benchmark wrote it: choose another name")
    return path


def write_result(path: Path, measured: dict[str, Any]) -> None:
    """Writes what was measured."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(measured, indent=1) + "\n")


def _is_result(path: Path) -> bool:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and any(keys <= found.keys() for keys in KEYS)
