"""Text to ids and back with any SentencePiece model: exactly the library's ids."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
from numpy.typing import NDArray

from tokenizer.errors import TokenizerError

CACHE_BYTES = 64 << 20
_SURROGATES = re.compile("[\ud800-\udfff]")

Ids = NDArray[np.uint16] | NDArray[np.uint32]


class Encoder:
    """A SentencePiece model read from a file; ids are those of the library for every text.

    Lone surrogates, which UTF-8 cannot hold, count as U+FFFD. Pickled, it is its path: the model is loaded where it is
    first used.

    Attributes:
        vocab_size: Number of ids.
        bos_id: Begin of sequence; -1 where the model has none.
        eos_id: End of sequence; -1 where the model has none.
        unk_id: The unknown piece.
        dtype: uint16 where all ids fit, else uint32.
        sha256: Checksum of the model file, in hex.
        is_fast: Whether the model has the property that the unit cache needs; else every call is the library's.
    """

    vocab_size: int
    bos_id: int
    eos_id: int
    unk_id: int
    dtype: type[np.uint16] | type[np.uint32]
    sha256: str
    is_fast: bool

    def __init__(self, model_path: str | Path, cache_bytes: int = CACHE_BYTES) -> None:
        """Loads a model.

        Args:
            model_path: A SentencePiece model of any type.
            cache_bytes: Bound of the unit cache.

        Raises:
            TokenizerError: The file is missing, or no SentencePiece model.
        """
        self._path = Path(model_path)
        self._cache_bytes = cache_bytes
        self._load()

    def _load(self) -> None:
        try:
            content = self._path.read_bytes()
        except OSError as error:
            raise TokenizerError(f"cannot read the tokenizer model {self._path}: {error.strerror}") from error
        self._processor: Any = sentencepiece.SentencePieceProcessor()
        try:
            self._processor.LoadFromSerializedProto(content)
        except (RuntimeError, OSError, ValueError) as error:
            raise TokenizerError(f"{self._path} is no SentencePiece model: {error}") from error
        self.sha256 = hashlib.sha256(content).hexdigest()
        self.vocab_size = self._processor.get_piece_size()
        self.bos_id, self.eos_id = self._processor.bos_id(), self._processor.eos_id()
        self.unk_id = self._processor.unk_id()
        self.dtype = np.uint16 if self.vocab_size <= 1 << 16 else np.uint32
        self.is_fast = False

    def __getstate__(self) -> tuple[Path, int]:
        return self._path, self._cache_bytes

    def __setstate__(self, state: tuple[Path, int]) -> None:
        self._path, self._cache_bytes = state

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "_path" not in self.__dict__ or "_processor" in self.__dict__:
            raise AttributeError(name)
        self._load()
        return getattr(self, name)

    def encode(self, text: str) -> Ids:
        """Ids of a text [T], without bos and eos."""
        return np.array(self._processor.encode(_encodable(text)), self.dtype)

    def encode_batch(
        self, texts: Sequence[str], *, add_bos: bool = False, add_eos: bool = False
    ) -> tuple[Ids, NDArray[np.int64]]:
        """Ids of many texts, one after the other.

        Args:
            texts: D texts.
            add_bos: Begin each text with ``bos_id``.
            add_eos: End each text with ``eos_id``.

        Returns:
            All ids [T], and offsets [D + 1]: text d has the ids from ``offsets[d]`` to ``offsets[d + 1]``.

        Raises:
            TokenizerError: The model has no such id.
        """
        for wanted, number, name in ((add_bos, self.bos_id, "bos"), (add_eos, self.eos_id, "eos")):
            if wanted and number < 0:
                raise TokenizerError(f"the model {self._path} has no {name} id")
        begin = np.array([self.bos_id] * add_bos, self.dtype)
        end = np.array([self.eos_id] * add_eos, self.dtype)
        parts = [part for text in texts for part in (begin, self.encode(text), end)]
        offsets = np.zeros(len(texts) + 1, np.int64)
        lengths = np.array([len(part) for part in parts], np.int64).reshape(-1, 3).sum(axis=1)
        np.cumsum(lengths, out=offsets[1:])
        return (np.concatenate(parts) if parts else begin[:0]), offsets

    def decode(self, ids: Sequence[int] | NDArray[Any]) -> str:
        """Text of ids; control ids stand for nothing."""
        numbers = np.asarray(ids, np.int64).tolist()
        return str(self._processor.decode([i for i in numbers if not self._processor.is_control(i)]))


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATES.sub("\ufffd", text)
    return text
