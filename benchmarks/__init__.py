"""What measures speed and memory; never a timed test. Figures and their commands are in benchmarks/README.md."""
