"""Starts and stops real Flink and Spark clusters on this machine: ``python -m tools.engines``. It needs no Beam."""
