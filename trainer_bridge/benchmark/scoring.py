"""Likelihoods and continuations of many texts: batches of like length, dealt to the ranks.

Every rank is given the same texts and gets all answers. A batch holds the same texts whatever the number of ranks, so
the answers are the same to the bit. Where the ranks share the model's weights, each forward pass is one that all ranks
take part in: a rank that has nothing left to do computes its first batch again.

Shapes: B texts, T positions, N predicted ids, D model width, V ids.
"""

# mypy: disable-error-code="no-untyped-call"
# (PyTorch leaves split untyped.)

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from trainer_bridge.attention import Mask
from trainer_bridge.generation import KeyValueCache, nucleus
from trainer_bridge.model import LossFunction, Transformer
from trainer_bridge.parallel import World

LOGITS = 2048  # predicted ids whose logits exist at one time
MARGIN = 4  # ids for a character, at most: the bytes of one in UTF-8
T = TypeVar("T")


@dataclass(frozen=True)
class Continuation:
    """A text whose last ids are scored.

    Attributes:
        ids: context and continuation.
        scored: how many of the last ids are the continuation: at least 1, fewer than ids.
    """

    ids: tuple[int, ...]
    scored: int


@dataclass(frozen=True)
class Prompt:
    """A text to be continued.

    Attributes:
        ids: at least one.
        count: ids to add, at most.
        stops: texts at which the continuation ends.
        temperature: 0: always the likeliest id.
        top_p: see ``generate.nucleus``.
        seed: of this text's draws.
    """

    ids: tuple[int, ...]
    count: int
    stops: tuple[str, ...] = ()
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0

    @property
    def way(self) -> tuple[Any, ...]:
        """What the texts of a batch have in common."""
        return self.count, self.stops, self.temperature, self.top_p


@dataclass(frozen=True)
class Scorer:
    """A model that scores and continues texts.

    Attributes:
        model: whose ``hidden`` and ``output`` are asked.
        world: the ranks that share the work.
        batch_tokens: positions of a batch, padding included; one text may be longer.
        together: whether all ranks take part in each forward pass (sharded weights).
        progress: is told how many texts are done.
    """

    model: Transformer
    world: World
    batch_tokens: int = 16384
    together: bool = False
    progress: Callable[[int], None] = field(default=lambda _: None)

    @torch.no_grad()
    def loglikelihoods(self, texts: Sequence[Continuation]) -> list[tuple[float, bool]]:
        """Scores continuations.

        Args:
            texts: none longer than the model's context + 1.

        Returns:
            For each the sum of its ids' log-probabilities, in nats, and whether each id is the likeliest.
        """
        # Texts that differ in their last id alone are one input: the answers "A" to "D" cost one forward pass.
        users: dict[tuple[int, ...], list[int]] = {}
        for number, text in enumerate(texts):
            users.setdefault(text.ids[:-1], []).append(number)

        def score(batch: list[tuple[int, ...]]) -> list[tuple[int, float, bool]]:
            numbers = [number for inputs in batch for number in users[inputs]]
            result = self._score(batch, [(row, texts[n]) for row, inputs in enumerate(batch) for n in users[inputs]])
            self.progress(len(numbers))
            return [(number, *answer) for number, answer in zip(numbers, result, strict=True)]

        answers = self._deal(_batches(list(users), len, self.batch_tokens), score)
        return [(value, greedy) for _, value, greedy in sorted(answers)]

    def _score(
        self, inputs: Sequence[tuple[int, ...]], texts: Sequence[tuple[int, Continuation]]
    ) -> list[tuple[float, bool]]:
        """Scores texts, each with the row of its input; padding stands behind, where no position attends to it."""
        device, width = self.model.rope.device, max(map(len, inputs))
        ids = torch.zeros(len(inputs), width, dtype=torch.long)
        for row, known in enumerate(inputs):
            ids[row, : len(known)] = torch.tensor(known)
        places = torch.cat([row * width + torch.arange(len(t.ids) - 1 - t.scored, len(t.ids) - 1) for row, t in texts])
        wanted = torch.cat([torch.tensor(t.ids[-t.scored :]) for _, t in texts]).to(device)
        with _head(self.model, lambda h, w, _: _log_probabilities(h.flatten(0, 1)[places.to(device)], w, wanted)):
            values, greedy = self.model(ids.to(device), ids.to(device))
        counts = [text.scored for _, text in texts]
        parts = zip(values.split(counts), greedy.split(counts), strict=True)
        return [(float(value.sum(dtype=torch.float64)), bool(same.all())) for value, same in parts]

    @torch.no_grad()
    def continuations(self, prompts: Sequence[Prompt], decode: Callable[[list[int]], str], end: int) -> list[list[int]]:
        """Continues texts; a draw depends on nothing but its text, its seed and its position.

        Args:
            prompts: each with its continuation no longer than the model's context.
            decode: ids to text, to look for the stops.
            end: the id after which to stop; it is not given back.

        Returns:
            New ids of each, up to and with those that complete a stop.
        """

        def extend(batch: list[int]) -> list[tuple[int, list[int]]]:
            new = self._extend([prompts[i] for i in batch], decode, end)
            self.progress(len(batch))
            return list(zip(batch, new, strict=True))

        found: list[tuple[int, list[int]]] = []
        # One way after the other: ranks that take part in each other's forward passes take equally many.
        for _, same in groupby(sorted(range(len(prompts)), key=lambda i: prompts[i].way), key=lambda i: prompts[i].way):
            batches = _batches(list(same), lambda i: len(prompts[i].ids) + prompts[i].count, self.batch_tokens)
            found += self._deal(batches, extend)
        return [ids for _, ids in sorted(found)]

    def _extend(self, prompts: Sequence[Prompt], decode: Callable[[list[int]], str], end: int) -> list[list[int]]:
        """Continues a batch. Padding stands before the texts: rotary positions count differences alone."""
        device, count, width = self.model.rope.device, prompts[0].count, max(len(p.ids) for p in prompts)
        ids = torch.zeros(len(prompts), width, dtype=torch.long)
        for row, prompt in enumerate(prompts):
            ids[row, width - len(prompt.ids) :] = torch.tensor(prompt.ids)
        begins = torch.tensor([width - len(prompt.ids) for prompt in prompts], device=device)
        draws = torch.stack([torch.rand(count, generator=torch.Generator().manual_seed(p.seed)) for p in prompts])
        cache = KeyValueCache(self.model, len(prompts), width + count)
        new: list[list[int]] = [[] for _ in prompts]
        open_rows, start = set(range(len(prompts))), 0
        following = ids.to(device)
        for step in range(count):
            logits = self._last_logits(following, begins, cache, start)
            start += following.shape[1]
            chosen = _choose(logits, prompts[0].temperature, prompts[0].top_p, draws[:, step].to(device))
            numbers = chosen.tolist()
            for row in sorted(open_rows):
                if (number := numbers[row]) == end:
                    open_rows.discard(row)
                    continue
                new[row].append(number)
                if _stopped(new[row], prompts[row].stops, decode):
                    open_rows.discard(row)
            if not self._any_open(open_rows, device):
                break
            following = chosen.unsqueeze(1)
        return new

    def _last_logits(self, ids: Tensor, begins: Tensor, cache: KeyValueCache, start: int) -> Tensor:
        """Logits after the last of some more ids [B, T], fp32 [B, V]."""
        with _head(self.model, lambda h, w, _: (torch.nn.functional.linear(h[:, -1], w.to(h.dtype)).float(), h)):
            found: tuple[Tensor, Tensor] = self.model(ids, ids, _mask(begins, start, ids.shape[1]), cache, start)
        return found[0]

    def _any_open(self, rows: set[int], device: torch.device) -> bool:
        """Whether this rank, or any that takes part in its forward passes, has a text to go on with."""
        if not self.together:
            return bool(rows)
        return bool(self.world.sum(torch.tensor(len(rows), device=device)).item())

    def _deal(self, batches: list[list[T]], work: Callable[[list[T]], list[Any]]) -> list[Any]:
        """Does this rank's batches; gives the answers of all ranks."""
        own = []
        for first in range(0, len(batches), self.world.ranks):
            mine = first + self.world.rank
            if mine < len(batches):
                own += work(batches[mine])
            elif self.together:
                work(batches[0])
        if self.world.ranks == 1:
            return own
        gathered: list[Any] = [None] * self.world.ranks
        dist.all_gather_object(gathered, own)
        return [answer for answers in gathered for answer in answers]


