"""A SentencePiece model file: the pieces and settings that the library does not tell.

The file is a protobuf message (``sentencepiece_model.proto``, numbers of fields below). The library ships a reader of
its own for Python, which works with one version of protobuf only; a dozen fields do not need it.
"""

from __future__ import annotations

import struct
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tokenizer.errors import TokenizerError

SPACE = "▁"  # SentencePiece writes a space as U+2581

# sentencepiece_model.proto: ModelProto, SentencePiece, TrainerSpec, NormalizerSpec
PIECES, TRAINER, NORMALIZER = 1, 2, 3
PIECE, SCORE, KIND = 1, 2, 3
MODEL_TYPE, SUFFIX, BYTE_FALLBACK = 3, 24, 35
CHARSMAP, DUMMY_PREFIX, REMOVE_EXTRA_SPACES, ESCAPE_SPACES = 2, 3, 4, 5

# sentencepiece.proto: SentencePieceText and its pieces
TEXT_PIECES, TEXT_ID, TEXT_BEGIN, TEXT_END = 2, 2, 4, 5

# ModelProto.SentencePiece.Type, TrainerSpec.ModelType
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, BYTE, UNUSED = 1, 2, 3, 4, 6, 5
MODEL_TYPES = {1: "unigram", 2: "bpe", 3: "word", 4: "char"}

Value = int | bytes


@dataclass(frozen=True)
class ModelFile:
    """What a model is made of.

    Attributes:
        pieces: By id, spaces written as ``SPACE``.
        kinds: By id, one of ``NORMAL`` ... ``UNUSED``.
        scores: By id; of two merges a BPE model takes first the one to the piece with the higher score.
        model_type: ``unigram``, ``bpe``, ``word`` or ``char``.
        byte_fallback: Whether unknown characters become the ids of their bytes.
        space_as_suffix: Whether a space belongs to the word before it.
        normalizes: Whether characters are rewritten first, as by NFKC.
        add_dummy_prefix: Whether a text is encoded with a space before it.
        remove_extra_spaces: Whether runs of spaces are one, and those at the ends none.
        escape_spaces: Whether a space is written as ``SPACE`` at all.
    """

    pieces: tuple[str, ...]
    kinds: tuple[int, ...]
    scores: tuple[float, ...]
    model_type: str
    byte_fallback: bool
    space_as_suffix: bool
    normalizes: bool
    add_dummy_prefix: bool
    remove_extra_spaces: bool
    escape_spaces: bool


def parse_model(content: bytes, path: Path) -> ModelFile:
    """Reads a model.

    Args:
        content: The file.
        path: Its name, for errors.

    Raises:
        TokenizerError: It is no SentencePiece model.
    """
    try:
        fields = list(_fields(content))
        pieces = [dict(_fields(_nested(value))) for number, value in fields if number == PIECES]
        trainer = dict(field for number, value in fields if number == TRAINER for field in _fields(_nested(value)))
        normalizer = dict(f for number, value in fields if number == NORMALIZER for f in _fields(_nested(value)))
        if not trainer or not normalizer:  # they are written after the pieces
            raise IndexError("it has no settings of its trainer; the file may be cut short")
        return ModelFile(
            pieces=tuple(_nested(piece.get(PIECE, b"")).decode() for piece in pieces),
            kinds=tuple(_number(piece.get(KIND, NORMAL)) for piece in pieces),
            scores=tuple(struct.unpack("<f", _nested(piece.get(SCORE, bytes(4))))[0] for piece in pieces),
            model_type=MODEL_TYPES.get(_number(trainer.get(MODEL_TYPE, 1)), "unknown"),
            byte_fallback=bool(trainer.get(BYTE_FALLBACK, 0)),
            space_as_suffix=bool(trainer.get(SUFFIX, 0)),
            normalizes=bool(normalizer.get(CHARSMAP, b"")),
            add_dummy_prefix=bool(normalizer.get(DUMMY_PREFIX, 1)),
            remove_extra_spaces=bool(normalizer.get(REMOVE_EXTRA_SPACES, 1)),
            escape_spaces=bool(normalizer.get(ESCAPE_SPACES, 1)),
        )
    except (IndexError, struct.error, UnicodeDecodeError, TypeError) as error:
        raise TokenizerError(f"{path} is no SentencePiece model: {error}") from error


def without_dummy_prefix(content: bytes) -> bytes:
    """The same model, but that no space is put before a text: a setting that comes later in a message replaces one."""
    settings = bytes((DUMMY_PREFIX << 3, 0))
    return content + bytes((NORMALIZER << 3 | 2, len(settings))) + settings


def library_spans(message: bytes) -> NDArray[np.int64]:
    """Id, first byte and end of each piece [T, 3], out of the library's ``SentencePieceText``."""
    pieces = (dict(_fields(_nested(value))) for number, value in _fields(message) if number == TEXT_PIECES)
    numbers = (_number(piece.get(field, 0)) for piece in pieces for field in (TEXT_ID, TEXT_BEGIN, TEXT_END))
    return np.fromiter(numbers, np.int64).reshape(-1, 3)


def oddity(model: ModelFile, types: Container[str]) -> str | None:
    """What sets a model apart from those whose pieces, put together, are the text; None where nothing does.

    Args:
        model: The model.
        types: The types of models that will do.
    """
    kinds = set(model.kinds)
    causes = {
        f"it is a {model.model_type} model": model.model_type not in types,
        "its normaliser rewrites characters": model.normalizes,
        "its normaliser removes spaces": model.remove_extra_spaces,
        "it does not escape spaces": not model.escape_spaces,
        "its spaces are suffixes": model.space_as_suffix,
        "it has user-defined pieces": USER_DEFINED in kinds,
        "it has unused pieces": UNUSED in kinds,
    }
    return next((cause for cause, holds in causes.items() if holds), None)


def why_units_are_not_independent(model: ModelFile) -> str | None:
    """Why the ids of a text cannot be put together from those of its words, or None where they can.

    They can where each character stands for itself (no rewriting, no unknown pieces that fuse), all pieces come from
    merges (no user-defined symbols, which are found first; no unused pieces, which are taken apart again by what the
    whole text last merged), and no piece reaches over a space.
    """
    if odd := oddity(model, ("bpe",)):
        return odd
    if not model.byte_fallback:
        return "it has no byte fallback"
    normal = (piece for piece, kind in zip(model.pieces, model.kinds, strict=True) if kind == NORMAL)
    reaches = any(SPACE in piece.lstrip(SPACE) for piece in normal)
    return "a piece holds a space after another character" if reaches else None


def _fields(message: bytes) -> Iterator[tuple[int, Value]]:
    """Numbers and values of a message's fields (protobuf's wire format)."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        value: Value
        if kind == 0:
            value, at = _varint(message, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            value, at = message[at : at + size], at + size
        elif kind == 2:
            size, at = _varint(message, at)
            value, at = message[at : at + size], at + size
        else:
            raise TypeError(f"field {key >> 3} has the wire type {kind}")
        if at > len(message):
            raise IndexError("the file ends within a field")
        yield key >> 3, value


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _nested(value: Value) -> bytes:
    if isinstance(value, bytes):
        return value
    raise TypeError("a message was expected where a number is")


def _number(value: Value) -> int:
    if isinstance(value, int):
        return value
    raise TypeError("a number was expected where a message is")
