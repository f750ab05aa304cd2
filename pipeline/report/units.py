"""Numbers as people read them."""

from __future__ import annotations

_SIZES = (1e12, 1e9, 1e6, 1e3)
_COUNTS = ("T", "B", "M", "k")  # trillion, billion, million, thousand
_BYTES = ("TB", "GB", "MB", "kB")
_THIN = "\u202f"  # a narrow space that does not break


def short(value: float) -> str:
    """A count with three digits and a letter: 1,234,567 is 1.23 M, and a billion is 1 B, as tokens are counted."""
    return _short(value, _COUNTS, "")


def bytes_(value: float) -> str:
    """A size on disk, in powers of ten."""
    return _short(value, _BYTES, "B")


def _short(value: float, letters: tuple[str, ...], unit: str) -> str:
    for size, letter in zip(_SIZES, letters, strict=True):
        if abs(value) >= size * 0.9995:
            scaled = value / size
            return f"{scaled:,.0f}{_THIN}{letter}" if scaled >= 999.5 else f"{scaled:.3g}{_THIN}{letter}"
    text = f"{value:,.0f}" if value == int(value) else f"{value:.3g}"
    return f"{text}{_THIN}{unit}" if unit else text


def counted(count: int, what: str) -> str:
    """A count with what is counted, in the singular or the plural."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def share(value: float) -> str:
    """A share in per cent, with a digit more where it is small."""
    return f"{value:.1%}" if value >= 0.1 or value == 0 else f"{value:.2%}"


def seconds(value: float) -> str:
    """A time: seconds, minutes, or hours."""
    if value < 120:
        return f"{value:,.1f}\u202fs"
    return f"{value / 60:,.1f}\u202fmin" if value < 7200 else f"{value / 3600:,.1f}\u202fh"
