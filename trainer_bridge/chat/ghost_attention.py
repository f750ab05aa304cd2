"""Dialogues of Ghost Attention (Llama 2, section 3.3): instructions, and where they stand. No model, no files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import RecipeError
from pipeline.settings import parse_yaml
from trainer_bridge.chat.dialogue import Message
from trainer_bridge.errors import TrainerError
from trainer_bridge.recipe import CHAT, RECIPES

FOLDER = RECIPES / CHAT / "ghost"
PLACE = "{}"


@dataclass(frozen=True)
class Kind:
    """A kind of instruction.

    Attributes:
        instruction: with ``{}`` for a value.
        short: the same, said shortly.
        values: what may stand there.
    """

    instruction: str
    short: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Instruction:
    """What a dialogue keeps to.

    Attributes:
        full: as the model is asked while it answers.
        trained: as it is said in the dialogue that is trained on.
    """

    full: str
    trained: str


def load_kinds(name_or_path: str) -> dict[str, Kind]:
    """Reads a file of instructions, by its name in recipes/chat/ghost or its path.

    Raises:
        TrainerError: there is none, or it is not of this form; says what is wrong.
    """
    path = Path(name_or_path)
    if path.suffix not in {".yaml", ".yml"}:
        path = FOLDER / f"{name_or_path}.yaml"
    try:
        values = parse_yaml(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        names = ", ".join(sorted(file.stem for file in FOLDER.glob("*.yaml")))
        raise TrainerError(f"no instructions {name_or_path!r}; there are {names}, or give a .yaml file") from error
    except (RecipeError, UnicodeDecodeError) as error:
        raise TrainerError(str(error)) from error
    if not isinstance(values, dict) or not values:
        raise TrainerError(
            f"{path} holds no kinds of instructions, such as hobby: {{instruction: ..., short: ..., values: [...]}}"
        )
    return {str(name): _kind(path, str(name), value) for name, value in values.items()}


def _kind(path: Path, name: str, value: Any) -> Kind:
    if not isinstance(value, dict) or set(value) != {"instruction", "short", "values"}:
        raise TrainerError(f"{path}: {name} must have the keys instruction, short and values, and no other")
    for key in ("instruction", "short"):
        if not isinstance(value[key], str) or value[key].count(PLACE) != 1:
            raise TrainerError(f"{path}: {name}.{key} must be a text with {PLACE} in it once, it is {value[key]!r}")
    words = value["values"]
    if not isinstance(words, list) or not words or not all(isinstance(word, str) and word for word in words):
        raise TrainerError(f"{path}: {name}.values must be a list of texts; those that look like numbers in quotes")
    return Kind(value["instruction"], value["short"], tuple(words))


def draw_instruction(kinds: Mapping[str, Kind], numbers: Sequence[float], most: int, short_share: float) -> Instruction:
    """Joins instructions of some kinds, a value of each.

    Args:
        kinds: all that there are.
        numbers: from 0 to below 1: how many, whether short, and for each kind its place in the order and its value;
            2 + 2 * kinds of them.
        most: instructions that are joined, at most.
        short_share: share that are said shortly for training.
    """
    names = list(kinds)
    count = 1 + int(numbers[0] * min(most, len(names)))
    own = dict(zip(names, zip(numbers[2::2], numbers[3::2], strict=True), strict=True))
    chosen = sorted(names, key=lambda name: own[name][0])[:count]
    parts = [(kinds[name], kinds[name].values[int(own[name][1] * len(kinds[name].values))]) for name in chosen]
    full = " ".join(kind.instruction.replace(PLACE, value) for kind, value in parts)
    short = " ".join(kind.short.replace(PLACE, value) for kind, value in parts)
    return Instruction(full, short if numbers[1] < short_share else full)


def while_sampling(messages: Sequence[Message], instruction: str) -> list[Message]:
    """A dialogue with the instruction before every turn of the user."""
    return [
        {**message, "content": f"{instruction}\n{message['content']}"} if message["role"] == "user" else message
        for message in messages
    ]


def for_training(messages: Sequence[Message], instruction: str, place: str) -> list[Message]:
    """A dialogue with the instruction at its beginning alone, and loss on the last answer alone.

    Args:
        messages: a whole dialogue, the last answer being the one that was drawn under the instruction.
        instruction: as it is said for training.
        place: ``system``: it is the system message, before what is there; ``user``: before the first turn of the user.
    """
    turns = [dict(message) for message in messages]
    for number, turn in enumerate(turns):
        if turn["role"] == "assistant":
            turn["train"] = number == len(turns) - 1
    if place == "system":
        if turns[0]["role"] == "system":
            turns[0]["content"] = f"{instruction}\n\n{turns[0]['content']}".rstrip()
            return list(turns)
        return [{"role": "system", "content": instruction, "train": True}, *turns]
    first = next(turn for turn in turns if turn["role"] == "user")
    first["content"] = f"{instruction}\n{first['content']}"
    return list(turns)


def user_turns(messages: Sequence[Message]) -> int:
    """How many turns of the user a dialogue has."""
    return sum(message.get("role") == "user" for message in messages)
