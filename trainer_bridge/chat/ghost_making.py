"""Draws instructions, has a model answer under them, and writes the dialogues: see ``trainer_bridge.chat.ghost``."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from trainer_bridge.chat.config import ChatConfig, GhostConfig, plain
from trainer_bridge.chat.corpora import read_rows, write_conversations
from trainer_bridge.chat.dialogue import Dialogues, Message, dialogues_of, number_of, prompt_hash
from trainer_bridge.chat.ghost_attention import (
    Instruction,
    Kind,
    draw_instruction,
    for_training,
    load_kinds,
    user_turns,
    while_sampling,
)
from trainer_bridge.chat.judges import Judges, load_judges
from trainer_bridge.chat.prompts import Prompt
from trainer_bridge.chat.records import check_output, check_same, dtype_name, json_line, model_identity, resume_lines
from trainer_bridge.chat.sampling import sample_answers, uniform
from trainer_bridge.checkpoint import load_model
from trainer_bridge.errors import TrainerError
from trainer_bridge.model import Transformer
from trainer_bridge.parallel import compute_dtype
from trainer_bridge.run_folder import RunFolder

COMMAND = "trainer_bridge.chat.ghost"
SOURCE = "ghost_attention"
LINES = "dialogues.jsonl"
CORPUS = f"corpus/{SOURCE}/conversations/dialogues.parquet"
INSTRUCTION, ANSWER = 0, 1  # of the keys of draws
LOG_SECONDS = 10.0


@dataclass(frozen=True)
class Answering:
    """A model that answers, and what judges its answers; None: nothing does."""

    model: Transformer
    dialogues: Dialogues
    judges: Judges | None


def run(options: argparse.Namespace, config: ChatConfig) -> None:
    """Makes the dialogues that a command line asks for."""
    if config.device.threads:
        torch.set_num_threads(config.device.threads)
    models = (options.model, options.reward, options.safety_reward)
    inputs = check_output(options.output, COMMAND, [*models, *options.conversations])
    own = config.ghost
    kinds = load_kinds(own.instructions)
    answering = None if own.answers == "given" else load_answering(options, config)
    found = [row.messages for row in read_rows(options.conversations)]
    long = {prompt_hash(messages): messages for messages in found if user_turns(messages) >= own.least_turns}
    whole = {name: messages for name, messages in long.items() if is_whole(messages)}
    if not whole:
        raise TrainerError(
            f"{' '.join(options.conversations)} has no conversation with {own.least_turns} turns of the user or more, "
            f"and an answer at its end, among {len(found):,}; see ghost.least_turns"
        )
    said = {
        "model": None if answering is None else model_identity(options.model),
        "reward": None if answering is None or answering.judges is None else answering.judges.identities,
        "conversations": prompt_hash([{"role": name, "content": ""} for name in whole]),
        "kinds": {name: [kind.instruction, kind.short, *kind.values] for name, kind in kinds.items()},
        "ghost": plain(own),
        "dtype": None if answering is None else dtype_name(answering.model.dtype),
    }
    target = RunFolder(options.output, COMMAND, inputs)
    try:
        target.expect(LINES, CORPUS)
        check_same(target, said)
        _write(target, make(whole, kinds, answering, own, target), len(found))
    finally:
        target.close()


def _write(target: RunFolder, records: Sequence[dict[str, Any]], conversations: int) -> None:
    """Writes the corpus, and says how many dialogues it has of how many conversations."""
    left_out = Counter(record["left_out"] for record in records if record["left_out"])
    kept = [record for record in records if not record["left_out"]]
    rows = ((record["id"][:16], record["messages"], {"instruction": record["instruction"]}) for record in kept)
    count = write_conversations(target.path / CORPUS, SOURCE, rows)
    for reason, number in sorted(left_out.items()):
        sys.stderr.write(f"left out {number:,} dialogues: {reason}\n")
    sys.stdout.write(f"{count:,} dialogues of {conversations:,} conversations\n")
    sys.stderr.write(f"wrote {target.path / CORPUS}\n")


def is_whole(messages: Sequence[Message]) -> bool:
    """Whether turns alternate, and the last is an answer."""
    roles = [message.get("role") for message in messages]
    roles = roles[1:] if roles[:1] == ["system"] else roles
    return roles == ["user", "assistant"] * (len(roles) // 2) and all(message.get("content") for message in messages)


def load_answering(options: argparse.Namespace, config: ChatConfig) -> Answering:
    """Reads the models of a command line."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype, own = compute_dtype(config.device.dtype, device), config.ghost
    model = load_model(options.model, device, dtype)
    dialogues = dialogues_of(options.model, options.template, model.config.context)
    if own.place == "system" and dialogues.template.first_with_system is None:
        raise TrainerError(
            f"the template {dialogues.template.name} has no place for a system message: take ghost.place=user"
        )
    if options.reward is None:
        return Answering(model, dialogues, None)
    judges = load_judges(
        options.reward, options.safety_reward, dialogues, device, dtype, own.safety_threshold, own.samples
    )
    return Answering(model, dialogues, judges)


