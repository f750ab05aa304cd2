"""C4's form of a URL, and what its MD5 decides: which page keeps a repeated line, which pages are for validation.

Reference: TensorFlow Datasets ``text/c4_utils.py`` (``normalize_url``, ``_hash_text``, ``get_hashed_url_filter_fn``)
and ``text/c4.py`` (``_split_generators``).
"""

from __future__ import annotations

import re
from hashlib import md5  # C4's choice of a hash, not a safeguard

VALIDATION_SHARE = 1000  # one page of so many is for validation

_SCHEME = re.compile(r"https?://(?:www\.)?")
_TRACKING = re.compile(r"\?(?:utm_|ref|feed).*")


def normalize_c4_url(url: str) -> str:
    """The form under which C4 takes two addresses for one page.

    Gone are ``http://`` and ``https://``, each with ``www.`` if it follows, wherever they stand; a query that begins
    with ``utm_``, ``ref`` or ``feed``; and slashes at the end. Case, fragments and other queries stay.
    """
    return _TRACKING.sub("", _SCHEME.sub("", url)).rstrip("/")


def is_validation(normalized_url: str) -> bool:
    """Whether the page belongs to the validation split: the MD5 of its normalised URL is divisible by 1,000."""
    return int.from_bytes(_digest(normalized_url), "big") % VALIDATION_SHARE == 0


def url_rank(url: str) -> int:
    """The rank of a page among those that share a line: the smallest keeps it.

    Args:
        url: The address as the crawl gives it, not normalised.

    Returns:
        The first 64 bits of its MD5; C4 compares the whole digest.
    """
    return int.from_bytes(_digest(url)[:8], "big")


def _digest(url: str) -> bytes:
    return md5(url.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()
