r"""Conditionals: those whose outcome the source itself decides are carried out, the others stay in the text.

Decided: \iffalse, \iftrue, \newif switches, etoolbox's toggles, ifthen's \boolean and \equal of plain texts, \ifx of
two tokens, \if of two characters, \ifnum of two written numbers, \ifpdf and its kin (as pdfLaTeX answers), \@ifstar and
\@ifnextchar. \ifmmode is decided later, by `mathmode`. A test for the presence of LaTeX finds it. The others stay.
"""

import re
from typing import TYPE_CHECKING

from filters.latex.definitions import STRUCTURE, define
from filters.latex.macros import Macro
from filters.latex.reader import Frame
from filters.latex.scopes import Meaning, Primitive, Scopes
from filters.latex.tokens import words

if TYPE_CHECKING:
    from filters.latex.expand import Expander

# TeX's and e-TeX's conditionals that depend on what only a run of TeX knows.
RAW = words(
    "if ifcat ifnum ifdim ifodd ifvmode ifhmode ifmmode ifinner ifvoid ifhbox ifvbox ifeof ifcase ifx ifdefined "
    "ifcsname iffontchar ifincsname if@twocolumn if@twoside if@filesw if@tempswa"
)
ALWAYS = {"iftrue": True, "iffalse": False, "ifpdf": True, "ifPDFTeX": True, "ifpdftex": True}
ALWAYS |= dict.fromkeys(("ifxetex", "ifluatex", "ifXeTeX", "ifLuaTeX", "ifxetexorluatex", "ifTUTeX", "ifpdflua"), False)

_BRANCH = re.compile(r"\\([A-Za-z@]+|.)", re.DOTALL)
_CHARACTERS = re.compile(r"[ \t]*([^\\{}\s])([^\\{}])", re.DOTALL)
_OPERAND = r"(-?\d{1,9}(?!\d)|\\[A-Za-z@]+)"
_NUMBERS = re.compile(rf"\s*{_OPERAND}\s*([<=>])\s*{_OPERAND}\s?")
_INTEGER = re.compile(r"\s*-?\d{1,9}\s*\Z")
_BLANKS = re.compile(r"[ \t]*")
_BOOLEAN = re.compile(r"\s*\\boolean\s*\{\s*([^{}\\]*?)\s*\}\s*\Z")
_EQUAL = re.compile(r"\s*\\equal\s*\{([^{}\\]*)\}\s*\{([^{}\\]*)\}\s*\Z")


def find_branch(text: str, start: int, scopes: Scopes | None, limit: int | None = None) -> tuple[str, int, int]:
    r"""The ``\else``, ``\or`` or ``\fi`` that ends the branch which begins at ``start``: (name, where it starts, ends).

    Args:
        text: what is being read.
        start: where the branch begins.
        scopes: tells which names are conditionals; None: TeX's own.
        limit: where to give up.

    Returns:
        ("", limit, limit) where the branch does not end.
    """
    depth = 0
    limit = len(text) if limit is None else limit
    for match in _BRANCH.finditer(text, start, limit):
        name = match[1]
        if name == "fi":
            if depth == 0:
                return name, match.start(), match.end()
            depth -= 1
        elif name == "else":
            if depth == 0:
                return name, match.start(), match.end()
        elif name.startswith("if") and _is_conditional(name, scopes):
            depth += 1
    return "", limit, limit


def _is_conditional(name: str, scopes: Scopes | None) -> bool:
    if scopes is None:
        return name in RAW or name in ALWAYS
    meaning = scopes.meanings.get(name)
    return isinstance(meaning, Primitive) and meaning.conditional


def decide(expander: "Expander", token: str, truth: bool | None) -> None:
    r"""Carry a conditional out: go on in the branch that is true, skip the other; None: it stays as it is."""
    if truth is None:
        expander.conditions.append(False)
        expander.out.append(token)
    elif truth:
        expander.conditions.append(True)
        _swallow(expander)
    else:
        found = _skip(expander, expander.reader.settle())
        if found == "else":
            expander.conditions.append(True)
        elif not found:
            expander.out.append(token)


def _skip(expander: "Expander", frame: Frame) -> str:
    """Skip to the end of this branch; what ended it, "" where nothing does (and nothing is skipped)."""
    if expander.exhausted():
        return ""
    name, start, end = find_branch(frame.text, frame.pos, expander.scopes)
    expander.reader.work += start - frame.pos
    if name:
        frame.pos = end
        _swallow(expander, name == "fi")
    return name


