"""What every source shares: documents, shards, readers, sinks, dedup, resume, manifest and the command line."""
