"""Batches from shards: which samples a rank takes at a step, and how they reach its device.

There are no worker processes: one thread copies rows from the page cache into a pinned buffer while the
    device computes. It reads some micro-batches at a time: one alone is too little to hand from thread to thread.
"""

import queue
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer_bridge.config import DataConfig
from trainer_bridge.errors import TrainerError
from trainer_bridge.loss import IGNORE
from trainer_bridge.order import Order
from trainer_bridge.shards import Segments, ShardReader

STRETCH = 4096  # samples whose order is computed at one time: NumPy costs little more for 4,096 than for 4
AHEAD = 2  # pieces read before they are asked for: one in transfer, one being filled
PIECE_IDS = (
    1 << 16
)  # ids of a piece, which is some micro-batches, at least one; larger ones leave the processor's cache


@dataclass(frozen=True)
class Batch:
    """Some samples, on the host.

    Attributes:
        rows: row number of each sample [B].
        ids: [B, T + 1]; inputs are all but the last, targets all but the first.
        segments: the documents in each sample.
    """

    rows: NDArray[np.int64]
    ids: NDArray[np.int32]
    segments: Segments

    @cached_property
    def _lengths(self) -> NDArray[np.int64]:
        """Ids of each segment."""
        ends = np.append(self.segments.starts[1:], 0)
        ends[np.cumsum(self.segments.counts) - 1] = self.ids.shape[1]
        return ends - self.segments.starts

    def _spread(self, values: NDArray[Any]) -> NDArray[Any]:
        return np.repeat(values, self._lengths).reshape(self.ids.shape)

    @property
    def sources(self) -> NDArray[np.uint8]:
        """Source of each id [B, T + 1]."""
        return self._spread(self.segments.sources)

    @property
    def target_sources(self) -> NDArray[np.uint8]:
        """Source of each target [B, T]."""
        lengths = self._lengths.copy()
        lengths[np.cumsum(self.segments.counts) - self.segments.counts] -= 1
        return np.repeat(self.segments.sources, lengths).reshape(len(self.ids), -1)

    @property
    def documents(self) -> NDArray[np.int32]:
        """Number within the batch of each id's document [B, T + 1]."""
        return self._spread(np.arange(len(self.segments.starts), dtype=np.int32))

    def targets(self, predict_across_documents: bool) -> NDArray[np.int32]:
        """Ids to predict [B, T]; ``IGNORE`` where the shards' mask says so.

        A document's first id is ``IGNORE``, too, unless those are predicted.
        """
        targets = self.ids[:, 1:]
        if not predict_across_documents:
            owner = np.repeat(np.arange(len(self.rows)), self.segments.counts)
            begins = self.segments.starts > 0
            targets = targets.copy()
            targets[owner[begins], self.segments.starts[begins] - 1] = IGNORE
        if self.segments.loss is not None:
            targets = np.where(self.segments.loss[:, 1:], targets, np.int32(IGNORE))
        return targets


