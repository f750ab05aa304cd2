"""The number of sentences in a text, as NLTK's Punkt tokenizer counts them, without making the sentences.

C4 only asks how many there are. Punkt decides at each full stop by the word before it and the token behind it, so the
count needs one look at each; most are settled by the word's last letters alone, and a question needs none.

Reference: Kiss and Strunk, Unsupervised Multilingual Sentence Boundary Detection, 2006; NLTK 3.5
``nltk/tokenize/punkt.py`` (``PunktSentenceTokenizer``), the version of C4's time. Later versions differ where white
space beyond ASCII stands in a text (3.6.6 and later), and at curly quotation marks (3.10 and later).
"""

from __future__ import annotations

import gzip
import json
import re
import string
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

# NLTK PunktLanguageVars: what ends a sentence, what cannot stand in a word, what makes one token of many marks.
_NON_WORD = r"""[?!)";}\]*:@'({\[]"""
_MANY_MARKS = r"(?:-{2,}|\.{2,}|(?:\.\s){2,}\.)"
_CANDIDATE = re.compile(rf"[.?!](?:(?={_NON_WORD})|(?=\s+\S))")
_TOKEN = re.compile(
    rf"{_MANY_MARKS}|(?=[^(\"`{{\[:;&#*@)}}\]\-,])\S+?(?=\s|$|{_NON_WORD}|{_MANY_MARKS}|,(?=$|\s|{_NON_WORD}|"
    rf"{_MANY_MARKS}))|\S"
)
_WHITE_SPACE = re.compile(r"\s")
_NEXT_TOKEN = re.compile(r"\s+\S+")
# NLTK re_boundary_realignment: closing marks behind a stop belong to its sentence; a text that ends so ends no other.
_CLOSING_ONLY = re.compile(r"""["')\]}]+\s*\Z""")
# NLTK PunktToken.
_NUMBER = re.compile(r"^-?[.,]?\d[\d,.\-]*\.?$")
_INITIAL = re.compile(r"[^\W\d]\.$")
_ELLIPSIS = re.compile(r"\.\.+$")
_NUMBER_TYPE = "##number##"
_PUNCTUATION = frozenset(";:,.!?")  # NLTK PunktSentenceTokenizer.PUNCTUATION
# NLTK's flags of the places where training saw a word.
_INSIDE_UPPER = 1 << 2
_UPPER = (1 << 1) | (1 << 2) | (1 << 3)
_FIRST_LOWER = 1 << 4
_LOWER = (1 << 4) | (1 << 5) | (1 << 6)
_LETTERS = frozenset(string.ascii_letters)
_LAST_LETTERS = re.compile(r"[A-Za-z]*\Z")


@dataclass(frozen=True)
class PunktModel:
    """What training found: Punkt's parameters of one language.

    Attributes:
        abbreviations: Words, in lower case, that a full stop belongs to.
        collocations: Pairs of types between which a full stop ends no sentence.
        starters: Words that often begin a sentence.
        context: For each type, flags of the places in which it was seen with upper or lower case.
    """

    abbreviations: frozenset[str]
    collocations: frozenset[tuple[str, str]]
    starters: frozenset[str]
    context: Mapping[str, int]


def load_punkt(path: str) -> PunktModel:
    """Loads a model: gzipped JSON, as ``samples/models/README.md`` describes it.

    Raises:
        ValueError: The file is missing, damaged, or no such model.
    """
    try:
        data = json.loads(gzip.decompress(Path(path).read_bytes()))
        return PunktModel(
            frozenset(map(str, data["abbreviations"])),
            frozenset((str(first), str(second)) for first, second in data["collocations"]),
            frozenset(map(str, data["sentence_starters"])),
            {str(word): int(flags) for word, flags in data["orthographic_context"].items()},
        )
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no model of sentence ends: {error!r}") from error


