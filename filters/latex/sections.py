r"""Where a paper's text begins and what of its end goes: the first section, the bibliography, the appendix.

LLaMA section 2.1: "we removed everything before the first section, as well as the bibliography". RedPajama's
``arxiv_cleaner.py`` drops all from the first of ``\appendix``, ``\bibliography``, ``\begin{references}`` and
``\begin{thebibliography}`` on; that is "drop" twice here. By default a bibliography costs only itself (revtex papers
put figures and their captions after it), and an appendix, which the paper does not name, stays.
"""

import bisect
import re

from filters.latex.handset import list_end
from filters.latex.tokens import KERNEL, close_brace

# LaTeX's sectioning commands, and those of AMS-TeX and plain TeX.
_LEVELS = "part|chapter|section|subsection|subsubsection|paragraph|subparagraph"
_SECTION = re.compile(rf"\\(?:(?:{_LEVELS})(?![A-Za-z@])\*?\s*(?=[\[{{])|addchap\*?\{{|addsec\*?\{{)")
_PLAIN_SECTION = re.compile(
    r"\\(?:(?:part|chapter|section|subsection|subsubsection|beginsection|newsec|subsec|head|heading|subhead|subheading|specialhead)(?![A-Za-z@]))"
)
# A heading that is set by hand, on a line of its own: {\bf 1. Introduction}, \centerline{\bf I. INTRODUCTION}; and one
# with which a paragraph begins: \textit{Introduction.}---We ...
_PLACING = r"\\(?:begin|end)\s*\{(?:center|flushleft|flushright)\}"
_LAYOUT_WORD = rf"{_PLACING}|{KERNEL}?\\(?!item|bibitem|ref|cite|label|title|author|begin|end)[A-Za-z]+\*?|\\/|\\\\"
_OPENING = rf"^(?:[ \t]*\\begin\s*\{{(?:center|flushleft|flushright)\}}[ \t]*\n)?[ \t]*(?=[\\{{${KERNEL}])"
_HEADING_BY_HAND = re.compile(
    rf"{_OPENING}(?:{_LAYOUT_WORD}|[{{}}$\[\]\t .\d:~-]|(?<![A-Za-z])[IVXA](?![A-Za-z]))*"
    rf"Introduction(?:(?:{_LAYOUT_WORD}|[{{}}$.: \t~-])*$|[ \t]*(?:\}}[ \t]*)?(?:[.:]|---?|[\u2013\u2014]))",
    re.IGNORECASE | re.MULTILINE,
)
# The same with another title, where it is numbered as the first and set in bold, small capitals or a larger size.
_NUMBERED_BY_HAND = re.compile(
    rf"{_OPENING}(?:{_LAYOUT_WORD}|[{{}}\t ~])*(?:[01]|I)(?:[.)]|\\[ ,;]|[ \t~])+"
    rf"(?:(?:{_LAYOUT_WORD}|[{{}}])[ \t~]*)*"
    rf"(?P<title>[A-Z][A-Za-z ,'-]{{3,60}})(?:{_LAYOUT_WORD}|[{{}}.: \t~])*$",
    re.MULTILINE,
)
_PROMINENT = re.compile(
    r"\\(?:bf|textbf|bfseries|sc|scshape|textsc|large|Large|LARGE|sectionfont|headingfont)(?![A-Za-z])"
)
_PLACE = re.compile(r"Depart|Instit|Univers|Laborator|School|College|Facult|Centre|Center", re.IGNORECASE)
_ABSTRACT = re.compile(r"\\begin\s*\{abstract\*?\}|\\abstract\s*\{")
_END_ABSTRACT = re.compile(r"\\end\s*\{abstract\*?\}")
_FALLBACKS = (
    ("abstract", re.compile(r"\\begin\s*\{abstract\*?\}|\\abstract(?![A-Za-z@])")),
    ("maketitle", re.compile(r"\\(?:maketitle|endtopmatter)(?![A-Za-z@])[ \t]*\n?")),
)

