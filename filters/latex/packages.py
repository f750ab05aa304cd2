r"""Style files that came with the paper: which of their macros are the author's to expand.

A paper's own ``macros.sty`` is a list of abbreviations like its preamble; a publisher's style holds the machinery of
its layout. Both look alike by name, so the macros tell: taken are definitions at the top level whose replacement is
plain, that is without ``@`` names, without TeX's programming and layout primitives. Environments are not taken.
Class files (``.cls``) are publishers' work and are never read.
"""

import re
from dataclasses import dataclass, field

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
# Commands that define, and how many arguments they have behind the name and what stands in brackets.
_ARGUMENTS = {
    **dict.fromkeys(("newcommand", "renewcommand", "providecommand", "DeclareRobustCommand", "newrobustcmd"), 1),
    **dict.fromkeys(("newcommandx", "renewcommandx", "newcommandtwoopt", "DeclareMathOperator"), 1),
    **dict.fromkeys(("NewDocumentCommand", "DeclareDocumentCommand", "RenewDocumentCommand"), 2),
    "DeclarePairedDelimiter": 2,
    "DeclarePairedDelimiterX": 3,
    "DeclarePairedDelimiterXPP": 5,
    "def": 1,
    "gdef": 1,
    "let": 1,
}
_DEFINES = re.compile(
    rf"\\({'|'.join(sorted(_ARGUMENTS, key=len, reverse=True))})(?![A-Za-z@])"
    r"|\\(RequirePackage|usepackage|input)(?![A-Za-z])|[{}]|\\.",
    re.DOTALL,
)
_LOADS = re.compile(r"\s*(?:\[[^\[\]]{0,500}\]\s*)?\{([^{}\\]{1,500})\}")
_PARAMETERS = re.compile(r"((?:\\.|[^\\{}]){0,300})(?=\{)", re.DOTALL)
_NAMES = re.compile(r"\\([A-Za-z@]+|.)", re.DOTALL)


@dataclass
class Style:
    """What a style file gives.

    Attributes:
        definitions: its plain definitions, as they are written, in order.
        passed_over: names of its other macros.
        loads: names of the files that it loads: style files with their suffix, others as they are written.
    """

    definitions: list[str] = field(default_factory=list)
    passed_over: set[str] = field(default_factory=set)
    loads: list[str] = field(default_factory=list)


def read_style(text: str) -> Style:
    """What a style file's text gives."""
    reader = Reader(20 * len(text))
    frame = Frame(text, at_letter=True)
    reader.frames.append(frame)
    style, taken = Style(), set[str]()
    depth = position = 0
    while match := _DEFINES.search(text, position):
        position = match.end()
        if match[0] in ("{", "}"):
            depth = max(0, depth + (1 if match[0] == "{" else -1))
        elif match[2] is not None:
            loads = _LOADS.match(text, position)
            suffix = "" if match[2] == "input" else ".sty"
            style.loads += [name.strip() + suffix for name in loads[1].split(",")] if loads else []
        elif match[1] is not None:
            frame.pos = position
            name = _defined(reader, match[1])
            if name and frame.pos > position:
                position = frame.pos
                if depth == 0 and _is_plain(name, text[match.end() : position]):
                    style.definitions.append(text[match.start() : position])
                    taken.add(name)
    style.passed_over = set(DEFINING.findall(text)) - taken - STRUCTURE - TEX - LATEX
    return style


def _is_plain(name: str, definition: str) -> bool:
    if "@" in name or name in STRUCTURE or not name[0].isalpha():
        return False
    calls = set(_NAMES.findall(definition)) - {name}
    return calls.isdisjoint(_MACHINERY) and not any("@" in call for call in calls)


def _defined(reader: Reader, command: str) -> str | None:
    """Reads a definition behind its command; the name that it defines, None where it cannot be read."""
    reader.skip("*")
    target = reader.control()
    if not target or target[1] or target[0] in ("csname", "expandafter"):
        return None
    if command == "let":
        reader.skip("=")
        source = reader.token()
        return target[0] if source and source != "\\" + target[0] else None
    frame = reader.frames[-1]
    if command in ("def", "gdef"):
        match = _PARAMETERS.match(frame.text, frame.pos)
        frame.pos = match.end() if match else frame.pos
    else:
        while reader.bracket() is not None:
            pass
    arguments = [reader.argument() for _ in range(_ARGUMENTS[command])]
    return None if None in arguments else target[0]
