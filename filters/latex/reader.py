"""The input stack: a file, or the replacement text of a macro on top of it; arguments are read from it as TeX does.

TeX reads tokens, and when a replacement text is used up it goes on below it. So an argument may stand in the text that
surrounds the macro whose replacement asked for it (``\\newcommand{\\wrap}{\\iwrap}``, ``\\wrap{a}{b}``).
"""

import re
from collections.abc import Callable

from filters.latex.tokens import COMMENT_END, MASK_CLOSE, MASK_OPEN, close_brace, close_bracket

# A token of interest: a control word or symbol, a brace, the end of an expanded environment. In files and replacement
# texts read under \makeatletter, @ is a letter.
TOKEN = re.compile(r"\\([A-Za-z]+|.)|[{}\x05]", re.DOTALL)
TOKEN_AT = re.compile(r"\\([A-Za-z@]+|.)|[{}\x05]", re.DOTALL)
LINE_REST = re.compile(rf"[ \t]*{COMMENT_END}?\n")  # the rest of a line that holds nothing more
BLANKS = re.compile(r"[ \t]*")
MAX_ARGUMENT = 1_000_000  # characters: no argument of a paper is longer; bounds the search for a brace

_BLANK = re.compile(r"\s*")
# What TeX skips before an argument: blanks and one line end (two are a paragraph); lines joined by a comment.
_GAP = re.compile(rf"[ \t]*(?:{COMMENT_END}\n[ \t]*)*(?:\n[ \t]*)?(?:{COMMENT_END}\n[ \t]*)*")
_JOIN = re.compile(rf"{COMMENT_END}\n?[ \t]*")
_CONTROL = re.compile(r"\\([A-Za-z]+|.)", re.DOTALL)
_CONTROL_AT = re.compile(r"\\([A-Za-z@]+|.)", re.DOTALL)
_NAME_IN_BRACES = re.compile(r"\{\s*\\([A-Za-z@]+|[^A-Za-z@])\s*([^{}\\]*?)\s*\}", re.DOTALL)
_PARAGRAPH = re.compile(r"\n[ \t]*\n|\\par(?![A-Za-z@])")
_MASKED = re.compile(f"{MASK_OPEN}\\d+{MASK_CLOSE}")


class Frame:
    """A text being read. ``depth`` is 0 for a file, else the length of the chain of expansions that led here."""

    __slots__ = ("at_letter", "depth", "path", "pos", "text")

    def __init__(self, text: str, depth: int = 0, at_letter: bool = False, path: str = "") -> None:
        self.text = text
        self.pos = 0
        self.depth = depth
        self.at_letter = at_letter
        self.path = path


def join_lines(text: str) -> str:
    """A replacement text or argument with the line ends that comments swallow taken out, as TeX reads it."""
    return _JOIN.sub("", text) if COMMENT_END in text else text


