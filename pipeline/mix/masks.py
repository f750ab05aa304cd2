"""What the manifest of a set of token shards says of its loss mask: how many ids the loss is off for, and why.

An id whose loss is off is no target: no loss is taken where it would be predicted. It is still read, as what comes
before others. The column itself is ``loss_mask`` of a shard (see ``pipeline.mix.shards``); a shard without it has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.mix.shards import LOSS_MASK

Against = Sequence[Mapping[str, Any]]  # which evaluation sets the loss is off for, and how they were looked for


def mask_record(
    manifest: Mapping[str, Any],
    masked: Sequence[Sequence[int] | None],
    against: Against,
    earlier: Sequence[str],
) -> dict[str, Any] | None:
    """What a manifest has under ``loss_mask``; None where no shard has a mask.

    Args:
        manifest: The set's, for the names of its sources.
        masked: Of each shard the ids of each source for which the loss is off; None of one without a mask.
        against: Which evaluation sets the loss is off for.
        earlier: The fingerprints that the set had before its mask was written, or changed.
    """
    there = [counts for counts in masked if counts is not None]
    if not there:
        return None
    tokens = {name: sum(column) for name, column in zip(manifest["sources"], zip(*there, strict=True), strict=True)}
    return {"tokens": tokens, "against": list(against), "earlier": list(earlier)}


def mask_kept(manifest: Mapping[str, Any], masked: Sequence[Sequence[int] | None]) -> dict[str, Any]:
    """The record of a set whose rows changed, but not for its mask: ids counted again, the rest as it was."""
    then = manifest.get(LOSS_MASK) or {}
    record = mask_record(manifest, masked, then.get("against", ()), then.get("earlier", ()))
    return {} if record is None else {LOSS_MASK: record}


def masks_samples(manifest: Mapping[str, Any]) -> bool:
    """Whether the loss is off for other ids than those for which a template has it off: evaluation samples."""
    record = manifest.get(LOSS_MASK)
    return record is not None and (bool(record["against"]) or "template" not in manifest)


def fingerprints_before(manifest: Mapping[str, Any], *, now: str) -> list[str]:
    """All fingerprints that a set had before one, of which its manifest tells: before masks and before removals."""
    known = [one for key in ("optout", LOSS_MASK) for one in (manifest.get(key) or {}).get("earlier", ())]
    return [one for one in dict.fromkeys([*known, manifest["fingerprint"]]) if one != now]
