"""Arrow token shards to a LLaMA in training.

Needs torch, pyarrow, numpy, sentencepiece and PyYAML (safetensors for export); never Beam, and nothing else of ours.
Start with training.py and trainer.py; model.py knows nothing of parallelism, and parallel.py nothing of mathematics.
"""
