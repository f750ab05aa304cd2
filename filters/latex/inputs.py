r"""The commands that bring files in, and those that begin and end the document and its environments.

\input, \include, \subfile, \import, \subimport, \InputIfFileExists, \IfFileExists and their kin are resolved in place
among the paper's own files; a cycle is cut. \usepackage of a style file that came with the paper reads its plain
macros.
"""

import posixpath
import re
from typing import TYPE_CHECKING

from filters.latex.definitions import define
from filters.latex.macros import Macro
from filters.latex.packages import package_macros
from filters.latex.reader import LINE_REST
from filters.latex.scopes import Primitive

if TYPE_CHECKING:
    from filters.latex.expand import Expander

MAX_FILES_DEEP = 30  # TeX itself stops at 15 open files
MAX_INPUTS = 10_000  # more than any paper has
_ENVIRONMENT = re.compile(r"\s*\{\s*([^{}\\\n]{0,100}?)\s*\}")
_FILE_NAME = re.compile(r'[ \t]*(?:=[ \t]*)?(?:"([^"\n]{1,300})"|([^\s\\{}%#$&~^\x02-\x05]+))[ \t]?')
_CATCODE_AT = re.compile(r"\s*(?:`\\?@|64)\s*=?\s*(\d{1,2})\s?(?!\d)")
_DOCUMENT = re.compile(r"\\begin\s*\{document\}[ \t]*\n?(.*?)(?:\\end\s*\{document\}|\Z)", re.DOTALL)
_CLASS = re.compile(r"\\document(?:class|style)(?![A-Za-z])")


def _begin(expander: "Expander", name: str, token: str) -> None:
    del name
    frame = expander.reader.settle()
    match = _ENVIRONMENT.match(frame.text, frame.pos)
    if not match:
        expander.out.append(token)
        return
    frame.pos = match.end()
    environment = match[1]
    if environment == "document":
        _begin_document(expander)
        return
    expander.scopes.open(environment)
    meaning = expander.scopes.meanings.get(f"begin {environment}")
    if isinstance(meaning, Macro):
        expander.use(meaning, f"{token}{{{environment}}}")
    else:
        expander.out.append(token + match[0])


def _begin_document(expander: "Expander") -> None:
    """What stands before is the preamble: its definitions are known, its text goes."""
    if expander.in_document:
        return
    expander.in_document = True
    expander.out.clear()
    expander.scopes.groups.clear()
    expander.scopes.active = True
    expander.drop_line()


def _end(expander: "Expander", name: str, token: str) -> None:
    del name
    frame = expander.reader.settle()
    match = _ENVIRONMENT.match(frame.text, frame.pos)
    if not match:
        if expander.in_document:
            expander.out.append(token)
        else:  # plain TeX's \end
            expander.stop()
        return
    frame.pos = match.end()
    environment = match[1]
    if environment == "document":
        expander.stop()
        return
    meanings = expander.scopes.meanings
    begin, end = meanings.get(f"begin {environment}"), meanings.get(f"end {environment}")
    stays = expander.exhausted() or (isinstance(begin, Macro) and begin.banned)
    if isinstance(end, Macro) and not end.banned and not stays:
        expander.scopes.ending.append(environment)
        expander.use(end, f"{token}{{{environment}}}")
    else:
        expander.out.append(token + match[0])
        expander.scopes.close(environment)


def _stop(expander: "Expander", name: str, token: str) -> None:
    del name, token
    expander.stop()


def _end_input(expander: "Expander", name: str, token: str) -> None:
    r"""``\endinput``: the file ends here."""
    del name, token
    while expander.frames and expander.frames[-1].depth:
        expander.frames.pop()
    if expander.frames:
        expander.frames.pop()


def include(expander: "Expander", name: str, directory: str = "") -> None:
    """Read a file in place, if the paper has it. One that is being read already is a cycle, and is skipped."""
    name = expander.expand(name).strip().strip('"')
    current = next((frame.path for frame in reversed(expander.frames) if frame.path), "")
    expander.counters["inputs"] += 1
    path = expander.files.resolve(name, directory, current) if expander.counters["inputs"] <= MAX_INPUTS else None
    if path is None:
        expander.counters["missing_inputs"] += 1
        expander.drop_line()
        return
    open_files = [frame.path for frame in expander.frames if frame.path]
    if path in open_files or len(open_files) >= MAX_FILES_DEEP:
        expander.counters["input_cycles"] += 1
        expander.drop_line()
        return
    text = expander.files.again(path)
    if text is None:
        expander.counters["input_repeated"] += 1
        expander.drop_line()
        return
    if _CLASS.search(text):
        document = _DOCUMENT.search(text)
        text = document[1] if document else text
    # The file's last line end and that of the line which asks for it are one: two would end a paragraph.
    frame = expander.reader.settle()
    rest = LINE_REST.match(frame.text, frame.pos)
    if rest:
        frame.pos = rest.end()
        text += "" if text.endswith("\n") else "\n"
    expander.push_file(text, path)


