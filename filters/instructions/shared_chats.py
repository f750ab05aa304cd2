"""What FastChat takes out of conversations that people shared from ChatGPT's page, and which it leaves out.

Source: FastChat, ``fastchat/data/clean_sharegpt.py``, ``filter_wrong_format.py``, ``optional_clean.py``. Its regular
expressions on blocks of code take time that grows with the square of a turn; here each turn is passed once. "1 / 2",
which the page shows above an answer that was made anew, is taken out where it is a line by itself; FastChat takes it
for that in "10 / 2 = 5", too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from filters.instructions.turns import ASSISTANT, FENCE, Turn

BLOCKED_WORDS = ("openai", "chatgpt")
BLOCKED_ANSWERS = (
    "Too many requests in 1 hour. Try again later.",
    "!Too many requests in 1 hour. Try again later.",
)
COPY_CODE = "Copy code"
_HEADER_CHARACTERS = 60  # of a block of code that can be the name of its language, and "Copy code"
_HEADER = re.compile(
    rf"\s*([\w+#.-]{{0,30}}?)(?:(?:{COPY_CODE})+[ \t]*\n?|[ \t]*\n\s*(?:{COPY_CODE})+[ \t]*\n(?=\s*\S))"
)  # the button stands behind the language, or alone on the next line
_AGAIN = re.compile(r"\s*\d+ / \d+[ \t]*(?:\n|\Z)")
_COPIED = re.compile(r"Copy\d{1,9} chars / \d{1,9} words")
_WRONG_NUMBERS = re.compile(r"\n1\. [^2]*\n1\. ")
_REPEATED_DIGIT = re.compile(r"(\d)\1{8}")
_BLOCK_TAG = re.compile(r"\s*<(?:div|p|pre|ol|ul|h[1-6]|table|blockquote)\b", re.I)


def is_html(turns: Sequence[Turn]) -> bool:
    """Whether a conversation is as the page had it: each answer begins with a block of HTML, and ends with a tag."""
    answers = [turn.content for turn in turns if turn.role == ASSISTANT and turn.content]
    return bool(answers) and all(map(is_html_text, answers))


def is_html_text(text: str) -> bool:
    """Whether a text as a whole is HTML, by its ends."""
    return bool(_BLOCK_TAG.match(text)) and text.rstrip().endswith(">")


def blocked_word(turns: Sequence[Turn], words: Sequence[str]) -> bool:
    """Whether a turn has one of some words, whatever their case; the words are in small letters."""
    return any(word in text for text in (turn.content.lower() for turn in turns) for word in words)


def without_buttons(text: str) -> str:
    """Takes out what the page's buttons wrote into a turn, and puts the language of code where Markdown has it."""
    if FENCE in text and COPY_CODE in text:
        text = _with_languages(text)
    text = _COPIED.sub("", text) if "chars /" in text else text
    found = _AGAIN.match(text)
    return (text[found.end() :] if found else text).strip()


def _with_languages(text: str) -> str:
    """Makes "pythonCopy code" at the head of a block of code its language; a block with nothing else goes."""
    parts = text.split(FENCE)  # what has an odd number stands in a block
    closed = len(parts) - (len(parts) % 2 == 0)  # the last may lack its end
    out = [parts[0]]
    for place in range(1, closed, 2):
        code, behind = parts[place], parts[place + 1]
        header = _HEADER.match(code[:_HEADER_CHARACTERS])
        if header and not (body := code[header.end() :]).strip():
            out.append(behind)
        elif header:
            out += [FENCE, header[1], "\n", body.rstrip(), "\n", FENCE, behind]
        else:
            out += [FENCE, code, FENCE, behind]
    return "".join(out + [FENCE + part for part in parts[closed:]])


def fault_of(
    turns: Sequence[Turn],
    *,
    blocked_answers: Sequence[str],
    min_characters: int,
    drop_wrong_numbers: bool,
    drop_repeated_digits: bool,
) -> Literal["blocked_answer", "too_short", "wrong_numbers", "repeated_digits"] | None:
    """Why a clean conversation is left out; None where it is not.

    Args:
        turns: Its turns.
        blocked_answers: An answer that begins with one of these is none.
        min_characters: The fewest of all turns together.
        drop_wrong_numbers: Whether a list in which each item has the number 1 counts against it.
        drop_repeated_digits: Whether nine times the same digit do.
    """
    contents = [turn.content for turn in turns]
    if any(turn.role == ASSISTANT and turn.content.startswith(tuple(blocked_answers)) for turn in turns):
        return "blocked_answer"
    if sum(map(len, contents)) < min_characters:
        return "too_short"
    if drop_wrong_numbers and any(map(_WRONG_NUMBERS.search, contents)):
        return "wrong_numbers"
    return "repeated_digits" if drop_repeated_digits and any(map(_REPEATED_DIGIT.search, contents)) else None
