"""The run's SentencePiece model: text to ids and back, and how many bytes of text each id stands for."""

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
from numpy.typing import NDArray

from trainer_bridge.errors import TrainerError

NAME = "tokenizer.model"
SPACE = "▁"  # SentencePiece writes a space as U+2581


class Vocabulary:
    """A SentencePiece model read from a file."""

    def __init__(self, path: Path) -> None:
        """Reads the model; TrainerError where there is none."""
        if not path.is_file():
            raise TrainerError(f"no tokenizer {path}; give one with --tokenizer FILE")
        try:
            self.model: Any = sentencepiece.SentencePieceProcessor(model_file=str(path))
        except (OSError, RuntimeError) as error:
            raise TrainerError(f"{path} is no SentencePiece model: {error}") from error

    def encode(self, text: str) -> list[int]:
        """Ids of a text, begin-of-sequence first, as LLaMA reads a prompt."""
        return [self.model.bos_id(), *self.model.encode(text)]

    def decode(self, ids: list[int]) -> str:
        """Text of ids; control ids stand for nothing."""
        return str(self.model.decode([i for i in ids if not self.model.is_control(i)]))

    @cached_property
    def byte_counts(self) -> NDArray[np.int64]:
        """Bytes of UTF-8 that each id stands for [V]; 0 for control ids."""
        counts = [self._bytes(i) for i in range(self.model.get_piece_size())]
        return np.array(counts, np.int64)

    @cached_property
    def begins_with_space(self) -> NDArray[np.bool_]:
        """Which ids begin with a space [V], where the model puts one before each text that the text does not have."""
        pieces = [self.model.id_to_piece(i) for i in range(self.model.get_piece_size())]
        prefixed = self.model.encode("a", out_type=str)[0].startswith(SPACE)
        return np.array([prefixed and piece.startswith(SPACE) for piece in pieces])

    def _bytes(self, number: int) -> int:
        if self.model.is_control(number) or self.model.is_unknown(number):
            return 0
        if self.model.is_byte(number):
            return 1
        return len(self.model.id_to_piece(number).replace(SPACE, " ").encode())


def find_tokenizer(given: str | None, *folders: Path) -> Path | None:
    """The tokenizer named by the user, else the first ``tokenizer.model`` in the folders."""
    if given:
        return Path(given)
    return next((folder / NAME for folder in folders if (folder / NAME).is_file()), None)


def check_is(path: Path, sha256: str | None, whose: str) -> None:
    """Raises TrainerError where a tokenizer is another one than that of a model or of shards; None: not known."""
    if sha256 is not None and path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise TrainerError(f"{path} is not the tokenizer of {whose}: its SHA-256 is not {sha256}")