def _input(expander: "Expander", name: str, token: str) -> None:
    reader = expander.reader
    reader.mark()
    if reader.peek() == "{":
        target = reader.group()
    else:
        frame = reader.frames[-1]
        match = _FILE_NAME.match(frame.text, frame.pos) if name in ("input", "@input", "@@input") else None
        frame.pos = match.end() if match else frame.pos
        target = (match[1] or match[2]) if match else None
    if target is None:
        reader.reset()
        expander.out.append(token)
    else:
        include(expander, target)


def _import(expander: "Expander", name: str, token: str) -> None:
    r"""``\import{directory/}{file}`` and its kin; ``\sub...`` count from the directory of the file being read."""
    reader = expander.reader
    reader.mark()
    reader.skip("*")
    directory, target = reader.group(), reader.group()
    if directory is None or target is None:
        reader.reset()
        expander.out.append(token)
        return
    if name.startswith("sub"):
        current = next((frame.path for frame in reversed(expander.frames) if frame.path), "")
        directory = posixpath.join(posixpath.dirname(current), directory)
    include(expander, target, expander.expand(directory))


def _if_file(expander: "Expander", name: str, token: str) -> None:
    r"""``\InputIfFileExists{file}{yes}{no}`` and ``\IfFileExists{file}{yes}{no}``."""
    reader = expander.reader
    reader.mark()
    target, yes, no = reader.group(), reader.group(), reader.group()
    if target is None or yes is None or no is None:
        reader.reset()
        expander.out.append(token)
        return
    found = expander.files.resolve(expander.expand(target).strip(), "", "")
    expander.push(yes if found else no)
    if found and name == "InputIfFileExists":
        expander.frames.pop()
        include(expander, target)
        expander.push(yes)


def _package(expander: "Expander", name: str, token: str) -> None:
    reader = expander.reader
    reader.mark()
    reader.bracket()
    names = reader.group()
    if names is None:
        reader.reset()
        expander.out.append(token)
        return
    reader.bracket()
    for package in names.split(","):
        path = expander.files.style(package.strip())
        if path:
            for macro_name, macro in package_macros(expander.files.text(path)):
                define(expander, macro_name, macro, True)
    expander.out.append(f"\\{name}{{{names}}}" if expander.in_document else "")


def _at_letter(expander: "Expander", name: str, token: str) -> None:
    del token
    for frame in reversed(expander.frames):
        frame.at_letter = name == "makeatletter"
        if not frame.depth:
            break
    expander.drop_line()


def _catcode(expander: "Expander", name: str, token: str) -> None:
    r"""``\catcode`\@=11`` is plain TeX's \makeatletter; other category codes are left alone."""
    del name
    frame = expander.reader.settle()
    match = _CATCODE_AT.match(frame.text, frame.pos)
    if match:
        frame.pos = match.end()
        _at_letter(expander, "makeatletter" if match[1] == "11" else "makeatother", token)
    else:
        expander.out.append(token)


def _group(expander: "Expander", name: str, token: str) -> None:
    if name == "begingroup":
        expander.scopes.open("\\begingroup")
    elif name == "endgroup":
        expander.scopes.close("\\begingroup")
    elif name == "bgroup":
        expander.scopes.open()
    else:
        expander.scopes.close()
    expander.out.append(token)


def _transparent(expander: "Expander", name: str, token: str) -> None:
    r"""``\AtBeginDocument{...}``, ``\IEEEraisesectionheading{...}``: the argument stands for itself."""
    del name
    reader = expander.reader
    reader.mark()
    argument = reader.group()
    if argument is None:
        reader.reset()
        expander.out.append(token)
    else:
        expander.push(argument)


_COMMANDS = {
    _begin: "begin",
    _end: "end",
    _stop: "bye enddocument",
    _end_input: "endinput",
    _input: "input @input @@input include subfile subfileinclude includestandalone loadfile",
    _import: "import subimport includefrom subincludefrom inputfrom subinputfrom",
    _if_file: "IfFileExists InputIfFileExists",
    _package: "usepackage RequirePackage",
    _at_letter: "makeatletter makeatother",
    _catcode: "catcode",
    _group: "begingroup endgroup bgroup egroup",
    _transparent: "AtBeginDocument IEEEraisesectionheading",
}
INPUTS: dict[str | None, Primitive] = {
    name: Primitive(name, handler) for handler, names in _COMMANDS.items() for name in names.split()
}
