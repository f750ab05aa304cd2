"""The settings of SentencePiece's trainer: those that the released ``tokenizer.model`` of LLaMA states.

Sentences of more than ``max_sentence_length`` bytes would be ignored; :mod:`tokenizer.sample` leaves them out before,
and counts them.
"""

from __future__ import annotations

from typing import Any

VOCAB_SIZE = 32_000
# Stated by the released model, too (80 there). Pinned here as the model file names it: the same bytes on any machine.
THREADS = 16
MAX_SENTENCE_BYTES = 4192  # the released model's trainer: max_sentence_length; SentencePiece ignores longer lines


def settings(vocab_size: int = VOCAB_SIZE, soft_vocab_limit: bool = False) -> dict[str, Any]:
    """The trainer's settings: those of the released model.

    Args:
        vocab_size: Number of pieces.
        soft_vocab_limit: Take fewer where the sample does not support as many, in place of an error.
    """
    return {
        "model_type": "bpe",
        "vocab_size": vocab_size,
        "character_coverage": 0.99995,
        "input_sentence_size": 200_000_000,
        "shuffle_input_sentence": True,
        "max_sentence_length": MAX_SENTENCE_BYTES,
        "max_sentencepiece_length": 16,
        "split_by_unicode_script": True,
        "split_by_whitespace": True,
        "split_by_number": True,
        "split_digits": True,
        "allow_whitespace_only_pieces": True,
        "byte_fallback": True,
        "hard_vocab_limit": not soft_vocab_limit,
        "normalization_rule_name": "identity",
        "add_dummy_prefix": True,
        "remove_extra_whitespaces": False,
        "unk_id": 0,
        "bos_id": 1,
        "eos_id": 2,
        "pad_id": -1,
        "unk_surface": " ⁇ ",
        "num_threads": THREADS,
    }
