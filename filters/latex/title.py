r"""A paper's title, as its ``\title`` gives it: one line, LaTeX still, without thanks, footnotes, labels and sizes."""

import itertools
import re
from collections.abc import Iterable

from filters.latex.tokens import COMMENT_END, MASK_OPEN, close_brace

MAX_TITLE = 1000  # characters; a longer one is no title
MAX_TITLES = 20  # looked at in a file
_TITLE = re.compile(r"\\(?:title|icmltitle|Title)\s*(?:\[[^\[\]]{0,500}\]\s*)?(?=\{)")
_NOTES = re.compile(r"\\(?:thanks|footnote|footnotetext|thanksref|tnoteref|label|fnref|titlenote|vspace\*?)\s*(?=\{)")
_LAYOUT = re.compile(
    r"\\(?:LARGE|Large|large|huge|Huge|small|footnotesize|normalsize|bf|bfseries|sc|scshape|rm|normalfont|boldmath|centering|newline|linebreak)"
    r"(?![A-Za-z@])|\\\\(?:\[[^\[\]]{0,50}\])?|~"
)


def find_title(texts: Iterable[str]) -> str | None:
    """The first title in the texts of a paper's files, in which comments are marked and verbatim pieces masked."""
    for text in texts:
        for match in itertools.islice(_TITLE.finditer(text), MAX_TITLES):
            end = close_brace(text, match.end(), match.end() + MAX_TITLE)
            title = _plain(text[match.end() + 1 : end - 1]) if end > 0 else ""
            if title and "#" not in title and "\\expandafter" not in title:  # else it stands in a macro's definition
                return title
    return None


def _plain(title: str) -> str:
    title = _without_notes(title.replace(COMMENT_END, "")).partition(MASK_OPEN)[0]
    title = " ".join(_LAYOUT.sub(" ", title).split())
    while title.startswith("{") and close_brace(title, 0, len(title)) == len(title):
        title = title[1:-1].strip()
    return title


def _without_notes(title: str) -> str:
    out, last = [], 0
    while match := _NOTES.search(title, last):
        end = close_brace(title, match.end(), len(title))
        out.append(title[last : match.start()])
        last = end if end > 0 else len(title)
    return "".join([*out, title[last:]])
