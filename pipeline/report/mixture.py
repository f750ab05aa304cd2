"""The shares of a mixture, from the manifest of its token shards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.report.units import short


@dataclass(frozen=True)
class Share:
    """One source of a mixture.

    Attributes:
        source: Its name.
        asked: The share asked for, from 0 to 1.
        reached: The share reached.
        unique: Its unique tokens that training may draw.
        drawn: The tokens drawn from it.
        epochs: How often it is seen.
        text_bytes: Bytes of all its text in the corpus.
        heldout: Its tokens that are kept out of training: those held out, and their copies.
    """

    source: str
    asked: float | None
    reached: float | None
    unique: int | None
    drawn: int | None
    epochs: float | None
    text_bytes: int | None = None
    heldout: int = 0

    @property
    def tokens(self) -> int:
        """All its tokens."""
        return (self.unique or 0) + self.heldout

    @property
    def bytes_per_token(self) -> float | None:
        """Bytes of all its text, for each token of that."""
        return self.text_bytes / self.tokens if self.text_bytes and self.tokens else None


def shares_of(manifest: Mapping[str, Any]) -> list[Share]:
    """The sources of a mixture, in the manifest's order; none where it has no accounts of them.

    Args:
        manifest: The manifest.
    """
    return [
        Share(
            str(name),
            entry.get("share_asked"),
            entry.get("share_reached"),
            entry.get("unique_tokens"),
            entry.get("tokens"),
            entry.get("epochs"),
            (entry.get("corpus") or {}).get("text_bytes"),
            entry.get("kept_out_tokens") or 0,
        )
        for name, entry in dict(manifest.get("mixture") or {}).items()
    ]


def facts_of(manifest: Mapping[str, Any], shares: list[Share]) -> list[tuple[str, str]]:
    """A few figures of a mixture, each with its name."""
    found = [
        ("token shards", len(manifest.get("shards") or ())),
        ("sequences", manifest.get("rows")),
        ("tokens each", manifest.get("seq_len")),
        ("vocabulary", manifest.get("vocab_size")),
        ("seed", manifest.get("seed")),
    ]
    facts = [("tokens drawn", short(sum(s.drawn or 0 for s in shares)))]
    facts.append(("unique tokens", short(sum(s.unique or 0 for s in shares))))
    facts += [(name, f"{value:,}") for name, value in found if isinstance(value, int)]
    for key, name in (("share_error", "shares off by"), ("prefix_error", "after any row, from a hundredth on")):
        if isinstance(manifest.get(key), float):
            facts.append((name, f"{manifest[key]:.4%}"))
    return facts
