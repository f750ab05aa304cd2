r"""Environments: \begin and \end, with those of the author's expanded, and the commands that define them."""

import re

from filters.latex.commands.define import define, unread
from filters.latex.commands.definitions import digit, keyed_parameters
from filters.latex.expand import Expander
from filters.latex.macros import Macro, latex_parameters, xparse_parameters
from filters.latex.scopes import primitives
from filters.latex.tokens import GROUP_END
from filters.latex.vocabulary import ENVIRONMENTS

_ENVIRONMENT = re.compile(r"\s*\{\s*([^{}\\\n]{0,100}?)\s*\}")
_FROM_MACRO = re.compile(r"\s*\{\s*\\([A-Za-z@]+)\s*\}")


def _environment_name(expander: Expander) -> tuple[str, str] | None:
    """The name in braces that comes next, and how it is written; a macro that is a name counts, too."""
    frame = expander.reader.settle()
    match = _ENVIRONMENT.match(frame.text, frame.pos)
    if match:
        frame.pos = match.end()
        return match[1], match[0]
    match = _FROM_MACRO.match(frame.text, frame.pos)
    name = expander.plain_text(match[1]) if match else None
    if match is None or name is None:
        return None
    frame.pos = match.end()
    return name.strip(), f"{{{name.strip()}}}"


def _begin(expander: Expander, name: str) -> None:
    found = _environment_name(expander)
    if found is None:
        expander.write(name)
        return
    environment, written = found
    if environment == "document":
        _begin_document(expander)
        return
    expander.scopes.open(environment)
    meaning = expander.scopes.meanings.get(f"begin {environment}")
    if isinstance(meaning, Macro):
        expander.use(meaning, f"\\begin{{{environment}}}")
    else:
        expander.out.append(f"\\begin{written}")


def _begin_document(expander: Expander) -> None:
    """What stands before is the preamble: its definitions are known, its text goes."""
    if expander.in_document:
        return
    expander.begin_document()
    expander.drop_line()


def _end(expander: Expander, name: str) -> None:
    found = _environment_name(expander)
    if found is None:
        if expander.in_document:
            expander.write(name)
        else:  # plain TeX's \end
            expander.stop()
        return
    environment, written = found
    if environment == "document":
        expander.stop()
        return
    meanings = expander.scopes.meanings
    begin, end = meanings.get(f"begin {environment}"), meanings.get(f"end {environment}")
    stays = expander.exhausted() or (isinstance(begin, Macro) and begin.banned)
    if isinstance(end, Macro) and not end.banned and not stays:
        expander.scopes.ending.append(environment)
        expander.use(end, f"\\end{{{environment}}}")
    else:
        expander.out.append(f"\\end{written}")
        expander.scopes.close(environment)


def _stop(expander: Expander, name: str) -> None:
    del name
    expander.stop()


def _group(expander: Expander, name: str) -> None:
    if name == "begingroup":
        expander.scopes.open("\\begingroup")
    elif name == "endgroup":
        expander.scopes.close("\\begingroup")
    elif name == "bgroup":
        expander.scopes.open()
    else:
        expander.scopes.close()
    expander.write(name)


def _new_environment(expander: Expander, name: str) -> None:
    reader = expander.marked()
    reader.skip("*")
    target = reader.group()
    if "Document" in name:
        parameters = xparse_parameters(reader.group() or "")
    else:
        count = digit(reader.bracket())
        default = reader.bracket() if count else None
        parameters = keyed_parameters(count, default) if name.endswith("x") else latex_parameters(count, default)
    opening = reader.argument() if target else None
    closing = reader.argument() if opening is not None else None
    if target is None or opening is None or closing is None or parameters is None:
        unread(expander, name, f"begin {(target or '').strip()}")
        return
    target, at_letter = target.strip(), reader.frames[-1].at_letter
    if target in ENVIRONMENTS or target in expander.files.verbatim.environments:
        expander.counters["protected"] += 1
    elif not name.lower().startswith("provide") or f"begin {target}" not in expander.scopes.meanings:
        begin, end = Macro(opening, parameters, at_letter), Macro(closing + GROUP_END, (), at_letter)
        define(expander, f"begin {target}", begin)
        define(expander, f"end {target}", end)
        begin.banned = end.banned = begin.banned or end.banned  # both are expanded, or both stay
    expander.drop_line()


def _included(expander: Expander, name: str) -> None:
    r"""comment's ``\includecomment{x}``, versions' ``\includeversion{x}``: an environment that leaves its text."""
    reader = expander.marked()
    target = reader.group()
    if target is None:
        expander.put_back(name)
        return
    if target.strip() not in ENVIRONMENTS:
        define(expander, f"begin {target.strip()}", Macro(""))
        define(expander, f"end {target.strip()}", Macro(GROUP_END))
    expander.drop_line()


ENVIRONMENT_COMMANDS = primitives(
    {
        _included: "includecomment includeversion",
        _begin: "begin",
        _end: "end",
        _stop: "bye enddocument",
        _group: "begingroup endgroup bgroup egroup",
        _new_environment: "newenvironment renewenvironment provideenvironment newenvironmentx renewenvironmentx "
        "NewDocumentEnvironment RenewDocumentEnvironment ProvideDocumentEnvironment DeclareDocumentEnvironment",
    }
)
