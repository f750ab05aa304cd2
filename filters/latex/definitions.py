r"""The commands that define: they are carried out and leave no text.

\newcommand and its kin, \def and its kin (AMS-TeX's \define among them), \let, \DeclareMathOperator, mathtools'
\DeclarePairedDelimiter, \newenvironment, xparse's \NewDocumentCommand, and the prefixes \long, \global, \outer and
\protected. A definition that cannot be read (``\expandafter\def\csname...``, a parameter text out of order) is left in
the text.
"""

import re
from typing import TYPE_CHECKING

from filters.latex.macros import (
    MANDATORY,
    MAX_PARAMETER_TEXT,
    NO_VALUE,
    PROGRAMMING,
    STAR,
    TRUE,
    Macro,
    Parameter,
    latex_parameters,
    tex_parameters,
    xparse_parameters,
)  # fmt: skip
from filters.latex.scopes import Meaning, Primitive
from filters.latex.tokens import GROUP_END, words

if TYPE_CHECKING:
    from filters.latex.expand import Expander

# The document's structure, its references and the frames of its text: a paper that redefines them wants another look,
# not another meaning, so that they stay what every reader knows (and what `sections` looks for).
STRUCTURE = words(
    "part chapter section subsection subsubsection paragraph subparagraph appendix appendices maketitle title author "
    "date thanks abstract keywords acknowledgments acknowledgements tableofcontents bibliography bibliographystyle "
    "printbibliography bibitem thebibliography nocite cite citep citet citealt citealp citeauthor citeyear label ref "
    "eqref pageref autoref cref Cref item caption footnote footnotetext footnotemark marginpar includegraphics epsfbox "
    "epsffile psfig epsfig documentclass documentstyle newtheorem theoremstyle index hline multicolumn left right "
    "beginsection head subhead heading Refs endRefs bye csname endcsname expandafter the number relax par "
    "parbox mbox hbox vbox url href LaTeX TeX"
)
# Environments that stay what they are, for the same reason.
ENVIRONMENTS = words(
    "document abstract thebibliography proof figure figure* table table* equation equation* displaymath math align "
    "align* eqnarray eqnarray* gather gather* multline multline* split itemize enumerate description quote quotation "
    "verse center flushleft flushright tabular tabular* array minipage verbatim matrix pmatrix bmatrix cases list "
    "trivlist titlepage keywords appendix appendices comment references"
)

# Commands of AMS-TeX and harvmac whose names an author may use for something else.
_COMMON = words("define redefine lref nref")

_PREFIXED = re.compile(
    r"\s*\\(?:long|global|outer|protected|def|edef|gdef|xdef|let|newcommand|renewcommand)(?![A-Za-z@])"
)
_NOEXPAND = re.compile(r"\\noexpand(?![A-Za-z@])[ \t]*")  # what it protects is expanded at the use, or now: no matter
_PARAMETERS = re.compile(r"((?:\\.|[^\\{}])*)(?=\{)", re.DOTALL)


def define(expander: "Expander", name: str, meaning: Meaning | None, everywhere: bool = False) -> None:
    """Give a name the author's meaning, unless it is one that stays what it is."""
    old = expander.scopes.meanings.get(name)
    everywhere = everywhere or expander.everywhere
    expander.everywhere = expander.long = False
    kept = isinstance(old, Primitive) and old.handler and name not in expander.defined and name not in _COMMON
    if name in STRUCTURE or kept:
        expander.counters["protected"] += 1
        return
    expander.reader.work += len(expander.scopes.undoing)
    if isinstance(meaning, Macro) and meaning.pieces in expander.endless:
        meaning.banned = True
    if isinstance(meaning, Macro):
        _mark_program(expander, name, meaning)
    expander.defined.add(name)
    expander.counters["definitions"] += 1
    expander.scopes.define(name, meaning, everywhere)


def _mark_program(expander: "Expander", name: str, meaning: Macro) -> None:
    """A macro that calls a program is one; so are those that call it, which may have been defined before it."""
    programs = expander.programs
    if meaning.calls.isdisjoint(PROGRAMMING) and meaning.calls.isdisjoint(programs):
        return
    meaning.banned = True
    if name in programs or expander.exhausted():
        return
    fresh = {name}
    while fresh:
        programs |= fresh
        expander.reader.work += len(expander.scopes.meanings)
        callers = {
            key
            for key, macro in expander.scopes.meanings.items()
            if key and isinstance(macro, Macro) and not macro.banned and not macro.calls.isdisjoint(fresh)
        }
        for key in callers:
            macro = expander.scopes.meanings[key]
            if isinstance(macro, Macro):
                macro.banned = True
        fresh = callers


