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
_USED = "".join(rf"(?<!{before}{blank})" for before in _TAKES_A_NAME for blank in ("", " "))
# What may stand before the argument: blanks, a comment, or what `tokens.COMMENT_END` left of one.
_ARGUMENT = r"(?![A-Za-z@])(?:[\s\x04]|%[^\n\r]*[\n\r])*(?=[\[{])"
_CLASS = rf"{_USED}\\document(?:class|style){_ARGUMENT}"
_BODY = rf"{_USED}\\begin\s*\{{document\}}"

# In a file's bytes: its class, and the beginning of its document.
CLASS = re.compile(_CLASS.encode())
BODY = re.compile(_BODY.encode())
# In a file's text: either, but for AMS-TeX, which has a \documentstyle, too, and is plain TeX else.
LATEX_MAIN = re.compile(
    rf"{_USED}\\documentclass{_ARGUMENT}|{_BODY}"
    rf"|{_USED}\\documentstyle{_ARGUMENT}(?!(?:\[[^\[\]]{{0,200}}\]\s*)?\{{\s*(?:amsppt|amstex))"
)
# A file with a class of its own.
CLASS_IN_TEXT = re.compile(_CLASS)
