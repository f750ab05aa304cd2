r"""Numbers that a paper keeps: \newcount registers, \chardef constants and \newcounter counters, while they are known.

They are known from a written assignment up to the first command that reckons with them. The commands stay in the text;
what is known decides \ifnum, \ifodd and \ifcase.
"""

import re
from fractions import Fraction

from filters.latex.expand import Expander
from filters.latex.reader import Frame
from filters.latex.scopes import Primitive, primitives

_NUMBER = re.compile(
    r"\s*(?:(?P<digits>[+-]?\d{1,9})(?!\d)\s?|`\\?(?P<char>.)\s?|\\value[ \t]*\{(?P<counter>[^{}\\]{1,100})\}"
    r"|\\(?P<name>[A-Za-z@]+)[ \t]*)"
)
_TARGET = re.compile(r"\s*\\([A-Za-z@]+)")
_ASSIGNED = re.compile(r"[ \t]*=?[ \t]*(-?\d{1,9})(?![\d.])")
_CHARDEF = re.compile(r"\s*\\([A-Za-z@]+)\s*=?\s*(-?\d{1,9})(?!\d)\s?")
_DECLARED = re.compile(r"\s*\*?\s*\{?\s*\\?([A-Za-z@]{1,100}\*?)")
_COUNTER = re.compile(r"\s*\{\s*([^{}\\]{1,100}?)\s*\}(?:\s*\{\s*(-?\d{1,9})\s*\})?")

# TeX's units in points; The TeXbook, chapter 10.
_POINTS = {
    "pt": Fraction(1), "pc": Fraction(12), "in": Fraction(7227, 100), "bp": Fraction(7227, 7200),
    "cm": Fraction(7227, 254), "mm": Fraction(7227, 2540), "dd": Fraction(1238, 1157), "cc": Fraction(14856, 1157),
    "sp": Fraction(1, 65536),
}  # fmt: skip
_LENGTH = rf"\s*([+-]?(?:\d{{1,5}}(?:\.\d{{0,9}})?|\.\d{{1,9}}))[ \t]*({'|'.join(_POINTS)})(?![A-Za-z])[ \t]?"
_LENGTHS = re.compile(rf"{_LENGTH}\s*([<=>]){_LENGTH}")


def compare_lengths(text: str, start: int) -> tuple[bool | None, int]:
    """Whether ``1pt<2cm`` holds, and where it ends; (None, start) where no two lengths are written."""
    written = _LENGTHS.match(text, start)
    if written is None:
        return None, start
    left, right = (int(Fraction(written[i]) * _POINTS[written[i + 1]] * 65536) for i in (1, 4))  # as TeX cuts them off
    return {"<": left < right, "=": left == right, ">": left > right}[written[3]], written.end()


def read_number(expander: Expander, frame: Frame) -> int | None:
    """The number that comes next in the frame, and past it; None, and nothing read, where it is not known."""
    match = _NUMBER.match(frame.text, frame.pos)
    if match is None:
        return None
    if match["digits"]:
        number: int | None = int(match["digits"])
    elif match["char"]:
        number = ord(match["char"])
    elif match["counter"]:
        number = _known(expander, f"c@{match['counter'].strip()}")
    else:
        text = expander.plain_text(match["name"])
        number = integer(text) if text is not None else _known(expander, match["name"])
    if number is not None:
        frame.pos = match.end()
    return number


def integer(text: str) -> int | None:
    """The number that a text is; None for another text."""
    return int(text) if re.fullmatch(r"\s*-?\d{1,9}\s*", text) else None


def _known(expander: Expander, name: str) -> int | None:
    return None if name in expander.reckoned else expander.numbers.get(name)


def _newcount(expander: Expander, name: str) -> None:
    expander.write(name)
    target = expander.reader.match(_TARGET)
    if target and target[1] not in expander.scopes.meanings:
        expander.numbers[target[1]] = 0
        expander.scopes.define(target[1], Primitive(target[1], _register), True)


def _register(expander: Expander, name: str) -> None:
    r"""``\n=3`` sets it; the text stays."""
    expander.write(name)
    assigned = expander.reader.match(_ASSIGNED)
    if assigned:
        expander.numbers[name] = int(assigned[1])


def _chardef(expander: Expander, name: str) -> None:
    expander.write(name)
    found = expander.reader.match(_CHARDEF)
    if found:
        expander.numbers[found[1]] = int(found[2])
        expander.declared.add(found[1])


def _reckon(expander: Expander, name: str) -> None:
    r"""``\advance\n by 1``: its value is known no more."""
    expander.write(name)
    target = expander.reader.match(_TARGET)
    if target:
        expander.reckoned.add(target[1])


def _counter(expander: Expander, name: str) -> None:
    r"""``\newcounter{x}``, ``\setcounter{x}{3}``, ``\stepcounter{x}``."""
    expander.write(name)
    found = expander.reader.match(_COUNTER)
    if found is None:
        return
    counter = f"c@{found[1]}"
    if name == "newcounter":
        expander.declared |= {counter, f"the{found[1]}"}
        expander.numbers[counter] = 0
    elif name == "setcounter" and found[2] is not None:
        if counter in expander.numbers:
            expander.numbers[counter] = int(found[2])
    else:
        expander.reckoned.add(counter)


def _declare(expander: Expander, name: str) -> None:
    r"""``\newtheorem{x}``, ``\newlength{\x}``, ``\font\x=...``: names that are defined, and are no macros."""
    expander.write(name)
    found = expander.reader.match(_DECLARED)
    if found and name == "newtheorem":
        expander.declared |= {found[1], f"end{found[1]}", f"c@{found[1]}", f"the{found[1]}"}
    elif found:
        expander.declared.add(found[1])


REGISTERS = primitives(
    {
        _newcount: "newcount",
        _chardef: "chardef",
        _reckon: "advance multiply divide",
        _counter: "newcounter setcounter addtocounter stepcounter refstepcounter",
        _declare: "newtheorem newlength newdimen newskip newmuskip newbox newsavebox newtoks newread newwrite newfam "
        "font mathchardef countdef dimendef skipdef",
    }
)
