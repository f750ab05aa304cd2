"""How much raw data a source needs for a budget: first by what is known of it, then by what its own runs gave."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.build.units import Unit

PILOT_SHARE = 0.1  # of the units that an estimate asks for: the first batch of a source, which tells the true yield

SHARE_DIGITS = 3
LEAST_SHARE = 1e-6


@dataclass(frozen=True)
class Yield:
    """What came of raw data.

    Attributes:
        raw_bytes: Bytes of the units that were made.
        raw_files: How many files that is, of a share of them a fraction.
        text_bytes: Bytes of the text that was kept of them.
        tokens: Tokens of that text; None before it was encoded.
    """

    raw_bytes: float = 0.0
    raw_files: float = 0
    text_bytes: float = 0.0
    tokens: int | None = None


@dataclass(frozen=True)
class Need:
    """What the mixture needs of a source, and by what it is reckoned.

    Attributes:
        tokens: Unique tokens wanted.
        text_per_raw: Bytes of kept text for each raw byte, as others have found.
        bytes_per_token: Bytes of text for each token, likewise.
        file_bytes: Bytes of a raw file whose size is not known.
        margin: How much more is made than that.
    """

    tokens: float
    text_per_raw: float
    bytes_per_token: float
    file_bytes: float
    margin: float

    def missing_bytes(self, made: Yield) -> float:
        """Raw bytes still to be made, by what was made; 0 where there is enough."""
        per_token = made.text_bytes / made.tokens if made.tokens else self.bytes_per_token
        if made.text_bytes >= self.tokens * per_token:  # the margin is for what is not known yet
            return 0.0
        wanted = self.tokens * (1 + self.margin) * per_token
        return (wanted - made.text_bytes) / self.text_rate(made)

    def size(self, unit: Unit, made: Yield) -> float:
        """The bytes of a unit, by those of the files that were made where its own are not known."""
        return unit.size(made.raw_bytes / made.raw_files if made.raw_files else self.file_bytes)

    def text_rate(self, made: Yield) -> float:
        """Bytes of kept text for each raw byte.

        The estimate counts like a first batch of its size, but no more than what was made: a few files that gave
        nothing are no reason to fetch all, and an estimate that is wrong has no more weight than what is known.
        """
        first = PILOT_SHARE * self.tokens * self.bytes_per_token / self.text_per_raw
        raw = min(first, made.raw_bytes) if made.raw_bytes else first
        return (made.text_bytes + raw * self.text_per_raw) / (made.raw_bytes + raw)


def next_units(
    left: Sequence[Unit], need: Need | None, made: Yield, *, pilot: bool = False, least: int = 0
) -> list[Unit]:
    """The units to make next: as few as are thought to be enough.

    Args:
        left: Those that are not made, in their order.
        need: What is needed; None for all.
        made: What came of those that are.
        pilot: Whether the first batch is a tenth of what the estimate asks for, since more can follow.
        least: How many are taken, whatever is needed.
    """
    if need is None:
        return list(left)
    wanted = need.missing_bytes(made)
    if pilot and not made.raw_bytes:
        wanted *= PILOT_SHARE
    chosen, have = list[Unit](), 0.0
    for unit in left:
        if have >= wanted and len(chosen) >= least:
            break
        chosen.append(unit)
        have += need.size(unit, made)
    return chosen


def share_of(units: Sequence[Unit], need: Need, made: Yield, least: float = 0.0) -> float:
    """The share of what all units hold that is thought to be enough, rounded up to three digits; 1 for all of it.

    Args:
        units: All units.
        need: What is needed.
        made: What came of a smaller share.
        least: No smaller one is taken.
    """
    there = sum(need.size(unit, made) for unit in units)
    wanted = max(least, (made.raw_bytes + need.missing_bytes(made)) / there if there else 1.0)
    if wanted >= 1:
        return 1.0
    unit = 10.0 ** (math.floor(math.log10(wanted)) - SHARE_DIGITS + 1) if wanted > 0 else LEAST_SHARE
    return min(1.0, max(LEAST_SHARE, float(f"{math.ceil(wanted / unit) * unit:.{SHARE_DIGITS}g}")))
