"""Quotas: how many tokens each shard takes of each source, exact in every run of first shards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class ShardForm:
    """The form of the shards of a set.

    Attributes:
        rows: Rows of all shards.
        seq_len: Tokens predicted in a row.
        shard_rows: Rows of each shard but the last.
    """

    rows: int
    seq_len: int
    shard_rows: int

    @property
    def shards(self) -> int:
        """Number of shards."""
        return -(-self.rows // self.shard_rows)

    def rows_of(self, shard: int) -> int:
        """Rows of one shard."""
        return min(self.shard_rows, self.rows - shard * self.shard_rows)

    def ids_of(self, shard: int) -> int:
        """Ids of one shard: its rows overlap by one."""
        return self.rows_of(shard) * self.seq_len + 1

    @property
    def ids(self) -> int:
        """Ids of all shards."""
        return self.rows * self.seq_len + self.shards

    def drawn(self, sources: int) -> int:
        """Ids drawn for all shards.

        From each source a shard draws one more than it holds: a document of one id, its bos, is never begun at the end
        of a shard, since the next would begin it again. What is too much falls off the shard's end.
        """
        return self.ids + sources * self.shards


def cumulative_quotas(form: ShardForm, shares: Sequence[Fraction]) -> Iterator[list[int]]:
    """For each shard, how many ids of each source it and all shards before it draw, within one of the share.

    Args:
        form: The shards.
        shares: They sum to 1.
    """
    quotas, total = [0] * len(shares), 0
    for shard in range(form.shards):
        total += form.ids_of(shard) + len(shares)
        quotas = apportion(total, shares, quotas)
        yield quotas


def apportion(total: int, shares: Sequence[Fraction], least: Sequence[int]) -> list[int]:
    """Divides a whole number in proportion to the shares, by largest remainder; ties go to the first.

    Args:
        total: What is divided.
        shares: They sum to 1.
        least: What each share has at least: what was divided before.
    """
    wanted = [share * total for share in shares]
    parts = [max(int(want), low) for want, low in zip(wanted, least, strict=True)]
    by_remainder = sorted(range(len(shares)), key=lambda i: parts[i] - wanted[i])
    left = total - sum(parts)
    for i in by_remainder[:left] if left > 0 else []:
        parts[i] += 1
    for i in reversed(by_remainder):
        if left < 0 and parts[i] > least[i]:
            parts[i] -= 1
            left += 1
    return parts


def largest_form(seq_len: int, shard_rows: int, shares: Sequence[Fraction], limits: Sequence[int]) -> ShardForm:
    """The largest set of shards that draws from no source more than its limit; it may have no rows.

    Args:
        seq_len: Tokens of a row.
        shard_rows: Rows of a shard.
        shares: They sum to 1.
        limits: Most ids that may be drawn from each source.
    """

    def fits(rows: int) -> bool:
        drawn = ShardForm(rows, seq_len, shard_rows).drawn(len(shares))
        return all(drawn * share + 1 <= limit for share, limit in zip(shares, limits, strict=True))

    low, high = 0, 1 + min(int(limit / share) for limit, share in zip(limits, shares, strict=True)) // seq_len
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return ShardForm(low, seq_len, shard_rows)
