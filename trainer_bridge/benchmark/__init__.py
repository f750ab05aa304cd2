"""The papers' evaluations: lm-evaluation-harness on our own model class and encoder (extra ``[evaluation]``).

``python -m trainer_bridge.benchmark RUN --tasks llama1``; :mod:`trainer_bridge.benchmark.evaluation` from Python.
"""
