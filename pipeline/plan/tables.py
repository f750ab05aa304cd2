"""How tables of a plan look, and its figures in them."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.table import Table

LEAST_HOURS = 0.001


def titled(title: str) -> Table:
    """A table with a title, without lines between its columns."""
    return Table(
        title=title, title_justify="left", title_style="bold", header_style="bold", box=SIMPLE_HEAD, pad_edge=False
    )


def hours_text(hours: float | None) -> str:
    """Hours; ``unknown`` for None."""
    if hours is None:
        return "unknown"
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:.2g}" if hours >= LEAST_HOURS else f"< {LEAST_HOURS}"


def amount_text(count: float) -> str:
    """A number with three digits: 1.4T, 67.5B."""
    for unit, size in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("K", 1e3)):
        if count >= size:
            return f"{count / size:.3g}{unit}"
    return f"{count:.0f}"


def bytes_text(count: float) -> str:
    """A number of bytes with three digits: 3.3 TB."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count / 1e3:.3g} kB" if count >= 1e3 or not count else f"{count:,.0f} bytes"
