"""The arithmetic of a plan: from a budget of tokens back to raw data, core hours and disk."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pipeline.plan.rates import Rates, SourceRate, StageRate
from pipeline.plan.recipe import PlanRecipe, SourceFacts

BYTES_PER_TOKEN_ON_DISK = 2  # uint16 ids
SECONDS_PER_HOUR = 3600
TOLERANCE = 1.02  # the facts are rounded: at the paper's own budget nothing is short


@dataclass(frozen=True)
class Need:
    """What one source takes.

    Attributes:
        source: Its name.
        share: Of the budget, 0 to 1.
        epochs: How often its text is seen: the paper's number, or more where there is not enough raw data for that.
        tokens: Tokens drawn.
        unique_tokens: Tokens there must be.
        text_bytes: Bytes of clean text.
        raw_bytes: Bytes of raw data to read.
        units: Its raw data in units, rounded up.
        is_short: Whether all there is does not suffice for the paper's epochs.
        core_hours: Of reading and cleaning; None without a rate.
        peak_bytes: Memory of its largest worker; None without a rate.
    """

    source: str
    share: float
    epochs: float
    tokens: float
    unique_tokens: float
    text_bytes: float
    raw_bytes: float
    units: int
    is_short: bool
    core_hours: float | None
    peak_bytes: int | None


@dataclass(frozen=True)
class Estimate:
    """The whole plan.

    Attributes:
        tokens: The budget.
        needs: One for each source, in the mixture's order.
        encode_hours: Core hours of encoding the text; None without a rate.
        write_hours: Core hours of writing the token shards; None without a rate.
        parquet_bytes: Disk for the documents.
        token_file_bytes: Disk for the token files.
        shard_bytes: Disk for the token shards.
        workers: Cores at work at one time.
        core_hour_dollars: The price of one for an hour.
    """

    tokens: float
    needs: tuple[Need, ...]
    encode_hours: float | None
    write_hours: float | None
    parquet_bytes: float
    token_file_bytes: float
    shard_bytes: float
    workers: int
    core_hour_dollars: float

    @property
    def core_hours(self) -> float | None:
        """Of everything; None where one rate is missing."""
        parts = [*(need.core_hours for need in self.needs), self.encode_hours, self.write_hours]
        return None if None in parts else sum(part for part in parts if part is not None)

    @property
    def wall_hours(self) -> float | None:
        """With all workers busy all the time."""
        return None if self.core_hours is None else self.core_hours / self.workers

    @property
    def dollars(self) -> float | None:
        """Of the cores; storage and traffic are not in it."""
        return None if self.core_hours is None else self.core_hours * self.core_hour_dollars


def estimate(tokens: float, shares: Mapping[str, float], facts: PlanRecipe, rates: Rates) -> Estimate:
    """Estimates what a mixture takes.

    Args:
        tokens: The budget.
        shares: Of each source, 0 to 1.
        facts: Of all these sources.
        rates: What was measured; may lack some.
    """
    needs = tuple(_need(name, share, tokens, facts.sources[name], rates) for name, share in shares.items())
    text = sum(need.text_bytes for need in needs)
    unique = sum(need.unique_tokens for need in needs)
    return Estimate(
        tokens,
        needs,
        _stage_hours(text, rates.encode),
        _stage_hours(tokens, rates.write),
        text * facts.parquet_bytes_per_byte,
        unique * BYTES_PER_TOKEN_ON_DISK,
        tokens * BYTES_PER_TOKEN_ON_DISK,
        facts.workers,
        facts.core_hour_dollars,
    )


def _need(name: str, share: float, tokens: float, facts: SourceFacts, rates: Rates) -> Need:
    rate = rates.sources.get(name)
    there = facts.units * facts.unit_megabytes * 1e6 * facts.text_per_raw / facts.bytes_per_token
    wanted = share * tokens / facts.paper.epochs
    is_short = wanted > there * TOLERANCE
    unique = there if is_short else wanted
    text = unique * facts.bytes_per_token
    raw = text / facts.text_per_raw
    return Need(
        source=name,
        share=share,
        epochs=share * tokens / unique,
        tokens=share * tokens,
        unique_tokens=unique,
        text_bytes=text,
        raw_bytes=raw,
        units=math.ceil(raw / (facts.unit_megabytes * 1e6) - 1e-6),
        is_short=is_short,
        core_hours=None if rate is None else raw * facts.read_per_raw / rate.read_per_second / SECONDS_PER_HOUR,
        peak_bytes=None if rate is None else rate.peak_bytes,
    )


def _stage_hours(amount: float, rate: StageRate | None) -> float | None:
    return None if rate is None else amount / rate.per_second / SECONDS_PER_HOUR


def with_own_yields(facts: PlanRecipe, own: Mapping[str, SourceRate]) -> dict[str, SourceFacts]:
    """The facts, with the yield of the user's own runs where there are some; a character is counted as one byte."""
    changed = {}
    for name, fact in facts.sources.items():
        rate = own.get(name)
        if rate is not None and rate.raw_bytes and rate.kept_characters:
            read, kept = rate.read_bytes / rate.raw_bytes, rate.kept_characters / rate.raw_bytes
            fact = replace(fact, read_per_raw=read, text_per_raw=kept)  # noqa: PLW2901
        changed[name] = fact
    return changed
