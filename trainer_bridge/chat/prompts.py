"""Prompts to answer: out of corpora, in ids, each once."""

import hashlib
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer_bridge.chat.corpora import read_prompts
from trainer_bridge.chat.dialogue import Dialogues, Message, prompt_hash
from trainer_bridge.errors import TrainerError


@dataclass(frozen=True)
class Prompt:
    """A dialogue that waits for an answer.

    Attributes:
        id: see ``prompt_hash``.
        messages: its turns, the user's last.
        ids: in ids, up to where the answer begins.
        is_safety: whether it is one that may elicit unsafe answers.
    """

    id: str
    messages: tuple[Message, ...]
    ids: list[int]
    is_safety: bool = False


def prepare_prompts(
    paths: Sequence[str | Path], safety: Sequence[str | Path], dialogues: Dialogues, tokens: int
) -> list[Prompt]:
    """The prompts of some corpora, those of ``safety`` marked; what is left out is counted on stderr.

    Args:
        paths: corpora of conversations or pairs.
        safety: such of prompts that may elicit unsafe answers; may be among the others, too.
        dialogues: tokenizer, template, context.
        tokens: of an answer, at most: prompt and answer must fit into the context.

    Raises:
        TrainerError: none is left.
    """
    left_out: Counter[str] = Counter()
    found: dict[str, Prompt] = {}
    for place, is_safety in ((safety, True), (paths, False)):
        turns = {prompt_hash(messages): messages for messages in read_prompts(place)} if place else {}
        for name, ids in zip(turns, dialogues.prompts(turns.values(), left_out), strict=True):
            if ids is None or name in found:
                continue
            if len(ids) + tokens > dialogues.context:
                left_out["too_long"] += 1
                continue
            found[name] = Prompt(name, turns[name], ids, is_safety)
    for reason, number in sorted(left_out.items()):
        sys.stderr.write(f"left out {number:,} prompts: {reason}\n")
    if not found and not left_out:
        raise TrainerError(f"{' '.join(map(str, [*paths, *safety]))} holds no prompts")
    if not found:
        where = " ".join(map(str, [*paths, *safety]))
        raise TrainerError(
            f"{where} has no prompt left that fits: answers of {tokens} ids leave "
            f"{max(0, dialogues.context - tokens)} of the context of {dialogues.context}"
        )
    return list(found.values())


def prompts_identity(prompts: Sequence[Prompt]) -> str:
    """SHA-256 of which prompts they are, in their order, and of which are marked."""
    return hashlib.sha256("".join(f"{prompt.id}{prompt.is_safety}\n" for prompt in prompts).encode()).hexdigest()
