r"""The commands that define macros: they are carried out and leave no text.

\newcommand and its kin, \def and its kin (AMS-TeX's \define among them), \let and its kin, \DeclareMathOperator,
xparse's \NewDocumentCommand, xargs' \newcommandx, twoopt's \newcommandtwoopt, and the prefixes \long, \global, \outer
and \protected. A definition that cannot be read (a parameter text out of order) is left in the text.
"""

import re

from filters.latex.commands.define import define, unread
from filters.latex.expand import Expander
from filters.latex.landing import ENDS_IN_WORD
from filters.latex.macros import (
    MANDATORY,
    MAX_PARAMETER_TEXT,
    NO_VALUE,
    TRUE,
    Macro,
    Parameter,
    latex_parameters,
    tex_parameters,
    xparse_parameters,
)  # fmt: skip
from filters.latex.reader import Reader
from filters.latex.scopes import Meaning, Primitive, primitives

_PREFIXED = re.compile(
    r"\s*\\(?:long|global|outer|protected|def|edef|gdef|xdef|let|newcommand|renewcommand)(?![A-Za-z@])"
)
_NOEXPAND = re.compile(r"\\noexpand(?![A-Za-z@])[ \t]*")  # what it protects is expanded at the use, or now: no matter
_PARAMETERS = re.compile(r"((?:\\.|[^\\{}])*)(?=\{)", re.DOTALL)
# \let as nearly all write it, on one line and, as a match shows, in one text.
_LET = re.compile(r"[ \t]*\\([A-Za-z]+|.)[ \t]*=?[ \t]*(\\(?:[A-Za-z]+|.))", re.DOTALL)
_LET_AT = re.compile(r"[ \t]*\\([A-Za-z@]+|.)[ \t]*=?[ \t]*(\\(?:[A-Za-z@]+|.))", re.DOTALL)
_BUILT = ("csname", "expandafter")  # what is defined has a name that these make
_DEFAULT = re.compile(r"(?:\A|,)\s*([1-9])\s*(?:=\s*)?((?:\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}|[^,{}])*)")


def digit(text: str | None) -> int:
    """The number of arguments that a definition gives in brackets; 0 for none."""
    digits = (text or "").strip()
    return int(digits) if digits.isdecimal() and len(digits) == 1 else 0


def _newcommand(expander: Expander, name: str) -> None:
    reader = expander.marked()
    reader.skip("*")
    target = reader.control()
    parameters = _latex_parameters(reader, name) if target else None
    body = reader.argument() if parameters is not None else None
    if target is None or parameters is None or body is None or target[0] == "csname":
        unread(expander, name, target)
        return
    if target[1]:
        parameters = (Parameter("literal", marks=target[1]), *parameters)
    if not name.startswith("provide") or not expander.is_defined(target[0]):
        define(expander, target[0], Macro(body, parameters, reader.frames[-1].at_letter))
    expander.drop_line()


def _latex_parameters(reader: Reader, name: str) -> tuple[Parameter, ...] | None:
    r"""``[2][default]``; of \newcommandx ``[2][1=default, 2=other]``; of \newcommandtwoopt ``[3][first][second]``."""
    count = digit(reader.bracket())
    default = reader.bracket() if count else None
    if name.endswith("x"):
        return keyed_parameters(count, default)
    second = reader.bracket() if default is not None and name.endswith("twoopt") else None
    parameters = latex_parameters(count, default)
    return parameters if second is None else (parameters[0], Parameter("optional", second), *parameters[2:])


def keyed_parameters(count: int, defaults: str | None) -> tuple[Parameter, ...] | None:
    r"""xargs' ``[1=default, 3=other, usedefault]``: the arguments that may stand in brackets, by number."""
    values: dict[int, str] = {}
    for match in _DEFAULT.finditer(defaults or ""):
        value = match[2].strip()
        values[int(match[1])] = value[1:-1] if value.startswith("{") and value.endswith("}") else value
    if max(values, default=0) > count:
        return None
    return tuple(Parameter("optional", values[n]) if n in values else MANDATORY for n in range(1, count + 1))


def _def(expander: Expander, name: str) -> None:
    reader = expander.marked()
    target = reader.control() if reader.peek() == "\\" else None
    parameters = _parameter_text(expander) if target and target[0] not in _BUILT else None
    body = reader.group() if parameters is not None else None
    if target is None or parameters is None or body is None:
        unread(expander, name, target)
        return
    long, everywhere = expander.long, name in ("gdef", "xdef")
    if name in ("edef", "xdef"):
        prefix = expander.everywhere
        body = expander.expand(_NOEXPAND.sub("", body))
        expander.everywhere = prefix
    define(expander, target[0], Macro(body, parameters, reader.frames[-1].at_letter, long), everywhere)
    expander.drop_line()


def _parameter_text(expander: Expander) -> tuple[Parameter, ...] | None:
    frame = expander.reader.settle()
    if expander.reader.work > expander.reader.budget:
        return None
    match = _PARAMETERS.match(frame.text, frame.pos, frame.pos + MAX_PARAMETER_TEXT)
    expander.reader.work += MAX_PARAMETER_TEXT if match is None else match.end() - match.start()
    if match is None:
        return None
    frame.pos = match.end()
    return tex_parameters(match[1].lstrip())