_MARK = "\x06"  # where something has been taken out
_REFERENCE_ENVIRONMENTS = (
    "thebibliography|references|REFERENCES|biblist|bibdiv|bibsection|bibliography|mcitethebibliography"
)
_OPEN_BIBLIOGRAPHY = re.compile(
    rf"\\begin\s*\{{(?P<name>(?:{_REFERENCE_ENVIRONMENTS})\*?)\}}|\\Refs(?![A-Za-z@])|\\references(?![A-Za-z@])",
)
_COMMANDS = re.compile(
    r"\\(?:(?:bibliography|bibliographystyle|nocite|nobibliography|bibliographyunit|defaultbibliography|addbibresource"
    r"|bibdata|bibstyle|bibpunct|setcitestyle|putbib)\*?\s*(?:\[[^\[\]]*\]\s*)?\{[^{}]*\}"
    r"|(?:printbibliography|printreferences|putbib|bibsplit|makebibliography|listrefs|refout)(?![A-Za-z@])"
    r"(?:\s*\[(?:[^\[\]{}]|\{[^{}]*\})*\])?)"
    r"(?:[ \t]*(?=\n))?"
)
# A heading "References": what may stand before the words and after them is one alternative a character, so that the
# search is linear whatever the text.
_E = r"(?:[ée]|\\['`]\s?\{?e\}?)"
_WORDS = (
    r"(?:(?:Selected\s+|List\s+of\s+)?References?(?:\s+(?:and\s+(?:Foot)?notes|cited))?|(?:Foot)?notes\s+and\s+references"
    r"|(?:Selected\s+)?Bibliography|Literature(?:\s+(?:Cited|References))?|Works\s+Cited|Cited\s+Literature"
    rf"|Bibliographie|R{_E}f{_E}rences(?:\s+bibliographiques)?|Literatur(?:verzeichnis|hinweise)?"
    r"|Bibliograf(?:i|í|\\'\s?\{?\\?i\}?)as?|Literatura|Riferimenti(?:\s+bibliografici)?"
    r"|Refer[eê]ncias(?:\s+bibliogr[aá]ficas)?"
    r"|Список\s+литературы|Литература)"
)
_HEADING_COMMAND = re.compile(r"\\(?:part|chapter|(?:sub)*section|paragraph|head|heading|beginsection)(?![A-Za-z@])\*?")
_HEADING = re.compile(
    rf"(?:\s|\[[^\[\]]*\]|\{{|\\[A-Za-z]+\*?|\d|\.)*{_WORDS}(?=[\s.:]*[}}\\])[\s.:}}]*(?:\\endhead(?:ing)?)?(?:\\label\{{[^{{}}]*\}})?",
    re.IGNORECASE,
)
# The same as a line of its own, in papers that set their headings by hand; it counts when a list follows.
HEADING_LINE = re.compile(
    rf"^[ \t]*(?:{_PLACING}\s*)?"
    r"(?:\\[A-Za-z]+(?![A-Za-z])\*?|(?<=[\d ])(?:true|cm|mm|pt|in|em|ex)(?![A-Za-z])|[{ \t\d.$=~-]|(?<![A-Za-z])[IVX])*"
    rf"{_WORDS}(?:[.:}}~]|\\[A-Za-z]+(?![A-Za-z])\*?|\\/|\\\\|[ \t])*$(?:\s*\\end\s*\{{(?:center|flushleft)\}})?",
    re.IGNORECASE | re.MULTILINE,
)
# One of these, in small letters, is a part of the words of every heading; the words begin with it, or little before.
_HEADING_WORDS = (
    *("selected", "list", "refer", "rences", "notes", "bibliogra", "literatu", "works", "cited", "riferimenti"),
    *("список", "литература"),
)
_MAX_BEFORE = 20  # characters of the words before such a part
_PLACING_ENDS = ("\\begin", "\\end", "{center}", "{flushleft}", "{flushright}")
# Letters that an expression takes for i, s, k and for Cyrillic ones where case does not count.
_FOLDED = "\u0130\u0131\u017f\u212a" + "".join(map(chr, range(0x1C80, 0x1C89)))
# Another heading by hand, a paragraph of its own, which ends a list.
_PART_BY_HAND = re.compile(
    r"\n[ \t]*\n(?=[ \t]*[\\{])"
    r"(?P<line>[^\n]{1,200}(?:\n[^\n]{1,100}\n[ \t]*\\end\s*\{center\})?)(?=\s*\n|\Z)"
)
_TITLE_BY_HAND = re.compile(
    rf"(?:{_LAYOUT_WORD}|[{{ \t\n\d.$:~-])*(?P<title>[A-Za-z][A-Za-z ,'-]{{2,80}})[A-Z\d]?"
    rf"(?:{_LAYOUT_WORD}|[}}.: \t\n~])*"
)
_CENTERED = re.compile(r"\\centerline(?![A-Za-z])|\{center\}")
_MAX_HEADING = 200  # characters
# What may stand between a heading "References" and the bibliography it heads, once this is taken out.
_LAYOUT = re.compile(r"\s+|\\[A-Za-z]+\*?(?:\[[^\[\]]*\])?(?:\{[^{}]*\}){0,2}|[{}0-9.]|pt|em|cm")
_MAX_LAYOUT = 2000
_NEXT_PART = re.compile(
    r"\\(?:part|chapter|(?:sub)*section|paragraph|head|heading|appendix|appendices|beginsection)(?![A-Za-z@])|\\begin\s*\{(?:append(?:ix|ices)|(?:figure|table)\*?)\}"
)
_APPENDIX = re.compile(
    r"\\(?:appendix|appendices|Appendix)(?![A-Za-z@{])|\\(?:appendices|appendix)\s*\{|\\begin\s*\{(?P<environment>append(?:ix|ices)|subappendices)\}"
)
_END_APPENDIX = re.compile(r"\\end\s*\{(?:append(?:ix|ices)|subappendices)\}")


