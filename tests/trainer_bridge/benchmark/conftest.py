"""A small run with a tokenizer, for the tests of this folder. Most are skipped without lm-evaluation-harness."""

import hashlib
import shutil
from pathlib import Path

import pytest

from tests.tokenizer.models import train
from tests.trainer_bridge import runs

VOCAB = 600
SHAPE = {"dim": 32, "layers": 2, "heads": 4, "kv_heads": 2, "vocab_size": VOCAB, "ffn_hidden": 64, "context": 96}


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory) -> Path:
    """Without pieces of single bytes: what is no UTF-8 is decoded otherwise by SentencePiece and by Hugging Face."""
    return train(tmp_path_factory.mktemp("tokenizer") / "tokenizer.model", "no_byte_fallback", VOCAB)


@pytest.fixture(scope="session")
def trained(tmp_path_factory, tokenizer) -> Path:
    """A run of few steps, whose weights are large enough that texts differ."""
    root = tmp_path_factory.mktemp("trained")
    digest = hashlib.sha256(tokenizer.read_bytes()).hexdigest()
    data = runs.shards(root / "data", vocab=VOCAB, tokenizer_sha256=digest)
    runs.train(data, root / "run", model={**SHAPE, "init_std": 0.3}, run={"steps": 2})
    shutil.copyfile(tokenizer, root / "run" / "tokenizer.model")
    return root / "run"
