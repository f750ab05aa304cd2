"""Continues a text with a trained model."""

import argparse
import sys
from collections.abc import Iterator

import torch
from torch import Tensor

from trainer_bridge.checkpoint import latest_checkpoint, load_model, read_info, run_of
from trainer_bridge.errors import TrainerError
from trainer_bridge.model import Transformer
from trainer_bridge.origin import stored_tokenizer
from trainer_bridge.parallel import compute_dtype
from trainer_bridge.vocabulary import NAME, Vocabulary, check_is, find_tokenizer


class KeyValueCache:
    """Keys and values of all positions so far, a fixed piece of memory for each layer."""

    def __init__(self, model: Transformer, batch: int, positions: int) -> None:
        config, like = model.config, model.output.weight
        shape = (config.layers, 2, batch, positions, config.key_value_heads, config.head_dim)
        self._memory = torch.empty(shape, dtype=model.dtype, device=like.device)
        self._filled = [0] * config.layers

    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Appends keys and values [B, T, K, E] of a layer; gives those of all positions so far."""
        start = self._filled[layer]
        end = self._filled[layer] = start + k.shape[1]
        keys, values = self._memory[layer]
        keys[:, start:end], values[:, start:end] = k, v
        return keys[:, :end], values[:, :end]

    def keep(self, rows: list[int]) -> None:
        """Goes on with some rows of the batch alone, in ascending order; in place, so that no memory is needed."""
        filled = max(self._filled)
        for place, row in enumerate(rows):
            if place != row:
                self._memory[:, :, place, :filled] = self._memory[:, :, row, :filled]
        self._memory = self._memory[:, :, : len(rows)]


def nucleus(logits: Tensor, temperature: float, top_p: float) -> tuple[Tensor, Tensor]:
    """What is drawn from: the fewest ids whose probabilities reach a sum (Holtzman et al. 2020).

    Args:
        logits: [B, V].
        temperature: above 0.
        top_p: the sum.

    Returns:
        Probabilities, largest first, 0 for ids that are left out [B, V]; the ids in that order [B, V].
    """
    probabilities, ids = (logits.float() / temperature).softmax(-1).sort(-1, descending=True)
    before = probabilities.cumsum(-1) - probabilities
    return probabilities.masked_fill(before >= top_p, 0.0), ids


def sample(logits: Tensor, temperature: float, top_p: float, generator: torch.Generator) -> Tensor:
    """Draws the next ids.

    Args:
        logits: [B, V].
        temperature: 0 takes the likeliest id.
        top_p: see ``nucleus``.
        generator: of the draws, on the logits' device.

    Returns:
        Ids [B].
    """
    if temperature == 0:
        return logits.argmax(-1)
    kept, ids = nucleus(logits, temperature, top_p)
    return ids.gather(-1, torch.multinomial(kept, 1, generator=generator)).squeeze(-1)


def continued(
    model: Transformer, prompt: list[int], count: int, temperature: float = 0.8, top_p: float = 0.95, seed: int = 0
) -> Iterator[int]:
    """Continues a prompt, id by id.

    Args:
        model: in evaluation mode.
        prompt: its ids, at least one.
        count: ids to give.
        temperature: see ``sample``.
        top_p: see ``sample``.
        seed: of the draws.

    Raises:
        TrainerError: prompt and continuation are longer than the model's context.
    """
    if len(prompt) + count > model.config.context:
        raise TrainerError(
            f"{len(prompt)} ids of prompt and {count} new ones exceed the context of {model.config.context}"
        )
    device = model.output.weight.device
    generator = torch.Generator(device).manual_seed(seed)
    with torch.inference_mode():
        cache = KeyValueCache(model, 1, len(prompt) + count)
        ids = torch.tensor([prompt], device=device)
    start = 0
    for _ in range(count):
        with torch.inference_mode():  # not over a yield: it would hold for whoever asks for the next
            h = model.hidden(ids, cache=cache, start=start)
            start += ids.shape[1]
            ids = sample(model.output(h[:, -1]), temperature, top_p, generator).unsqueeze(1)
        yield int(ids.item())


def generate(
    model: Transformer,
    prompt: list[int],
    count: int,
    temperature: float = 0.8,
    top_p: float = 0.95,
    seed: int = 0,
    stop: int | None = None,
) -> list[int]:
    """Continues a prompt.

    Args:
        model: see ``continued``.
        prompt: likewise.
        count: ids to add, at most.
        temperature: see ``sample``.
        top_p: see ``sample``.
        seed: of the draws.
        stop: the id after which to stop (end of sequence).

    Returns:
        The new ids.

    Raises:
        TrainerError: prompt and continuation are longer than the model's context.
    """
    new: list[int] = []
    for number in continued(model, prompt, count, temperature, top_p, seed):
        new.append(number)
        if number == stop:
            break
    return new


def run(options: argparse.Namespace) -> None:
    """Writes the continuation that a command line asks for."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = load_model(options.run, device, compute_dtype("auto", device))
    checkpoint = latest_checkpoint(options.run)
    tokenizer = find_tokenizer(options.tokenizer, checkpoint, run_of(checkpoint)) or options.run / NAME
    check_is(tokenizer, stored_tokenizer(read_info(checkpoint)), str(options.run))
    vocabulary = Vocabulary(tokenizer)
    prompt = vocabulary.encode(options.prompt)
    if max(prompt) >= model.config.vocab:
        raise TrainerError(f"the tokenizer has more ids than the model's {model.config.vocab}")
    count = min(options.tokens, model.config.context - len(prompt))
    if count < 1:
        raise TrainerError(f"the prompt has {len(prompt)} ids; the model's context is {model.config.context}")
    new = generate(model, prompt, count, options.temperature, options.top_p, options.seed, vocabulary.model.eos_id())
    sys.stdout.write(vocabulary.decode(prompt + new) + "\n")