class Samples:
    """The samples of a run by number: shards in the run's order."""

    def __init__(self, config: DataConfig, folder: Path) -> None:
        """Opens the shards; errors as in ``ShardReader``."""
        self.reader = ShardReader(folder)
        self.seq_len = self.reader.manifest.seq_len
        rows = self.reader.manifest.rows
        self.order = Order(rows, config.seed, config.shuffle_block, config.shuffle_window)
        self._stretch = (0, np.empty(0, np.int64))

    def rows(self, start: int, stop: int) -> NDArray[np.int64]:
        """Rows of the samples start, ..., stop - 1, from a stretch computed at one time."""
        first, stretch = self._stretch
        if start < first or stop > first + len(stretch):
            stretch = self.order.row_numbers(start, max(stop, start + STRETCH))
            first, self._stretch = start, (start, stretch)
        return stretch[start - first : stop - first]

    def batch(self, start: int, stop: int) -> Batch:
        """Reads the samples start, ..., stop - 1."""
        return self.read([(start, stop)])

    def read(self, spans: Sequence[tuple[int, int]]) -> Batch:
        """Reads spans of samples, as one batch."""
        rows = np.concatenate([self.rows(start, stop) for start, stop in spans])
        ids = np.empty((len(rows), self.seq_len + 1), np.int32)
        return Batch(rows, ids, self.reader.read(rows, ids))

    def state(self, consumed: int) -> dict[str, Any]:
        """The loader's whole state after ``consumed`` samples: the same on every rank, for any number of ranks."""
        order = {"seed": self.order.seed, "block": self.order.block, "window": self.order.window}
        return {"samples": consumed, "order": order, "dataset": self.reader.manifest.identity()}

    def resume(self, state: dict[str, Any], events: list[str]) -> int:
        """Checks a state against the data that is here; gives the number of samples consumed.

        Rows in which a list of removals put other documents in the place of some are still the run's own rows, and so
        are those of which the loss mask changed.

        Args:
            state: what ``state`` gave.
            events: gets a sentence for each such change.

        Raises:
            TrainerError: other data or another order, key by key.
        """
        here = self.state(state["samples"])
        changes = [
            f"  {part}.{key}: was {state[part].get(key)!r}, is {here[part].get(key)!r}"
            for part in ("order", "dataset")
            for key in sorted({*state[part], *here[part]})
            if state[part].get(key) != here[part].get(key)
        ]
        before = state["dataset"].get("fingerprint")
        removed, masked = (before in seen for seen in (self.reader.manifest.earlier, self.reader.manifest.before_masks))
        if removed and state["dataset"].get("rows") != here["dataset"]["rows"]:
            raise TrainerError(
                f"since this run was reading {self.reader.folder}, rows were taken out of it, as a list of removals "
                f"asked (it had {state['dataset'].get('rows')}, it has {here['dataset']['rows']}): samples come in "
                "another order now. Start a new run directory from this run's weights: run.init_from=RUN"
            )
        if removed and len(changes) == 1:  # the fingerprint
            events.append(
                "the shards changed since: a list of removals had documents replaced by others, which manifest.json "
                "counts (optout). The order of the samples is the same"
            )
        if masked and len(changes) == 1:
            events.append(
                "the shards changed since: a loss mask was written, by which the loss is off for some ids, which "
                "manifest.json counts (loss_mask). The order of the samples is the same"
            )
        if (removed or masked) and len(changes) == 1:
            changes = []
        if changes:
            raise TrainerError(
                "the data are not those that this run was reading:\n"
                + "\n".join(changes)
                + f"\nGive the run its own data again, or start a new run directory ({self.reader.folder} was read)."
            )
        return int(state["samples"])


@dataclass(frozen=True)
class Share:
    """How the samples of a step are divided: micro-batches of ``micro`` samples, dealt to the ranks in turn.

    Whatever the number of ranks, step s consumes samples s * batch to (s + 1) * batch - 1.
    """

    batch: int
    micro: int
    rank: int
    ranks: int

    def __post_init__(self) -> None:
        if self.batch % (self.micro * self.ranks):
            raise TrainerError(
                f"a batch of {self.batch} sequences cannot be divided into micro-batches of {self.micro} on "
                f"{self.ranks} ranks; run.batch_tokens (or run.batch_sequences) or run.micro_batch must change"
            )

    @property
    def accumulation(self) -> int:
        """Micro-batches of one rank in one step."""
        return self.batch // (self.micro * self.ranks)

    def spans(self, consumed: int) -> Iterator[tuple[int, int]]:
        """First and last + 1 sample of each of this rank's micro-batches, from ``consumed`` on, without end."""
        while True:
            for number in range(self.accumulation):
                start = consumed + (number * self.ranks + self.rank) * self.micro
                yield start, start + self.micro
            consumed += self.batch


@dataclass(frozen=True)
class DeviceBatch:
    """One micro-batch on the device.

    Attributes:
        inputs: int32 [B, T].
        targets: int64 [B, T].
        sources: source of each target, int64 [B, T].
        documents: document of each input, int32 [B, T], or None where no mask needs it.
    """

    inputs: Tensor
    targets: Tensor
    sources: Tensor
    documents: Tensor | None


