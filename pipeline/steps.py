"""The chain: documents pass through a source's steps in batches; each ends as kept, dropped, or failed.

A step sees a batch of documents, may change them in place, and answers with one reason (or None, to keep) for each.
"""

from __future__ import annotations

import time
import traceback
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar, runtime_checkable

from pipeline.corpus.document import Document, Refused, Reject
from pipeline.corpus.ledger import Ledger
from pipeline.errors import UserError
from pipeline.text import encodable

T = TypeVar("T")
Batch = tuple[list[Reject], list[Document]]  # what ended, step by step, and what stays

READ_STEP = "read"
BATCH_DOCUMENTS = 512
BATCH_CHARACTERS = 4 << 20
_NOT_THE_DOCUMENT = (UserError, OSError, MemoryError)  # what a step raises on behalf of the machine or the models


class Step(Protocol):
    """One step of a source: named by the paper's word for it.

    It may have an attribute ``keys``, the keys of the recipe that decide it, where its name does not say them.
    """

    name: str

    def load(self) -> None:
        """Loads models; called once per worker, before the first batch."""

    def apply(self, documents: Sequence[Document]) -> Sequence[str | None]:
        """Judges a batch, and may edit its documents.

        Returns:
            For each document the reason why it is dropped, or None where it stays.
        """


@runtime_checkable
class CountingStep(Step, Protocol):
    """A step with counters of its own in the ledger, such as those of its rules.

    It counts a batch once all of it is judged: where one raised, its documents come again, one by one.

    Attributes:
        counters: Set by the chain, to those of the step's account.
    """

    counters: Counter[str]


class EachDocument(ABC):
    """A base for steps that judge document by document, and load nothing unless they say so."""

    def load(self) -> None:  # noqa: B027 - may stay as it is
        """Nothing to load."""

    def apply(self, documents: Sequence[Document]) -> list[str | None]:
        """Judges each document of a batch."""
        return [self.judge(document) for document in documents]

    @abstractmethod
    def judge(self, document: Document) -> str | None:
        """Judges a document, and may edit it; gives the reason why it is dropped, or None where it stays."""


class DropShort(EachDocument):
    """A step that all sources share: drops documents with too little text (CCNet's min_len)."""

    name = "length"
    keys = "min_characters"

    def __init__(self, min_characters: int) -> None:
        self._minimum = min_characters

    def judge(self, document: Document) -> str | None:
        """Counts the characters of the text, which must not be white space alone; a title kept apart does not count."""
        text = document.text
        if len(text) < self._minimum:
            return "too_short"
        return "empty" if not text or text.isspace() else None


