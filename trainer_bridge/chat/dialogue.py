"""Tokenizer and template of a chat model together: prompts and dialogues to ids, answers back to text."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from tokenizer.chat.encode import check_tokenizer, encode_conversations
from tokenizer.chat.frames import Place
from tokenizer.chat.template import Template, load_template
from tokenizer.encode import Encoder
from tokenizer.errors import TokenizerError
from trainer_bridge.checkpoint import latest_checkpoint, read_info, run_of
from trainer_bridge.errors import TrainerError
from trainer_bridge.origin import stored_tokenizer
from trainer_bridge.template import NAME as TEMPLATE
from trainer_bridge.vocabulary import NAME, check_is, find_tokenizer

AT_ONCE = 256  # conversations that are encoded in one call
Message = Mapping[str, Any]


@dataclass(frozen=True)
class Dialogues:
    """How a model reads and writes dialogues.

    Attributes:
        encoder: its tokenizer.
        template: what stands around the turns.
        tokenizer: the file of the tokenizer.
        context: ids that the model takes.
    """

    encoder: Encoder
    template: Template
    tokenizer: Path
    context: int

    @cached_property
    def stop(self) -> tuple[int, ...]:
        """The ids that end an answer."""
        ids: list[int] = []
        for part in self.template.frames["end"]:
            if isinstance(part, Place):
                ids.append(self.encoder.eos_id)
            else:
                ids += self.encoder.encode_batch([part], begins=[False])[0].tolist()
        return tuple(ids)

    def prompts(self, messages: Iterable[Sequence[Message]], refused: Counter[str]) -> Iterator[list[int] | None]:
        """The ids of dialogues that end with the user's turn; None for what is refused, which is counted by reason."""
        return self._encode(messages, refused, prompt=True)

    def whole(self, messages: Iterable[Sequence[Message]], refused: Counter[str]) -> Iterator[list[int] | None]:
        """The ids of dialogues that end with an answer, likewise."""
        return self._encode(messages, refused, prompt=False)

    def _encode(
        self, messages: Iterable[Sequence[Message]], refused: Counter[str], *, prompt: bool
    ) -> Iterator[list[int] | None]:
        rest = iter(messages)
        while some := list(islice(rest, AT_ONCE)):
            encoded = encode_conversations(self.encoder, self.template, some, prompt=prompt)
            refused.update(error.reason for error in encoded.refused.values())
            for number in range(len(some)):
                ids = encoded.ids[encoded.offsets[number] : encoded.offsets[number + 1]]
                yield None if number in encoded.refused else ids.tolist()

    def ended(self, ids: Sequence[int]) -> bool:
        """Whether an answer has its end mark."""
        return tuple(ids[-len(self.stop) :]) == self.stop

    def text(self, ids: Sequence[int]) -> str:
        """The text of an answer, without its end mark."""
        return self.encoder.decode(ids[: -len(self.stop)] if self.ended(ids) else ids).strip()


def prompt_hash(messages: Sequence[Message]) -> str:
    """The SHA-256 of a prompt's turns, in hex: what a prompt is known by."""
    turns = [[message.get("role"), message.get("content")] for message in messages]
    return hashlib.sha256(json.dumps(turns, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()


def number_of(prompt: str) -> int:
    """A prompt's hash as a number of 64 bits, for seeds."""
    return int(prompt[:16], 16)


def draw_hash(prompt: str, seed: int) -> int:
    """A number of 64 bits that seed and prompt draw."""
    return int.from_bytes(hashlib.sha256(f"{seed} {prompt}".encode()).digest()[:8], "big")


def is_kept_out(prompt: str, share: float, seed: int) -> bool:
    """Whether a prompt belongs to a share that is drawn by hash and seed."""
    return draw_hash(prompt, seed) < share * 2**64


def dialogues_of(run: Path, template: str | None, context: int) -> Dialogues:
    """The tokenizer and the template of a run.

    Args:
        run: a run directory, or one checkpoint; what was trained on a chat mixture has its template.
        template: a name or a file; None: the run's own.
        context: of the model.

    Raises:
        TrainerError: no tokenizer or template, or ones that are not the run's.
    """
    checkpoint = latest_checkpoint(run)
    folder = run_of(checkpoint)
    tokenizer = find_tokenizer(None, checkpoint, folder) or folder / NAME
    check_is(tokenizer, stored_tokenizer(read_info(checkpoint)), str(run))
    own = folder / TEMPLATE
    if template is None and not own.is_file():
        raise TrainerError(f"{run} has no {TEMPLATE}: it was not trained on a chat mixture; name one with --template")
    return read_dialogues(tokenizer, template or str(own), context, None if template is None else own)


def read_dialogues(tokenizer: Path, template: str, context: int, other: Path | None = None) -> Dialogues:
    """Reads a tokenizer and a template.

    Args:
        tokenizer: a SentencePiece model.
        template: a name or a file.
        context: of the model.
        other: a template that this one must equal, where there is such a file.

    Raises:
        TrainerError: one cannot be read, they do not fit together, or the template is another one.
    """
    if not tokenizer.is_file():
        raise TrainerError(f"no tokenizer {tokenizer}")
    try:
        encoder, found = Encoder(tokenizer), load_template(template)
        check_tokenizer(encoder, found)
        if other is not None and other.is_file() and load_template(other).sha256 != found.sha256:
            raise TrainerError(f"the model was trained with another template than {template}: {other}")
    except TokenizerError as error:
        raise TrainerError(str(error)) from error
    return Dialogues(encoder, found, tokenizer, context)
