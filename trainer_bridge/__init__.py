"""Arrow token shards to a LLaMA in training. Needs torch, pyarrow, numpy and sentencepiece; never Beam."""
