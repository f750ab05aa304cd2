"""How to run, as opposed to what to make. Beam is imported only where its options are asked for."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.engine.parts import Part
from pipeline.errors import UserError

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

SMALL_BYTES = 8 << 20  # of raw input: two more processes take two seconds to start, and save no more than that
LOCAL_RUNNERS = {"directrunner", "fnapirunner"}


@dataclass(frozen=True)
class RunOptions:
    """How to run, as opposed to what to make: none of it changes a byte of the outputs.

    Attributes:
        output: The corpus folder; the source writes below ``<output>/<source>``.
        flags: Beam's.
        cache: Where fetched files are kept; the default cache where None.
        retry_failed: Whether scopes with files that could not be read are made again.
        inputs: The flags that name the inputs, for messages.
        folders: Folders of which all is read.
        files: Names of files in the source's folder that no other source has.
        command: What runs the source; that of its name where None.
        part: Which part of the source this run makes; all of it where None.
        finish: Whether parts have made the source, and this run only settles it.
        grow: Whether files that the output does not have join what is there.
    """

    output: str
    flags: Sequence[str] = ()
    cache: Path | None = None
    retry_failed: bool = False
    inputs: str = "--input"
    folders: Sequence[str] = ()
    files: Sequence[str] = ()
    command: str | None = None
    part: Part | None = None
    finish: bool = False
    grow: bool = False

    @cached_property
    def beam(self) -> PipelineOptions:
        """Beam's options."""
        from apache_beam.options.pipeline_options import PipelineOptions  # noqa: PLC0415 - takes a second

        return PipelineOptions(list(self.flags))

    def for_bytes(self, raw_bytes: int) -> RunOptions:
        """The same, with one process on this machine where the input is small and nothing else is asked for.

        Args:
            raw_bytes: The size of what is to be read.
        """
        asked = any(
            flag.startswith(("--runner", "--direct_num_workers", "--direct_running_mode")) for flag in self.flags
        )
        small = raw_bytes < SMALL_BYTES and not asked
        return replace(self, flags=(*self.flags, "--direct_num_workers=1")) if small else self


def is_local(flags: Sequence[str]) -> bool:
    """Tells whether a run stays on this machine: no runner, or a direct one, is asked for.

    Args:
        flags: Beam's.
    """
    return runner_of(flags) in LOCAL_RUNNERS


def runner_of(flags: Sequence[str]) -> str:
    """The runner that is asked for, in small letters."""
    runner: str = _asked(flags).runner
    return runner.rpartition(".")[2].lower()


def is_one_process(flags: Sequence[str]) -> bool:
    """Whether one process on this machine does it all: this one, then, and without Beam.

    Raises:
        UserError: So many processes cannot be.
    """
    return is_local(flags) and worker_count(flags) == 1


def worker_count(flags: Sequence[str]) -> int:
    """The processes that are asked for on this machine: as many as it has cores, unless a flag says otherwise.

    Raises:
        UserError: So many cannot be.
    """
    count: int | None = _asked(flags).direct_num_workers
    if count is not None and count < 0:
        raise UserError(f"--direct_num_workers must be 0 (all cores) or more, it is {count}")
    return count if count is not None else _cores()


def _cores() -> int:
    """The cores that this process may use, which can be fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _asked(flags: Sequence[str]) -> argparse.Namespace:
    """What some flags of Beam's say of where to run; Beam, which would tell, takes a second to import."""
    parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
    parser.add_argument("--runner", default="DirectRunner")
    parser.add_argument("--direct_num_workers", type=int)
    return parser.parse_known_args(list(flags))[0]
