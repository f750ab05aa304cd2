r"""Names that a paper puts together, and what it does with them: ``\csname``, ``\expandafter``, loops over names.

Authors define alphabets of macros with these: ``\def\ddef#1{\expandafter\def\csname b#1\endcsname{\mathbb{#1}}}`` in
a loop over the letters makes ``\bA`` to ``\bZ``. Carried out are names of letters alone, and ``\expandafter`` before a
definition, before a macro that the author defined, and over the end of a conditional. The rest is TeX's own business:
in the replacement of a macro it makes the use of that macro stay as it is.
"""

import re

from filters.latex.expand import Expander
from filters.latex.macros import Macro
from filters.latex.scopes import Primitive, primitives
from filters.latex.tokens import words

DEFINERS = words(
    "def gdef edef xdef let newcommand renewcommand providecommand DeclareRobustCommand DeclareMathOperator "
    "newrobustcmd renewrobustcmd newcommandx renewcommandx DeclarePairedDelimiter NewDocumentCommand "
    "RenewDocumentCommand DeclareDocumentCommand"
)
MAX_NAME = 200  # characters between \csname and \endcsname
MAX_CHAIN = 8  # \expandafter after \expandafter
MAX_ITEMS = 1000  # of a loop

_NAME = re.compile(r"\s*((?:[^\\{}%]|\\(?!endcsname)[A-Za-z@]+(?![A-Za-z@]))*?)\\endcsname(?![A-Za-z@])")
_LETTERS = re.compile(r"[A-Za-z]+\Z")
_NEXT = re.compile(r"\s*\\(expandafter|csname|fi|else)(?![A-Za-z@])")
_FOR = re.compile(r"\s*\\([A-Za-z@]+)\s*:=\s*")
_DO = re.compile(r"\\do\s*(?=\{)")
_FOREACH = re.compile(r"\s*\\([A-Za-z@]+)\s+in\s*(?=\{)")
_RANGE = re.compile(r"\s*([A-Za-z])\s*,\s*\\?(?:\.\.\.|ldots|dots)\s*,\s*([A-Za-z])\s*\Z")
_ENDS_IN_WORD = re.compile(r"\\[A-Za-z@]+\Z")
_DEFINES = re.compile(r"\\csname.*\\endcsname", re.DOTALL)


def give_up(expander: Expander, name: str) -> None:
    """What was read is put back; the use that led here stays as it is, or, outside of one, this command does."""
    expander.reader.reset()
    if not expander.abandon():
        expander.write(name)


def built_name(expander: Expander) -> str | None:
    r"""The name between here and ``\endcsname``, which is passed; None where it is not known."""
    if expander.exhausted():
        return None
    frame = expander.reader.settle()
    match = _NAME.match(frame.text, frame.pos, frame.pos + MAX_NAME)
    expander.reader.work += MAX_NAME if match is None else match.end() - match.start()
    if match is None:
        return None
    frame.pos = match.end()
    name = expander.expand(match[1]).strip()
    return None if "\\" in name else name


def _built(expander: Expander) -> str | None:
    """The same; None where the name is not of letters alone, so that it cannot be written as a command."""
    name = built_name(expander)
    return name if name and _LETTERS.match(name) else None


def _csname(expander: Expander, name: str) -> None:
    expander.reader.mark()
    built = _built(expander)
    if built is None:
        give_up(expander, name)
    else:
        expander.call(built)


def _expandafter(expander: Expander, name: str) -> None:
    expander.reader.mark()
    text = _after(expander, MAX_CHAIN)
    if text is None:
        give_up(expander, name)
    else:
        expander.push(text, nested=True)  # a loop that runs on by this counts as one use


def _after(expander: Expander, chain: int) -> str | None:
    r"""What is to be read in place of an ``\expandafter``, its first token and what it jumps over."""
    reader = expander.reader
    first = reader.token()
    frame = reader.settle()
    following = _NEXT.match(frame.text, frame.pos)
    if first is None or not first.startswith("\\") or following is None or chain == 0:
        return None
    frame.pos = following.end()
    if following[1] in ("fi", "else"):
        meaning = expander.scopes.meanings[following[1]]
        if isinstance(meaning, Primitive) and meaning.handler:
            meaning.handler(expander, following[1])
        return first
    name = first[1:]
    if name in ("ifx", "ifdefined"):
        return _asked(expander, first, following[1])
    if name not in DEFINERS and chain == MAX_CHAIN and not isinstance(expander.scopes.meanings.get(name), Macro):
        return None
    if following[1] == "expandafter":
        rest = _after(expander, chain - 1)
        return None if rest is None else first + rest
    built = _built(expander)
    return None if built is None else f"{first}\\{built} "


