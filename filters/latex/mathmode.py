r"""What depends on math mode, decided where it stands in the text: ``\ensuremath`` and ``\ifmmode``.

Macros that serve in text and in formulas are made with these; expanded, they would litter the paper. One pass over
the text follows ``$``, ``\(``, ``\[``, the math environments and boxes of text, and the end of a paragraph, which
ends a formula.
"""

import re

from filters.latex.branches import find_branch
from filters.latex.tokens import close_brace, words
from filters.latex.vocabulary import CONDITIONALS

_MATH_ENVIRONMENTS = words(
    "math displaymath equation eqnarray align gather multline flalign alignat xalignat xxalignat aligned alignedat "
    "gathered split dmath IEEEeqnarray array cases matrix pmatrix bmatrix vmatrix Vmatrix smallmatrix"
)
_TEXT_ENVIRONMENTS = words("tabular tabularx minipage figure table")
_TEXT_BOX = re.compile(
    r"(?:text(?:rm|bf|it|sf|tt|up|sc|sl|normal|md)?|[mhvf]box|makebox|(?:short)?intertext|footnote|caption)\Z"
)
_TOKEN = re.compile(
    r"\\(?:begin|end)\s*\{(?P<environment>[A-Za-z@]*)\*?\}|\\(?P<word>[A-Za-z@]+)[ \t]*|\\.|\$\$?|[{}]|\n[ \t]*\n",
    re.DOTALL,
)
_ENDS_IN_WORD = re.compile(r"\\[A-Za-z@]+\Z")
# Where a formula's part in braces must keep them: what stands before takes it as its argument.
_TAKES = re.compile(
    r"(?:\\(?:mathbf|mathrm|mathcal|mathbb|boldsymbol|bm|hat|bar|tilde|vec|sqrt|overline|underline|frac|widehat|widetilde|dot)"
    r"|[\^_])\s*\Z"
)
_OPEN, _CLOSE = "\x07$", "$\x07"  # dollars put here: a formula that begins where another ends is joined to it
_LINE_END = re.compile(r"[ \t]*\n[ \t]*")
_MAY_FUSE = " "
_MAX_BRANCH = 10_000  # characters: an \ifmmode or \ensuremath that is longer is left alone
_TAIL = 40


