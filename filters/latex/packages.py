r"""Style files that came with the paper: which of their macros are the author's to expand.

A paper's own ``macros.sty`` is a list of abbreviations like its preamble; a publisher's style holds the machinery of
its layout. Both look alike by name, so the macros tell: taken are definitions at the top level whose replacement is
plain, that is without ``@`` names, without TeX's programming and layout primitives. Environments are not taken.
Class files (``.cls``) are publishers' work and are never read.
"""

import re
from dataclasses import dataclass, field

from filters.latex.macros import Macro, latex_parameters, tex_parameters
from filters.latex.reader import Frame, Reader
from filters.latex.tokens import words
from filters.latex.vocabulary import DEFINING, LATEX, STRUCTURE, TEX

# Names that tell machinery from abbreviation.
_MACHINERY = words(
    "advance afterassignment aftergroup baselineskip begingroup box bgroup catcode centerline chardef copy "
    "csname divide dimen edef egroup else endcsname endgroup everypar expandafter fi font futurelet gdef "
    "global halign hangindent hsize hskip ialign if ifcase ifdim iffalse ifhmode ifmmode ifnum ifodd iftrue "
    "ifvmode ifx ignorespaces input kern leavevmode let list loop magnification multiply newcommand newif "
    "noexpand noindent number openup par parindent parskip penalty refstepcounter renewcommand repeat setbox "
    "setcounter setlength skip space string textwidth the trivlist unhbox unskip usepackage vadjust vbox "
    "vcenter vfill vskip vspace vtop write xdef def thepage"
)
_DEFINES = re.compile(
    r"\\(newcommand|renewcommand|providecommand|DeclareRobustCommand|DeclareMathOperator|def|gdef|let)(?![A-Za-z@])(\*?)"
    r"|\\(RequirePackage|usepackage|input)(?![A-Za-z@])|[{}]|\\."
)
_LOADS = re.compile(r"\s*(?:\[[^\[\]]{0,500}\]\s*)?\{([^{}\\]{1,500})\}")
_PARAMETERS = re.compile(r"((?:\\.|[^\\{}]){0,300})(?=\{)", re.DOTALL)


@dataclass
class Style:
    """What a style file gives.

    Attributes:
        macros: its plain macros, in order.
        passed_over: names of its other macros.
        loads: names of the files that it loads: style files with their suffix, others as they are written.
    """

    macros: list[tuple[str, Macro]] = field(default_factory=list)
    passed_over: set[str] = field(default_factory=set)
    loads: list[str] = field(default_factory=list)


def package_macros(text: str) -> Style:
    """What a style file's text gives."""
    reader = Reader(20 * len(text))
    frame = Frame(text, at_letter=True)
    reader.frames.append(frame)
    style = Style()
    depth = position = 0
    while match := _DEFINES.search(text, position):
        position = match.end()
        if match[0] in ("{", "}"):
            depth = max(0, depth + (1 if match[0] == "{" else -1))
        elif match[3] is not None:
            loads = _LOADS.match(text, position)
            suffix = "" if match[3] == "input" else ".sty"
            style.loads += [name.strip() + suffix for name in loads[1].split(",")] if loads else []
        elif match[1] is not None:
            frame.pos = position
            definition = _read(reader, match[1], match[2])
            if definition and frame.pos > position:
                position = frame.pos
                if depth == 0 and _plain(*definition):
                    style.macros.append(definition)
    style.passed_over = set(DEFINING.findall(text)) - {name for name, _ in style.macros} - STRUCTURE - TEX - LATEX
    return style


def _plain(name: str, macro: Macro) -> bool:
    if "@" in name or name in STRUCTURE or not name[0].isalpha():
        return False
    return not any("@" in call or call in _MACHINERY for call in macro.calls)


def _read(reader: Reader, command: str, star: str) -> tuple[str, Macro] | None:
    target = reader.control()
    if not target or target[1] or target[0] in ("csname", "expandafter"):
        return None
    if command == "let":
        reader.skip("=")
        source = reader.token()
        return (target[0], Macro(source)) if source and source != "\\" + target[0] else None
    if command == "DeclareMathOperator":
        body = reader.argument()
        return (target[0], Macro(f"\\operatorname{star}{{{body}}}")) if body is not None else None
    if command in ("def", "gdef"):
        frame = reader.frames[-1]
        match = _PARAMETERS.match(frame.text, frame.pos)
        frame.pos = match.end() if match else frame.pos
        parameters = tex_parameters(match[1].lstrip()) if match else None
        body = reader.group() if parameters is not None else None
    else:
        digits = (reader.bracket() or "0").strip()
        count = int(digits) if digits.isdecimal() and len(digits) == 1 else 0
        parameters = latex_parameters(count, reader.bracket() if count else None)
        body = reader.argument()
    return None if body is None or parameters is None else (target[0], Macro(body, parameters))
