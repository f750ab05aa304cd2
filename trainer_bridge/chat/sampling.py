"""Answers to many prompts at a time, each drawn by numbers of its own."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer_bridge.errors import TrainerError
from trainer_bridge.generation import KeyValueCache, nucleus
from trainer_bridge.model import Transformer

LIKELIEST = 1024  # ids that a draw is looked for among, before all are sorted


def uniform(count: int, *key: int) -> NDArray[np.float64]:
    """Numbers from 0 to below 1 [count]: a function of the key alone."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key))).random(count)


def pick(logits: Tensor, numbers: Tensor, temperature: float, top_p: float) -> Tensor:
    """Draws the next ids by one number each: the id at which the sum of probabilities, the largest first, passes it.

    Args:
        logits: [B, V].
        numbers: from 0 to below 1, fp64 [B].
        temperature: 0 takes the likeliest id.
        top_p: see ``generation.nucleus``.

    Returns:
        Ids [B].
    """
    if temperature == 0:
        return logits.argmax(-1)
    if logits.shape[1] > LIKELIEST:
        picked, found = _pick_likely(logits, numbers, temperature, top_p)
        rest = ~found
        if bool(rest.any()):
            picked[rest] = _pick_any(logits[rest], numbers[rest], temperature, top_p)
        return picked
    return _pick_any(logits, numbers, temperature, top_p)


def _pick_any(logits: Tensor, numbers: Tensor, temperature: float, top_p: float) -> Tensor:
    """See ``pick``; all ids are sorted."""
    kept, ids = nucleus(logits, temperature, top_p)
    sums = kept.double().cumsum(-1)
    place = torch.searchsorted(sums, (numbers * sums[:, -1]).unsqueeze(-1), right=True)
    most = (kept > 0).sum(-1, keepdim=True) - 1  # a number that rounds to the whole sum
    return ids.gather(-1, torch.minimum(place, most)).squeeze(-1)


def _pick_likely(logits: Tensor, numbers: Tensor, temperature: float, top_p: float) -> tuple[Tensor, Tensor]:
    """The same ids where they are among the likeliest, and where they are: to sort a whole vocabulary is dear."""
    probabilities = (logits.float() / temperature).softmax(-1)
    likely, ids = probabilities.topk(LIKELIEST)
    kept = likely.masked_fill(likely.cumsum(-1) - likely >= top_p, 0.0)
    sums = kept.double().cumsum(-1)
    is_whole = kept[:, -1] == 0  # no id behind these is drawn from
    total = torch.where(is_whole, sums[:, -1], probabilities.double().sum(-1))
    place = torch.searchsorted(sums, (numbers * total).unsqueeze(-1), right=True)
    found = (place.squeeze(-1) < (kept > 0).sum(-1)) & (is_whole if top_p < 1 else torch.ones_like(is_whole))
    return ids.gather(-1, place.clamp(max=LIKELIEST - 1)).squeeze(-1), found


def padding_mask(pads: Tensor, start: int, count: int) -> Tensor:
    """Who sees whom where prompts end at the same place: every earlier position of one's own; a pad sees itself.

    Args:
        pads: ids before each prompt that are none [B].
        start: position of the first new id.
        count: new ids.

    Returns:
        Bool [B, 1, count, start + count].
    """
    to = torch.arange(start + count, device=pads.device)
    of = to[start:, None]
    seen = (to <= of) & (to >= pads[:, None, None])
    return (seen | (to == of)).unsqueeze(1)


@torch.inference_mode()
def sample_answers(
    model: Transformer,
    prompts: Sequence[Sequence[int]],
    numbers: NDArray[np.float64],
    stop: Sequence[int],
    temperature: float,
    top_p: float = 1.0,
) -> list[list[int]]:
    """Draws an answer to each of some prompts.

    Shorter prompts begin later, and see nothing of what stands before: rotary positions are relative, so an answer's
    probabilities are those of its prompt by itself, up to rounding.

    Args:
        model: in evaluation mode.
        prompts: ids of B prompts, at least one each.
        numbers: what the ids are drawn by, from 0 to below 1 [B, N]; N is the most ids of an answer.
        stop: ids of the end mark.
        temperature: see ``pick``.
        top_p: see ``pick``.

    Returns:
        Ids of each answer, the end mark last where it was drawn.

    Raises:
        TrainerError: a prompt and an answer may be longer than the model's context.
    """
    longest, count = max(map(len, prompts)), numbers.shape[1]
    if longest + count > model.config.context:
        raise TrainerError(f"{longest} ids of prompt and {count} new ones exceed the context of {model.config.context}")
    device, end = model.output.weight.device, torch.tensor(stop, device=model.output.weight.device)
    pads = torch.tensor([longest - len(prompt) for prompt in prompts], device=device)
    ids = torch.tensor([[stop[0]] * (longest - len(prompt)) + list(prompt) for prompt in prompts], device=device)
    by = torch.from_numpy(numbers).to(device)
    padded = bool(pads.any())
    cache = KeyValueCache(model, len(prompts), longest + count)
    drawn = torch.zeros((len(prompts), count), dtype=torch.long, device=device)
    rows = torch.arange(len(prompts), device=device)  # that are computed
    ended = torch.zeros(len(prompts), dtype=torch.bool, device=device)
    start = 0
    for place in range(count):
        mask = padding_mask(pads, start, ids.shape[1]) if padded else None
        h = model.hidden(ids, mask=mask, cache=cache, start=start)
        start += ids.shape[1]
        new = pick(model.output(h[:, -1]), by[rows, place], temperature, top_p)
        drawn[rows, place] = new
        if place + 1 >= len(end):
            ended |= (drawn[rows, place + 1 - len(end) : place + 1] == end).all(1)
        left = len(rows) - int(ended.sum())
        if not left:
            break
        if 2 * left <= len(rows):  # the others have ended: no more is computed for them
            going = ~ended
            cache.keep(going.nonzero().flatten().tolist())
            rows, pads, new, ended = rows[going], pads[going], new[going], ended[going]
        ids = new.unsqueeze(1)
    return [_up_to(row, list(stop)) for row in drawn[:, : place + 1].tolist()]


def _up_to(row: list[int], stop: list[int]) -> list[int]:
    """The ids up to the first end mark."""
    found = (end for end in range(len(stop), len(row) + 1) if row[end - len(stop) : end] == stop)
    return row[: next(found, len(row))]