def _asked(expander: Expander, first: str, following: str) -> str | None:
    r"""``\expandafter\ifx\csname x\endcsname\relax``: a name that is not defined is ``\relax`` once it is built."""
    built = built_name(expander) if following == "csname" else None
    if built is None:
        return None
    if not expander.is_defined(built):
        return f"{first}\\relax "
    return f"{first}\\{built} " if _LETTERS.match(built) else f"{first}\\par "


def _named(expander: Expander, name: str) -> None:
    r"""``\@namedef{x}``, ``\csdef{x}``, ``\@nameuse{x}`` and ``\csuse{x}``: the same with the name as an argument."""
    expander.reader.mark()
    given = expander.reader.group()
    built = expander.expand(given).strip() if given is not None else ""
    if not _LETTERS.match(built):
        give_up(expander, name)
    elif name in ("@nameuse", "csuse"):
        expander.call(built)
    else:
        expander.push(f"\\{'gdef' if name == 'csgdef' else 'def'}\\{built} ")


def _for(expander: Expander, name: str) -> None:
    r"""``\@for\x:=a,b,c\do{...}``, ``\@tfor\x:=abc\do{...}``: where they define names."""
    reader = expander.marked()
    frame = reader.settle()
    head = _FOR.match(frame.text, frame.pos)
    do = _DO.search(frame.text, head.end(), head.end() + 2000) if head else None
    if head is None or do is None:
        give_up(expander, name)
        return
    listed = expander.expand(frame.text[head.end() : do.start()]).strip()
    listed = listed[1:-1] if listed.startswith("{") and listed.endswith("}") else listed
    frame.pos = do.end()
    body = reader.group()
    items = listed.split(",") if name == "@for" else re.findall(r"\\[A-Za-z@]+|[^\s{}\\]", listed)
    _loop(expander, name, head[1], items, body)


def _foreach(expander: Expander, name: str) -> None:
    r"""pgf's ``\foreach \x in {A,...,Z} {...}``, where it defines names: elsewhere it draws."""
    reader = expander.marked()
    frame = reader.settle()
    head = _FOREACH.match(frame.text, frame.pos)
    if head is None:
        give_up(expander, name)
        return
    frame.pos = head.end()
    listed, body = reader.group(), reader.group()
    span = _RANGE.match(listed) if listed is not None else None
    letters = [chr(code) for code in range(ord(span[1]), ord(span[2]) + 1)] if span else []
    _loop(expander, name, head[1], letters or (listed or "").split(","), body)


def _loop(expander: Expander, name: str, variable: str, items: list[str], body: str | None) -> None:
    if body is None or not _DEFINES.search(body) or len(items) > MAX_ITEMS:
        give_up(expander, name)
        return
    text = "".join(_with_item(body, variable, item.strip()) for item in items)
    expander.grown += len(text)
    expander.push(text)


def _with_item(body: str, variable: str, item: str) -> str:
    """A loop's body with the item for its variable; a blank where it would become part of a command's name."""
    parts = re.split(rf"\\{re.escape(variable)}(?![A-Za-z@])", body)
    out = parts[:1]
    for part in parts[1:]:
        out += (" " if _ENDS_IN_WORD.search(out[-1]) else "", item, part)
    return "".join(out)


def _list(expander: Expander, name: str) -> None:
    r"""etoolbox's ``\forcsvlist{\define}{a,b,c}``: the macro is used with each."""
    reader = expander.marked()
    command, listed = reader.argument(), reader.group()
    if command is None or listed is None or listed.count(",") > MAX_ITEMS:
        give_up(expander, name)
        return
    text = "".join(f"{command}{{{item.strip()}}}" for item in listed.split(",") if item.strip())
    expander.grown += len(text)
    expander.push(text)


NAMES = primitives(
    {
        _csname: "csname",
        _expandafter: "expandafter",
        _named: "@namedef @nameuse csdef csgdef csuse",
        _for: "@for @tfor",
        _foreach: "foreach",
        _list: "forcsvlist",
    }
)
