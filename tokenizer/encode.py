"""Text to ids and back with any SentencePiece model: exactly the library's ids, many times faster for most models.

Where a model allows it (see ``why_units_are_not_independent``), a text is cut into units that encode independently, and
their ids come from a cache. Where something was compiled (:mod:`filters.native`), one loop does it all, and merges what
is not in the cache (:mod:`tokenizer.compiled`). Elsewhere the work is a few NumPy steps over all bytes and units of a
batch, and the library encodes units that are not there. Texts for other models are the library's.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
from numpy.typing import NDArray

from tokenizer.cache import PADDING, UnitCache
from tokenizer.compiled import CompiledEncoder
from tokenizer.cuts import ESCAPED, Cuts, find_cuts
from tokenizer.errors import TokenizerError
from tokenizer.model import (
    SPACE,
    library_spans,
    parse_model,
    why_units_are_not_independent,
    without_dummy_prefix,
)
from tokenizer.units import UnitEncoder, find_separator

CACHE_BYTES = 64 << 20
WINDOW = 1 << 17  # bytes cut at once: what is made of them fits the processor's cache
GROUP = 4 << 20  # bytes of texts that are joined, at least one text
SHORT = 400  # characters; for fewer a call of the library is faster, where nothing was compiled

_SURROGATES = re.compile("[\ud800-\udfff]")

Ids = NDArray[np.unsignedinteger[Any]]
Offsets = NDArray[np.int64]


class Encoder:
    """A SentencePiece model read from a file; ids are those of the library for every text.

    Lone surrogates, which UTF-8 cannot hold, count as U+FFFD. Pickled, it is its path: the model is loaded where it is
    first used. Use it from one thread at a time.

    Memory, beside the library's copy of the model: ``cache_bytes`` at most for the cache (but 0.2 MB at the least), and
    some 4 MB; for a batch its ids twice, and for its largest text twice its UTF-8, and 4 bytes an id. A word of
    megabytes without any place to cut takes some 32 times its size meanwhile (the library itself: 50 times), and 0.4
    seconds a megabyte. Where nothing was compiled, a batch takes twice its UTF-8, its ids, and some 10 MB, and such a
    word 20 times its size.

    Attributes:
        vocab_size: Number of ids.
        bos_id: Begin of sequence; -1 where the model has none.
        eos_id: End of sequence; -1 where the model has none.
        unk_id: The unknown piece.
        dtype: uint16 where all ids fit, else uint32.
        sha256: Checksum of the model file, in hex.
        is_fast: Whether the model has the property that the unit cache needs; else every text is the library's.
        why_not_fast: The reason in words; None where it is fast.
        adds_space_behind: Whether a text is encoded with a space behind it, not before it.
    """

    vocab_size: int
    bos_id: int
    eos_id: int
    unk_id: int
    dtype: type[np.uint16] | type[np.uint32]
    sha256: str
    is_fast: bool
    why_not_fast: str | None
    adds_space_behind: bool

    def __init__(self, model_path: str | Path, cache_bytes: int = CACHE_BYTES, *, use_compiled: bool = True) -> None:
        """Loads a model.

        Args:
            model_path: A SentencePiece model of any type.
            cache_bytes: Bound of the unit cache.
            use_compiled: Use the compiled loop, where it was compiled and knows the model; the ids are the same.

        Raises:
            TokenizerError: The file is missing, or no SentencePiece model.
        """
        self._path = Path(model_path)
        self._cache_bytes = cache_bytes
        self._use_compiled = use_compiled
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
            raise TokenizerError(f"{self._path} is no SentencePiece model, or a damaged one: {error}") from error
        self.sha256 = hashlib.sha256(content).hexdigest()
        self.vocab_size = self._processor.get_piece_size()
        self.bos_id, self.eos_id = self._processor.bos_id(), self._processor.eos_id()
        self.unk_id = self._processor.unk_id()
        self.dtype = np.uint16 if self.vocab_size <= 1 << 16 else np.uint32
        self._compiled: CompiledEncoder | None = None
        self._prepare_units(content)

    def _prepare_units(self, content: bytes) -> None:
        model = parse_model(content, self._path)
        cuts = find_cuts(model)
        self._removes_spaces = model.remove_extra_spaces
        self.adds_space_behind = model.space_as_suffix and model.add_dummy_prefix
        self.why_not_fast = why_units_are_not_independent(model)
        separator = None if self.why_not_fast else find_separator(self._processor, model, cuts)
        if separator is None:
            self.why_not_fast = self.why_not_fast or "all its control characters are in pieces"
            self.is_fast = False
            return
        self.is_fast = True
        self._prefix = b" " * model.add_dummy_prefix
        if self._use_compiled:
            self._compiled = CompiledEncoder.build(self._processor, model, cuts, self._cache_bytes)
            if self._compiled:
                return
        self._cuts: Cuts = cuts
        units = UnitEncoder(self._processor, model, separator, self.dtype)
        self._cache = UnitCache(self._cache_bytes, self.dtype, units)

    def __getstate__(self) -> tuple[Path, int, bool]:
        return self._path, self._cache_bytes, self._use_compiled

    def __setstate__(self, state: tuple[Path, int, bool]) -> None:
        self._path, self._cache_bytes, self._use_compiled = state

    def __getattr__(self, name: str) -> Any:
        """Loads the model of a pickled encoder when one of its attributes is first asked for."""
        if name.startswith("__") or "_path" not in self.__dict__ or "_processor" in self.__dict__:
            raise AttributeError(name)
        self._load()
        return getattr(self, name)

    def encode(self, text: str) -> Ids:
        """Ids of a text [T], without bos and eos."""
        if self._compiled:
            return self._compiled.encode([self._prepared(text)], self.dtype)[0]
        if len(text) < SHORT or not self.is_fast:
            return np.array(self._processor.encode(_utf8(text).decode()), self.dtype)
        return self._encode_joined([text])[0]

    def encode_batch(
        self,
        texts: Sequence[str],
        *,
        add_bos: bool = False,
        add_eos: bool = False,
        begins: Sequence[bool] | None = None,
    ) -> tuple[Ids, Offsets]:
        """Ids of many texts, one after the other.

        Args:
            texts: D texts.
            add_bos: Begin each text with ``bos_id``.
            add_eos: End each text with ``eos_id``.
            begins: Which of them begin as texts do [D], with the space that the model may put first; all where None. A
                text that does not is the continuation of another.

        Returns:
            All ids [T], and offsets [D + 1]: text d has the ids from ``offsets[d]`` to ``offsets[d + 1]``.

        Raises:
            TokenizerError: The model has no such id.
        """
        for wanted, number, name in ((add_bos, self.bos_id, "bos"), (add_eos, self.eos_id, "eos")):
            if wanted and number < 0:
                raise TokenizerError(f"the model {self._path} has no {name} id")
        ids, counts = self._encode_all(texts, [True] * len(texts) if begins is None else begins)
        offsets = np.zeros(len(texts) + 1, np.int64)
        np.cumsum(counts, out=offsets[1:])
        return self._framed(ids, offsets, add_bos, add_eos) if add_bos or add_eos else (ids, offsets)

    def _framed(self, ids: Ids, offsets: Offsets, add_bos: bool, add_eos: bool) -> tuple[Ids, Offsets]:
        """The same texts with bos before and eos after each."""
        framed_offsets = offsets + np.arange(len(offsets)) * (add_bos + add_eos)
        framed = np.empty(int(framed_offsets[-1]), self.dtype)
        is_text = np.ones(len(framed), np.bool_)
        for wanted, number, places in (
            (add_bos, self.bos_id, framed_offsets[:-1]),
            (add_eos, self.eos_id, framed_offsets[1:] - 1),
        ):
            if wanted:
                framed[places] = number
                is_text[places] = False
        framed[is_text] = ids
        return framed, framed_offsets

    def _encode_all(self, texts: Sequence[str], begins: Sequence[bool]) -> tuple[Ids, Offsets]:
        """Ids of texts [T], and how many each has [D]."""
        if self._compiled:
            return self._compiled.encode(map(self._prepared, texts, begins), self.dtype)
        encode = self._encode_joined if self.is_fast else self._encode_plainly
        encoded = [encode(texts[group], begins[group]) for group in _groups(texts)]
        if not encoded:
            return np.empty(0, self.dtype), np.empty(0, np.int64)
        return np.concatenate([ids for ids, _ in encoded]), np.concatenate([counts for _, counts in encoded])

    def _encode_plainly(self, texts: Sequence[str], begins: Sequence[bool]) -> tuple[Ids, Offsets]:
        encoded = [
            np.array(self._library(text, begin).encode(_utf8(text).decode()), self.dtype)
            for text, begin in zip(texts, begins, strict=True)
        ]
        return np.concatenate(encoded), np.array([len(ids) for ids in encoded], np.int64)

    def _library(self, text: str, begins: bool) -> Any:
        """The model by the library, for a text; one that removes spaces puts its own for that before a continuation."""
        return self._processor if begins or (self._removes_spaces and text[:1].isspace()) else self._continues

    @cached_property
    def _continues(self) -> Any:
        """The model by the library, without the space that it may put first."""
        processor: Any = sentencepiece.SentencePieceProcessor()
        processor.LoadFromSerializedProto(without_dummy_prefix(self._processor.serialized_model_proto()))
        return processor

    def _prepared(self, text: str, begins: bool = True) -> bytes:
        """The bytes of a text that are cut into units."""
        content = _utf8(text).replace(ESCAPED, b" ")
        return self._prefix + content if content and begins else content

    def _encode_joined(self, texts: Sequence[str], begins: Sequence[bool] = (True,)) -> tuple[Ids, Offsets]:
        """Ids of texts [T], and how many each has [D]."""
        encoded = [self._prepared(text, begin) for text, begin in zip(texts, begins, strict=True)]
        limits = np.zeros(len(texts) + 1, np.int64)
        np.cumsum([len(text) for text in encoded], out=limits[1:])
        joined = b"".join([*encoded, bytes(PADDING)])
        parts, totals, at, total = [], np.zeros(len(limits), np.int64), 0, 0
        while at < limits[-1]:
            starts, lengths = self._units(joined, at, limits)
            end = at + int(starts[-1] + lengths[-1])
            ids, counts = self._cache.ids(np.frombuffer(joined, np.uint8)[at : end + PADDING], starts, lengths)
            parts.append(ids)
            begun = slice(*np.searchsorted(limits, (at, end)))
            before = np.concatenate(([0], np.cumsum(counts)))
            totals[begun] = total + before[np.searchsorted(starts, limits[begun] - at)]
            total, at = total + len(ids), end
        totals[np.searchsorted(limits, at) :] = total
        return np.concatenate(parts) if parts else np.empty(0, self.dtype), np.diff(totals)

    def _units(self, joined: bytes, at: int, limits: Offsets) -> tuple[Offsets, Offsets]:
        """Starts, counted from ``at``, and lengths of the whole units in the next window, of one at the least."""
        size = most = min(WINDOW, self._cache.most_units)
        while True:
            end = min(at + size, int(limits[-1]))
            first, last = np.searchsorted(limits, (at, end))
            starts = self._cuts.starts(joined[at:end], limits[first:last] - at)
            if size > most and len(starts) > 1:  # the first one is larger than a window: it goes by itself
                return starts[:1], starts[1:2]
            if end == limits[-1]:
                return starts, np.diff(starts, append=end - at)
            if len(starts) > 1:  # the last one may go on after the window
                return starts[:-1], np.diff(starts)
            size *= 2

    def spans(self, text: str, *, begins: bool = True) -> tuple[Ids, Offsets]:
        """Ids of a text [T], and the characters that each stands for, as the library tells them: [T, 2], first and end.

        The bytes of one character stand for that character each, and so do the pieces of one that the model rewrites. A
        space that the model adds to a text stands for nothing. It takes some 3 seconds a megabyte.

        Args:
            text: The text.
            begins: Whether it begins as texts do (see ``encode_batch``).
        """
        content = _utf8(text)
        processor = self._library(text, begins)
        pieces = library_spans(processor.encode(content.decode(), out_type="serialized_proto"))
        ids, bounds = pieces[:, 0], pieces[:, 1:]
        for at in range(len(ids) - 2, -1, -1):  # of the pieces of one character, the last one alone has its span
            if bounds[at, 0] == bounds[at, 1] and self._processor.id_to_piece(int(ids[at])) != SPACE:
                bounds[at] = bounds[at + 1]
        begins = (np.frombuffer(content, np.uint8) & 0xC0) != 0x80
        characters = np.concatenate(([0], np.cumsum(begins)))
        return ids.astype(self.dtype), characters[bounds]

    def decode(self, ids: Sequence[int] | NDArray[Any]) -> str:
        """Text of ids; control ids stand for nothing."""
        numbers = np.asarray(ids, np.int64).tolist()
        return str(self._processor.decode([i for i in numbers if not self._processor.is_control(i)]))


def _groups(texts: Sequence[str]) -> Iterator[slice]:
    begin = characters = 0
    for number, text in enumerate(texts):
        if characters and characters + len(text) > GROUP:
            yield slice(begin, number)
            begin, characters = number, 0
        characters += len(text)
    if begin < len(texts):
        yield slice(begin, len(texts))


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _SURROGATES.sub("\ufffd", text).encode()
