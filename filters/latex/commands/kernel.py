r"""LaTeX's internal commands that choose among their arguments, which authors borrow: ``\let\todo\@gobble``."""

from filters.latex.expand import Expander
from filters.latex.scopes import primitives

# How many arguments are read, and which of them stays; None: none does.
_KEPT = {"@gobble": (1, None), "@gobbletwo": (2, None), "@firstofone": (1, 0), "@iden": (1, 0)}
_KEPT |= {"@firstoftwo": (2, 0), "@secondoftwo": (2, 1)}


def _choose(expander: Expander, name: str) -> None:
    reader = expander.marked()
    count, kept = _KEPT[name]
    arguments = [reader.argument() for _ in range(count)]
    if None in arguments:
        expander.put_back(name)
    elif kept is None:
        expander.drop_line()
    else:
        expander.push(arguments[kept] or "")


def _with_default(expander: Expander, name: str) -> None:
    r"""``\@testopt\f{z}``: ``\f[z]`` where no bracket follows; ``\@dblarg\f``: ``\f[x]{x}`` for ``\f{x}``."""
    reader = expander.marked()
    command = reader.argument()
    at_letter = reader.frames[-1].at_letter
    default = reader.argument() if name == "@testopt" and command is not None else ""
    if command is None or default is None:
        expander.put_back(name)
        return
    if reader.peek() == "[":
        expander.push(command, at_letter=at_letter)
        return
    argument = reader.group() if name == "@dblarg" else ""
    if argument is None:
        expander.put_back(name)
    else:
        text = f"{command}[{default}]" if name == "@testopt" else f"{command}[{{{argument}}}]{{{argument}}}"
        expander.push(text, at_letter=at_letter)


KERNEL_COMMANDS = primitives({_choose: " ".join(_KEPT), _with_default: "@testopt @dblarg"})