class _Resolver:
    """One pass. ``stack`` holds, per open group, the mode to return to and what to write for its closing brace."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.out: list[str] = []
        self.last = 0  # what stands before has been written
        self.math = False
        self.box = False  # the next group is a box of text
        self.stack: list[tuple[bool, str]] = []
        self.budget = 10 * len(text)  # characters looked ahead at; what is open after that is left alone
        self.plain: set[str] = set()  # commands that mean nothing here
        self.conditions: list[bool] = []  # open conditionals: whether an \ifmmode that has been decided

    def run(self) -> str:
        position: int | None = 0
        while position is not None:
            position = self._run(position)
        self.out.append(self.text[self.last :])
        return "".join(self.out)

    def _run(self, start: int) -> int | None:
        """Goes on from ``start`` to the next token behind which one does not just go on; None at the text's end."""
        stack, plain = self.stack, self.plain
        for match in _TOKEN.finditer(self.text, start):
            token = match[0]
            if token == "{":  # the most common tokens first
                stack.append((self.math, "}"))
                if self.box:
                    self.math = self.box = False
                continue
            if token == "}" and stack and stack[-1][1] == "}":
                self.math = stack.pop()[0]
                continue
            if match[2] in plain:
                continue
            if token == "$":
                self.math = not self.math
                continue
            replacement, position = self._step(match)
            if replacement is not None:
                before = self.text[self.last : match.start()]
                self.out += (_without_line_end(before) if token == "}" else before, replacement)
                self.last = position
            if position != match.end():
                return position
        return None

    def _step(self, match: re.Match[str]) -> tuple[str | None, int]:
        """What is written for a token (None: itself) and where to go on."""
        token, word = match[0], match["word"]
        if word is not None:
            return self._word(match, word)
        if token == "}":
            return self._close(match)
        if match["environment"] is not None:
            self._environment(token, match["environment"])
        elif token[0] == "$":
            self.math = not self.math
        elif token in ("\\(", "\\["):
            self.math = True
        elif token in ("\\)", "\\]") or token[0] == "\n":
            self.math = False
        return None, match.end()

    def _environment(self, token: str, name: str) -> None:
        if token.startswith("\\begin"):
            self.stack.append((self.math, "}"))
            self.math = name in _MATH_ENVIRONMENTS or (self.math and name not in _TEXT_ENVIRONMENTS)
        elif self.stack:
            self.math = self.stack.pop()[0]

    def _close(self, match: re.Match[str]) -> tuple[str | None, int]:
        self.math, closing = self.stack.pop() if self.stack else (self.math, "}")
        if closing == _MAY_FUSE:
            tail = _without_line_end(self._tail(match))
            fuses = self.text[match.end() : match.end() + 1].isalpha() and _ENDS_IN_WORD.search(tail)
            closing = " " if fuses else ""
        return (None if closing == "}" else closing), match.end()

    def _word(self, match: re.Match[str], word: str) -> tuple[str | None, int]:
        end = match.end()
        if word == "ensuremath":
            return self._ensure(match)
        if word == "ifmmode":
            return self._if(match)
        if word in ("else", "fi") and self.conditions:
            return self._end_branch(match, word)
        is_box = _TEXT_BOX.match(word) is not None
        if is_box:
            self.box = self.text[end : end + 1] in ("{", "[")
        if word in CONDITIONALS:
            self.conditions.append(False)
        elif not is_box and word not in ("else", "fi"):
            self.plain.add(word)
        return None, end

    def _ensure(self, match: re.Match[str]) -> tuple[str | None, int]:
        end = match.end()
        if self.text[end : end + 1] != "{" or self.budget < 0:
            return None, end
        closing = close_brace(self.text, end, end + _MAX_BRANCH)
        self.budget -= _MAX_BRANCH if closing < 0 else closing - end
        if closing < 0:
            return None, end
        tail, math = self._tail(match), self.math
        line_end = _LINE_END.match(self.text, end + 1)
        start = line_end.end() if line_end else end + 1
        self.math = True
        if not math:
            self.stack.append((False, _CLOSE))
            return _OPEN, start
        if _TAKES.search(tail):
            self.stack.append((True, "}"))
            return "{", end + 1
        self.stack.append((True, _MAY_FUSE))
        fuses = self.text[start : start + 1].isalpha() and _ENDS_IN_WORD.search(tail)
        return (" " if fuses else ""), start

    def _if(self, match: re.Match[str]) -> tuple[str | None, int]:
        if self.budget < 0:
            return None, match.end()
        name, start, after = find_branch(self.text, match.end(), limit=match.end() + _MAX_BRANCH)
        self.budget -= start - match.end()
        if not name:
            return None, match.end()
        if self.math or name == "else":
            self.conditions.append(True)
        return "", (match.end() if self.math else self._after(match, after))

    def _end_branch(self, match: re.Match[str], word: str) -> tuple[str | None, int]:
        end = match.start() + 1 + len(word)
        if not self.conditions[-1]:
            if word == "fi":
                self.conditions.pop()
            return None, end
        self.conditions.pop()
        if word == "else" and self.budget >= 0:
            name, start, after = find_branch(self.text, end)
            self.budget -= start - match.end()
            end = after if name else end
        return "", self._after(match, end)

    def _after(self, match: re.Match[str], position: int) -> int:
        """Where to go on after a conditional's end: past blanks, unless words would fuse."""
        if self._tail(match)[-1:].strip():
            return position
        while self.text[position : position + 1] in (" ", "\t"):
            position += 1
        return position

    def _tail(self, match: re.Match[str]) -> str:
        """The last characters before a token, as they will read."""
        near = self.text[max(self.last, match.start() - _TAIL) : match.start()]
        return near if len(near) == _TAIL else "".join(self.out[-2:])[-_TAIL:] + near


def _without_line_end(text: str) -> str:
    r"""``text`` without the line end that a replacement text of several lines leaves behind; ``\`` keeps its own."""
    bare = text.rstrip(" \t")
    return bare[:-1] if bare.endswith("\n") and not bare.endswith("\\\n") else text


def resolve_math_mode(text: str) -> str:
    r"""The text with ``\ensuremath{x}`` as ``$x$`` outside formulas, ``x`` inside; ``\ifmmode`` decided likewise."""
    if "\\ensuremath" not in text and "\\ifmmode" not in text:
        return text
    return _Resolver(text).run().replace(_CLOSE + _OPEN, " ").replace("\x07", "")
