"""What lies on disk: documents, shards and their layout, sinks, ledgers, manifests."""
