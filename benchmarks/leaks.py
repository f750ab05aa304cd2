"""Evaluation samples, and the ways in which they come into training data."""

import html
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

_PROSE = """
anchor basket candle dragon engine forest garden hammer island jacket kettle ladder marble needle orange pencil
quarry ribbon saddle temple umbrella valley walnut yellow zipper acorn bridge cotton desert ember falcon glacier
harvest ivory juniper kernel lantern meadow nectar opal prairie quiver ravine summit thistle upland velvet willow
"""
WORDS = _PROSE.split()


def sentence(rng: np.random.Generator, words: int) -> str:
    """Words with a number here and there, and a full stop."""
    chosen = [str(rng.integers(10, 99)) if rng.random() < 0.1 else str(rng.choice(WORDS)) for _ in range(words)]
    return " ".join(chosen).capitalize() + "."


def sample(rng: np.random.Generator, words: int) -> dict:
    """A question and four answers, three quarters and a quarter of the words."""
    answer = max(1, words // 16)
    question = sentence(rng, words - 4 * answer)
    return {
        "id": str(rng.integers(1 << 30)),
        "question": question,
        "choices": [sentence(rng, answer) for _ in range(4)],
    }


def whole(one: Mapping) -> str:
    return "\n".join([one["question"], *one["choices"]])


def _wrap(text: str, start: str = "") -> str:
    words = text.split()
    return "\n".join(start + " ".join(words[k : k + 8]) for k in range(0, len(words), 8))


def _punctuated(text: str) -> str:
    return "\u2014 ".join(text.upper().replace(".", "!?").split("\n")).replace(" ", ", ", 3)


def _shuffled(one: Mapping) -> str:
    return "\n".join([one["question"], *reversed(one["choices"])])


def _numbers(text: str) -> str:
    return "".join(str((int(c) + 1) % 10) if c.isdigit() else c for c in text)


LEAKS: dict[str, Callable[[Mapping], str]] = {
    "verbatim": whole,
    "wrapped to 8 words a line": lambda one: _wrap(whole(one)),
    "other case and punctuation": lambda one: _punctuated(whole(one)),
    "Unicode spaces": lambda one: whole(one).replace(" ", "\u2003").replace("\n", "\u2028"),
    "HTML-escaped": lambda one: html.escape("".join(f"&#{ord(c)};" if c in "aeiou" else c for c in whole(one))),
    "quoted with > at line starts": lambda one: _wrap(whole(one), "> "),
    "question without its answers": lambda one: one["question"],
    "answers shuffled": _shuffled,
    "translated quotes": lambda one: "\u00ab" + whole(one).replace("\n", "\u00bb\n\u201e") + "\u201c",
    "numbers changed": lambda one: _numbers(whole(one)),
}


def write_lines(path: Path, records: Sequence[Mapping]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path