def _let(expander: Expander, name: str) -> None:
    r"""``\let\a=\b``, ``\LetLtxMacro\a\b`` and, braces or none, ``\NewCommandCopy{\a}{\b}``."""
    reader = expander.reader
    frame = reader.frames[-1]
    plain = None if name.endswith("Copy") else (_LET_AT if frame.at_letter else _LET).match(frame.text, frame.pos)
    if plain and plain[1] not in _BUILT and plain[2] != "\\csname":
        frame.pos = plain.end()
        _set_equal(expander, plain[1], plain[2], name)
        return
    reader.mark()
    copies = name.endswith("Copy")
    target = reader.control() if copies or reader.peek() == "\\" else None
    if target is not None and not copies:
        reader.skip("=")
    source = (reader.argument() if copies else reader.token()) if target else None
    if target is None or source is None or target[0] in _BUILT or source == "\\csname":
        unread(expander, name, target)
        return
    _set_equal(expander, target[0], source, name)


def _set_equal(expander: Expander, target: str, source: str, name: str) -> None:
    """Gives ``target`` the meaning of ``source`` by the command ``name``."""
    define(expander, target, _copied(expander, source.strip()), name.startswith("Global"))
    if not expander.drop_line() and expander.frames[-1].depth and ENDS_IN_WORD.search(source):
        expander.skip_blanks()


def nothing(expander: Expander, name: str) -> None:
    r"""Writes nothing: what a name does that is \relax."""
    del name
    expander.drop_line()


RELAX = Primitive("relax", nothing)


def _copied(expander: Expander, source: str) -> Meaning | None:
    if not source.startswith("\\"):
        return Macro(source)
    name = source[1:]
    if name == "relax":
        return RELAX
    if name in ("empty", "@empty"):
        return Macro("")
    if name in ("undefined", "@undefined"):
        return None
    meaning = expander.scopes.meanings.get(name)
    return meaning if meaning is not None else Primitive(name)


def _operator(expander: Expander, name: str) -> None:
    reader = expander.marked()
    star = "*" if reader.skip("*") else ""
    target = reader.control()
    body = reader.argument() if target else None
    if target is None or body is None:
        unread(expander, name, target)
        return
    parameters = (Parameter("literal", marks=target[1]),) if target[1] else ()
    define(expander, target[0], Macro(f"\\operatorname{star}{{{body}}}", parameters, reader.frames[-1].at_letter))
    expander.drop_line()


def _font_command(expander: Expander, name: str) -> None:
    r"""``\DeclareTextFontCommand{\strong}{\bfseries}``: the argument in a group with the declaration."""
    reader = expander.marked()
    target = reader.control()
    body = reader.argument() if target else None
    if target is None or body is None:
        unread(expander, name, target)
        return
    define(expander, target[0], Macro(f"{{{body} #1}}", (MANDATORY,), reader.frames[-1].at_letter))
    expander.drop_line()


def _document_command(expander: Expander, name: str) -> None:
    reader = expander.marked()
    target = reader.control()
    specification = reader.group() if target else None
    body = reader.argument() if specification is not None else None
    parameters = xparse_parameters(specification) if specification is not None else None
    if target is None or body is None or parameters is None:
        unread(expander, name, target)
        return
    if not name.startswith("Provide") or not expander.is_defined(target[0]):
        define(expander, target[0], Macro(body, parameters, reader.frames[-1].at_letter))
    expander.drop_line()


def _reference(expander: Expander, name: str) -> None:
    r"""harvmac's ``\lref\name{text}``: an entry of the bibliography, wherever it stands."""
    reader = expander.marked()
    target = reader.control() if reader.peek() == "\\" else None
    if target is None or reader.group() is None:
        expander.put_back(name)
    else:
        expander.drop_line()


def _prefix(expander: Expander, name: str) -> None:
    if not expander.reader.match(_PREFIXED):
        expander.write(name)
    elif name == "global":
        expander.everywhere = True
    elif name == "long":
        expander.long = True


def _if_value(expander: Expander, name: str) -> None:
    r"""xparse's tests of arguments: ``\IfBooleanTF{#1}{yes}{no}``, ``\IfNoValueT{#1}{yes}`` and so on."""
    reader = expander.marked()
    value = reader.argument()
    yes = reader.argument() if not name.endswith("F") or name.endswith("TF") else ""
    no = reader.argument() if name.endswith("F") else ""
    if value is None or yes is None or no is None:
        expander.put_back(name)
        return
    truth = value == TRUE if name.startswith("IfBoolean") else (value == NO_VALUE) == name.startswith("IfNoValue")
    expander.push(yes if truth else no)


DEFINITIONS = primitives(
    {
        _newcommand: "newcommand renewcommand providecommand DeclareRobustCommand newrobustcmd renewrobustcmd "
        "providerobustcmd newcommandx renewcommandx providecommandx DeclareRobustCommandx newcommandtwoopt "
        "renewcommandtwoopt providecommandtwoopt",
        _def: "def gdef edef xdef",
        _let: "let LetLtxMacro GlobalLetLtxMacro NewCommandCopy RenewCommandCopy DeclareCommandCopy",
        _operator: "DeclareMathOperator",
        _font_command: "DeclareTextFontCommand",
        _document_command: "NewDocumentCommand RenewDocumentCommand ProvideDocumentCommand DeclareDocumentCommand "
        "NewExpandableDocumentCommand RenewExpandableDocumentCommand DeclareExpandableDocumentCommand",
        _prefix: "long global outer protected",
        _if_value: "IfBooleanTF IfBooleanT IfBooleanF IfNoValueTF IfNoValueT IfNoValueF IfValueTF IfValueT IfValueF",
    }
) | primitives({_def: "define redefine", _reference: "lref nref"}, yields=True)