class Reader:
    """Frames, and the reading of arguments from the top one.

    Attributes:
        work: characters looked at in search of the ends of arguments.
        budget: where ``work`` ends: after that no argument is found any more.
    """

    def __init__(self, budget: int = 0) -> None:
        self.frames: list[Frame] = []
        self.work = 0
        self.budget = budget
        self._journal: list[tuple[Frame, int]] = []

    def mark(self) -> None:
        """Remember where reading stands, for `reset`."""
        frame = self.settle()
        self._journal = [(frame, frame.pos)]

    def reset(self) -> None:
        """Go back to the last `mark`."""
        if not self._journal:
            return
        self.frames.pop()
        for frame, position in reversed(self._journal):
            frame.pos = position
            self.frames.append(frame)
        self._journal = self._journal[:1]

    def settle(self) -> Frame:
        """The frame that holds what comes next: replacement texts that are used up are left."""
        frame = self.frames[-1]
        if frame.depth and not frame.text[frame.pos : frame.pos + 1].strip():
            frame = self._leave_used(frame)
        return frame

    def _leave_used(self, frame: Frame) -> Frame:
        while frame.depth and len(self.frames) > 1:
            if frame.pos < len(frame.text) and _BLANK.match(frame.text, frame.pos).end() < len(frame.text):  # type: ignore[union-attr]  # matches the empty string
                break
            self.frames.pop()
            frame = self.frames[-1]
            self._journal.append((frame, frame.pos))
        return frame

    def peek(self) -> str:
        """The next character that is no blank, "" at the end or where a paragraph ends first; blanks are skipped."""
        frame = self.frames[-1]
        char = frame.text[frame.pos : frame.pos + 1]
        if char.strip() and char != COMMENT_END:  # as in most cases, nothing is to be skipped
            return char
        frame = self.settle()
        frame.pos = _GAP.match(frame.text, frame.pos).end()  # type: ignore[union-attr]  # matches the empty string
        char = frame.text[frame.pos : frame.pos + 1]
        return "" if char in "\n\t " else char

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """A pattern's match at what comes next, which is not read yet."""
        frame = self.settle()
        return pattern.match(frame.text, frame.pos)

    def skip(self, prefix: str) -> bool:
        """Skip ``prefix``, and blanks before it, if it comes next."""
        frame = self.settle()
        start = frame.pos
        found = self.peek() == prefix[0] and frame.text.startswith(prefix, frame.pos)
        frame.pos = frame.pos + len(prefix) if found else start
        return found

    def group(self) -> str | None:
        """The text within the braces that come next; None where there are none."""
        if self.peek() != "{" or self.work > self.budget:
            return None
        return self._within(close_brace)

    def bracket(self) -> str | None:
        """The text within the square brackets that come next; None, and nothing read, where there are none."""
        frame = self.settle()
        before = frame.pos
        if self.peek() != "[" or self.work > self.budget:
            frame.pos = before
            return None
        inner = self._within(close_bracket)
        if inner is None:
            return None
        return inner[1:-1] if inner.startswith("{") and close_brace(inner, 0, len(inner)) == len(inner) else inner

    def _within(self, close: Callable[[str, int, int], int]) -> str | None:
        """The text between the mark that stands here and the one that closes it; None where none does."""
        frame = self.frames[-1]
        start = frame.pos
        end = close(frame.text, start, start + MAX_ARGUMENT)
        self.work += (end if end > 0 else min(len(frame.text), start + MAX_ARGUMENT)) - start
        if end < 0:
            return None
        frame.pos = end
        return join_lines(frame.text[start + 1 : end - 1])

    def argument(self) -> str | None:
        """An undelimited argument: a group without its braces, a control sequence or a character."""
        char = self.peek()
        if char == "{":
            return self.group()
        return self.token()

    def token(self) -> str | None:
        """The next control sequence, verbatim mark or character; None at a closing brace or at the end."""
        char = self.peek()
        if not char or char in "}\x05":
            return None
        frame = self.frames[-1]
        pattern = _MASKED if char == MASK_OPEN else _CONTROL_AT if frame.at_letter else _CONTROL
        match = pattern.match(frame.text, frame.pos) if char in (MASK_OPEN, "\\") else None
        frame.pos = match.end() if match else frame.pos + 1
        return match[0] if match else char

    def control(self) -> tuple[str, str] | None:
        r"""A control sequence's name, bare or in braces, and what follows it within the braces (``{\Fix0}``)."""
        char = self.peek()
        frame = self.frames[-1]
        if char == "\\":
            match = (_CONTROL_AT if frame.at_letter else _CONTROL).match(frame.text, frame.pos)
        elif char == "{":
            match = _NAME_IN_BRACES.match(frame.text, frame.pos, frame.pos + 200)
        else:
            match = None
        if not match:
            return None
        frame.pos = match.end()
        return match[1], (match[2] if char == "{" else "")

    def until(self, delimiter: re.Pattern[str], long: bool) -> str | None:
        """A delimited argument: up to the delimiter outside braces, and past it; not across paragraphs unless ``long``.

        Args:
            delimiter: a pattern of alternatives: group 1 the delimiter, else an escape or a brace.
            long: whether the macro is ``\\long``.
        """
        if self.work > self.budget:
            return None
        self.peek()
        frame = self.frames[-1]
        text, start = frame.text, frame.pos
        limit = min(len(text), start + MAX_ARGUMENT)
        if not long:
            paragraph = _PARAGRAPH.search(text, start, limit)
            limit = paragraph.start() if paragraph else limit
        depth = 0
        for match in delimiter.finditer(text, start, limit):
            token = match[0]
            if token == "{":
                depth += 1
            elif token == "}":
                depth -= 1
                if depth < 0:
                    break
            elif depth == 0 and match[1] is not None:
                self.work += match.end() - start
                frame.pos = match.end()
                return _unbraced(join_lines(text[start : match.start()]))
        self.work += limit - start
        return None


def _unbraced(text: str) -> str:
    stripped = text.strip(" ")
    if stripped.startswith("{") and close_brace(stripped, 0, len(stripped)) == len(stripped):
        return stripped[1:-1]
    return text
