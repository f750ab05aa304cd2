r"""Choices between two arguments: ifthen's, etoolbox's, the kernel's ``\@ifundefined``, ``\@ifstar`` and so on.

Each reads all its arguments and goes on with the one that is right. Where only TeX knows, the command stays as it is;
in a preamble, which leaves no text, the definitions of both are carried out, so that no macro is lost.
"""

import re
from collections.abc import Callable

from filters.latex.commands.conditionals import same
from filters.latex.commands.ifthen import equal, evaluate
from filters.latex.commands.inputs import include
from filters.latex.commands.registers import integer
from filters.latex.expand import Expander
from filters.latex.macros import Macro
from filters.latex.scopes import primitives

Test = Callable[[Expander, str, list[str]], bool | None]


_INPUT = re.compile(r"\\(?:input|include|subfile|import|subimport)(?![A-Za-z@])")
_END = "\x06"  # a command of this name, which no source has, stands behind a choice that is written out
_END_CHOICE = f"\\{_END}"


def _end_choice(expander: Expander, name: str) -> None:
    del name
    if expander.conditions and expander.conditions[-1] is not None:
        expander.conditions.pop()


def _choose(test: Test, count: int) -> Callable[[Expander, str], None]:
    """A command that reads ``count`` arguments, asks ``test`` of them, and reads on in one of two more."""

    def choose(expander: Expander, name: str) -> None:
        reader = expander.marked()
        given = [reader.argument() for _ in range(count)]
        yes, no = (reader.group(), reader.group()) if None not in given else (None, None)
        if yes is None or no is None:
            expander.put_back(name)
            return
        truth = test(expander, name, [text for text in given if text is not None])
        if truth is not None:
            expander.push(yes if truth else no)
        elif expander.preamble:
            expander.push(yes + no)
        elif _INPUT.search(yes) and _INPUT.search(no):  # as both branches of a conditional that is not decided
            expander.write(name)
            expander.conditions.append(set())
            expander.push("".join(f"{{{text}}}" for text in (*given, yes, no)) + _END_CHOICE)
        else:
            expander.put_back(name)

    return choose


def _ifthenelse(expander: Expander, name: str, given: list[str]) -> bool | None:
    del name
    return evaluate(expander, given[0])


def _toggle(expander: Expander, name: str, given: list[str]) -> bool | None:
    truth = expander.flags.get(given[0].strip())
    return truth if truth is None else truth != name.startswith("not")


def _blank(expander: Expander, name: str, given: list[str]) -> bool:
    del expander
    return (not given[0].strip()) != name.startswith("not")


def _same_text(expander: Expander, name: str, given: list[str]) -> bool | None:
    del expander, name
    return given[0] == given[1]


def _equal_text(expander: Expander, name: str, given: list[str]) -> bool | None:
    del name
    return equal(expander, given[0], given[1])


def _empty_text(expander: Expander, name: str, given: list[str]) -> bool:
    del expander, name
    return not given[0]


def _defined(expander: Expander, name: str, given: list[str]) -> bool | None:
    r"""``\@ifundefined{x}``, ``\ifdef\x``, ``\ifcsdef{x}`` and their opposites."""
    target = given[0].strip()
    if name in ("ifdef", "ifundef", "ifdefmacro"):
        if not target.startswith("\\"):
            return None
        target = target[1:]
    else:
        target = expander.expand(target)
        if "\\" in target:
            return None
    return expander.is_defined(target) != ("undef" in name)


def _macro_is(expander: Expander, name: str, given: list[str]) -> bool | None:
    r"""``\ifdefempty\x``, ``\ifdefvoid\x``, ``\ifdefstring\x{text}``, and the same by name (``\ifcsempty{x}``)."""
    target = given[0].strip().removeprefix("\\")
    meaning = expander.scopes.meanings.get(target)
    if not isinstance(meaning, Macro):
        return None if expander.is_defined(target) else name.endswith("void")
    text = meaning.pieces[0] if len(meaning.pieces) == 1 else None
    if name.endswith("string"):
        return text == given[1]
    return not meaning.parameters and text == ""


def _same_meaning(expander: Expander, name: str, given: list[str]) -> bool | None:
    first, second = (text.strip() for text in given)
    return same(expander, *((f"\\{first}", f"\\{second}") if name == "ifcsequal" else (first, second)))


def _numbers(expander: Expander, name: str, given: list[str]) -> bool | None:
    first, second = (integer(expander.expand(text)) for text in (given[0], given[-1]))
    if first is None or second is None:
        return None
    relation = {"ifnumequal": "=", "ifnumgreater": ">", "ifnumless": "<"}.get(name) or given[1].strip()
    return {"<": first < second, "=": first == second, ">": first > second}.get(relation)