def _restart(expander: "Expander", token: str) -> None:
    """The definition could not be read: it stays."""
    expander.reader.reset()
    expander.everywhere = expander.long = False
    expander.counters["unread_definitions"] += 1
    expander.out.append(token)


def _number(text: str | None) -> int:
    digits = (text or "").strip()
    return int(digits) if digits.isdecimal() and len(digits) == 1 else 0


def _newcommand(expander: "Expander", name: str, token: str) -> None:
    reader = expander.reader
    reader.mark()
    reader.skip("*")
    target = reader.control()
    count = _number(reader.bracket()) if target else 0
    default = reader.bracket() if count else None
    body = reader.argument() if target else None
    if target is None or body is None or target[0] == "csname":
        _restart(expander, token)
        return
    parameters = latex_parameters(count, default)
    if target[1]:
        parameters = (Parameter("literal", marks=target[1]), *parameters)
    if name != "providecommand" or target[0] not in expander.scopes.meanings:
        define(expander, target[0], Macro(body, parameters, reader.frames[-1].at_letter))
    expander.drop_line()


def _def(expander: "Expander", name: str, token: str) -> None:
    reader = expander.reader
    reader.mark()
    target = reader.control() if reader.peek() == "\\" else None
    parameters = _parameter_text(expander) if target and target[0] not in ("csname", "expandafter") else None
    body = reader.group() if parameters is not None else None
    if target is None or parameters is None or body is None:
        _restart(expander, token)
        return
    long, everywhere = expander.long, name in ("gdef", "xdef")
    if name in ("edef", "xdef"):
        prefix = expander.everywhere
        body = expander.expand(_NOEXPAND.sub("", body))
        expander.everywhere = prefix
    define(expander, target[0], Macro(body, parameters, reader.frames[-1].at_letter, long), everywhere)
    expander.drop_line()


def _parameter_text(expander: "Expander") -> tuple[Parameter, ...] | None:
    frame = expander.reader.settle()
    if expander.reader.work > expander.reader.budget:
        return None
    match = _PARAMETERS.match(frame.text, frame.pos, frame.pos + MAX_PARAMETER_TEXT)
    expander.reader.work += MAX_PARAMETER_TEXT if match is None else match.end() - match.start()
    if match is None:
        return None
    frame.pos = match.end()
    return tex_parameters(match[1].lstrip())


def _let(expander: "Expander", name: str, token: str) -> None:
    del name
    reader = expander.reader
    reader.mark()
    target = reader.control() if reader.peek() == "\\" else None
    if target is not None:
        reader.skip("=")
    source = reader.token() if target else None
    if target is None or source is None or target[0] in ("csname", "expandafter") or source == "\\csname":
        _restart(expander, token)
        return
    define(expander, target[0], _copied(expander, source))
    expander.drop_line()


def _copied(expander: "Expander", source: str) -> Meaning | None:
    if not source.startswith("\\"):
        return Macro(source)
    name = source[1:]
    if name in ("relax", "empty", "@empty"):
        return Macro("")
    if name in ("undefined", "@undefined"):
        return None
    meaning = expander.scopes.meanings.get(name)
    return meaning if meaning is not None else Primitive(name)


def _operator(expander: "Expander", name: str, token: str) -> None:
    reader = expander.reader
    reader.mark()
    star = "*" if reader.skip("*") else ""
    target = reader.control()
    body = reader.argument() if target else None
    if target is None or body is None:
        _restart(expander, token)
        return
    parameters = (Parameter("literal", marks=target[1]),) if target[1] else ()
    command = "operatorname" if name == "DeclareMathOperator" else "mathrm"
    define(expander, target[0], Macro(f"\\{command}{star}{{{body}}}", parameters, reader.frames[-1].at_letter))
    expander.drop_line()


def _paired(expander: "Expander", name: str, token: str) -> None:
    r"""``\DeclarePairedDelimiter\abs{|}{|}``: ``\abs*{x}`` sizes its delimiters, ``\abs[\big]{x}`` is told how."""
    reader = expander.reader
    reader.mark()
    target = reader.control()
    left, right = (reader.argument(), reader.argument()) if target else (None, None)
    if name != "DeclarePairedDelimiter" or target is None or left is None or right is None:
        _restart(expander, token)
        return
    body = (
        f"\\IfBooleanTF{{#1}}{{\\left{left}#3\\right{right}}}"
        f"{{\\IfNoValueTF{{#2}}{{{left}#3{right}}}{{#2{left}#3#2{right}}}}}"
    )
    parameters = (STAR, Parameter("optional", NO_VALUE), MANDATORY)
    define(expander, target[0], Macro(body, parameters, reader.frames[-1].at_letter))
    expander.drop_line()


