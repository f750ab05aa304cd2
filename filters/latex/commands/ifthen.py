r"""The tests of the ifthen and xifthen packages, in three values: true, false, and what only TeX knows (None)."""

import re

from filters.latex.commands.registers import compare_lengths, read_number
from filters.latex.expand import Expander
from filters.latex.reader import Frame
from filters.latex.tokens import close_brace

_MAX_TEST = 2000  # characters; a longer test is left to TeX
_WORD = re.compile(r"\s*\\(not|NOT|and|AND|or|OR|\(|\))(?![A-Za-z@])")
_CALL = re.compile(r"\s*\\(equal|boolean|isodd|isundefined|isnamedefined|isempty|isin|lengthtest|endswith)\s*(?=\{)")
_RELATION = re.compile(r"\s*([<=>])")
_ARGUMENTS = {"equal": 2, "isin": 2, "endswith": 2}
_COMMAND = re.compile(r"\s*\\([A-Za-z@]+)\s*\Z")
_JOB = re.compile(r"\\jobname(?![A-Za-z@])")


def evaluate(expander: Expander, test: str) -> bool | None:
    r"""What a test of ``\ifthenelse`` says."""
    return None if len(test) > _MAX_TEST else _Test(expander, test).run()


def equal(expander: Expander, first: str, second: str) -> bool | None:
    """Whether two texts are the same once they are expanded; None where one is a command that only TeX knows."""
    left, right = (_expanded(expander, text) for text in (first, second))
    if left == right:
        return True
    if not left or not right:
        return False
    return None if _COMMAND.match(left) or _COMMAND.match(right) else False


def _expanded(expander: Expander, text: str) -> str:
    stem = expander.files.main.rpartition("/")[2].rpartition(".")[0]
    return expander.expand(_JOB.sub(lambda match: stem, text)).strip()


class _Test:
    r"""``or`` of ``and`` of terms; ifthen itself goes from left to right, which differs where both are mixed."""

    def __init__(self, expander: Expander, text: str) -> None:
        self._expander = expander
        self._frame = Frame(text, at_letter=True)

    def run(self) -> bool | None:
        value = self._either(0)
        rest = self._frame.text[self._frame.pos :]
        return value if not rest.strip() else None

    def _either(self, depth: int) -> bool | None:
        value = self._both(depth)
        while self._next("or", "OR"):
            other = self._both(depth)
            value = True if value or other else None if value is None or other is None else False
        return value

    def _both(self, depth: int) -> bool | None:
        value = self._term(depth)
        while self._next("and", "AND"):
            other = self._term(depth)
            value = False if value is False or other is False else None if value is None or other is None else True
        return value

    def _term(self, depth: int) -> bool | None:
        if depth > 20:
            return None
        if self._next("not", "NOT"):
            value = self._term(depth + 1)
            return None if value is None else not value
        if self._next("("):
            value = self._either(depth + 1)
            return value if self._next(")") else None
        call = _CALL.match(self._frame.text, self._frame.pos)
        return self._call(call) if call else self._comparison()

    def _next(self, *words: str) -> bool:
        match = _WORD.match(self._frame.text, self._frame.pos)
        if match is None or match[1] not in words:
            return False
        self._frame.pos = match.end()
        return True

    def _call(self, call: re.Match[str]) -> bool | None:
        text, self._frame.pos = self._frame.text, call.end()
        arguments: list[str] = []
        for _ in range(_ARGUMENTS.get(call[1], 1)):
            start = len(text) - len(text[self._frame.pos :].lstrip())
            end = close_brace(text, start, len(text)) if text[start : start + 1] == "{" else -1
            if end < 0:
                return None
            arguments.append(text[start + 1 : end - 1])
            self._frame.pos = end
        return self._answer(call[1], arguments)

    def _answer(self, name: str, arguments: list[str]) -> bool | None:
        expander, first = self._expander, arguments[0]
        if name == "equal":
            return equal(expander, first, arguments[1])
        if name == "boolean":
            return expander.flags.get(first.strip())
        if name == "isodd":
            frame = Frame(first, at_letter=True)
            number = read_number(expander, frame)
            return None if number is None else number % 2 == 1
        if name == "isundefined":
            command = _COMMAND.match(first)
            return not expander.is_defined(command[1]) if command else None
        if name == "isnamedefined":
            return expander.is_defined(first.strip())
        if name == "isempty":
            return not _expanded(expander, first)
        texts = [_expanded(expander, text) for text in arguments]
        if name == "lengthtest":
            truth, end = compare_lengths(texts[0], 0)
            return truth if end == len(texts[0]) else None
        if any("\\" in text for text in texts):
            return None
        return texts[0] in texts[1] if name == "isin" else texts[0].endswith(texts[1])

    def _comparison(self) -> bool | None:
        left = read_number(self._expander, self._frame)
        relation = _RELATION.match(self._frame.text, self._frame.pos) if left is not None else None
        if left is None or relation is None:
            return None
        self._frame.pos = relation.end()
        right = read_number(self._expander, self._frame)
        if right is None:
            return None
        return {"<": left < right, "=": left == right, ">": left > right}[relation[1]]
