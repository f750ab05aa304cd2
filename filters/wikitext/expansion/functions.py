"""Parser functions inside definitions. Only the branch that is taken is expanded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from filters.wikitext.expansion.expressions import BadExpression, evaluate, write
from filters.wikitext.expansion.tree import Argument, Nodes
from filters.wikitext.numbers import format_number, is_number, raised

Expand = Callable[[Nodes], str]
Function = Callable[[str, tuple[Argument, ...], Expand, str], str]  # subject, arguments, how to expand, language
_LONGEST_PAD = 40


def _whole(arguments: tuple[Argument, ...], number: int, expand: Expand) -> str:
    """Returns an argument of a function, for which an equals sign is text."""
    if number >= len(arguments):
        return ""
    argument = arguments[number]
    if argument.name is None:
        return expand(argument.value).strip()
    return f"{expand(argument.name)}={expand(argument.value)}".strip()


def _if(subject: str, arguments: tuple[Argument, ...], expand: Expand, language: str) -> str:
    return _whole(arguments, 0 if subject else 1, expand)


def _ifeq(subject: str, arguments: tuple[Argument, ...], expand: Expand, language: str) -> str:
    return _whole(arguments, 1 if _equal(subject, _whole(arguments, 0, expand)) else 2, expand)


def _equal(left: str, right: str) -> bool:
    if left == right:
        return True
    try:
        return float(left) == float(right)
    except ValueError:
        return False


def _ifexpr(subject: str, arguments: tuple[Argument, ...], expand: Expand, language: str) -> str:
    return _whole(arguments, 0 if subject and evaluate(subject) else 1, expand)


def _iferror(subject: str, arguments: tuple[Argument, ...], expand: Expand, language: str) -> str:
    return _whole(arguments, 1, expand) if len(arguments) > 1 else subject


def _switch(subject: str, arguments: tuple[Argument, ...], expand: Expand, language: str) -> str:
    found, default = False, None
    for number, argument in enumerate(arguments):
        case = expand(argument.value if argument.name is None else argument.name).strip()
        found = found or _equal(subject, case)
        if argument.name is None:
            if number == len(arguments) - 1:
                return case  # the last without a value is what stands for all else
        elif found:
            return expand(argument.value).strip()
        elif case == "#default":
            default = argument.value
    return expand(default).strip() if default is not None else ""


def _expr(subject: str, arguments: tuple[Argument, ...], expand: Expand, language: str) -> str:
    return write(evaluate(subject)) if subject else ""


def _format(subject: str, arguments: tuple[Argument, ...], expand: Expand, language: str) -> str:
    return subject if arguments else format_number(subject, language)


def _pad(is_left: bool) -> Function:
    def pad(subject: str, arguments: tuple[Argument, ...], expand: Expand, language: str) -> str:
        width, filler = _whole(arguments, 0, expand), _whole(arguments, 1, expand)[:1] or "0"
        size = min(int(width), _LONGEST_PAD) if width.isdecimal() else 0
        return subject.rjust(size, filler) if is_left else subject.ljust(size, filler)

    return pad


def _plural(subject: str, arguments: tuple[Argument, ...], expand: Expand, language: str) -> str:
    if not is_number(subject) or len(arguments) > 2:
        raise BadExpression("plurals of more than two forms go by the rules of each language")
    return _whole(arguments, 0 if subject == "1" else min(1, len(arguments) - 1), expand)


def _text(change: Callable[[str], str]) -> Function:
    return lambda subject, arguments, expand, language: change(subject)


# Extension:ParserFunctions and Help:Magic words; ``#sup`` is this project's own, for <sup> around a parameter.
FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        "#if": _if,
        "#ifeq": _ifeq,
        "#ifexpr": _ifexpr,
        "#iferror": _iferror,
        "#switch": _switch,
        "#expr": _expr,
        "#sup": _text(raised),
        "formatnum": _format,
        "padleft": _pad(True),
        "padright": _pad(False),
        "plural": _plural,
        "lc": _text(str.lower),
        "uc": _text(str.upper),
        "lcfirst": _text(lambda text: text[:1].lower() + text[1:]),
        "ucfirst": _text(lambda text: text[:1].upper() + text[1:]),
        "#tag": _text(lambda text: ""),
    }
)