def _loaded(expander: Expander, name: str, given: list[str]) -> bool:
    """Whether a package or a class is loaded: as the text says; that one loads another is not known."""
    del name
    return given[0].strip() in expander.packages


def _recent(expander: Expander, name: str, given: list[str]) -> bool:
    """Whether LaTeX or a package is as new as is asked for: it is today."""
    del expander, name, given
    return True


def _unknown(expander: Expander, name: str, given: list[str]) -> None:
    """What only TeX, or the package, knows."""
    del expander, name, given


def _file_exists(expander: Expander, name: str, given: list[str]) -> bool:
    del name
    return expander.files.resolve(expander.expand(given[0]).strip(), "", "") is not None


def _input_if_exists(expander: Expander, name: str) -> None:
    r"""``\InputIfFileExists{file}{yes}{no}``: the argument first, then the file."""
    reader = expander.marked()
    target, yes, no = reader.group(), reader.group(), reader.group()
    if target is None or yes is None or no is None:
        expander.put_back(name)
    elif _file_exists(expander, name, [target]):
        include(expander, target)
        expander.push(yes)
    else:
        expander.push(no)


def _looks_ahead(expander: Expander, name: str) -> None:
    r"""``\@ifstar{with}{without}`` and ``\@ifnextchar[{with}{without}``: look at what follows."""
    reader = expander.marked()
    char = "*" if name == "@ifstar" else reader.token()
    yes, no = reader.argument(), reader.argument()
    if char is None or yes is None or no is None:
        expander.put_back(name)
        return
    at_letter = reader.frames[-1].at_letter
    frame = reader.settle()
    before = frame.pos
    follows = reader.peek() == char
    if not follows:
        frame.pos = before
    elif name == "@ifstar":
        reader.skip("*")
    expander.push(yes if follows else no, at_letter=at_letter)


def _set_toggle(expander: Expander, name: str) -> None:
    r"""``\newtoggle{x}``, ``\toggletrue{x}``, ``\newboolean{x}``, ``\setboolean{x}{true}`` and so on."""
    reader = expander.marked()
    flag = reader.group()
    value = reader.group() if flag is not None and name in ("setboolean", "setbool", "settoggle") else ""
    if flag is None or value is None:
        expander.put_back(name)
        return
    expander.flags[flag.strip()] = name.endswith("true") or value.strip() == "true"
    expander.drop_line()


CHOSEN = primitives(
    {
        _choose(_ifthenelse, 1): "ifthenelse",
        _choose(_toggle, 1): "iftoggle ifbool nottoggle notbool",
        _choose(_blank, 1): "ifblank notblank IfBlankTF",
        _choose(_empty_text, 1): "ifstrempty",
        _choose(_same_text, 2): "ifstrequal",
        _choose(_equal_text, 2): "IfStrEq",
        _choose(_defined, 1): "@ifundefined ifdef ifundef ifcsdef ifcsundef ifdefmacro ifcsmacro",
        _choose(_macro_is, 1): "ifdefempty ifdefvoid ifcsempty ifcsvoid",
        _choose(_macro_is, 2): "ifdefstring ifcsstring",
        _choose(_same_meaning, 2): "ifdefequal ifcsequal",
        _choose(_numbers, 2): "ifnumequal ifnumgreater ifnumless",
        _choose(_numbers, 3): "ifnumcomp",
        _choose(_loaded, 1): "@ifpackageloaded @ifclassloaded IfPackageLoadedTF IfClassLoadedTF",
        _choose(_recent, 1): "IfFormatAtLeastTF",
        _choose(_recent, 2): "@ifpackagelater @ifclasslater IfPackageAtLeastTF IfClassAtLeastTF",
        _choose(_file_exists, 1): "IfFileExists",
        _choose(_unknown, 1): "ifboolexpr iflanguage ifnumodd ifdefcounter ifdeflength",
        _choose(_unknown, 2): "@ifpackagewith @ifclasswith IfPackageLoadedWithOptionsTF ifinlist ifinlistcs",
    }
)
CHOICES = CHOSEN | primitives(
    {
        _input_if_exists: "InputIfFileExists",
        _looks_ahead: "@ifstar @ifnextchar",
        _end_choice: _END,
        _set_toggle: "newtoggle providetoggle toggletrue togglefalse settoggle newbool providebool booltrue boolfalse "
        "setbool newboolean provideboolean setboolean",
    }
)