def find_start(text: str, latex: bool) -> tuple[int, str]:
    r"""Where the text begins and what begins it: "section", "heading" (one set by hand), "abstract", "maketitle" or
    "document" (none was found). Of a section command and a heading that is set by hand the first begins the text.

    Args:
        text: the expanded paper.
        latex: whether it is LaTeX; else the section commands of plain TeX count, with arguments of any form.
    """
    section = _SECTION.search(text) or (None if latex else _PLAIN_SECTION.search(text))
    heading = _heading_by_hand(text, section.start() if section else len(text))
    if heading is not None:
        return heading, "heading"
    if section:
        return section.start(), "section"
    for name, pattern in _FALLBACKS:
        match = pattern.search(text)
        if match:
            return (match.end() if name == "maketitle" else match.start()), name
    return 0, "document"


def _heading_by_hand(text: str, end: int) -> int | None:
    """Where the first heading that is set by hand stands before ``end``, and outside of the abstract."""
    start = _behind_abstract(text, end)
    found = [match.start() for match in _HEADING_BY_HAND.finditer(text, start, end)]
    found += [
        match.start()
        for match in _NUMBERED_BY_HAND.finditer(text, start, end)
        if _PROMINENT.search(match[0]) and not _PLACE.search(match["title"])
    ]
    return min(found, default=None)


def _behind_abstract(text: str, end: int) -> int:
    """Where the abstract ends, whose own headings begin no text; 0 without one."""
    opens = _ABSTRACT.search(text, 0, end)
    if opens is None:
        return 0
    if opens[0].endswith("{"):  # \abstract{...}
        return max(0, close_brace(text, opens.end() - 1, end))
    closes = _END_ABSTRACT.search(text, opens.end(), end)
    return closes.end() if closes else 0


def cut_end(text: str, after_bibliography: str, appendix: str) -> tuple[str, dict[str, int]]:
    """The text without its bibliography, and counts: pieces of it taken out, appendices kept and dropped.

    Args:
        text: the expanded paper from its start on.
        after_bibliography: what becomes of the text behind the bibliography: "keep" or "drop".
        appendix: what becomes of the appendix, from its command on: "keep" or "drop".
    """
    found = _APPENDIX.search(text)
    if found and appendix == "drop":
        closing = _END_APPENDIX.search(text, found.end()) if found["environment"] else None
        text = text[: found.start()] + (text[closing.end() :] if closing else "")
    counts = {"appendices_kept": 0, "appendices_dropped": 0}
    if found:
        counts["appendices_dropped" if appendix == "drop" else "appendices_kept"] = 1
    text, pieces = cut_references(text, after_bibliography)
    return text, counts | pieces


def cut_references(text: str, after: str) -> tuple[str, dict[str, int]]:
    """The text without its bibliography, and how many pieces of it were taken out, in all and set by hand.

    Args:
        text: the expanded paper from its start on.
        after: what becomes of the text behind the bibliography: "keep" or "drop".
    """
    pieces = 0
    if after == "drop":
        places = [match.start() for p in (_OPEN_BIBLIOGRAPHY, _DROPPING) if (match := p.search(text))]
        if places:
            text, pieces = text[: min(places)], 1
    text, environments = _cut_environments(text)
    text, commands = _COMMANDS.subn(_MARK, text)
    text, headings, by_hand = _cut_headings(text)
    text = text.replace(_MARK, "")
    end = _TRAILING.search(text, max(0, len(text) - _MAX_LAYOUT))
    counts = {"references": pieces + environments + commands + headings, "references_by_hand": by_hand}
    return (text[: end.start()] if end else text), counts


# Layout that ends a text, once what it made room for is gone. Looked for in the last `_MAX_LAYOUT` characters.
_TRAILING = re.compile(
    r"(?:\s|\\(?:newpage|clearpage|cleardoublepage|pagebreak|vfill|eject|(?:big|med|small)skip|vspace\*?\s*\{[^{}]*\}|phantomsection"
    r"|addcontentsline(?:\s*\{[^{}]*\}){3}|onecolumn"
    r"|twocolumn|onecolumngrid|balance|noindent|small|footnotesize|par|raggedright|widetext"
    r"|printglossar(?:y|ies)|printindex|printnomenclature|printacronyms|glsaddall)(?![A-Za-z@]))+\Z"
)
_DROPPING = re.compile(r"\\(?:bibliography\s*\{|printbibliography(?![A-Za-z@]))")


