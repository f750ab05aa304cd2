r"""C4's list of bad words, looked up instead of searched for.

The original searches the lower-cased text for ``(?:\W|^)(word|word|...)(?:\W|$)``, some 400 alternatives tried at every
place. A text that holds a word between such marks has the word's first run of word characters as a run of its own; so
the runs of a text are looked up in a set, and only where one begins a phrase is the phrase searched for.

Reference: TensorFlow Datasets ``text/c4_utils.py`` (``get_badwords_filter_fn``, ``_badwords_filter``) and
``text/c4.py``, which reads the List of Dirty, Naughty, Obscene or Otherwise Bad Words.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

_RUN = re.compile(r"\w+")
_CODE_POINTS = 0x110000
_SPACE = ord(" ")
_ASCII_RUNS = bytes(code if chr(code).isalnum() or chr(code) == "_" else _SPACE for code in range(256))


class BadWords:
    """A list of words and phrases.

    Args:
        words: They are stripped; empty ones are passed over (the original would take them to stand everywhere). The
            text is lower-cased and they are not: one with a capital letter is never found, as in the original.
    """

    def __init__(self, words: Iterable[str]) -> None:
        listed = {word.strip() for word in words} - {""}
        self._words = frozenset(word for word in listed if _RUN.fullmatch(word))
        phrases: dict[str, list[str]] = {}
        for phrase in sorted(listed - self._words):
            start = _RUN.match(phrase)
            phrases.setdefault(start[0] if start else "", []).append(phrase)
        self._marks = tuple(phrases.pop("", ()))  # begin with no word character: looked for in every text
        self._phrases = {start: tuple(group) for start, group in phrases.items()}
        self._starts = self._words | self._phrases.keys()

    def __len__(self) -> int:
        return len(self._words) + len(self._marks) + sum(map(len, self._phrases.values()))

    def found_in(self, text: str) -> bool:
        """Whether one of them stands in a text, in lower case, between non-word characters or the text's ends."""
        lower = text.lower()
        hits = self._starts.intersection(runs(lower))
        if not self._words.isdisjoint(hits):
            return True
        phrases = [phrase for start in hits for phrase in self._phrases[start]]
        return any(phrase in lower and _stands_alone(phrase, lower) for phrase in (*phrases, *self._marks))


def runs(text: str) -> list[str]:
    r"""The runs of word characters in a text, in order: equal to ``re.findall(r"\w+", text)``, and faster."""
    if text.isascii():
        return text.encode("ascii").translate(_ASCII_RUNS).decode("ascii").split()
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    spaced: bytes = _run_table()[codes].tobytes()
    return spaced.decode("utf-32-le", "surrogatepass").split()


@functools.cache
def _run_table() -> npt.NDArray[np.uint32]:
    """Table over all code points: a space for each that is no word character."""
    table = np.arange(_CODE_POINTS, dtype="<u4")
    is_word = np.fromiter((chr(code).isalnum() for code in range(_CODE_POINTS)), bool, _CODE_POINTS)
    is_word[ord("_")] = True
    table[~is_word] = _SPACE
    table.flags.writeable = False
    return table


def _stands_alone(phrase: str, text: str) -> bool:
    """Whether a phrase stands somewhere in a text with no word character beside it."""
    place = text.find(phrase)
    while place >= 0:
        before, behind = text[max(place - 1, 0) : place], text[place + len(phrase) : place + len(phrase) + 1]
        if not _RUN.match(before) and not _RUN.match(behind):
            return True
        place = text.find(phrase, place + 1)
    return False


def read_bad_words(path: str) -> BadWords:
    """Reads a list: UTF-8, one word or phrase a line.

    Raises:
        ValueError: There is no such file, it is no UTF-8, or it holds no word.
    """
    try:
        with open(path, encoding="utf-8") as handle:
            words = BadWords(handle)
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the list of bad words {path} cannot be read: {error}") from error
    if not len(words):
        raise ValueError(f"the list of bad words {path} is empty")
    return words