def make(
    conversations: Mapping[str, Sequence[Message]],
    kinds: dict[str, Kind],
    answering: Answering | None,
    config: GhostConfig,
    target: RunFolder,
) -> list[dict[str, Any]]:
    """A record for each conversation: ``id``, ``instruction``, ``messages`` for training, and ``left_out``: why not.

    Records are written as they come; a command that was stopped goes on at the first batch that is not whole.
    """
    path, names = target.path / LINES, list(conversations)
    done = resume_lines(path, config.batch, len(names))
    told = time.monotonic()
    with path.open("a", encoding="utf-8") as file:
        for start in range(len(done), len(names), config.batch):
            part = names[start : start + config.batch]
            drawn = [_instruction(name, kinds, config) for name in part]
            turns = [list(conversations[name]) for name in part]
            if answering is None:
                reasons: list[str | None] = [None] * len(part)
            else:
                reasons = answer(answering, part, turns, [instruction.full for instruction in drawn], config)
            some = [
                {
                    "id": name,
                    "instruction": instruction.trained,
                    "messages": for_training(messages, instruction.trained, config.place),
                    "left_out": reason,
                }
                for name, instruction, messages, reason in zip(part, drawn, turns, reasons, strict=True)
            ]
            file.writelines(map(json_line, some))
            file.flush()
            done += some
            if time.monotonic() - told > LOG_SECONDS:
                told = time.monotonic()
                sys.stderr.write(f"{len(done):,} of {len(names):,} conversations\n")
    return done


def _instruction(name: str, kinds: dict[str, Kind], config: GhostConfig) -> Instruction:
    numbers = uniform(2 + 2 * len(kinds), config.seed, INSTRUCTION, number_of(name))
    return draw_instruction(kinds, numbers.tolist(), config.most, config.short_share)


def answer(
    answering: Answering,
    names: Sequence[str],
    turns: list[list[Message]],
    instructions: Sequence[str],
    config: GhostConfig,
) -> list[str | None]:
    """Has the model answer under the instructions; its answers take the place of those in the dialogues.

    Args:
        answering: the model.
        names: of the conversations.
        turns: their messages, which are changed.
        instructions: one for each.
        config: the recipe.

    Returns:
        Why a dialogue cannot be used; None where it can.
    """
    reasons: list[str | None] = [None] * len(names)
    places = [[at for at, message in enumerate(messages) if message["role"] == "assistant"] for messages in turns]
    for turn in range(max(map(len, places))):
        asked = [
            number
            for number, own in enumerate(places)
            if reasons[number] is None and turn < len(own) and (config.answers == "all" or turn == len(own) - 1)
        ]
        prompts: list[tuple[int, Prompt]] = []
        for number in asked:
            messages = while_sampling(turns[number][: places[number][turn]], instructions[number])
            refused: Counter[str] = Counter()
            (ids,) = answering.dialogues.prompts([messages], refused)
            if ids is None or len(ids) + config.tokens > answering.dialogues.context:
                reasons[number] = next(iter(refused), "too_long")
            else:
                prompts.append((number, Prompt(names[number], tuple(messages), ids)))
        for (number, _), text in zip(prompts, _best(answering, [p for _, p in prompts], turn, config), strict=True):
            turns[number][places[number][turn]] = {"role": "assistant", "content": text}
            reasons[number] = None if text else "empty_answer"
    return reasons


def _best(answering: Answering, prompts: Sequence[Prompt], turn: int, config: GhostConfig) -> list[str]:
    """An answer to each prompt: the best of those that are drawn, those with an end mark first."""
    if not prompts:
        return []
    each = [prompt for prompt in prompts for _ in range(config.samples)]
    keys = [(config.seed, ANSWER, number_of(prompt.id), turn, k) for prompt in prompts for k in range(config.samples)]
    numbers = np.stack([uniform(config.tokens, *key) for key in keys])
    dialogues = answering.dialogues
    answers = sample_answers(
        answering.model, [p.ids for p in each], numbers, dialogues.stop, config.temperature, config.top_p
    )
    scores = [0.0] * len(each) if answering.judges is None else answering.judges.scores(each, answers)
    found = []
    for start in range(0, len(each), config.samples):
        some = range(start, start + config.samples)
        best = max(some, key=lambda at: (dialogues.ended(answers[at]), scores[at], -at))
        found.append(dialogues.text(answers[best]))
    return found
