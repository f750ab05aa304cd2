"""Where words of a text, as ``words`` finds them, stand in it as it is, and which ids of a tokenizer these are.

A text is cut in pieces between which nothing of its normal form reaches, each of which is made normal by itself: it is
then known which words are of which piece. What cannot be cut so, such as one without a space, is fewer pieces; and
where the pieces' words are not those of the text, the whole text is one.
"""

from __future__ import annotations

import html
import re
import unicodedata

import numpy as np
import numpy.typing as npt

from filters.near_duplicates.shingles import ALONE, OTHER_HYPHENS, ShingleHasher
from pipeline.decontaminate.grams import Places
from pipeline.decontaminate.words import SPACES, TextWords
from pipeline.mix.token_files import Coding, Ids

Marked = npt.NDArray[np.bool_]
# White space, and what of ASCII neither is part of a word nor of an entity, nor joins two.
_PARTING = re.escape("!\"$%'()*+,./:<=>?@[\\]^`{|}~") + "".join(SPACES)
_ALONE = "".join(f"{chr(first)}-{chr(last)}" for first, last in ALONE)
_MARKS = "\u0300-\u036f\u3099\u309a"
_PIECE = re.compile(f"[{_ALONE}][{_MARKS}]*|[^\\s{_PARTING}{_ALONE}]+")
_COARSE = re.compile(r"\S+")


def word_places(hasher: ShingleHasher, text: str) -> Places:
    """For each word of a text, the first character of its piece, and the one behind its last [W, 2]."""
    whole = TextWords(hasher, [text])
    for cut in (_PIECE, _COARSE):
        spans = _joined(text, [match.span() for match in cut.finditer(text)])
        words = TextWords(hasher, [text[first:last] for first, last in spans])
        if np.array_equal(words.hashes, whole.hashes):
            counts = np.diff(words.ends, prepend=0)
            return np.repeat(np.array(spans, np.int64).reshape(-1, 2), counts, axis=0)
    return np.tile(np.array([0, len(text)], np.int64), (len(whole), 1))


def _joined(text: str, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans of pieces, of which one that ends with a hyphen is one with the next: it may go on there."""
    found: list[tuple[int, int]] = []
    open_ = False
    for first, last in spans:
        if open_:
            found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
        open_ = _ends_with_hyphen(text[first:last])
    return found


def _ends_with_hyphen(piece: str) -> bool:
    if "&" in piece:
        piece = html.unescape(html.unescape(piece)).rstrip()
    return unicodedata.normalize("NFKC", piece[-1:]) in ("-", *OTHER_HYPHENS)


def spans_of(marked: Marked, places: Places) -> list[tuple[int, int]]:
    """The characters of runs of marked words, from the first to behind the last of each.

    Args:
        marked: Of each word [W].
        places: As ``word_places`` gives them.
    """
    return [(int(places[first, 0]), int(places[stop - 1, 1])) for first, stop in runs_of(marked)]


def marked_ids(own: Ids, bounds: Places, ids: Ids, spans: list[tuple[int, int]], coding: Coding) -> Marked:
    """Which ids of a document stand for any of some characters; all but bos and eos where they are not the text's.

    Args:
        own: The ids that the document's text has, or more: of a conversation that was cut the first are its own.
        bounds: The characters that each stands for, of its frame for none [T, 2].
        ids: The document's ids, as they are.
        spans: The characters, from one to another.
        coding: Whether documents have bos and eos.
    """
    found = np.zeros(len(ids), np.bool_)
    if not np.array_equal(own[: len(ids)], ids):
        found[int(coding.bos) : len(ids) - int(coding.eos)] = True
        return found
    bounds = bounds[: len(ids)]
    for first, last in spans:
        found |= (bounds[:, 0] < last) & (bounds[:, 1] > first)
    return found


def runs_of(marked: Marked) -> list[tuple[int, int]]:
    """Where runs of what is marked begin and end."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], marked.astype(np.int8), [0])))).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))