@dataclass(slots=True)
class Chain:
    """Runs steps over documents and keeps the books.

    Steps never meet a lone surrogate, which no tokenizer and no file can take: it is U+FFFD from the read step on.

    Attributes:
        steps: The steps, in order, loaded.
        ledger: Counts every document; holds a step from its first batch on.
        seconds: Time spent in each step, for the timing file.
    """

    steps: Sequence[Step]
    source: str
    ledger: Ledger = field(default_factory=Ledger)
    seconds: dict[str, float] = field(default_factory=dict)

    def run(self, items: Iterable[Document | Refused]) -> Iterator[Document | Reject]:
        """Passes records through the steps.

        Args:
            items: What the source's reader yields, in the order of the raw file.

        Yields:
            Each record once, in batches of the input's order: rejects, and kept documents.
        """
        for rejects, documents in self.batches(items):
            yield from rejects
            yield from documents

    def batches(self, items: Iterable[Document | Refused]) -> Iterator[Batch]:
        """The same, batch by batch. The accounts of its steps are opened at once."""
        self.ledger.step(READ_STEP)
        return self.go_on(map(self._read, batches(timed(items, self.seconds))))

    def go_on(self, passed: Iterable[Batch]) -> Iterator[Batch]:
        """Passes through its steps what has passed through others, whose accounts its ledger holds."""
        for step in self.steps:
            account = self.ledger.step(step.name)
            if isinstance(step, CountingStep):
                step.counters = account.counters
        return map(self._through, passed)

    def _through(self, batch: Batch) -> Batch:
        rejects, documents = batch
        for step in self.steps:
            documents, more = self._apply(step, documents)
            rejects += more
        return rejects, documents

    def _read(self, batch: Sequence[Document | Refused]) -> Batch:
        rejects = [self._refuse(item) for item in batch if isinstance(item, Refused)]
        documents = [item for item in batch if isinstance(item, Document)]
        self._count_read(documents)
        return rejects, documents

    def _refuse(self, refused: Refused) -> Reject:
        step = self.ledger.step(READ_STEP)
        step.entered.add(1, 0)
        (step.fail if refused.failed else step.drop)(refused.reason, 0)
        name = f"{refused.file.rsplit('/', 1)[-1]}@{refused.offset}{f'.{refused.number}' if refused.number else ''}"
        document = Document(name, refused.message, self.source, refused.file, refused.offset)
        return Reject(document, READ_STEP, refused.reason)

    def _count_read(self, documents: Sequence[Document]) -> None:
        step = self.ledger.step(READ_STEP)
        for number, document in enumerate(documents, step.left.documents):
            document.text = encodable(document.text)
            document.number = number
        characters = sum(len(d.text) for d in documents)
        step.entered.add(len(documents), characters)
        step.left.add(len(documents), characters)

    def _apply(self, step: Step, documents: list[Document]) -> tuple[list[Document], list[Reject]]:
        if not documents:
            return documents, []
        account = self.ledger.step(step.name)
        sizes = [len(d.text) for d in documents]
        account.entered.add(len(documents), sum(sizes))
        started = time.perf_counter()
        reasons, failures = _judge(step, documents)
        self.seconds[step.name] = self.seconds.get(step.name, 0.0) + time.perf_counter() - started
        kept, rejects = [], []
        for document, reason, size in zip(documents, reasons, sizes, strict=True):
            if reason is None:
                kept.append(document)
                continue
            if id(document) in failures:
                account.fail(reason, size)
            else:
                account.drop(reason, size)
            rejects.append(Reject(document, step.name, reason))
        account.left.add(len(kept), sum(len(d.text) for d in kept))
        return kept, rejects


def timed(items: Iterable[T], seconds: dict[str, float]) -> Iterator[T]:
    """The same items; the time that it takes to get them counts as that of reading."""
    iterator, spent = iter(items), 0.0
    while True:
        started = time.perf_counter()
        item = next(iterator, None)
        spent += time.perf_counter() - started
        if item is None:
            seconds[READ_STEP] = seconds.get(READ_STEP, 0.0) + spent
            return
        yield item


def _judge(step: Step, documents: Sequence[Document]) -> tuple[Sequence[str | None], set[int]]:
    """Applies a step to a batch; where that raises, to each document alone, so that only the culprit fails."""
    before = [(d.text, d.language, d.meta.copy()) for d in documents]
    try:
        return step.apply(documents), set()
    except _NOT_THE_DOCUMENT:
        raise
    except Exception:
        failures: set[int] = set()
        reasons: list[str | None] = []
        for document, (text, language, meta) in zip(documents, before, strict=True):
            document.text, document.language, document.meta = text, language, meta
            try:
                reasons += step.apply([document])
            except _NOT_THE_DOCUMENT:
                raise
            except Exception as error:
                failures.add(id(document))
                reasons.append(f"error_{type(error).__name__}")
                document.meta = {}  # it may hold what no column can
                document.text = encodable(f"{''.join(traceback.format_exception_only(error)).strip()}\n\n{text}")
        return reasons, failures


def batches(items: Iterable[Document | Refused]) -> Iterator[list[Document | Refused]]:
    """Groups records into batches of at most 512 records or about 4 million characters, all their fields counted."""
    batch: list[Document | Refused] = []
    weight = 0
    for item in items:
        batch.append(item)
        weight += item.weight if isinstance(item, Document) else len(item.message)
        if len(batch) >= BATCH_DOCUMENTS or weight >= BATCH_CHARACTERS:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch
