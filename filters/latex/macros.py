r"""What a macro is: its parameters, its replacement text, and how the one is put into the other.

One kind of parameter list covers \newcommand (an optional first argument, then mandatory ones), \def (literal and
delimited parameters) and xparse's argument specifications.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from filters.latex.reader import Reader
from filters.latex.tokens import words

NO_VALUE = "-NoValue-"  # what xparse hands over for an optional argument that is not there
TRUE, FALSE = "\\BooleanTrue", "\\BooleanFalse"  # ditto for a star
MAX_PARAMETERS = 9  # TeX: #1 to #9
MAX_PARAMETER_TEXT = 300  # characters between \def\name and its brace

_PARAMETER = re.compile(r"##|#([1-9])")
_ENDS_IN_WORD = re.compile(r"\\[A-Za-z@]+\Z")
_NAMES = re.compile(r"\\([A-Za-z@]+|.)", re.DOTALL)
_XPARSE = re.compile(
    r"\s*[+!]?\s*(?:([mov])|(s)|O\s*\{([^{}]*)\}|t\s*(\S)|([rd])\s*(\S)\s*(\S)|D\s*(\S)\s*(\S)\s*\{([^{}]*)\})"
)

# Replacement texts with these are programs for TeX's stomach, its tables or its boxes; uses of such macros stay.
PROGRAMMING = words(
    "catcode futurelet afterassignment aftergroup openin read lowercase uppercase "
    "loop advance ifcat ifdim ifvmode ifhmode ifinner ifvoid ifhbox ifvbox ifeof halign "
    "@whilenum everypar obeylines obeyspaces "
    "setbox sbox savebox box copy usebox unhbox unhcopy unvbox unvcopy vsplit lastbox"
)

_NO_ARGUMENT = ("literal", "brace")


@dataclass(frozen=True)
class Parameter:
    """One parameter: how it is found and what it is when it is not there.

    ``kind``: "mandatory", "optional" (in brackets, else ``default``), "star", "token" (``marks``, there or not),
    "enclosed" (between the two ``marks``, else ``default``; None: must be there), "literal" (``marks`` must come next
    and is no argument), "until" (up to ``delimiter``), "brace" (a brace must come next, and is no argument).
    """

    kind: str
    default: str | None = None
    marks: str = ""
    delimiter: re.Pattern[str] | None = None
    word_end: bool = False  # whether the delimiter ends in a control word, so that ``{}`` behind it ends but a name


MANDATORY = Parameter("mandatory")
STAR = Parameter("star")


class Macro:
    """A macro of the author's.

    Attributes:
        parameters: how its arguments are read.
        pieces: the replacement text, cut at its parameters: texts and numbers of arguments from 0.
        calls: names of the control sequences in the replacement text.
        internal: those of them that hold an ``@``: a package's or the kernel's, unless the author has defined them.
        at_letter: whether ``@`` is a letter in the replacement text.
        long: whether arguments may hold paragraphs.
        banned: whether it is never expanded (again): it has shown itself to be endless, or it is a program
            (`PROGRAMMING`) whose outcome only TeX knows.
    """

    __slots__ = ("at_letter", "banned", "calls", "checked", "internal", "long", "parameters", "pieces", "plain")

    def __init__(
        self, body: str, parameters: Sequence[Parameter] = (), at_letter: bool = False, long: bool = True
    ) -> None:
        self.parameters = tuple(parameters)
        self.pieces = _pieces(_edges(body), sum(p.kind not in _NO_ARGUMENT for p in parameters))
        self.calls = frozenset(_NAMES.findall(body))
        self.internal = frozenset(name for name in self.calls if "@" in name) if at_letter else frozenset()
        self.at_letter = at_letter
        self.long = long
        self.banned = not self.calls.isdisjoint(PROGRAMMING)
        self.plain = False  # whether the replacement text calls nothing known, as of version `checked` of the table
        self.checked = -1

    def substitute(self, arguments: Sequence[str]) -> str:
        r"""The replacement text with its arguments; a blank keeps ``\alpha#1`` with ``b`` from becoming ``\alphab``."""
        if len(self.pieces) == 1 and isinstance(self.pieces[0], str):
            return self.pieces[0]
        out: list[str] = []
        for piece in self.pieces:
            text = piece if isinstance(piece, str) else arguments[piece]
            if out and text and text[0].isalpha() and _ENDS_IN_WORD.search(out[-1][-80:]):
                out.append(" ")
            if text:
                out.append(text)
        return "".join(out)


def _edges(body: str) -> str:
    """Line ends at the edges of a replacement text are blanks: they must not make empty lines where it is used."""
    bare = body.lstrip()
    body = f" {bare}" if "\n" in body[: len(body) - len(bare)] else body
    bare = body.rstrip()
    return f"{bare} " if "\n" in body[len(bare) :] else body


