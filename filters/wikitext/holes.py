"""What becomes of a sentence in which something is missing that it cannot do without.

``A ticket was $5 ($HOLE in HOLE dollars).`` loses its brackets; ``It is worth $HOLE today.`` goes as a whole.
"""

from __future__ import annotations

import re

from filters.wikitext.marks import GAP, HOLE

_OPENING = "(（"
_BRACKET = re.compile(r"[()（）]")
# The end of a sentence: a stop behind a word of two letters or more (not Mr., St.), no small letter behind the space.
_ENDED = re.compile(r"[.!?…:][\"'”»)\]]*\s*$")
_SENTENCE_END = re.compile(
    r"(?<=\w\w)(?<!\b[A-Z][a-z])[.!?…]+[\"'”»)\]]*\s+(?=\S)"
    + rf"|(?<=[0-9)%’'\"”»{GAP}{HOLE}])[.!?…]+[\"'”»)\]]*\s+(?=\S)"
)


def drop_holes(line: str) -> str:
    """Removes from a line what holds a hole: the brackets around it, or else its sentence.

    What ends without a full stop is no sentence; there the hole leaves a gap.
    """
    line = _drop_brackets(line)
    if HOLE not in line:
        return line
    kept = (sentence for sentence in _sentences(line) if HOLE not in sentence or not _ENDED.search(sentence))
    return "".join(kept).replace(HOLE, GAP)


def drop_item(text: str) -> str:
    """Removes from a list item what holds a hole: the brackets around it, or else all of it."""
    text = _drop_brackets(text)
    return "" if HOLE in text else text


def _drop_brackets(line: str) -> str:
    """Replaces each innermost pair of brackets around a hole by a gap. Every character is passed once."""
    levels: list[list[str]] = [[]]  # for each open bracket the pieces behind it; the first are those of the line
    holes = [False]
    position = 0
    for match in _BRACKET.finditer(line):
        piece, position = line[position : match.start()], match.end()
        levels[-1].append(piece)
        holes[-1] = holes[-1] or HOLE in piece
        if match[0] in _OPENING:
            levels.append([match[0]])
            holes.append(False)
        elif len(levels) == 1:
            levels[-1].append(match[0])
        else:
            inner = levels.pop()
            levels[-1] += [GAP] if holes.pop() else [*inner, match[0]]
    while len(levels) > 1:  # those that are not closed are text
        inner = levels.pop()
        levels[-1] += inner
    return "".join([*levels[0], line[position:]])


def _sentences(line: str) -> list[str]:
    sentences, position = [], 0
    for match in _SENTENCE_END.finditer(line):
        if not line[match.end()].islower():
            sentences.append(line[position : match.end()])
            position = match.end()
    return [*sentences, line[position:]]