def _swallow(expander: "Expander", ends: bool = False) -> None:
    """Skip the blanks after a conditional's command; after its end one is kept where words would fuse else."""
    if not expander.drop_line() and expander.frames and not (ends and expander.tail()[-1:].strip()):
        frame = expander.frames[-1]
        frame.pos = _BLANKS.match(frame.text, frame.pos).end()  # type: ignore[union-attr]  # matches the empty string
        expander.joined = True


def _always(expander: "Expander", name: str, token: str) -> None:
    decide(expander, token, ALWAYS[name])


def _flag(expander: "Expander", name: str, token: str) -> None:
    decide(expander, token, expander.flags.get(name, False))


def _raw(expander: "Expander", name: str, token: str) -> None:
    del name
    decide(expander, token, None)


def _if(expander: "Expander", name: str, token: str) -> None:
    del name
    frame = expander.reader.settle()
    match = _CHARACTERS.match(frame.text, frame.pos)
    if match:
        frame.pos = match.end()
    decide(expander, token, match[1] == match[2] if match else None)


def _ifnum(expander: "Expander", name: str, token: str) -> None:
    r"""``\ifnum`` of two written numbers, or of macros that are such."""
    del name
    frame = expander.reader.settle()
    match = _NUMBERS.match(frame.text, frame.pos)
    left, right = (_integer(expander, match[1]), _integer(expander, match[3])) if match else (None, None)
    if match is None or left is None or right is None:
        decide(expander, token, None)
        return
    frame.pos = match.end()
    decide(expander, token, {"<": left < right, "=": left == right, ">": left > right}[match[2]])


def _integer(expander: "Expander", text: str) -> int | None:
    if text.startswith("\\"):
        meaning = expander.scopes.meanings.get(text[1:])
        text = str(meaning.pieces[0]) if isinstance(meaning, Macro) and not meaning.parameters else ""
    return int(text) if _INTEGER.match(text) else None


def _ifx(expander: "Expander", name: str, token: str) -> None:
    del name
    reader = expander.reader
    reader.mark()
    first, second = reader.token(), reader.token()
    truth = None if first is None or second is None else _same(expander, first, second)
    if truth is None:
        reader.reset()
    decide(expander, token, truth)


def _same(expander: "Expander", first: str, second: str) -> bool | None:
    """Whether two tokens mean the same; None where only TeX knows."""
    if first == second:
        return True
    for token, other in ((first, second), (second, first)):
        if token in ("\\undefined", "\\@undefined"):
            name = other[1:]
            return other.startswith("\\") and name not in STRUCTURE and name not in expander.scopes.meanings
    left, right = _meaning(expander, first), _meaning(expander, second)
    if isinstance(left, str) and isinstance(right, str):
        return None if left.startswith("\\") and right.startswith("\\") else False
    if isinstance(left, Macro) and isinstance(right, Macro):
        return left.pieces == right.pieces and left.parameters == right.parameters
    return left is right


def _meaning(expander: "Expander", token: str) -> Meaning | str:
    if not token.startswith("\\"):
        return token
    name = token[1:]
    if name in ("empty", "@empty"):
        return Macro("")
    return expander.scopes.meanings.get(name) or token


def _else(expander: "Expander", name: str, token: str) -> None:
    del name
    if expander.conditions and expander.conditions[-1]:
        found = _skip(expander, expander.reader.settle())
        while found == "else":
            found = _skip(expander, expander.reader.settle())
        expander.conditions.pop()
    else:
        expander.out.append(token)


def _fi(expander: "Expander", name: str, token: str) -> None:
    del name
    if expander.conditions and expander.conditions.pop():
        _swallow(expander, True)
    else:
        expander.out.append(token)


def _newif(expander: "Expander", name: str, token: str) -> None:
    del name
    reader = expander.reader
    reader.mark()
    target = reader.control()
    if target is None or not target[0].startswith("if") or len(target[0]) < 3:
        reader.reset()
        expander.out.append(token)
        return
    flag = target[0][2:]
    expander.flags.setdefault(flag, False)
    define(expander, target[0], Primitive(flag, _flag, conditional=True), True)
    for value in (True, False):
        define(expander, f"{flag}{str(value).lower()}", Primitive(flag, _set_true if value else _set_false), True)
    expander.drop_line()