class Feeder:
    """Reads micro-batches ahead in one thread and hands them over on the device."""

    def __init__(self, samples: Samples, share: Share, consumed: int, config: DataConfig, device: torch.device) -> None:
        self._samples, self._share, self._config, self._device = samples, share, config, device
        self._pin = device.type == "cuda"
        self._stream: Any = torch.cuda.Stream(device) if self._pin else None  # type: ignore[no-untyped-call]
        # Both block in C: a queue with a bound, and waits with a time-out, cost as much as the reading.
        self._handed: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._wanted: queue.SimpleQueue[bool] = queue.SimpleQueue()
        for _ in range(AHEAD):
            self._wanted.put(True)
        self._ready: deque[tuple[Any, ...]] = deque()
        self._stopped = False
        self._thread = threading.Thread(target=self._read, args=(consumed,), name="feeder", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[DeviceBatch]:
        return self

    def __next__(self) -> DeviceBatch:
        """The next micro-batch; raises here what the reading thread met."""
        if not self._ready:
            piece = self._handed.get()
            if isinstance(piece, BaseException):
                raise piece
            self._wanted.put(True)
            self._ready.extend(piece)
        return self._to_device(self._ready.popleft())

    def close(self) -> None:
        """Stops the reading thread."""
        self._stopped = True
        self._wanted.put(False)
        self._thread.join()
        self._samples.reader.close()

    def _read(self, consumed: int) -> None:
        try:
            pieces = self._pieces(consumed)
            while self._wanted.get() and not self._stopped:
                self._handed.put(next(pieces))
        except Exception as error:  # handed to the training thread, which raises it
            self._handed.put(error)

    def _pieces(self, consumed: int) -> Iterator[list[tuple[Any, ...]]]:
        """Some micro-batches at a time, without end."""
        order, window = self._samples.order, None
        spans = self._share.spans(consumed)
        count = max(1, PIECE_IDS // (self._share.micro * self._samples.seq_len))
        while True:
            piece = list(islice(spans, count))
            for start, _ in piece:
                if window != (window := order.window_number(start)):
                    self._samples.reader.will_need(order.window_rows(start))
            try:
                yield self._micro_batches(piece)
            except TrainerError:  # one of them is damaged: those before it are still to be had
                for span in piece:
                    yield self._micro_batches([span])

    def _micro_batches(self, spans: Sequence[tuple[int, int]]) -> list[tuple[Any, ...]]:
        """The tensors of each micro-batch, on the host; they are parts of those of all."""
        batch, micro = self._samples.read(spans), self._share.micro
        targets = batch.targets(self._config.predict_across_documents)
        arrays = (
            np.ascontiguousarray(batch.ids[:, :-1]),
            # A device makes them wide itself; fewer bytes travel.
            np.ascontiguousarray(targets) if self._pin else targets.astype(np.int64),
            batch.target_sources if self._pin else batch.target_sources.astype(np.int64),
            np.ascontiguousarray(batch.documents[:, :-1]) if self._config.document_mask else None,
        )
        tensors = [None if a is None else torch.from_numpy(a) for a in arrays]
        whole = [t.pin_memory() if self._pin and t is not None else t for t in tensors]
        parts = [[None] * len(spans) if t is None else torch.split(t, micro) for t in whole]
        return list(zip(*parts, strict=True))

    def _to_device(self, host: tuple[Any, ...]) -> DeviceBatch:
        """Copies on a side stream, beside the computation; narrow integers grow wide on the device."""
        if self._stream is None:
            inputs, targets, sources, documents = host
        else:
            with torch.cuda.stream(self._stream):
                moved = [None if t is None else t.to(self._device, non_blocking=True) for t in host]
            current = torch.cuda.current_stream(self._device)
            current.wait_stream(self._stream)
            for tensor in moved:
                if tensor is not None:
                    # its memory may not be reused before the computation read it
                    tensor.record_stream(current)
            inputs, targets, sources, documents = moved
        if documents is not None:
            documents = documents - documents[0, 0]
        return DeviceBatch(inputs, targets.long(), sources.long(), documents)
