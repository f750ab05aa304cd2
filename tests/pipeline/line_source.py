"""A small but real source for the tests: text files, documents parted by an empty line, lines as units of dedup.

A document that begins with ``#damaged`` is a failed record, one with ``#comment`` a dropped one. ``LINE_SOURCE_PAUSE``
in the environment makes it slow, so that a test can kill it at work.
"""

import hashlib
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.corpus.document import Document, Refused
from pipeline.corpus.sink import RejectPolicy
from pipeline.source import OfRecipe
from pipeline.steps import Step
from pipeline.storage.filesystem import InputFile
from pipeline.units import Policy, Units

META = pa.struct([("kept_lines", pa.int32()), ("line_numbers", pa.list_(pa.int32()))])


@dataclass(frozen=True)
class LineRecipe:
    min_characters: int = 0
    dedup: Literal["off", "drop_all", "keep_first", "keep_smallest"] = "drop_all"
    scope: Literal["files", "all"] = "files"
    scope_files: int = 2
    bad_word: str = "bad"
    rejects: RejectPolicy = field(default_factory=RejectPolicy)
    optout: str | None = None


def pause() -> None:
    time.sleep(float(os.environ.get("LINE_SOURCE_PAUSE", "0")))


class DropShort:
    name = "length"

    def __init__(self, minimum: int) -> None:
        self._minimum = minimum

    def load(self) -> None:
        pass

    def apply(self, documents: Sequence[Document]) -> list[str | None]:
        return ["too_short" if len(d.text) < self._minimum else None for d in documents]


class DropBadWords:
    name = "words"

    def __init__(self, word: str) -> None:
        self._word = word
        self._loaded = False

    def load(self) -> None:
        self._loaded = True

    def apply(self, documents: Sequence[Document]) -> list[str | None]:
        assert self._loaded
        return [self._one(document) for document in documents]

    def _one(self, document: Document) -> str | None:
        pause()
        words = document.text.split()
        if "crash" in words:
            raise ValueError(f"cannot judge {document.text[:20]!r}")
        return "bad_word" if self._word in words else None


@dataclass(frozen=True)
class LineDedup:
    policy: Policy
    unit: str = "line"
    unit_bytes: int = 24

    def hashes(self, document: Document) -> Units:
        digests = [hashlib.sha1(line.encode()).digest()[:8] for line in document.text.split("\n")]
        return Units(np.frombuffer(b"".join(digests), "<u8"), len(document.text))

    def count(self, document: Document) -> int:
        return document.text.count("\n") + 1

    def keep(self, document: Document, mask: npt.NDArray[Any]) -> str | None:
        numbers = np.flatnonzero(mask)
        document.meta = {"kept_lines": len(numbers), "line_numbers": numbers}
        document.text = "\n".join(compress(document.text.split("\n"), mask.tolist()))
        return None if len(numbers) else "no_line_left"


@dataclass(frozen=True)
class LineSource(OfRecipe):
    recipe: LineRecipe = LineRecipe()
    name: str = "lines"
    meta: pa.StructType = META

    @property
    def dedup(self) -> LineDedup | None:
        return None if self.recipe.dedup == "off" else LineDedup(self.recipe.dedup)

    def read(self, stream: BinaryIO, file: InputFile, counters: Counter[str]) -> Iterator[Document | Refused]:
        path, offset = file.path, file.start
        for raw in stream.read().split(b"\n\n"):
            pause()
            text = raw.decode(errors="surrogateescape").strip("\n")
            name = "/".join(Path(path).parts[-2:])
            if text.startswith("#damaged"):
                yield Refused("damaged", f"damaged at {offset}", path, offset)
            elif text.startswith("#comment"):
                yield Refused("comment", "only a comment", path, offset, failed=False)
            else:
                counters["text_bytes"] += len(raw)
                yield Document(f"{name}@{offset}", text, self.name, path, offset)
            offset += len(raw) + 2

    def steps_before_dedup(self) -> list[Step]:
        return [DropShort(self.recipe.min_characters)]

    def steps_after_dedup(self) -> list[Step]:
        return [DropBadWords(self.recipe.bad_word)]

    def subset(self, document: Document) -> str:
        return "long" if "\n" in document.text else "short"
