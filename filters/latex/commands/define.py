"""Giving a name the author's meaning, which every command that defines does here."""

from filters.latex.expand import Expander
from filters.latex.macros import PROGRAMMING, Macro
from filters.latex.scopes import Meaning, Primitive
from filters.latex.tokens import words
from filters.latex.vocabulary import PLAIN_STRUCTURE, STRUCTURE

_RECKONING = words("advance multiply divide")


def define(expander: Expander, name: str, meaning: Meaning | None, everywhere: bool = False) -> None:
    """Give a name the author's meaning, unless it is one that stays what it is."""
    old = expander.scopes.meanings.get(name)
    everywhere = everywhere or expander.everywhere
    expander.everywhere = expander.long = False
    kept = isinstance(old, Primitive) and old.handler and not old.yields and name not in expander.defined
    if name in STRUCTURE or kept or (name in PLAIN_STRUCTURE and not expander.latex):
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


def _mark_program(expander: Expander, name: str, meaning: Macro) -> None:
    """A macro that calls a program is one; so are those that call it, which may have been defined before it."""
    programs = expander.programs
    if meaning.calls.isdisjoint(PROGRAMMING) and meaning.calls.isdisjoint(programs):
        return
    meaning.banned = True
    if not meaning.calls.isdisjoint(_RECKONING):
        expander.reckoned |= meaning.calls & expander.numbers.keys()
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


def unread(expander: Expander, name: str, target: tuple[str, str] | str | None = None) -> None:
    """A definition could not be read: the command stays, and uses of the name that it would define are counted."""
    expander.reader.reset()
    expander.everywhere = expander.long = False
    expander.counters["unread_definitions"] += 1
    if target:
        expander.unread.add(target if isinstance(target, str) else target[0])
    expander.write(name)
