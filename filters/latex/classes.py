r"""Where a text is LaTeX: a ``\documentclass`` that is carried out with its argument, rather than asked for.

Papers in plain TeX ask for LaTeX, too: ``\ifx\documentclass\undefined``, ``\ifdefined\documentstyle``. Such a name is
an operand; so is one behind a command that defines it or writes it out.
"""

import re

# Commands, as patterns, behind which a name is an operand.
_TAKES_A_NAME = (
    r"\\ifx", r"\\ifdefined", r"\\ifdef", r"\\ifundef", r"\\if", r"\\let", r"\\def", r"\\gdef", r"\\edef", r"\\xdef",
    r"\\newcommand", r"\\newcommand\*", r"\\renewcommand", r"\\providecommand",
    r"\\string", r"\\noexpand", r"\\meaning", r"\\show",
    r"\\ifx\\undefined", r"\\ifx\\@undefined", r"\\ifx\\relax", "=",
)  # fmt: skip


def _used(command: str) -> str:
    """A pattern of a command that is no operand; it begins with the command, by which it is found fast."""
    operands = (f"(?<!{before}{blank}{command})" for before in _TAKES_A_NAME for blank in ("", " "))
    return command + "".join(operands)


# What may stand before the argument: blanks, a comment, or what `tokens.COMMENT_END` left of one.
_ARGUMENT = r"(?![A-Za-z@])(?:[\s\x04]|%[^\n\r]*[\n\r])*(?=[\[{])"
_DOCUMENT, _BEGIN = _used(r"\\document"), _used(r"\\begin")
_CLASS = rf"{_DOCUMENT}(?:class|style){_ARGUMENT}"
_BODY = rf"{_BEGIN}\s*\{{document\}}"

# In a file's bytes: its class, and the beginning of its document.
CLASS = re.compile(_CLASS.encode())
BODY = re.compile(_BODY.encode())
# A file's text that has a class of its own.
CLASS_IN_TEXT = re.compile(_CLASS)
# A main file's text that is LaTeX; AMS-TeX has a \documentstyle, too, and is plain TeX else.
_AMS = r"\s*(?:\[[^\[\]]{0,200}\]\s*)?\{\s*(?:amsppt|amstex)"
LATEX_MAIN = re.compile(rf"{_DOCUMENT}(?:class|style(?!{_AMS})){_ARGUMENT}|{_BODY}")
