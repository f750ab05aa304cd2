r"""TeX's conditionals: those whose outcome the source itself decides are carried out, the others stay in the text.

Decided: \iffalse, \iftrue, \newif switches, \ifx of two tokens, \if of two characters, \ifdim of two lengths that are
written, \ifnum, \ifodd and \ifcase of numbers that are written or known (`registers`), \ifdefined and \ifcsname, \ifpdf
and its kin (as pdfLaTeX answers).
\ifmmode is decided later, by `mathmode`. A file that both branches of an undecided one ask for is read once.
"""

import re

from filters.latex.branches import find_branch
from filters.latex.commands.define import define
from filters.latex.commands.definitions import RELAX
from filters.latex.commands.names import built_name
from filters.latex.commands.registers import compare_lengths, read_number
from filters.latex.expand import Expander
from filters.latex.macros import Macro
from filters.latex.reader import BLANKS, Frame
from filters.latex.scopes import Meaning, Primitive, primitives
from filters.latex.vocabulary import ALWAYS, CONDITIONALS

_CHARACTER = re.compile(r"(?:\\([A-Za-z@]+)[ \t]*|([^\\{}]))", re.DOTALL)
# Commands of TeX that are expanded before \if compares.
_EXPANDABLE = frozenset(
    ("csname", "expandafter", "fontname", "jobname", "meaning", "noexpand", "number", "romannumeral", "string", "the")
)
_NEXT_CONDITIONAL = re.compile(r"\s*\\([A-Za-z@]+)")
_RELATION = re.compile(r"\s*([<=>])")
_CASE_ENDS = ("else", "or")


def decide(expander: Expander, name: str, truth: bool | None) -> None:
    r"""Carry a conditional out: go on in the branch that is true, skip the other; None: it stays as it is."""
    unless, expander.unless = expander.unless, False
    if truth is not None:
        truth = truth != unless
    if truth is None:
        expander.conditions.append(set())
        if unless:
            expander.write("unless")
        expander.write(name)
    elif truth:
        expander.conditions.append(None)
        _swallow(expander)
    else:
        found = _skip(expander, expander.reader.settle())
        if found == "else":
            expander.conditions.append(None)
        elif not found:
            expander.write(name)


def _skip(expander: Expander, frame: Frame, ends: tuple[str, ...] = ("else",)) -> str:
    """Skip to the end of this branch; what ended it, "" where nothing does (and nothing is skipped)."""
    if expander.exhausted():
        return ""
    name, start, end = find_branch(frame.text, frame.pos, expander.is_conditional, None, ends)
    expander.reader.work += start - frame.pos
    if name:
        frame.pos = end
        _swallow(expander, name == "fi")
    return name


def _swallow(expander: Expander, ends: bool = False) -> None:
    """Skip the blanks after a conditional's command; after its end one is kept where words would fuse else."""
    if not expander.drop_line() and expander.frames and not (ends and expander.tail()[-1:].strip()):
        expander.skip_blanks()
        expander.joined = True


def _always(expander: Expander, name: str) -> None:
    decide(expander, name, ALWAYS[name])


def _flag(expander: Expander, name: str) -> None:
    decide(expander, name, expander.flags.get(name.removeprefix("if"), False))


def _undecided(expander: Expander, name: str) -> None:
    decide(expander, name, None)


def _if(expander: Expander, name: str) -> None:
    r"""``\if`` of two characters, or of macros that are one; a command that is no macro is like no character."""
    frame = expander.reader.settle()
    before = frame.pos
    frame.pos = BLANKS.match(frame.text, frame.pos).end()  # type: ignore[union-attr]  # matches the empty string
    first, second = _character(expander, frame), _character(expander, frame)
    truth = None if first is None or second is None else first == second
    if truth is None:
        frame.pos = before
    decide(expander, name, truth)


def _character(expander: Expander, frame: Frame) -> str | None:
    """The next character after expansion, ``\\`` for a command; None where only TeX knows."""
    match = _CHARACTER.match(frame.text, frame.pos)
    if match is None:
        return None
    frame.pos = match.end()
    if match[1] is None:
        return match[2]
    if match[1] == "detokenize":
        text = expander.reader.group()  # \if\relax\detokenize{#1}\relax asks whether an argument is empty
        return None if text is None else text.strip()[:1].replace("\\", "\\\\") or _character(expander, frame)
    if match[1] in _EXPANDABLE:
        return None
    meaning = expander.scopes.meanings.get(match[1])
    if isinstance(meaning, Macro):
        text = expander.plain_text(match[1])
        if text == "":
            return _character(expander, frame)
        return text if text is not None and len(text) == 1 else None
    return None if isinstance(meaning, Primitive) and meaning.handler else "\\"


def _ifnum(expander: Expander, name: str) -> None:
    r"""``\ifnum`` of two numbers that are written or known."""
    frame = expander.reader.settle()
    before = frame.pos
    left = read_number(expander, frame)
    relation = _RELATION.match(frame.text, frame.pos) if left is not None else None
    if relation:
        frame.pos = relation.end()
    right = read_number(expander, frame) if relation else None
    if left is None or right is None or relation is None:
        frame.pos = before
        decide(expander, name, None)
        return
    decide(expander, name, {"<": left < right, "=": left == right, ">": left > right}[relation[1]])


