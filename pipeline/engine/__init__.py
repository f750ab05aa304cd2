"""What runs: planning, the Beam graph, workers, dedup, progress, the command line and the summary."""
