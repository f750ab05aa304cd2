r"""The commands that bring files in.

\input, \include, \subfile, \import, \subimport and their kin are resolved in place among the paper's own files; a cycle
is cut. \usepackage of a style file that came with the paper reads its plain macros, and those of the files it loads.
"""

import posixpath
import re

from filters.latex.classes import CLASS_IN_TEXT
from filters.latex.expand import Expander
from filters.latex.packages import read_style
from filters.latex.reader import LINE_REST
from filters.latex.scopes import primitives

MAX_FILES_DEEP = 30  # TeX itself stops at 15 open files
MAX_INPUTS = 10_000  # more than any paper has
_FILE_NAME = re.compile(r'[ \t]*(?:=[ \t]*)?(?:"([^"\n]{1,300})"|([^\s\\{}%#$&~^\x02-\x05]+))[ \t]?')
_CATCODE_AT = re.compile(r"\s*(?:`\\?@|64)\s*=?\s*(\d{1,2})\s?(?!\d)")
_DOCUMENT = re.compile(r"\\begin\s*\{document\}[ \t]*\n?(.*?)(?:\\end\s*\{document\}|\Z)", re.DOTALL)


def include(expander: Expander, name: str, directory: str = "") -> None:
    """Read a file in place, if the paper has it. One that is being read already is a cycle, and is skipped."""
    name = expander.expand(name).strip().strip('"')
    current = next((frame.path for frame in reversed(expander.frames) if frame.path), "")
    expander.counters["inputs"] += 1
    path = expander.files.resolve(name, directory, current) if expander.counters["inputs"] <= MAX_INPUTS else None
    reason = "missing_inputs" if path is None else _refused(expander, path)
    text = None if reason or path is None else expander.files.again(path)
    if path is None or text is None:
        expander.counters[reason or "input_repeated"] += 1
        expander.drop_line()
        return
    if CLASS_IN_TEXT.search(text):
        document = _DOCUMENT.search(text)
        text = document[1] if document else text
    # The file's last line end and that of the line which asks for it are one: two would end a paragraph.
    frame = expander.reader.settle()
    rest = LINE_REST.match(frame.text, frame.pos)
    if rest:
        frame.pos = rest.end()
        text += "" if text.endswith("\n") else "\n"
    expander.push_file(text, path)


def _refused(expander: Expander, path: str) -> str:
    """Why a file is not read here: it is open, or a branch of a conditional that is not decided has read it."""
    open_files = [frame.path for frame in expander.frames if frame.path]
    if path in open_files or len(open_files) >= MAX_FILES_DEEP:
        return "input_cycles"
    undecided = [read for read in expander.conditions if read is not None]
    if any(path in read for read in undecided):
        return "input_repeated"
    for read in undecided:
        read.add(path)
    return ""


def _input(expander: Expander, name: str) -> None:
    reader = expander.marked()
    if reader.peek() == "{":
        target = reader.group()
    else:
        frame = reader.frames[-1]
        match = _FILE_NAME.match(frame.text, frame.pos) if name in ("input", "@input", "@@input") else None
        frame.pos = match.end() if match else frame.pos
        target = (match[1] or match[2]) if match else None
    if target is None:
        expander.put_back(name)
    else:
        include(expander, target)


def _import(expander: Expander, name: str) -> None:
    r"""``\import{directory/}{file}`` and its kin; ``\sub...`` count from the directory of the file being read."""
    reader = expander.marked()
    reader.skip("*")
    directory, target = reader.group(), reader.group()
    if directory is None or target is None:
        expander.put_back(name)
        return
    if name.startswith("sub"):
        current = next((frame.path for frame in reversed(expander.frames) if frame.path), "")
        directory = posixpath.join(posixpath.dirname(current), directory)
    include(expander, target, expander.expand(directory))


def _end_input(expander: Expander, name: str) -> None:
    r"""``\endinput``: the file ends here."""
    del name
    while expander.frames and expander.frames[-1].depth:
        expander.frames.pop()
    if expander.frames:
        expander.frames.pop()


def _package(expander: Expander, name: str) -> None:
    reader = expander.marked()
    options = reader.bracket()
    names = reader.group()
    if names is None:
        expander.put_back(name)
        return
    reader.bracket()
    written = f"\\{name}{'' if options is None else f'[{options}]'}{{{names}}}"
    expander.out.append(written if expander.in_document else "")
    expander.packages.update(package.strip() for package in names.split(","))
    definitions = [text for package in names.split(",") for text in _style_definitions(expander, package.strip())]
    if definitions:
        expander.push("".join(definitions))


def _style_definitions(expander: Expander, package: str) -> list[str]:
    """The plain definitions of a style file of the paper's, and of those that it loads, in their order."""
    definitions: list[str] = []
    waiting = [(f"{package}.sty", "")]
    while waiting:
        name, directory = waiting.pop()
        path = expander.files.style(name, directory)
        if not path:
            continue
        style = read_style(expander.files.text(path))
        definitions += style.definitions
        expander.unread |= style.passed_over
        waiting += [(other, posixpath.dirname(path)) for other in reversed(style.loads)]
        expander.packages |= {other.removesuffix(".sty") for other in style.loads}
    return definitions


def _class(expander: Expander, name: str) -> None:
    r"""``\documentclass[...]{article}``: a preamble's; which class it is decides ``\@ifclassloaded``."""
    reader = expander.marked()
    reader.bracket()
    document_class = reader.group()
    if document_class is not None:
        expander.packages.add(document_class.strip())
    expander.put_back(name)


def _at_letter(expander: Expander, name: str) -> None:
    for frame in reversed(expander.frames):
        frame.at_letter = name == "makeatletter"
        if not frame.depth:
            break
    expander.drop_line()


def _catcode(expander: Expander, name: str) -> None:
    r"""``\catcode`\@=11`` is plain TeX's \makeatletter; other category codes are left alone."""
    frame = expander.reader.settle()
    match = _CATCODE_AT.match(frame.text, frame.pos)
    if match:
        frame.pos = match.end()
        _at_letter(expander, "makeatletter" if match[1] == "11" else "makeatother")
    else:
        expander.write(name)


INPUTS = primitives(
    {
        _input: "input @input @@input include subfile subfileinclude includestandalone loadfile",
        _import: "import subimport includefrom subincludefrom inputfrom subinputfrom",
        _end_input: "endinput",
        _package: "usepackage RequirePackage",
        _class: "documentclass documentstyle",
        _at_letter: "makeatletter makeatother",
        _catcode: "catcode",
    }
)
