r"""mathtools' paired delimiters: \DeclarePairedDelimiter, \DeclarePairedDelimiterX and \DeclarePairedDelimiterXPP.

``\abs*{x}`` sizes its delimiters, ``\abs[\big]{x}`` is told how; ``\delimsize`` in the inner text is that size.
"""

import re

from filters.latex.commands.define import define, unread
from filters.latex.expand import Expander
from filters.latex.macros import MANDATORY, NO_VALUE, STAR, Macro, Parameter
from filters.latex.scopes import primitives

_SIZE = re.compile(r"\\delimsize(?![A-Za-z@])[ \t]*")
_ARGUMENT = re.compile(r"#([1-7])")


def _paired(expander: Expander, name: str) -> None:
    reader = expander.marked()
    target = reader.control()
    count = reader.bracket() if target and name != "DeclarePairedDelimiter" else "1"
    given = [reader.argument() for _ in range(_TEXTS[name])] if target and count else []
    texts = [text for text in given if text is not None]
    if target is None or count is None or count.strip() not in list("1234567") or len(texts) != _TEXTS[name]:
        unread(expander, name, target)
        return
    number = int(count)
    before, left, right, after, inner = _parts(name, texts, number)
    sized = f"\\left{left}{_SIZE.sub(_middle, inner)}\\right{right}"
    told = f"#2{left}{_SIZE.sub('#2', inner)}#2{right}"
    bare = f"{left}{_SIZE.sub('', inner)}{right}"
    body = f"{before}\\IfBooleanTF{{#1}}{{{sized}}}{{\\IfNoValueTF{{#2}}{{{bare}}}{{{told}}}}}{after}"
    parameters = (STAR, Parameter("optional", NO_VALUE), *[MANDATORY] * number)
    define(expander, target[0], Macro(body, parameters, reader.frames[-1].at_letter))
    expander.drop_line()


def _middle(match: re.Match[str]) -> str:
    del match
    return "\\middle"


def _parts(name: str, texts: list[str], number: int) -> tuple[str, str, str, str, str]:
    """What stands before, the two delimiters, what stands after, and the inside; star and size are #1 and #2."""
    moved = [_ARGUMENT.sub(lambda match: f"#{int(match[1]) + 2}", text) for text in texts]
    if name == "DeclarePairedDelimiterXPP":
        before, left, right, after, inner = moved
        return before, left, right, after, inner
    if name == "DeclarePairedDelimiterX":
        return "", moved[0], moved[1], "", moved[2]
    return "", moved[0], moved[1], "", "".join(f"#{3 + argument}" for argument in range(number))


_TEXTS = {"DeclarePairedDelimiter": 2, "DeclarePairedDelimiterX": 3, "DeclarePairedDelimiterXPP": 5}

DELIMITERS = primitives({_paired: " ".join(_TEXTS)})
