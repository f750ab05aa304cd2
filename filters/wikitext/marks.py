"""Characters that the passes leave for one another. None of them can occur in XML 1.0, so in no dump.

They are removed from the input first, so that a text from elsewhere cannot forge one.
"""

from __future__ import annotations

GAP = "\x01"  # here stood something that left no text: what is around it may need tidying
LITERAL_START = "\x02"  # between these two: the number of a text that no pass may touch (code, formulas)
LITERAL_END = "\x03"
BREAK = "\x04"  # a line break inside a line of wikitext (<br>)
JOINT = "\x05"  # nothing, but keeps two runs of apostrophes apart (<nowiki/>)
PIPE = "\x06"  # a pipe that parts no arguments: {{!}}
LINK_PIPE = "\x08"  # a pipe inside a link, while arguments are split
HOLE = "\x07"  # here stood what the sentence cannot do without (a sum in today's money): what holds it goes, too

MARKS = GAP + LITERAL_START + LITERAL_END + BREAK + JOINT + PIPE + LINK_PIPE + HOLE

# After one of these a removed thing can leave a dangling space, bracket or comma; after a letter it cannot.
GAP_CONTEXT = frozenset(" \t\n([{,;:/-–—«„“\"'|=$€£¥₹" + MARKS)


def gap_after(text: str, position: int) -> str:
    """Returns a gap mark if the character before ``position`` makes one needed, else nothing."""
    return GAP if position == 0 or text[position - 1] in GAP_CONTEXT else ""
