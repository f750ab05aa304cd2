"""What each name means at this point of the paper, and which groups will undo that."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Union

from filters.latex.macros import Macro

if TYPE_CHECKING:
    from filters.latex.expand import Expander

Handler = Callable[["Expander", str, str], None]  # the expander, the name, the token as written
Meaning = Union[Macro, "Primitive"]
_LOOK_DOWN = (
    8  # groups looked at for the one to close: sources whose braces and environments cross are mended no further
)


class Primitive:
    r"""A command that the expander carries out itself, or one it writes as it stands (the kernel's meaning after \let).

    Attributes:
        name: the name it had when it was defined.
        handler: what it does; None: it is written out.
        conditional: whether it begins a conditional that ends with ``\\fi``.
    """

    __slots__ = ("conditional", "handler", "name")

    def __init__(self, name: str, handler: Handler | None = None, conditional: bool = False) -> None:
        self.name = name
        self.handler = handler
        self.conditional = conditional


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
        active: whether groups count; off in a preamble, where definitions inside the arguments of other commands are
            carried out by these at the outer level.
    """

    def __init__(self, primitives: Mapping[str | None, Primitive]) -> None:
        self.meanings: dict[str | None, Meaning] = dict(primitives)
        self.version = 0
        self.active = True
        self.groups: list[_Group | None] = []  # None: a brace in which nothing has been defined
        self.undoing: list[_Group] = []
        self.ending: list[str] = []  # environments whose closing text is being expanded

    def define(self, name: str, meaning: Meaning | None, everywhere: bool = False) -> None:
        """Give ``name`` a meaning (None: take it away) in the innermost group, or ``everywhere``."""
        self.version += 1
        if everywhere:
            for group in self.undoing:
                group.undo.pop(name, None)
        elif self.groups and self.active:
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
            self._set(name, meaning)

    def _set(self, name: str, meaning: Meaning | None) -> None:
        if meaning is None:
            self.meanings.pop(name, None)
        else:
            self.meanings[name] = meaning