def _cut_environments(text: str) -> tuple[str, int]:
    """Take out bibliography environments, leaving a mark; one that does not end takes the rest along."""
    out: list[str] = []
    last = count = 0
    old_style = "\\endreferences" in text  # without it, the name is some macro's
    while match := _OPEN_BIBLIOGRAPHY.search(text, last):
        name = match["name"]
        if match[0] == "\\references" and not old_style:
            out.append(text[last : match.end()])
            last = match.end()
            continue
        out += (text[last : match.start()], _MARK)
        count += 1
        closing = re.compile(rf"\\end\s*\{{{re.escape(name)}\}}" if name else r"\\end(?:Refs|references)(?![A-Za-z@])")
        end = closing.search(text, match.end())
        if not end:
            last = len(text)
            break
        last = end.end()
    out.append(text[last:])
    return "".join(out), count


def _cut_headings(text: str) -> tuple[str, int, int]:
    """Take out headings "References": with a list below that is set by hand, or above what has been taken out.

    Returns:
        The text, how many were taken out, and how many of them with a list.
    """
    headings = heading_lines(text)
    for command in _HEADING_COMMAND.finditer(text):
        match = _HEADING.match(text, command.end(), command.end() + _MAX_HEADING)
        if match:
            headings.append((command.start(), match.end()))
    if not headings:
        return text, 0, 0
    parts = sorted([match.start() for match in _NEXT_PART.finditer(text)] + _parts_by_hand(text))
    out: list[str] = []
    last = count = by_hand = 0
    for start, stop in sorted(headings):
        following = bisect.bisect_left(parts, stop)
        end = _references_end(text, stop, parts[following] if following < len(parts) else len(text))
        if start >= last and end >= 0:
            out.append(text[last:start])
            last = end
            count += 1
            by_hand += not text.startswith(_MARK, end)
    out.append(text[last:])
    return "".join(out), count, by_hand


def heading_lines(text: str) -> list[tuple[int, int]]:
    """The spans of all matches of `HEADING_LINE`: it is tried where one of its words stands, and at no other line."""
    if any(letter in text for letter in _FOLDED):
        return [match.span() for match in HEADING_LINE.finditer(text)]
    small = text.lower()
    starts: set[int] = set()
    for word in _HEADING_WORDS:
        place = small.find(word)
        while place >= 0:
            _add_line_starts(small, place, starts)
            end = small.find("\n", place)  # the word once more on its line adds nothing
            place = small.find(word, end) if end >= 0 else -1
    found: list[tuple[int, int]] = []
    for start in sorted(starts):
        if (not found or start >= found[-1][1]) and (match := HEADING_LINE.match(text, start)):
            found.append(match.span())
    return found


def _add_line_starts(small: str, place: int, starts: set[int]) -> None:
    r"""Adds where the lines begin with which a heading may begin whose words have a known part at ``place``.

    That is the line of the part, and any on which the words may have begun, each with those before it that end in
    ``\begin{center}``, or in a half of it, blank lines between them.
    """
    first = small.rfind("\n", 0, max(0, place - _MAX_BEFORE)) + 1
    line = place + 1
    while line > first:
        line = start = small.rfind("\n", 0, line - 1) + 1
        while start not in starts:
            starts.add(start)
            before = small.rfind("\n", 0, max(0, start - 1)) + 1
            above = small[before : start - 1].strip() if start else "-"
            if above and not above.endswith(_PLACING_ENDS):
                break
            start = before


def _parts_by_hand(text: str) -> list[int]:
    """Where headings that are set by hand stand: a paragraph that is a title alone, in bold or centred."""
    lines = ((match.start("line"), match["line"]) for match in _PART_BY_HAND.finditer(text))
    return [
        start
        for start, line in lines
        if (_PROMINENT.search(line) or _CENTERED.search(line)) and _TITLE_BY_HAND.fullmatch(line)
    ]


def _references_end(text: str, start: int, end: int) -> int:
    """Where the references end whose heading ends at ``start``, ``end`` being the next part; -1: they are none."""
    mark = text.find(_MARK, start, min(end, start + _MAX_LAYOUT))
    if mark >= 0 and not _LAYOUT.sub("", text[start:mark]):
        return mark
    return list_end(text, start, end)
