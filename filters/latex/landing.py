"""Where an expansion lands in the text that has been written: what TeX knows by tokens must be told by braces there."""

import re

# Commands whose arguments are often given without braces; two arguments, then one.
_TWO = "d?frac|tfrac|cfrac|d?binom|tbinom|stackrel|overset|underset"
_ONE = (
    "sqrt|math(?:bf|bb|cal|rm|frak|scr|sf|it|tt|bold|op|bin|rel|ord|ring)|operatorname|boldsymbol|bm|pmb|text(?:bf|it|rm|sf|tt|sc|sl|up)?|emph"
    "|mbox|hat|widehat|bar|tilde|widetilde|vec|dot|ddot|check|breve|acute|grave|overline|underline|overrightarrow|cal"
)
_ARGUMENT = r"(?:[^\s\\{}]|\\[A-Za-z]+|\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\})"
_TAKES_ARGUMENT = re.compile(rf"\\(?:(?:{_TWO})\s*(?:{_ARGUMENT}\s*)?|(?:{_ONE})(?![A-Za-z])\*?(?:\[[^\[\]]*\])?\s*)\Z")
_SCRIPT = re.compile(r"(?<!\\)[\^_]\s*\Z")
_SINGLE = re.compile(r"(?:\\(?:[A-Za-z@]+|.)|[^\\{}]|\{[^{}\\]*\})\Z", re.DOTALL)
ENDS_IN_WORD = re.compile(r"\\[A-Za-z@]+\Z")


def as_argument(tail: str, body: str) -> bool:
    """Whether a replacement lands where one token is read as an argument, and is more than that.

    Args:
        tail: the last characters written.
        body: the replacement.
    """
    end = tail.rstrip()[-1:]
    if not (end.isalnum() or (end and end in "}]^_*")) or _SINGLE.match(body):
        return False
    if end in "^_":
        return body[0] == "\\" and bool(_SCRIPT.search(tail))
    return "\\" in tail and bool(_TAKES_ARGUMENT.search(tail))
