"""The buckets of perplexity: CCNet's cut-offs, and which bucket a document is in."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

Bucket = Literal["head", "middle", "tail", "all"]

# CCNet's published cut-offs (cc_net/data/cutoff.csv, rows 30 and 60), for its own models: a document is in the head
# below the first, in the middle below the second. There are none for sl, sr and sv.
CCNET_CUTOFFS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "en": (340.0, 520.0),
        "de": (370.0, 590.0),
        "fr": (180.0, 330.0),
        "es": (180.0, 290.0),
        "pt": (170.0, 270.0),
        "ca": (210.0, 330.0),
        "it": (220.0, 360.0),
        "ru": (210.0, 310.0),
        "pl": (160.0, 260.0),
        "nl": (430.0, 650.0),
        "uk": (140.0, 220.0),
        "bg": (450.0, 680.0),
        "cs": (820.0, 1140.0),
        "da": (380.0, 600.0),
        "hr": (720.0, 910.0),
        "hu": (80.0, 140.0),
        "ro": (180.0, 270.0),
    }
)
PERCENTILES = (30.0, 60.0)  # CCNet, PerplexityBucket: percentile_head, percentile_tail
LARGEST_COUNTED = 1e6  # so that counts by distinct value, of one decimal, have a bound


def bucket(perplexity: float | None, language: str, cutoffs: Mapping[str, tuple[float, float]]) -> Bucket:
    """Returns the bucket of a document.

    Args:
        perplexity: None for a document without one.
        language: its language.
        cutoffs: language -> (head below, middle below).

    Returns:
        ``head``, ``middle`` or ``tail``; ``all`` if the language has no cut-offs or the document no perplexity.
    """
    if perplexity is None or language not in cutoffs:
        return "all"
    head, middle = cutoffs[language]
    if perplexity < head:
        return "head"
    return "middle" if perplexity < middle else "tail"