def _pieces(body: str, count: int) -> tuple[str | int, ...]:
    pieces: list[str | int] = []
    last = 0
    text = ""
    for match in _PARAMETER.finditer(body):
        text += body[last : match.start()]
        last = match.end()
        if match[1] is None:
            text += "#"
        elif int(match[1]) <= count:
            pieces += (text, int(match[1]) - 1)
            text = ""
        else:
            text += match[0]
    pieces.append(text + body[last:])
    return tuple(piece for piece in pieces if piece != "") or ("",)


def latex_parameters(count: int, default: str | None) -> tuple[Parameter, ...]:
    r"""Parameters of ``\newcommand\x[count][default]``."""
    if count and default is not None:
        return (Parameter("optional", default), *[MANDATORY] * (count - 1))
    return (MANDATORY,) * count


def tex_parameters(text: str) -> tuple[Parameter, ...] | None:
    r"""Parameters of ``\def\x<text>{``, ``#{`` at its end among them; None for one that is not understood."""
    braced = text.endswith("#")
    parts = re.split(r"#", text[:-1] if braced else text)
    parameters = [Parameter("literal", marks=parts[0])] if parts[0] else []
    for number, part in enumerate(parts[1:], 1):
        if number > MAX_PARAMETERS or part[:1] != str(number):
            return None
        last = number == len(parts) - 1
        if len(part) > 1 or (last and braced):
            parameters.append(Parameter("until", delimiter=delimiter(part[1:], last and braced), word_end=_ends(part)))
        else:
            parameters.append(MANDATORY)
    return (*parameters, Parameter("brace")) if braced and len(parts) == 1 else tuple(parameters)


def _ends(text: str) -> bool:
    return bool(_ENDS_IN_WORD.search(text))


def delimiter(text: str, brace: bool = False) -> re.Pattern[str]:
    """The pattern that `Reader.until` wants for the delimiter ``text``; a blank in it stands for any blanks.

    Args:
        text: the delimiter.
        brace: whether an opening brace, which is not read, must follow it.
    """
    exact = r"\s+".join(re.escape(part) for part in re.split(r"\s+", text))
    end = r"(?![A-Za-z@])" if _ENDS_IN_WORD.search(text) else ""
    if brace:
        end = r"(?=\{)"
    return re.compile(rf"({exact}{end})|\\.|[{{}}]", re.DOTALL)


def xparse_parameters(specification: str) -> tuple[Parameter, ...] | None:
    """Parameters of an xparse argument specification; None where it holds others than m, o, O, s, t, r, d, D, v."""
    parameters: list[Parameter] = []
    position = 0
    specification = specification.strip()
    while position < len(specification):
        match = _XPARSE.match(specification, position)
        if not match:
            return None
        parameters.append(_xparse_parameter(match))
        position = match.end()
    return tuple(parameters) if len(parameters) <= MAX_PARAMETERS else None


def _xparse_parameter(match: re.Match[str]) -> Parameter:
    if match[2]:
        return STAR
    if match[1]:
        return Parameter("optional", NO_VALUE) if match[1] == "o" else MANDATORY
    if match[4]:
        return Parameter("token", marks=match[4])
    if match[5]:
        return Parameter("enclosed", NO_VALUE if match[5] == "d" else None, match[6] + match[7])
    if match[8]:
        return Parameter("enclosed", match[10], match[8] + match[9])
    return Parameter("optional", match[3])


def read_arguments(reader: Reader, macro: Macro) -> list[str] | None:
    """Read the macro's arguments; None (and nothing read) where they are not there."""
    reader.mark()
    arguments: list[str] = []
    for parameter in macro.parameters:
        value = _read(reader, parameter, macro.long)
        if value is None:
            reader.reset()
            return None
        if parameter.kind not in _NO_ARGUMENT:
            arguments.append(value)
    return arguments


def _read(reader: Reader, parameter: Parameter, long: bool) -> str | None:
    kind = parameter.kind
    if kind == "mandatory":
        return reader.argument()
    if kind == "optional":
        value = reader.bracket()
        return parameter.default if value is None else value
    if kind in ("star", "token"):
        return TRUE if reader.skip(parameter.marks or "*") else FALSE
    if kind == "brace":
        return "" if reader.peek() == "{" else None
    if kind == "literal":
        marks = parameter.marks.strip()
        return "" if not marks or reader.skip(marks) else None
    if kind == "until" and parameter.delimiter:
        return reader.until(parameter.delimiter, long)
    if not reader.skip(parameter.marks[0]):
        return parameter.default
    return reader.until(delimiter(parameter.marks[1]), long)
