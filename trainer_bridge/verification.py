"""Reads a run's directory through and says what is damaged.

Looked at: each checkpoint (``checkpoint.find_damage``), that the steps in metrics.jsonl are all there up to the newest
checkpoint, and that the tokenizer is that of the run's shards.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline.storage.ownership import RECORD
from trainer_bridge.checkpoint import COMPLETE, FOLDER, INFO, SUMS, find_damage, list_checkpoints, read_info, step_of
from trainer_bridge.errors import TrainerError
from trainer_bridge.metrics import NAME as METRICS
from trainer_bridge.origin import stored_tokenizer
from trainer_bridge.stored import METADATA
from trainer_bridge.template import NAME as TEMPLATE
from trainer_bridge.vocabulary import NAME as TOKENIZER
from trainer_bridge.vocabulary import check_is

NAMED = 5  # of missing steps
DATA = ".distcp"


def verify_run(path: Path) -> tuple[str, list[str]]:
    """Verifies a run's directory, or one checkpoint.

    Returns:
        What is sound, for a sentence, and a sentence for each fault; none means that all is well.
    """
    if (path / INFO).is_file():
        return "1 checkpoint is whole", find_damage(path)
    found = list_checkpoints(path)
    faults = [fault for checkpoint in found for fault in _checkpoint_faults(path, checkpoint)]
    others = [p for p in (path / FOLDER).glob("step-*") if COMPLETE.fullmatch(p.name) and p not in found]
    nameless = [p for p in others if any(file.suffix == DATA or file.name == METADATA for file in p.glob("*"))]
    faults += [f"{p} has no {INFO}: it is no whole checkpoint" for p in sorted(nameless)]
    if not found and not nameless:
        faults.append(f"{path} holds no checkpoint")
    if (path / RECORD).exists() and _recorded(path) is None:
        faults.append(f"{path / RECORD} is damaged: no command will write here any more")
    whole = [checkpoint for checkpoint in found if not any(str(checkpoint) in fault for fault in faults)]
    if whole:
        faults += _run_faults(path, whole[-1])
    return f"{len(found)} checkpoint{'s are' if len(found) != 1 else ' is'} whole", faults


def _checkpoint_faults(run: Path, checkpoint: Path) -> list[str]:
    faults = find_damage(checkpoint)
    if _is_recorded(run, f"{FOLDER}/{checkpoint.name}/{SUMS}") and not (checkpoint / SUMS).is_file():
        faults.append(f"{checkpoint / SUMS} is missing: nothing tells any more whether its files are what was written")
    if not faults and read_info(checkpoint)["step"] != step_of(checkpoint):
        faults = [f"{checkpoint} holds step {read_info(checkpoint)['step']}"]
    return faults


def _run_faults(run: Path, newest: Path) -> list[str]:
    """What lies beside the checkpoints must fit the newest whole one."""
    info = read_info(newest)
    faults = []
    try:
        check_is(run / TOKENIZER, stored_tokenizer(info), f"the run {run}")
    except TrainerError as error:
        faults.append(str(error))
    if not info.get("weights_only") and _is_recorded(run, TOKENIZER) and not (run / TOKENIZER).is_file():
        faults.append(f"{run / TOKENIZER} is missing: the run's command copies it from the shards again")
    if not info.get("weights_only") and _is_recorded(run, TEMPLATE) and not (run / TEMPLATE).is_file():
        faults.append(f"{run / TEMPLATE} is missing: the run's command copies it from the shards again")
    if not info.get("weights_only"):
        faults += _metrics_faults(run / METRICS, info["step"])
    return faults


def _is_recorded(run: Path, name: str) -> bool:
    """Whether the run's record lists a file."""
    return name in (_recorded(run) or ())


def _recorded(run: Path) -> list[str] | None:
    """What the run's record lists; None where it is damaged, or not there, as in a version without records."""
    try:
        return list(json.loads((run / RECORD).read_bytes())["names"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _metrics_faults(path: Path, last: int) -> list[str]:
    """Every step up to the checkpoint has its line; a last line that a kill has cut is none."""
    if not path.is_file():
        return [f"{path} is missing"]
    lines = path.read_bytes().split(b"\n")
    steps: list[int] = []
    faults = []
    for number, line in enumerate(lines[:-1], 1):
        try:
            record: Any = json.loads(line)
            steps += [record["step"]] if "step" in record else []
        except (ValueError, TypeError, RecursionError):
            faults.append(f"{path}, line {number} is damaged")
    missing = sorted(set(range(1, last + 1)).difference(s for s in steps if isinstance(s, int)))
    if missing:
        more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        faults.append(f"{path} lacks step {', '.join(map(str, missing[:NAMED]))}{more}")
    return faults


def cure(run: Path) -> str:
    """What to do about a run with faults."""
    whole = [path for path in list_checkpoints(run) if not find_damage(path)]
    if not whole:
        return "To mend it: restore the files from a copy, or start a new run."
    return (
        f"To mend it: restore the files from a copy; or add --resume-from {step_of(whole[-1])} to the run's command, "
        f"which goes on from {whole[-1].name}, the newest whole checkpoint."
    )


def report(runs: Iterable[Path]) -> int:
    """Prints what was found; gives the exit status, 1 where anything is damaged."""
    failed = False
    for run in runs:
        if not run.is_dir():
            raise TrainerError(f"no run directory {run}")
        sound, faults = verify_run(run)
        failed |= bool(faults)
        lines = [*(f"{run}: {fault}" for fault in faults), f"{run}: {cure(run) if faults else sound}"]
        sys.stdout.write("\n".join(lines) + "\n")
    return int(failed)
