"""Builds the chat sample: instructions, dialogues and preference pairs in their publishers' formats.

Usage::

    python -m samples.make_chat [--output DIR]

What people prefer is planted: of two answers with the same facts, the one with more courtesies. A model that learnt
from the instructions has each of them three times in ten; what the steps after that do to its answers can be counted.
The same bytes every time.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

from samples.gzipped import gzipped
from samples.written import output_folder, write_files

MODULE = "samples.make_chat"
OUTPUT = Path(__file__).parent / "chat"
SEED = 7
COURTESIES = ("Gladly.", "Thank you for asking.", "Ask me again soon.")  # before the fact, and twice behind it
SHARE = 0.3  # of answers with each of them
INSTRUCTIONS, PAIRS, DIALOGUES, TREES = 900, 500, 60, 60

FACTS = {
    "What colour is the {}?": ("red", "blue", "green", "white", "yellow"),
    "Where is the {}?": ("on the table", "in the garden", "by the door", "under the bridge"),
    "Who made the {}?": ("a baker", "a sailor", "a teacher", "my sister"),
    "How old is the {}?": ("two years", "ten years", "a hundred years"),
    "What is the {} for?": ("for rain", "for bread", "for music", "for the winter"),
    "Is the {} large?": ("yes", "no", "a little"),
}
THINGS = (
    "apple", "anchor", "basket", "bell", "bench", "boat", "book", "bottle", "bowl", "box", "bridge", "brush",
    "bucket", "candle", "cap", "cart", "chair", "clock", "coat", "coin", "cup", "desk", "door", "drum", "fan",
    "fence", "flag", "flute", "fork", "gate", "glass", "glove", "hammer", "hat", "jar", "kettle", "key", "kite",
    "knife", "ladder", "lamp", "lantern", "lock", "map", "mirror", "mug", "nail", "net", "oven", "paper", "pen",
    "pipe", "plate", "pot", "purse", "rope", "saddle", "sail", "scarf", "shelf", "shoe", "shovel", "soap",
    "spoon", "stool", "stove", "sword", "table", "tent", "tile", "tool", "torch", "towel", "toy", "train",
    "tray", "umbrella", "vase", "wagon", "wall", "watch", "wheel", "whistle", "window", "yarn",
)  # fmt: skip


def questions() -> list[tuple[str, str]]:
    """All questions, each with its fact, in an order that the seed draws."""
    draw = random.Random(SEED)
    found = [(form.format(thing), draw.choice(facts)) for form, facts in FACTS.items() for thing in THINGS]
    draw.shuffle(found)
    return found


def answer(fact: str, courtesies: tuple[bool, bool, bool]) -> str:
    """An answer with some of the courtesies."""
    first, second, third = (text for text in COURTESIES)
    told = f"{fact[0].upper()}{fact[1:]}."
    parts = [first * courtesies[0], told, second * courtesies[1], third * courtesies[2]]
    return " ".join(part for part in parts if part)


def courtesy(text: str) -> int:
    """How many of the courtesies an answer has: what is planted."""
    return sum(part in text for part in COURTESIES)


def drawn(draw: random.Random, share: float = SHARE) -> tuple[bool, bool, bool]:
    """Which courtesies an answer has."""
    first, second, third = (draw.random() < share for _ in COURTESIES)
    return first, second, third


def instructions() -> Iterator[dict[str, str]]:
    """Alpaca's records."""
    draw = random.Random(SEED + 1)
    found = questions()
    for number in range(INSTRUCTIONS):
        question, fact = found[number % len(found)]
        yield {"instruction": question, "input": "", "output": answer(fact, drawn(draw))}


def pairs() -> Iterator[dict[str, str]]:
    """HH-RLHF's records: two answers to a question, of which the more courteous one is chosen."""
    draw = random.Random(SEED + 2)
    found = questions()
    for number in range(PAIRS):
        question, fact = found[number % len(found)]
        both: list[str] = []
        while len({courtesy(text) for text in both}) < 2:
            both = [answer(fact, drawn(draw, 0.5)) for _ in range(2)]
        both.sort(key=courtesy)
        rejected, chosen = (f"\n\nHuman: {question}\n\nAssistant: {text}" for text in both)
        yield {"chosen": chosen, "rejected": rejected}


def dialogues() -> Iterator[dict[str, object]]:
    """ShareGPT's records: several questions in a dialogue."""
    draw = random.Random(SEED + 3)
    found = questions()
    for number in range(DIALOGUES):
        turns = []
        for question, fact in draw.sample(found, draw.choice((2, 3))):
            turns += [{"from": "human", "value": question}, {"from": "gpt", "value": answer(fact, drawn(draw))}]
        yield {"id": f"sample_{number}", "conversations": turns}


def trees() -> Iterator[dict[str, object]]:
    """OpenAssistant's trees: a question with four answers, ranked by their courtesies."""
    draw = random.Random(SEED + 4)
    for number, (question, fact) in enumerate(draw.sample(questions(), TREES)):
        name = f"{number:08d}-tree"
        answers = []
        for rank in range(4):
            chosen = set(draw.sample(range(3), 3 - rank))
            first, second, third = (place in chosen for place in range(3))
            text = answer(fact, (first, second, third))
            answers.append({**message(f"{name}-{rank}", name, "assistant", text), "rank": rank})
        draw.shuffle(answers)
        prompt = {**message(name, None, "prompter", question), "replies": answers}
        yield {"message_tree_id": name, "tree_state": "ready_for_export", "prompt": prompt}


def message(name: str, parent: str | None, role: str, text: str) -> dict[str, object]:
    """A message of a tree."""
    known = {"message_id": name, "parent_id": parent, "text": text, "role": role, "lang": "en"}
    return {**known, "review_count": 3, "review_result": True, "deleted": False, "synthetic": False, "replies": []}


def files() -> Iterator[tuple[str, bytes]]:
    """Each file of the sample."""
    yield "alpaca_instructions.json", (json.dumps(list(instructions()), indent=0) + "\n").encode()
    yield "sharegpt_dialogues.json", (json.dumps(list(dialogues()), indent=0) + "\n").encode()
    yield "oasst_trees.jsonl.gz", gzipped("".join(json.dumps(tree) + "\n" for tree in trees()).encode())
    yield "hh_preferences.jsonl.gz", gzipped("".join(json.dumps(pair) + "\n" for pair in pairs()).encode())


def main(arguments: list[str] | None = None) -> None:
    """Writes the sample."""
    output = output_folder(MODULE, OUTPUT, arguments)
    write_files(MODULE, OUTPUT, output, files())


if __name__ == "__main__":
    main()
