"""``python -m pipeline.verify``: recomputes accounts from files, of a corpus and of token shards."""
