"""The instructions source: published conversations and pairs to documents, exact dedup, and the steps between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from filters.instructions.split import estimated_tokens
from pipeline.corpus.document import Document, Refused
from pipeline.errors import ModelError
from pipeline.source import OfRecipe, Round
from pipeline.steps import Step
from pipeline.storage.filesystem import InputFile, file_sha256, local_model
from pipeline.units import Policy, Units
from sources.instructions.documents import META, DocumentMaker
from sources.instructions.formats.items import Format
from sources.instructions.formats.known import known_formats
from sources.instructions.reading import items_of, records_of
from sources.instructions.recipe import InstructionsRecipe
from sources.instructions.steps import CheckLength, CheckTurns, Clean, IdentifyLanguage

CONVERSATIONS, PREFERENCES = "conversations", "preferences"


@dataclass(frozen=True)
class _WholeDocument:
    """A document as one unit; of copies the first stays, in the order of the files' paths, as FastChat has it."""

    policy: Policy = "keep_first"
    unit_bytes: int = 512  # records have one to two kilobytes, and gzip makes a third of them

    def count(self, document: Document) -> int:
        """One."""
        return 1


@dataclass(frozen=True)
class TextDedup(_WholeDocument):
    """Conversations, and pairs, by all that is said in them, and by whom."""

    unit: str = "text"

    def hashes(self, document: Document) -> Units:
        """One hash."""
        meta = document.meta
        parts = [part for turn in meta["messages"] for part in (turn["role"], turn["content"])]
        parts += [meta["chosen"], meta["rejected"]] if meta.get("chosen") is not None else []
        said = "\0".join(parts).encode("utf-8", "surrogatepass")  # no turn holds a zero character
        return Units(np.array([xxhash.xxh3_64_intdigest(said)], np.uint64))

    def keep(self, document: Document, mask: npt.NDArray[Any]) -> str | None:
        """Drops the copies."""
        return None if mask.all() else "duplicate"


@dataclass(frozen=True)
class IdDedup(_WholeDocument):
    """Documents by their ids, which are those of the records where these have any."""

    unit: str = "id"

    def hashes(self, document: Document) -> Units:
        """One hash."""
        key = document.id.encode("utf-8", "surrogatepass")
        return Units(np.array([xxhash.xxh3_64_intdigest(key)], np.uint64))

    def keep(self, document: Document, mask: npt.NDArray[Any]) -> str | None:
        """Drops the others of one id."""
        return None if mask.all() else "duplicate_id"


@dataclass(frozen=True)
class Instructions(OfRecipe):
    """Published instruction data.

    Attributes:
        recipe: The source's choices.
        format: The format of all files; None to tell that of each by its records.
    """

    recipe: InstructionsRecipe
    format: str | None = None
    name: str = "instructions"
    meta: pa.StructType = META

    @property
    def dedup(self) -> TextDedup | IdDedup | None:
        """The last round of dedup."""
        if self.recipe.dedup.ids:
            return IdDedup()
        return TextDedup() if self.recipe.dedup.texts else None

    def earlier_rounds(self) -> list[Round]:
        """The dedup by text, before that by id: of the copies with one id, none is said to have another's id."""
        both = self.recipe.dedup.texts and self.recipe.dedup.ids
        return [Round(self._steps(), TextDedup(), "text_dedup")] if both else []

    def read(self, stream: BinaryIO, file: InputFile, counters: Counter[str]) -> Iterator[Document | Refused]:
        """Reads one file in any of the formats."""
        records = records_of(stream, self.recipe.max_record_megabytes << 20, counters)
        maker = DocumentMaker(self.recipe, self.name, file.path, self._count, counters)
        for dataset, offset, item in items_of(records, self._formats, self.format, file.path):
            yield from maker.documents(dataset, offset, item)

    @cached_property
    def _formats(self) -> dict[str, Format]:
        return known_formats(self.recipe)

    @cached_property
    def _count(self) -> Callable[[str], int]:
        """Counts the tokens of a text."""
        split = self.recipe.split
        if split.tokenizer is None or split.max_tokens is None:
            return partial(estimated_tokens, bytes_per_token=split.bytes_per_token)
        from tokenizer.encode import Encoder  # noqa: PLC0415 - SentencePiece, where it counts
        from tokenizer.errors import TokenizerError  # noqa: PLC0415

        try:
            encoder = Encoder(local_model(split.tokenizer, split.tokenizer_sha256))
        except TokenizerError as error:
            raise ModelError(f"the tokenizer cannot be used: {error}") from error
        return lambda text: len(encoder.encode(text))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if not name.startswith("_")}

    def _steps(self) -> list[Step]:
        return [CheckTurns(), Clean(), CheckLength()]

    def steps_before_dedup(self) -> list[Step]:
        """What a document says is what is compared; where a round comes before, it has these steps."""
        return [] if self.earlier_rounds() else self._steps()

    def steps_after_dedup(self) -> list[Step]:
        """Languages, in FastChat's order: behind its dedup. They are identified in one pass alone."""
        return [IdentifyLanguage(self.recipe.language)]

    def subset(self, document: Document) -> str:
        """Conversations, or pairs."""
        return CONVERSATIONS if document.meta.get("chosen") is None else PREFERENCES

    def describe(self) -> dict[str, Any]:
        """The format where it is given, the recipe, and the checksums of its models."""
        language, split = self.recipe.language, self.recipe.split
        used = [(language.model, language.sha256)]
        if split.max_tokens is not None:
            used.append((split.tokenizer, split.tokenizer_sha256))
            self._count("")
        sums = {name: file_sha256(local_model(name, sum_)) for name, sum_ in used if name is not None}
        return {"data_format": self.format, **super().describe(), "models": sums}
