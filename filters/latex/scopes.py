"""What each name means at this point of the paper, and which groups will undo that."""

from collections.abc import Callable, Mapping
from typing import Union

from filters.latex.macros import Macro
from filters.latex.tokens import words
from filters.latex.vocabulary import LATEX, TEX

Handler = Callable[..., None]  # called with the expander, which this module does not know, and the command's name
Meaning = Union[Macro, "Primitive"]
_LOOK_DOWN = (
    8  # groups looked at for the one to close: sources whose braces and environments cross are mended no further
)


class Primitive:
    r"""A command that the expander carries out itself, or one it writes as it stands (the kernel's meaning after \let).

    Attributes:
        name: its own name, under whatever name a \\let has put it.
        handler: what it does; None: it is written out.
        conditional: whether it begins a conditional that ends with ``\\fi``.
        yields: whether a definition of the author's takes its place; else the name stays what it is.
    """

    __slots__ = ("conditional", "handler", "name", "yields")

    def __init__(
        self, name: str, handler: Handler | None = None, conditional: bool = False, yields: bool = False
    ) -> None:
        self.name = name
        self.handler = handler
        self.conditional = conditional
        self.yields = yields


def primitives(
    handlers: Mapping[Handler, str], conditional: bool = False, yields: bool = False
) -> dict[str | None, Primitive]:
    """A table of commands: each handler with the names, in one line, that it carries out."""
    return {
        name: Primitive(name, handler, conditional, yields)
        for handler, names in handlers.items()
        for name in sorted(words(names))
    }


class _Group:
    __slots__ = ("environment", "undo")

    def __init__(self, environment: str = "") -> None:
        self.environment = environment
        self.undo: dict[str, Meaning | None] = {}


class Scopes:
    r"""The table of meanings, with TeX's groups: a definition in a group ends with it unless it is ``\global``.

    Braces, ``\begingroup``, ``\bgroup`` and environments open groups. Unbalanced sources are borne: a closing
    brace without an opening one is ignored, and an ``\end`` closes what was left open within its environment.

    Attributes:
        meanings: name to meaning. The key None stands for braces, so that a scan may look every token up at once.
        version: grows whenever the table changes.
    """

    def __init__(self, table: Mapping[str | None, Primitive]) -> None:
        self.meanings: dict[str | None, Meaning] = dict(table)
        self.version = 0
        self.groups: list[_Group | None] = []  # None: a brace in which nothing has been defined
        self.undoing: list[_Group] = []
        self.ending: list[str] = []  # environments whose closing text is being expanded

    def define(self, name: str, meaning: Meaning | None, everywhere: bool = False) -> None:
        """Give ``name`` a meaning (None: take it away) in the innermost group, or ``everywhere``."""
        self.version += 1
        if everywhere:
            for group in self.undoing:
                group.undo.pop(name, None)
        elif self.groups:
            group = self.groups[-1] or _Group()
            if not (self.undoing and self.undoing[-1] is group):
                self.groups[-1] = group
                self.undoing.append(group)
            group.undo.setdefault(name, self.meanings.get(name))
        self._set(name, meaning)

    def open(self, environment: str = "") -> None:
        """Open a group: of braces, or of an environment."""
        self.groups.append(_Group(environment) if environment else None)

    def close(self, environment: str = "") -> None:
        """Close the innermost group of braces, or the innermost of this environment, and what is open within it."""
        groups = self.groups
        for back in range(1, min(_LOOK_DOWN, len(groups)) + 1):
            group = groups[-back]
            if (group.environment if group else "") == environment:
                for _ in range(back):
                    self._pop()
                return

    def unwind(self, count: int) -> None:
        """Close the innermost groups until ``count`` are open: what opened the others is not expanded after all."""
        while len(self.groups) > count:
            self._pop()

    def begin_document(self) -> None:
        """Leave what a preamble has left open: its definitions are the document's."""
        self.groups.clear()
        self.undoing.clear()

    def close_expanded(self) -> None:
        """Close the group of the environment whose closing text has been expanded."""
        if self.ending:
            self.close(self.ending.pop())

    def _pop(self) -> None:
        group = self.groups.pop()
        if group is None:
            return
        if self.undoing and self.undoing[-1] is group:
            self.undoing.pop()
        self.version += bool(group.undo)
        for name, meaning in group.undo.items():
            known = meaning is None and (name in TEX or name in LATEX)
            self._set(name, Primitive(name) if known else meaning)

    def _set(self, name: str, meaning: Meaning | None) -> None:
        if meaning is None:
            self.meanings.pop(name, None)
        else:
            self.meanings[name] = meaning