class SentenceCounter:
    """Counts sentences; equal to ``len(PunktSentenceTokenizer(...).tokenize(text))`` of NLTK 3.5 for every text.

    Args:
        model: The parameters.
    """

    def __init__(self, model: PunktModel) -> None:
        self._model = model
        # A word whose last letters are none of these is no abbreviation, and no first word of a collocation.
        words = [*model.abbreviations, *(first for first, _ in model.collocations)]
        self._unsure = frozenset(_last_letters(word) for word in words)

    def count(self, text: str, limit: int | None = None) -> int:
        """The number of sentences.

        Args:
            text: Any text; white space is not stripped.
            limit: Where to stop counting: a count below it is exact, else it is the limit itself.
        """
        breaks, last, most = 0, 0, len(text) if limit is None else limit
        pending = -1  # a candidate inside a run of non-white-space counts only where no other follows in the run
        for candidate in _CANDIDATE.finditer(text):
            place = candidate.start()
            if pending >= 0 and _WHITE_SPACE.search(text, pending, place):
                breaks, last = self._decide(text, pending, breaks, last)
                if breaks >= most:
                    return most
            pending = place
        if pending >= 0:
            breaks, last = self._decide(text, pending, breaks, last)
        if not breaks:
            return min(1 if text.strip() else 0, most)
        return min(breaks + (_CLOSING_ONLY.match(text, last) is None), most)

    def _decide(self, text: str, place: int, breaks: int, last: int) -> tuple[int, int]:
        """Adds a break, and where the next sentence begins, if the candidate is one."""
        if not self._ends_sentence(text, place):
            return breaks, last
        behind = place + 1
        while text[behind].isspace():
            behind += 1
        return breaks + 1, behind

    def _ends_sentence(self, text: str, place: int) -> bool:
        if text[place] != ".":
            return True  # a token of its own, with one behind it
        start = place
        while start and text[start - 1] in _LETTERS:
            start -= 1
        if place - start >= 2 and (not start or text[start - 1].isascii()):
            ending = text[start:place].lower()
            if ending not in self._unsure:
                return True
        return self._context_has_break(_context(text, place))

    def _context_has_break(self, context: str) -> bool:
        """Whether a token other than the last ends a sentence (NLTK ``text_contains_sentbreak``)."""
        tokens = [token for line in context.split("\n") for token in _TOKEN.findall(line)]
        return any(self._breaks(token, behind) for token, behind in pairwise(tokens))

    def _breaks(self, token: str, behind: str) -> bool:
        """Punkt's two passes over one token, given the next one."""
        is_break, is_abbreviation = self._by_type(token)
        if not token.endswith("."):
            return is_break
        kind = _type_without_period(token)
        next_kind = _type_without_period(behind) if self._by_type(behind)[0] else _type(behind)
        if (kind, next_kind) in self._model.collocations:
            return False
        is_initial = _INITIAL.match(token) is not None
        if (is_abbreviation or _ELLIPSIS.match(token)) and not is_initial:
            if self._starts_sentence(behind, next_kind) is True:
                return True
            if behind[0].isupper() and next_kind in self._model.starters:
                return True
        if is_initial or kind == _NUMBER_TYPE:
            starts = self._starts_sentence(behind, next_kind)
            if starts is False:
                return False
            never_lower = not self._model.context.get(next_kind, 0) & _LOWER
            if starts is None and is_initial and behind[0].isupper() and never_lower:
                return False
        return is_break

    def _by_type(self, token: str) -> tuple[bool, bool]:
        """Punkt's first pass: whether a token ends a sentence, or is an abbreviation, by itself."""
        if token in (".", "?", "!"):
            return True, False
        if not token.endswith(".") or token.endswith(".."):
            return False, False
        word = token[:-1].lower()
        is_abbreviation = word in self._model.abbreviations or word.rpartition("-")[2] in self._model.abbreviations
        return not is_abbreviation, is_abbreviation

    def _starts_sentence(self, token: str, kind: str) -> bool | None:
        """Whether the case of a token says that it begins a sentence; None where it does not tell."""
        if token in _PUNCTUATION:
            return False
        seen = self._model.context.get(kind, 0)
        if token[0].isupper() and seen & _LOWER and not seen & _INSIDE_UPPER:
            return True
        if token[0].islower() and (seen & _UPPER or not seen & _FIRST_LOWER):
            return False
        return None


def _last_letters(word: str) -> str:
    found = _LAST_LETTERS.search(word)
    return found[0] if found else ""


def _context(text: str, place: int) -> str:
    """The run of non-white-space that ends in a candidate, with the mark behind it, or white space and a token."""
    start = place
    while start and not text[start - 1].isspace():
        start -= 1
    behind = _NEXT_TOKEN.match(text, place + 1)
    return text[start : behind.end() if behind else place + 2]


def _type(token: str) -> str:
    return _NUMBER.sub(_NUMBER_TYPE, token.lower())


def _type_without_period(token: str) -> str:
    kind = _type(token)
    return kind[:-1] if len(kind) > 1 and kind.endswith(".") else kind
