r"""What is left in a text that is no paper's text: uses of the author's macros, conditionals that are not decided.

The figure is told to users, so it must see the faults of the expander: names count whose definition was read, and names
whose definition was not, such as those of a package's own defining command.
"""

import re
from collections import Counter
from dataclasses import dataclass

from filters.latex.commands.choices import CHOSEN
from filters.latex.expand import Expander
from filters.latex.tokens import KERNEL
from filters.latex.vocabulary import CONDITIONALS, DEFINING, LATEX, STRUCTURE, TEX

_CONTROL = re.compile(r"\\([A-Za-z]+|.)", re.DOTALL)
_KERNELS = re.compile(rf"{KERNEL}\\([A-Za-z]+|.)", re.DOTALL)


@dataclass(frozen=True)
class Left:
    """Counts of what is left: uses of macros and environments that the author defined; conditionals not decided."""

    macros: int
    conditionals: int


def count_left(text: str, expander: Expander) -> Left:
    """Counts what is left in a text.

    Args:
        text: the paper's text, verbatim pieces masked, commands that mean LaTeX's own marked (`tokens.KERNEL`).
        expander: the expander that made it.
    """
    unknown = {name for name in DEFINING.findall(expander.before) if name not in TEX and name not in LATEX}
    names = (expander.defined | expander.unread | unknown) - STRUCTURE
    counts = Counter(_CONTROL.findall(text))
    if KERNEL in text:
        counts.subtract(_KERNELS.findall(text))
    with_at = "@" in text

    def uses(name: str) -> int:
        return counts[name] if "@" not in name else text.count(f"\\{name}") if with_at else 0

    macros = 0
    for name in names:
        if name.startswith("begin "):
            begins = f"\\begin{{{name.removeprefix('begin ')}}}"
            macros += text.count(begins) if with_at or "@" not in begins else 0
        else:
            macros += uses(name)
    return Left(macros, sum(uses(str(name)) for name in CONDITIONALS | CHOSEN.keys()))
