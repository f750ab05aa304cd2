r"""Small commands that leave another text than they are: \xspace, \mathchoice, and frames around a text."""

from filters.latex.expand import Expander
from filters.latex.scopes import primitives


def _mathchoice(expander: Expander, name: str) -> None:
    r"""``\mathchoice{display}{text}{script}{scriptscript}``: four sizes of one thing, of which the text's is taken."""
    reader = expander.marked()
    choices = [reader.group() for _ in range(4)]
    if choices[1] is None or choices[3] is None:
        expander.put_back(name)
    else:
        expander.push(choices[1])


def _xspace(expander: Expander, name: str) -> None:
    r"""``\xspace``: a blank, unless what follows is one already, or punctuation, or closes something."""
    del name
    frame = expander.reader.settle()
    after = frame.text[frame.pos : frame.pos + 2]
    if after[:1].isalnum() or (after[:1] and after[:1] in "($`[") or (after[:1] == "\\" and after[1:].isalpha()):
        expander.out.append(" ")
    expander.joined = True


def _transparent(expander: Expander, name: str) -> None:
    r"""``\AtEndOfPackage{...}``, ``\IEEEraisesectionheading{...}``: the argument stands for itself."""
    argument = expander.marked().group()
    if argument is None:
        expander.put_back(name)
    else:
        expander.push(argument)


SPACING = primitives(
    {_xspace: "xspace", _mathchoice: "mathchoice", _transparent: "AtEndOfPackage IEEEraisesectionheading"}
)