def _ifdim(expander: Expander, name: str) -> None:
    r"""``\ifdim 1pt<2pt``: two lengths that are written; those of registers and fonts, only TeX knows."""
    frame = expander.reader.settle()
    truth, frame.pos = compare_lengths(frame.text, frame.pos)
    decide(expander, name, truth)


def _ifodd(expander: Expander, name: str) -> None:
    number = read_number(expander, expander.reader.settle())
    if number is not None or not expander.abandon():
        decide(expander, name, None if number is None else number % 2 == 1)


def _ifcase(expander: Expander, name: str) -> None:
    r"""``\ifcase 2 zero\or one\or two\else more\fi``: the branch of a number that is known."""
    frame = expander.reader.settle()
    number = read_number(expander, frame)
    if number is None:
        if not expander.abandon():
            decide(expander, name, None)
        return
    found = "or"
    _swallow(expander)
    while number != 0 and found == "or":
        found = _skip(expander, expander.reader.settle(), _CASE_ENDS)
        number -= 1
    if found != "fi":
        expander.conditions.append(None)


def _ifdefined(expander: Expander, name: str) -> None:
    reader = expander.marked()
    token = reader.token()
    if token is None:
        reader.reset()
    decide(expander, name, None if token is None else not token.startswith("\\") or expander.is_defined(token[1:]))


def _ifcsname(expander: Expander, name: str) -> None:
    reader = expander.marked()
    built = built_name(expander)
    if built is None:
        reader.reset()
    decide(expander, name, None if built is None else expander.is_defined(built))


def _ifx(expander: Expander, name: str) -> None:
    reader = expander.marked()
    first, second = reader.token(), reader.token()
    truth = None if first is None or second is None else same(expander, first, second)
    if truth is None:
        reader.reset()
    decide(expander, name, truth)


def same(expander: Expander, first: str, second: str) -> bool | None:
    """Whether two tokens mean the same; None where only TeX knows."""
    if first == second:
        return True
    for token, other in ((first, second), (second, first)):
        if token in ("\\undefined", "\\@undefined"):
            return other.startswith("\\") and not expander.is_defined(other[1:])
    left, right = _meaning(expander, first), _meaning(expander, second)
    if isinstance(left, str) and isinstance(right, str):
        return None if left.startswith("\\") and right.startswith("\\") else False
    if isinstance(left, Macro) and isinstance(right, Macro):
        return left.pieces == right.pieces and left.parameters == right.parameters
    return left is right


def _meaning(expander: Expander, token: str) -> Meaning | str:
    if not token.startswith("\\"):
        return token
    name = token[1:]
    if name in ("empty", "@empty"):
        return Macro("")
    if name == "relax":
        return RELAX
    return expander.scopes.meanings.get(name) or token


def _else(expander: Expander, name: str) -> None:
    if expander.conditions and expander.conditions[-1] is None:
        found = _skip(expander, expander.reader.settle(), _CASE_ENDS)
        while found and found != "fi":
            found = _skip(expander, expander.reader.settle(), _CASE_ENDS)
        expander.conditions.pop()
    else:
        expander.write(name)


def _fi(expander: Expander, name: str) -> None:
    if expander.conditions and expander.conditions.pop() is None:
        _swallow(expander, True)
    else:
        expander.write(name)


def _unless(expander: Expander, name: str) -> None:
    r"""``\unless\ifdefined``: the conditional behind it, turned round."""
    following = expander.reader.match(_NEXT_CONDITIONAL)
    if following and expander.is_conditional(following[1]):
        expander.unless = True
    else:
        expander.write(name)


def _newif(expander: Expander, name: str) -> None:
    reader = expander.marked()
    target = reader.control()
    if target is None or not target[0].startswith("if") or len(target[0]) < 3:
        expander.put_back(name)
        return
    flag = target[0][2:]
    expander.flags.setdefault(flag, False)
    define(expander, target[0], Primitive(target[0], _flag, conditional=True), True)
    for value in ("true", "false"):
        define(expander, flag + value, Primitive(flag + value, _set_flag), True)
    expander.drop_line()


def _set_flag(expander: Expander, name: str) -> None:
    truth = name.endswith("true")
    expander.flags[name.removesuffix("true" if truth else "false")] = truth
    expander.drop_line()


_DECIDED = {"if", "ifx", "ifnum", "ifdim", "ifodd", "ifcase", "ifdefined", "ifcsname"}
TEX_CONDITIONALS = primitives(
    {
        _undecided: " ".join(sorted(CONDITIONALS - _DECIDED)),
        _always: " ".join(ALWAYS),
        _if: "if",
        _ifx: "ifx",
        _ifnum: "ifnum",
        _ifdim: "ifdim",
        _ifodd: "ifodd",
        _ifcase: "ifcase",
        _ifdefined: "ifdefined",
        _ifcsname: "ifcsname",
    },
    conditional=True,
)
TEX_CONDITIONALS |= primitives({_else: "else", _fi: "fi", _newif: "newif", _unless: "unless"}) | primitives(
    {_else: "or"}, yields=True
)
