"""What can be wrong with a Parquet file of a corpus."""

from __future__ import annotations


class DamagedFile(Exception):
    """A Parquet file that cannot be read to its end; says why."""
