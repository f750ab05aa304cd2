"""Slices of one array put one after the other, without a loop."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def ragged_indices(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Indices [sum of lengths] of the slices that begin at ``starts`` [S] and have ``lengths`` [S]."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    indices = np.repeat(starts - (ends - lengths), lengths)
    indices += np.arange(total)
    return indices


def ragged_take(source: NDArray[Any], starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[Any]:
    """The slices of ``source`` that begin at ``starts`` [S] and have ``lengths`` [S], one after the other."""
    return source.take(ragged_indices(starts, lengths))