def _document_command(expander: "Expander", name: str, token: str) -> None:
    reader = expander.reader
    reader.mark()
    target = reader.control()
    specification = reader.group() if target else None
    body = reader.argument() if specification is not None else None
    parameters = xparse_parameters(specification) if specification is not None else None
    if target is None or body is None or parameters is None:
        _restart(expander, token)
        return
    if not name.startswith("Provide") or target[0] not in expander.scopes.meanings:
        define(expander, target[0], Macro(body, parameters, reader.frames[-1].at_letter))
    expander.drop_line()


def _environment(expander: "Expander", name: str, token: str) -> None:
    reader = expander.reader
    reader.mark()
    reader.skip("*")
    target = reader.group()
    if "Document" in name:
        specification = reader.group() or ""
        parameters = xparse_parameters(specification)
    else:
        count = _number(reader.bracket())
        parameters = latex_parameters(count, reader.bracket() if count else None)
    opening = reader.argument() if target else None
    closing = reader.argument() if opening is not None else None
    if target is None or opening is None or closing is None or parameters is None:
        _restart(expander, token)
        return
    target, at_letter = target.strip(), reader.frames[-1].at_letter
    if target in ENVIRONMENTS or target in expander.files.verbatim.environments:
        expander.counters["protected"] += 1
    else:
        begin, end = Macro(opening, parameters, at_letter), Macro(closing + GROUP_END, (), at_letter)
        define(expander, f"begin {target}", begin)
        define(expander, f"end {target}", end)
        begin.banned = end.banned = begin.banned or end.banned  # both are expanded, or both stay
    expander.drop_line()


def _reference(expander: "Expander", name: str, token: str) -> None:
    r"""harvmac's ``\lref\name{text}``: an entry of the bibliography, wherever it stands."""
    del name
    reader = expander.reader
    reader.mark()
    target = reader.control() if reader.peek() == "\\" else None
    if target is None or reader.group() is None:
        reader.reset()
        expander.out.append(token)
    else:
        expander.drop_line()


def _prefix(expander: "Expander", name: str, token: str) -> None:
    frame = expander.reader.settle()
    if not _PREFIXED.match(frame.text, frame.pos):
        expander.out.append(token)
    elif name == "global":
        expander.everywhere = True
    elif name == "long":
        expander.long = True


def _if_value(expander: "Expander", name: str, token: str) -> None:
    r"""xparse's tests of arguments: ``\IfBooleanTF{#1}{yes}{no}``, ``\IfNoValueT{#1}{yes}`` and so on."""
    reader = expander.reader
    reader.mark()
    value = reader.argument()
    yes = reader.argument() if not name.endswith("F") or name.endswith("TF") else ""
    no = reader.argument() if name.endswith("F") else ""
    if value is None or yes is None or no is None:
        expander.reader.reset()
        expander.out.append(token)
        return
    truth = value == TRUE if name.startswith("IfBoolean") else (value == NO_VALUE) == name.startswith("IfNoValue")
    expander.push(yes if truth else no)


_COMMANDS = {
    _newcommand: "newcommand renewcommand providecommand DeclareRobustCommand newrobustcmd renewrobustcmd "
    "providerobustcmd",
    _def: "def gdef edef xdef define redefine",
    _reference: "lref nref",
    _let: "let",
    _operator: "DeclareMathOperator",
    _paired: "DeclarePairedDelimiter",
    _environment: "newenvironment renewenvironment provideenvironment NewDocumentEnvironment RenewDocumentEnvironment "
    "ProvideDocumentEnvironment DeclareDocumentEnvironment",
    _document_command: "NewDocumentCommand RenewDocumentCommand ProvideDocumentCommand DeclareDocumentCommand "
    "NewExpandableDocumentCommand RenewExpandableDocumentCommand DeclareExpandableDocumentCommand",
    _prefix: "long global outer protected",
    _if_value: "IfBooleanTF IfBooleanT IfBooleanF IfNoValueTF IfNoValueT IfNoValueF IfValueTF IfValueT IfValueF",
}
DEFINITIONS: dict[str | None, Primitive] = {
    name: Primitive(name, handler) for handler, names in _COMMANDS.items() for name in names.split()
}
