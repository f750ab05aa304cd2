r"""Commands whose argument is code for another time, and those that write where no reader looks.

What stands in a hook is no part of the text, and its definitions are not the text's: those of
\pdfstringdefDisableCommands serve PDF bookmarks, those of \AtBeginEnvironment one environment, those of \patchcmd the
insides of a package. Hooks of the document's beginning are run there. \wlog, \typeout, \message, \write and their like
write nothing into the text.
"""

import re
from collections.abc import Callable

from filters.latex.commands.define import define
from filters.latex.expand import Expander
from filters.latex.macros import Macro
from filters.latex.scopes import primitives

# By the arguments that follow: m in braces or a command, o in brackets if there, * a star if there, = a sign if there.
_HOOKS = {
    "m": "pdfstringdefDisableCommands AtEndDocument AtEndOfClass AtBeginShipout AtBeginShipoutNext AtBeginDvi AtEndDvi "
    "AtBeginBibliography AtEveryBibitem AtEveryCitekey AtEveryCite AtDataInput EveryShipout AddEverypageHook "
    "AddThispageHook typeout message wlog errmessage",
    "=m": "everymath everydisplay everypar everyhbox everyvbox everycr everyjob errhelp",
    "mm": "AtBeginEnvironment AtEndEnvironment BeforeBeginEnvironment AfterBeginEnvironment BeforeEndEnvironment "
    "AfterEndEnvironment addto csappto cspreto addtokomafont setkomafont "
    "PackageInfo PackageWarning PackageWarningNoLine ClassInfo ClassWarning "
    "ClassWarningNoLine",
    "mmm": "PackageError ClassError GenericInfo GenericWarning",
    "mmmm": "GenericError apptocmd pretocmd gapptocmd gpretocmd xapptocmd xpretocmd",
    "*mmmmm": "patchcmd gpatchcmd xpatchcmd",
    "*omom": "newbibmacro renewbibmacro providebibmacro",
    "*omm": "DeclareFieldFormat DeclareIndexFieldFormat DeclareNameFormat DeclareListFormat",
}
_BEGINNING = re.compile(r"begindocument(?:/\w+)?\Z")
_STREAM = re.compile(r"\s*(?:-?\d+|\\[A-Za-z@]+)[ \t]*")
_OPENED = re.compile(r'\s*\\[A-Za-z@]+[ \t]*(?:=[ \t]*)?(?:\{[^{}]{0,200}\}|"[^"\n]{0,200}"|[^\s{}%]{1,200})?[ \t]?')
_PREFIXED = re.compile(r"\s*\\(?:write|openout|closeout)(?![A-Za-z@])")
_NAMED = re.compile(r"\s*\\(?:[A-Za-z@]+|.)[ \t]*")


def _inert(shape: str) -> Callable[[Expander, str], None]:
    def inert(expander: Expander, name: str) -> None:
        reader = expander.marked()
        for kind in shape:
            if kind == "o":
                reader.bracket()
            elif kind != "m":
                reader.skip(kind)
            elif reader.argument() is None:
                expander.put_back(name)
                return
        expander.counters["hooks"] += 1
        expander.drop_line()

    return inert


def _append(expander: Expander, name: str) -> None:
    r"""``\appto\x{...}``, ``\g@addto@macro\x{...}``: more of a macro of the author's; of another, code for it."""
    reader = expander.marked()
    target, more = reader.control(), reader.group()
    if target is None or more is None:
        expander.put_back(name)
        return
    meaning = expander.scopes.meanings.get(target[0])
    plain = isinstance(meaning, Macro) and not meaning.parameters and len(meaning.pieces) == 1
    if isinstance(meaning, Macro) and plain and not expander.exhausted():
        text = str(meaning.pieces[0])
        expander.grown += len(text)
        text = more + text if "preto" in name else text + more
        everywhere = name[0] in "gx"
        define(expander, target[0], Macro(text, (), meaning.at_letter or reader.frames[-1].at_letter), everywhere)
    else:
        expander.counters["hooks"] += 1
    expander.drop_line()


def _at_begin(expander: Expander, name: str) -> None:
    r"""``\AtBeginDocument{...}``: run there; in the document, and where there is none, now."""
    reader = expander.marked()
    hook = reader.argument() if name.startswith("AddToHook") else "begindocument"
    if name.startswith("AddToHook"):
        reader.bracket()
    argument = reader.group() if hook is not None else None
    if hook is None or argument is None:
        expander.put_back(name)
    elif not _BEGINNING.match(hook.strip()):
        expander.counters["hooks"] += 1
        expander.drop_line()
    elif expander.preamble:
        expander.at_begin.append((argument, reader.frames[-1].at_letter))
        expander.drop_line()
    else:
        expander.push(argument)


def _write(expander: Expander, name: str) -> None:
    r"""``\write16{...}``, ``\write\file{...}``."""
    reader = expander.marked()
    frame = reader.settle()
    stream = _STREAM.match(frame.text, frame.pos)
    frame.pos = stream.end() if stream else frame.pos
    if stream is None or reader.group() is None:
        expander.put_back(name)
    else:
        expander.drop_line()


def _skips(pattern: re.Pattern[str]) -> Callable[[Expander, str], None]:
    def skip(expander: Expander, name: str) -> None:
        frame = expander.reader.settle()
        match = pattern.match(frame.text, frame.pos)
        if match is None:
            expander.write(name)
            return
        frame.pos = match.end()
        expander.drop_line()

    return skip


def _immediate(expander: Expander, name: str) -> None:
    if not expander.reader.match(_PREFIXED):
        expander.write(name)


HOOKS = primitives(
    {_inert(shape): names for shape, names in _HOOKS.items()}
    | {
        _at_begin: "AtBeginDocument AtEndPreamble AfterEndPreamble AfterPreamble AddToHook AddToHookNext",
        _append: "appto gappto eappto xappto preto gpreto epreto xpreto g@addto@macro l@addto@macro",
        _write: "write",
        _immediate: "immediate",
        _skips(_OPENED): "openout openin",
        _skips(_NAMED): "closeout closein show showthe",
    },
    yields=True,
)