def _set_true(expander: "Expander", name: str, token: str) -> None:
    del token
    expander.flags[name] = True
    expander.drop_line()


def _set_false(expander: "Expander", name: str, token: str) -> None:
    del token
    expander.flags[name] = False
    expander.drop_line()


def _toggle(expander: "Expander", name: str, token: str) -> None:
    r"""``\newtoggle{x}``, ``\toggletrue{x}``, ``\newboolean{x}``, ``\setboolean{x}{true}`` and so on."""
    reader = expander.reader
    reader.mark()
    flag = reader.group()
    value = reader.group() if flag is not None and name == "setboolean" else ""
    if flag is None or value is None:
        reader.reset()
        expander.out.append(token)
        return
    expander.flags[flag.strip()] = name.endswith("true") or value.strip() == "true"
    expander.drop_line()


def _two_ways(expander: "Expander", name: str, token: str) -> None:
    r"""``\iftoggle{x}{yes}{no}``, ``\ifthenelse{test}{yes}{no}``: one of two arguments."""
    reader = expander.reader
    reader.mark()
    test, yes, no = reader.group(), reader.group(), reader.group()
    truth = None if test is None or no is None else _test(expander, name, test)
    if truth is None or yes is None or no is None:
        reader.reset()
        expander.out.append(token)
        return
    expander.push(yes if truth else no)


def _string_test(expander: "Expander", name: str, token: str) -> None:
    r"""etoolbox's tests of plain texts: ``\ifblank{a}{yes}{no}``, ``\notblank``, ``\ifstrequal{a}{b}{yes}{no}``."""
    reader = expander.reader
    reader.mark()
    first = reader.group()
    second = reader.group() if name == "ifstrequal" else ""
    yes, no = reader.group(), reader.group()
    if first is None or second is None or yes is None or no is None:
        reader.reset()
        expander.out.append(token)
        return
    truth = first == second if name in ("ifstrequal", "ifstrempty") else first.isspace() or not first
    expander.push(yes if truth != (name == "notblank") else no)


def _test(expander: "Expander", name: str, test: str) -> bool | None:
    if name != "ifthenelse":
        return expander.flags.get(test.strip())
    boolean = _BOOLEAN.match(test)
    if boolean:
        return expander.flags.get(boolean[1])
    equal = _EQUAL.match(test)
    return equal[1] == equal[2] if equal else None


def _ifstar(expander: "Expander", name: str, token: str) -> None:
    r"""``\@ifstar{with}{without}`` and ``\@ifnextchar[{with}{without}``: look at what follows."""
    reader = expander.reader
    reader.mark()
    char = "*" if name == "@ifstar" else reader.token()
    yes, no = reader.argument(), reader.argument()
    if char is None or yes is None or no is None:
        reader.reset()
        expander.out.append(token)
        return
    frame = reader.settle()
    before = frame.pos
    follows = reader.peek() == char
    if not follows:
        frame.pos = before
    elif name == "@ifstar":
        reader.skip("*")
    expander.push(yes if follows else no)


_COMMANDS: dict[str, Primitive] = (
    {name: Primitive(name, _raw, conditional=True) for name in RAW}
    | {name: Primitive(name, _always, conditional=True) for name in ALWAYS}
    | {"if": Primitive("if", _if, conditional=True), "ifx": Primitive("ifx", _ifx, conditional=True)}
    | {"ifnum": Primitive("ifnum", _ifnum, conditional=True)}
    | {"else": Primitive("else", _else), "fi": Primitive("fi", _fi), "newif": Primitive("newif", _newif)}
    | {
        name: Primitive(name, _toggle)
        for name in words(
            "newtoggle providetoggle toggletrue togglefalse newbool booltrue boolfalse newboolean provideboolean "
            "setboolean"
        )
    }
    | {name: Primitive(name, _two_ways) for name in ("iftoggle", "ifbool", "ifthenelse")}
    | {name: Primitive(name, _string_test) for name in ("ifblank", "notblank", "ifstrequal", "ifstrempty")}
    | {name: Primitive(name, _ifstar) for name in ("@ifstar", "@ifnextchar")}
)
CONDITIONALS: dict[str | None, Primitive] = dict(_COMMANDS.items())