@contextmanager
def _head(model: Transformer, head: LossFunction) -> Iterator[None]:
    """Has a model make something else of its hidden states and output matrix than the loss, so that sharded weights
    are gathered as in training."""
    before, model.loss_function = model.loss_function, head
    try:
        yield
    finally:
        model.loss_function = before


def _log_probabilities(h_ND: Tensor, w_VD: Tensor, wanted_N: Tensor) -> tuple[Tensor, Tensor]:
    """Log-probability of each wanted id [N], fp32, and whether it is the likeliest [N]."""
    values, greedy = [], []
    w = w_VD.to(h_ND.dtype)
    for h, wanted in zip(h_ND.split(LOGITS), wanted_N.split(LOGITS), strict=True):
        logits = (h @ w.T).float()
        values.append(logits.gather(1, wanted[:, None]).squeeze(1) - logits.logsumexp(-1))
        greedy.append(logits.argmax(-1) == wanted)
    return torch.cat(values), torch.cat(greedy)


def _mask(begins: Tensor, start: int, positions: int) -> Mask:
    """Which of the cached positions and the new ones each new one attends to; padding attends to itself alone."""
    if not bool(begins.any()) and (start == 0 or positions == 1):
        return None
    columns = torch.arange(start + positions, device=begins.device)
    rows = columns[start:, None]
    seen = (columns <= rows) & (columns >= begins[:, None, None])
    return (seen | (columns == rows)).unsqueeze(1)


def _choose(logits: Tensor, temperature: float, top_p: float, draws: Tensor) -> Tensor:
    """Next ids [B]: the likeliest, or for each row the one at which the probabilities pass its number from 0 to 1."""
    if temperature == 0:
        return logits.argmax(-1)
    kept, ids = nucleus(logits, temperature, top_p)
    sums = kept.cumsum(-1)
    place = torch.searchsorted(sums, draws[:, None] * sums[:, -1:], right=True)
    last = (kept > 0).sum(-1, keepdim=True) - 1
    return ids.gather(-1, torch.minimum(place, last)).squeeze(-1)


def _stopped(ids: list[int], stops: Sequence[str], decode: Callable[[list[int]], str]) -> bool:
    """Whether the newest id completes a stop; only as much is decoded as a stop may span."""
    longest = max(map(len, stops), default=0)
    tail = decode(ids[-MARGIN * (longest + 1) :]) if longest else ""
    return any(stop and stop in tail for stop in stops)


def _batches(items: list[T], size: Callable[[T], int], most: int) -> list[list[T]]:
    """Items of like size together, largest first: number x largest size is at most ``most``, one item at the least."""
    batches: list[list[T]] = []
    width = 0
    for item in sorted(items, key=lambda item: (-size(item), item)):  # type: ignore[operator]
        if not batches or (len(batches[-1]) + 1) * width > most:
            batches.append([])
            width = size(item)
        batches[-1].append(item)
    return batches
