r"""Bibliographies set by hand: whether what stands under a heading "References" is a list of entries, and its end.

Entries begin with a mark: ``[1]``, ``1.``, ``\item{[1]}``, ``\item``. Prose under such a heading is not taken for one:
most of its paragraphs must be entries; where the mark alone does not tell (``\item``, ``1.``), most must read as one.
"""

import re
from typing import NamedTuple

_BLANK_LINE = re.compile(r"\n[ \t]*\n\s*")
# Layout before a mark: \noindent, \hangindent=1cm, {\small, \begin{enumerate}[leftmargin=1cm]. Every text is matched in
# one way only, so that the search is linear.
_DIMENSION = r"=?\s{0,5}-?[\d.]{1,9}\s{0,5}(?:true\s{0,5})?(?:cm|mm|pt|in|em|ex|pc|\\[a-z]+)"
_LENGTH = r"\s*\{[^{}\n]{0,60}\}"
_LAYOUT_WORD = (
    r"\\(?:begin|end)\s*\{[A-Za-z]{1,20}\*?\}(?:\[[^\[\]\n]{0,100}\]|\{[A-Za-z\d][^{}\n]{0,40}\}){0,2}"
    rf"|\\(?:setlength|addtolength|setcounter){_LENGTH}{_LENGTH}|\\[vh]space\*?{_LENGTH}|\\[\\/,; ]"
    r"|\\(?!(?:item|itemitem|textindent|bibitem|refitem|reference|refis|ref|begin|end|setlength|addtolength|setcounter|[vh]space)"
    rf"(?![A-Za-z]))[A-Za-z]+(?![A-Za-z])\*?(?:{_DIMENSION})?"
)
_MARK = re.compile(
    rf"^[ \t]*(?:(?:{_LAYOUT_WORD}|[{{}}])[ \t]*(?:\n[ \t]*)?){{0,12}}"
    r"(?:(?P<sure>\\(?:bibitem|refitem|reference|refis)(?![A-Za-z])|\\ref(?=\s*\\)"
    r"|(?:\\(?:item|itemitem|textindent)\s*)?\{?[ \t]*\[[ \t]*[\[{]{0,2}[A-Za-z\d][\w+*.:' -]{0,20}[\]}]{0,2}\])"
    r"|\\item(?:item)?(?![A-Za-z])|\\textindent(?![A-Za-z])|\\textsuperscript\s*\{\d{1,3}\}"
    r"|\$?[ \t]*\^[ \t]*\{?\d{1,3}\}?|\(?\d{1,3}[.):])",
    re.MULTILINE,
)
_ENTRY_ENDS = re.compile(r"(?:\A|\n[ \t]*\n|[.;,:)\]}\d\\])\s*\Z")
_ONLY_LAYOUT = re.compile(rf"(?:{_LAYOUT_WORD}|[{{}}\s])*")
_YEAR = re.compile(r"(?<![\d.])(?:1[6-9]|20)\d\d(?!\d)")
_INITIAL = re.compile(r"\b[A-Z]\.")
_CITED = re.compile(
    r"(?<![\d.])(?:1[6-9]|20)\d\d(?!\d)|\b[A-Z]\.[ ~-]*[A-Z]|\bet al|arXiv|[Pp]reprint|[Tt]o appear|[Ii]n press"
)
_SAMPLE = 5000  # characters by which a list without marks is known


class _Block(NamedTuple):
    """An entry or a paragraph without a mark: where it stands, and whether it is an entry (None: it is layout)."""

    start: int
    end: int
    entry: bool | None
    sure: bool


def list_end(text: str, start: int, end: int) -> int:
    """Where the list of references ends that begins at ``start``, at the latest at ``end``; -1: it is none.

    What stands behind the last entry, in paragraphs of its own, is no part of the list.
    """
    body = text[start:end]
    blocks = _blocks(body)
    entries = [block for block in blocks if block.entry]
    others = [block for block in blocks if block.entry is False and (not entries or block.start < entries[-1].start)]
    if not entries or len(entries) <= len(others) or _size(entries) <= _size(others):
        return end if _is_list_without_marks(body[:_SAMPLE]) else -1
    unsure = [block for block in entries if not block.sure]
    if len(unsure) > 2 * sum(bool(_CITED.search(body, block.start, block.end)) for block in unsure):
        return -1
    behind = [block.start for block in blocks if block.entry is False and block.start > entries[-1].start]
    return start + len(body[: behind[0]].rstrip()) if behind else end


def _size(blocks: list[_Block]) -> int:
    return sum(block.end - block.start for block in blocks)


def _blocks(body: str) -> list[_Block]:
    """A text's entries and paragraphs, in order."""
    marks = {match.start(): match for match in _MARK.finditer(body) if _may_begin(body, match)}
    paragraphs = [0, *(match.end() for match in _BLANK_LINE.finditer(body))]
    starts = sorted({*marks, *paragraphs})
    blocks = []
    for start, end in zip(starts, [*starts[1:], len(body)], strict=True):
        mark = marks.get(start)
        layout = mark is None and _ONLY_LAYOUT.fullmatch(body, start, end)
        blocks.append(
            _Block(start, end, None if layout else mark is not None, mark is not None and mark["sure"] is not None)
        )
    return blocks


def _may_begin(body: str, mark: re.Match[str]) -> bool:
    """Whether an entry may begin here: a number within a paragraph may be a line of its sentence."""
    return "\\" in mark[0] or bool(_ENTRY_ENDS.search(body[max(0, mark.start() - 50) : mark.start()]))


def _is_list_without_marks(body: str) -> bool:
    """Whether a text reads as a list of references: names with initials, and a year for each entry."""
    years = len(_YEAR.findall(body))
    return years >= 3 and years * 400 > len(body) and len(_INITIAL.findall(body)) >= years
