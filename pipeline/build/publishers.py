"""Who has raw data, by the names that recipes use: the commands of ``sources.publishers``, and the user himself."""

from __future__ import annotations

HOMES = {  # where a publisher's keys say nothing else
    "commoncrawl": "https://data.commoncrawl.org/",
    "wikimedia": "https://dumps.wikimedia.org/, else https://archive.org/",
    "gutenberg": "https://gutenberg.pglaf.org/",
    "arxiv": "s3://arxiv/",
    "stackexchange": "https://archive.org/",
}
FILES = "files"  # the publisher of what the user has already, or what a store lists by itself
PUBLISHERS = (FILES, *HOMES)
