"""Parts of a run: ``--part i/n`` on n machines that share an output folder, or a store, and no coordinator.

Part i takes every n-th scope of the plan. Where there are fewer scopes than parts, all parts share every scope, shard
by shard and pass by pass: a part does its share of a pass, and goes on with the next one when the files of all parts
are there. Where they are not, it waits as long as ``--wait`` says, or ends with the status ``AGAIN``. By default it
does not wait: the tasks of an array job need not run at the same time, and one that waits for another which waits for
its place would wait for ever.

What keeps parts from each other's way: every file is of one shard, partition or site, of which one part has the care,
or is the same whichever part writes it; it appears whole or not at all. A part removes nothing but what is of its own
scopes and shards. What belongs to all (a configuration or scopes of another plan, half-written files, the work folder)
is removed by runs without a part, which the lock keeps apart from parts.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pipeline.corpus.shard import Scope, Shard, shards_of
from pipeline.errors import OutputError, UserError, name_a_few

AGAIN = 75  # what sysexits.h calls EX_TEMPFAIL: nothing is wrong, and the same command later gets further
FIRST_LOOK_SECONDS = 0.5  # doubles with each look
LOOK_SECONDS = 10.0
TELL_SECONDS = 60.0
_PART = re.compile(r"(\d{1,6})/(\d{1,6})")

_T = TypeVar("_T")


class AgainError(UserError):
    """The files of other parts are missing: the same command gets further when they are there."""

    status = AGAIN


@dataclass(frozen=True)
class Part:
    """One of the parts that make a source together.

    Attributes:
        number: Which one, from 1.
        count: How many there are.
        wait: Seconds that it waits for files of other parts.
    """

    number: int
    count: int
    wait: float = 0.0

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @property
    def file_name(self) -> str:
        """Its name where a slash must not be."""
        return f"{self.number}-of-{self.count}"

    def by_scopes(self, scopes: Sequence[Scope]) -> bool:
        """Whether the parts take whole scopes of a plan, and have nothing to wait for."""
        return self.count <= len(scopes)

    def shards(self, scopes: Sequence[Scope]) -> list[Shard]:
        """The shards of a plan that this part writes."""
        return shards_of(share(self, scopes)) if self.by_scopes(scopes) else share(self, shards_of(scopes))


def share(part: Part | None, items: Sequence[_T]) -> list[_T]:
    """A part's share: every n-th item; all of them where there are no parts."""
    return list(items) if part is None else list(items[part.number - 1 :: part.count])


def parse_part(text: str) -> Part:
    """Reads ``i/n``; an error of the command line where it is none."""
    found = _PART.fullmatch(text.strip())
    if not found:
        raise argparse.ArgumentTypeError(
            f"it must be i/n, such as 1/4 for the first of four parts, it is {text!r} (under Slurm, "
            "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT in a job with --array=1-4)"
        )
    number, count = int(found[1]), int(found[2])
    if not 1 <= number <= count:
        raise argparse.ArgumentTypeError(
            f"parts are counted from 1: there is no part {number} of {count}"
            + (f" (under Slurm give --array=1-{count}, not 0-{count - 1})" if number == 0 and count else "")
            + ("; to repeat some tasks of an array job, say how many parts there are in all" if number > count else "")
        )
    return Part(number, count)


def owner(position: int, count: int) -> str:
    """The part that has the care of the item at a position of the plan."""
    return f"{position % count + 1}/{count}"


def await_others(
    part: Part,
    what: str,
    wanted: Mapping[str, int],
    there: Callable[[], Iterable[str]],
    say: Callable[[str], None],
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Goes on when the files of all parts are there; waits for them as long as the part is told to.

    Args:
        part: This part.
        what: What the files are, in the plural.
        wanted: The files, each with its position in the plan, which tells whose it is.
        there: Lists those that are there.
        say: Tells the user that the part waits.
        sleep: How to wait.

    Raises:
        AgainError: Some are not there in time. It names the parts, and how many files each owes.
    """
    end, told, pause = time.monotonic() + part.wait, float("-inf"), FIRST_LOOK_SECONDS
    while missing := wanted.keys() - set(there()):
        owed = _owed([wanted[name] for name in missing], part.count)
        left = end - time.monotonic()
        if left <= 0:
            waited = f", after {part.wait / 60:g} min" if part.wait else ""
            raise AgainError(
                f"part {part} did its share of the {what}; those of others are missing{waited}: {owed}. Run all parts "
                "again when those have ended."
            )
        if time.monotonic() - told >= TELL_SECONDS:
            told = time.monotonic()
            say(f"part {part} waits for the {what} of others: {owed}; for {left / 60:,.0f} min more at the most")
        sleep(min(pause, left))
        pause = min(2 * pause, LOOK_SECONDS)


def _owed(positions: Iterable[int], count: int) -> str:
    counts: dict[int, int] = {}
    for position in positions:
        counts[position % count] = counts.get(position % count, 0) + 1
    return name_a_few_parts([f"{number + 1}/{count} owes {owed:,}" for number, owed in sorted(counts.items())])


def name_a_few_parts(parts: Sequence[str]) -> str:
    """Names some parts, and how many more there are; their names have a slash of their own."""
    return name_a_few([f"part {part}" for part in parts], whole=True)


def refuse_missing(scopes: Sequence[Scope], done: Iterable[str], counts: Sequence[int]) -> None:
    """Refuses to finish a source of which shards are missing.

    Args:
        scopes: The plan.
        done: The shards that are done.
        counts: The numbers of parts of which some were at work.

    Raises:
        OutputError: It names the shards, and the parts that have to make them.
    """
    planned, there = shards_of(scopes), set(done)
    missing = [shard.name for shard in planned if shard.name not in there]
    if not missing:
        return
    message = f"{len(missing):,} of {len(planned):,} shards are missing: {name_a_few(missing)}."
    if not counts:
        raise OutputError(f"{message} No part was at work there: give --part i/n, or neither that nor --finish.")
    for count in counts:
        parts = [Part(number, count) for number in range(1, count + 1)]
        lacking = {str(p): n for p in parts if (n := sum(s.name not in there for s in p.shards(scopes)))}
        message += f" Of {count} parts run" if len(counts) > 1 else " Run"
        message += f" again {name_a_few_parts([f'{part} ({owed:,})' for part, owed in lacking.items()])}."
    raise OutputError(f"{message} Then --finish.")
