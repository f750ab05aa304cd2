"""What becomes of a sentence in which something is missing that it cannot do without.

``A ticket was $5 ($HOLE in HOLE dollars).`` loses its brackets; ``It is worth $HOLE today.`` goes as a whole.
"""

from __future__ import annotations

import re

from filters.wikitext.marks import GAP, HOLE

_OPENING = "(（"
_BRACKET = re.compile(r"[()（）]")
# The end of a sentence: a stop behind a word of two letters or more (not Mr., St.), no small letter behind the space.
_ENDED = re.compile(r"[.!?…:。！？][\"'”»)\]]*\s*$")
_SENTENCE_END = re.compile(
    r"(?<=\w\w)(?<!\b[A-Z][a-z])[.!?…]+[\"'”»)\]]*\s+(?=\S)"
    rf"|(?<=[0-9)%’'\"”»{GAP}{HOLE}])[.!?…]+[\"'”»)\]]*\s+(?=\S)"
    r"|(?<=[。！？])(?=.)"
)

_GLUED = re.compile(rf"[0-9×·^±]{HOLE}|{HOLE}[0-9]")  # without it the number would be another


def drop_holes(line: str) -> str:
    """Removes from a line what holds a hole: the brackets around it, or else its sentence.

    What ends without a full stop is no sentence; there the hole leaves a gap, unless it is a part of a number.
    """
    line = _drop_brackets(line)
    if HOLE not in line:
        return line
    kept = (sentence for sentence in _sentences(line) if HOLE not in sentence or not _cannot_stay(sentence))
    return "".join(kept).replace(HOLE, GAP)


def _cannot_stay(sentence: str) -> bool:
    return bool(_ENDED.search(sentence) or _GLUED.search(sentence))


def drop_item(text: str) -> str:
    """Removes from a list item what holds a hole: the brackets around it, or else all of it."""
    text = _drop_brackets(text)
    return "" if HOLE in text else text


def _drop_brackets(line: str) -> str:
    """Replaces each innermost pair of brackets around a hole by a gap. Every character is passed once."""
    out: list[str] = []
    starts: list[int] = []  # for each open bracket where in ``out`` it stands
    holes = [False]  # for the line, and each open bracket, whether a hole stands in it so far
    position = 0
    for match in _BRACKET.finditer(line):
        piece, position = line[position : match.start()], match.end()
        out.append(piece)
        holes[-1] = holes[-1] or HOLE in piece
        if match[0] in _OPENING:
            starts.append(len(out))
            holes.append(False)
            out.append(match[0])
        elif starts and holes[-1]:
            holes.pop()
            out[starts.pop() :] = [GAP]
        else:
            if starts:
                starts.pop()
                holes.pop()
            out.append(match[0])
    return "".join([*out, line[position:]])


def _sentences(line: str) -> list[str]:
    sentences, position = [], 0
    for match in _SENTENCE_END.finditer(line):
        if not line[match.end()].islower():
            sentences.append(line[position : match.end()])
            position = match.end()
    return [*sentences, line[position:]]
