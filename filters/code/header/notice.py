"""Which lines of a comment are a notice: copyright statements, licence texts, and references to a licence.

Three things tell. A copyright statement: "copyright" with a year, a sign or a name at the start of a line. A
reference, such as ``SPDX-License-Identifier: MIT`` or "licensed under the MIT license" at the start of a sentence. And
the wording of known licences: five words in a row or more that stand so in one of them, whatever the line ends and the
names between.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from filters.code.header.kinds import Kind
from filters.code.header.sentences import Sentences
from filters.code.header.texts import WORDINGS

# Nothing is a notice without one of these, in lower case, and most comments have none of them.
TRIGGERS = (
    "copyright", "licen", "spdx", "reserved", "public domain", "warrant", "redistribut", "©", "(c)", "free software",
    "confidential", "proprietary", "permission", "copyleft", "&copy;", "file is part of",
)  # fmt: skip
GRAM = 3  # words
RUN_GRAMS = 3  # so many grams in a row are a wording: five words
COVERED = 0.5  # of a line's words, to make it a line of a licence
MIN_WORDS = 3  # of a sentence; less is a name or a title
MAX_GAP = 2  # lines between two of a licence that belong to it, too: names, places

_YEAR = r"(?:19|20)\d\d"
_NAME = (
    r"(?:MIT|BSD|[AL]?GPL|Apache|ISC|MPL|Mozilla|zlib|Boost|CC[ -]|Creative|Unlicense|Artistic|EPL|Eclipse|PSF|WTFPL)"
)
_STATEMENT = re.compile(
    rf"""(?:portions\s+|partially\s+|parts\s+|this\s+file\s+is\s+|all\s+\w+\s+|\w+\s+code\s+|some\s+\w+\s+)?
    (?:@|\\)?copyright(?:ed)?\b\s*[:=,]?\s*(?:\(c\)|©|&copy;|by\b|the\b|{_YEAR}|-?\d\d?\b|[<\[("]|(?-i:[A-Z@]))
    |(?:\(c\)|©|&copy;)\s*(?:copyright\b|by\b|{_YEAR}|(?-i:[A-Z])\w)
    |not\s+copyrighted\b
    |https?://\S+\s.{{0,20}}copyright\s+{_YEAR}
    |(?:copyright\s+holders?|copyright\s+owners?|(?:c|C)opyleft)\s*:
    |all\s+rights?\s+reserved\b
    |.{{0,40}}(?:\(c\)|©|&copy;)\s*(?:copyright\s*)?{_YEAR}
    |.{{0,40}}\bcopyright\s+(?:\(c\)|©|{_YEAR})
    |.{{0,60}}\ball\s+rights\s+reserved\b
    |{_YEAR}(?:\s*[-–,]\s*(?:{_YEAR}|present|now))*\s*,?\s*(?:\(c\)|©|copyright)""",
    re.I | re.X,
)
_REFERENCE = re.compile(
    rf"""SPDX-[\w-]+:
    |@preserve\b|@licstart\b|@licend\b
    |(?:@|\\)?licen[cs]e(?:s|d)?\s*[:=]\s*\S
    |(?:@|\\)licen[cs]e\b
    |(?:the\s+)?{_NAME}[\w .,/-]{{0,30}}\blicen[cs]ed?\b\W*(?:$|\(|see\b|http|\d|v\d|version|for\b)
    |{_NAME}\s+licensed\b
    |licen[cs]ing\s*:\s*\S
    |(?:(?:dual|multi|tri)[ -]?|re)?licensed\s+(?:under|to|with|by|as|per|for)\b
    |(?:this|these|the)\s+[\w ./'()"-]{{0,60}}?\b(?:is|are|may|can|was|has\s+been)\s+
     (?:also\s+|now\s+|hereby\s+|dual[ -])?
     (?:licen[cs]ed|released|distributed|redistributed|made\s+available|provided|covered|governed|subject|published
     |free\s+software|be\s+(?:distributed|used|copied|redistributed|freely))\b
     (?=.{{0,120}}(?:licen[cs]e|\bGPL\b|\bBSD\b|\bMIT\b|warrant|terms\s+of|public\s+domain|as\s+is|free(?:ly)?\b))
    |(?:released|distributed|published|available|redistributable|provided|free|use|covered|modification)\b[\w ,]{{0,30}}
     \b(?:under|by|with|to|within|in)\s+(?:the\s+|an?\s+)?(?:terms|(?:[\w"./-]+\s+){{0,6}}licen[cs]e|{_NAME})
    |(?:please\s+)?(?:see|read|refer\s+to|consult|check|view)\s+(?:the\s+)?(?:accompanying\s+|included\s+|enclosed\s+|attached\s+|file\s+
     |files\s+)*["'`]?(?:\S*/)?(?:(?-i:LICEN[CS]E|COPYING|COPYRIGHT|NOTICE|LEGAL)\b|(?:licen[cs]e|copyright)(?:\.\w+|\s+file)\b)
    |for\s+(?:more\s+|full\s+|the\s+|complete\s+|copyright\s+and\s+|further\s+)*licen[cs](?:e|ing)\b
    |(?:this|the)\s+\w+\s+is\s+licen[cs]ed\s+as\s+described\b
    |permission\s+(?:is\s+(?:hereby\s+)?granted|to\s+(?:use|copy|modify|distribute))\b
    |see\s+(?:your|the)\s+(?:chosen\s+)?licen[cs]e\b
    |[\w.'-]+(?:\s+[\w.'-]+){{0,4}}?\s+(?:is|are)\s+(?:made\s+)?(?:available|released|licensed|distributed|published)\s+
     under\s+(?:the\s+|an?\s+)?(?:terms\s+of\s+)?(?:the\s+|an?\s+)?[\w .-]{{0,50}}\blicen[cs]e\b
    |(?:full\s+)?licen[cs]e\s+(?:text|information|details|terms)\b
    |no\s+warranty\b|distributed\s+with\s+permission\b|licen[cs]e\s*&\s*\w
    |(?:\*+\s*)?(?:begin|end)\s+licen[cs]e\b
    |.{{0,40}}https?://\S*(?:licenses?[/.]|/licen[cs]es?\b|gnu\.org/cop|creativecommons\.org|apache\.org/licen|mit-license|wtfpl)""",
    re.I | re.X,
)
# Where a statement or a reference may begin: a line, or behind a sentence in it.
_SENTENCE = re.compile(r"(?:(?<=[.;:!?)|])|(?<= -)|(?<= --)|(?<=\*))\s+")
# What goes with a notice where nothing else is left of the comment, and stays otherwise.
_ATTRIBUTION = re.compile(
    rf"""(?:[@\\]\s?)?(?:(?:original\s+)?authors?|maintainers?|contributors?|contacts?|creators?|credits?|owners?|e-?mail|organi[sz]ation|
     company|date|created|written|developed|modified|updated|version|revision|since|file(?:\s?name)?|url|web\s?(?:site|page)|
     home\s?page|last\s+\w+)(?:\(s\))?\s*:.{{0,150}}
    |[@\\]\s?(?:authors?|date|version|since|file|email|created|link|package|subpackage|category|maintainer|contributor)\b.{{0,150}}
    |(?:originally\s+|this\s+file\s+was\s+|file\s+)?(?:created|written|developed|modified|contributed|updated|maintained|coded)
     \s+(?:and\s+\w+\s+)?(?:by|on|at)\b.{{0,100}}
    |\$(?:Id|Header|Revision|Date|Author|Source|URL|RCSfile|Name|Rev|HeadURL|LastChanged\w+|FreeBSD|NetBSD|OpenBSD)\b.*
    |[\w./\\+-]+\.\w{{1,5}}
    |<?\(?(?:see|individual\s+contributors\s+are\s+listed\s+in)\s+(?:the\s+)?(?:AUTHORS|CONTRIBUTORS|CREDITS|THANKS)\b.{{0,40}}
    |<?(?:mailto:)?[\w.+-]+@[\w.-]+>?
    |[\w. -]{{2,40}}[ ,]*[<(][\w.+-]+(?:@|\s+at\s+)[\w.\s-]+[>)].{{0,20}}
    |<?https?://\S+>?
    |{_YEAR}(?:[-/.,\s]*\d+)*
    |(?:the\s+)?(?:{_NAME}\s+)?(?:licen[cs]es?|licen[cs]ing|copyrights?|legal|disclaimer)(?:\s+(?:notice|header|text|information|info|
     block|summary|statement))?s?\s*:?
    """,
    re.I | re.X,
)
# Lines that tools read: they stay, whatever is around them.
KEPT = re.compile(
    r"""!|-\*-|.*-\*-.*-\*-|vim?:|ex:|.*\bcoding[:=]\s*[\w.-]+|frozen_string_literal|encoding:|warn_indent|typed:|go:|\+build\b|@flow
    |@format|@ts-|eslint|jshint|jslint|jscs|tslint|global\s|globals\s|prettier|istanbul|pylint|pyright|mypy|type:|flake8|noqa|isort|ruff
    |yapf|fmt:|clang-|NOLINT|nolint|cppcheck|shellcheck|rubocop|swiftlint|ktlint|sourceURL|sourceMapping|<reference|@jsx|@providesModule
    |@generated|@nocommit|@emails|cython:|distutils:|syntax=|escape=|%%|!TEX|TEX\s|\#include|\#define""",
    re.I | re.X,
)
MARKS = " \t\r\f\v*#/;%-=_+~|!'\"<>.:\\^&$@`{}()[]·•"
_WORD = re.compile(r"[a-z0-9]+")
END_MARKS = " \t\r*#/|"
_OPEN_END = re.compile(r"(?:,|\band|&|\bby|\bor|-|\bthe|\bof|\(c\)|©|\d)$", re.I)
_CONTINUES = re.compile(rf"(?:and\b|or\b|{_YEAR}|[a-z<(]|all\s+rights|inc\b|ltd\b|llc\b)")


def may_be_notice(comment: str) -> bool:
    """Whether a comment has any of the words without which nothing is a notice: a quick test."""
    lower = comment.lower()
    return any(trigger in lower for trigger in TRIGGERS)


def classify(contents: Sequence[str]) -> list[Kind]:
    """Tells for each line of a comment what it is.

    Args:
        contents: The lines, without the comment's markers.
    """
    lettered = any("(b)" in content for content in contents)
    kinds = [_alone(content, lettered) for content in contents]
    covered, nothing = _wording(contents), [False] * len(contents)
    for first, last in _paragraphs(kinds):
        known = covered if _is_licence(contents[first : last + 1], covered[first : last + 1]) else nothing
        _classify_paragraph(contents, kinds, known, first, last)
        Sentences(contents, known, is_statement, is_reference, goes_along).settle(kinds, first, last)
    for at in Sentences(contents, covered, is_statement, is_reference, goes_along).introductions(kinds):
        kinds[at] = Kind.NOTICE
    return kinds


def _is_licence(paragraph: Sequence[str], covered: Sequence[bool]) -> bool:
    """Whether wordings in a paragraph are a licence's: five such words ("can be found in the") can stand anywhere."""
    return may_be_notice("\n".join(paragraph)) or (len(covered) > MAX_GAP and sum(covered) > 0.7 * len(covered))


def _alone(content: str, lettered: bool) -> Kind:
    """What a line is, as far as it can be told without the others; ``(c)`` may be the third item of a list."""
    bare = content.strip(MARKS)
    if not bare:
        return Kind.BLANK
    stripped = content.strip()
    if KEPT.match(stripped):
        return Kind.KEPT
    if lettered and _LETTERED.match(content):
        return Kind.TEXT
    if is_statement(stripped) or is_reference(stripped):
        return Kind.NOTICE
    return Kind.ATTRIBUTION if _ATTRIBUTION.fullmatch(bare) or _ATTRIBUTION.fullmatch(stripped) else Kind.TEXT


def is_statement(line: str) -> bool:
    """Whether a line begins with a copyright statement."""
    return bool(_STATEMENT.match(line.lstrip(_STATEMENT_MARKS)))


_LETTERED = re.compile(r"[\s*#/;%-]*\([bcde]\)\s(?!copyright|\d{4})", re.I)
_STATEMENT_MARKS = " \t*#/;%-=_+~|!'\"<>.:\\"


def is_reference(line: str) -> bool:
    """Whether a line refers to a licence, and says nothing else."""
    start = line.lstrip(_STATEMENT_MARKS)
    if _REFERENCE.match(start):
        return True
    for found in _SENTENCE.finditer(start):
        if _REFERENCE.match(start, found.end()):  # what stands before it in the line must be no text of its own
            before = start[: found.start()]
            return goes_along(before)
    return False


def goes_along(sentence: str) -> bool:
    """Whether a sentence beside a notice goes with it: a name, authors, another notice."""
    bare = sentence.strip(MARKS)
    return (
        len(sentence.split()) < MIN_WORDS
        or is_statement(sentence)
        or bool(_REFERENCE.match(bare))
        or bool(_ATTRIBUTION.fullmatch(bare))
    )


def _paragraphs(kinds: Sequence[Kind]) -> Iterator[tuple[int, int]]:
    """The first and the last line of each paragraph."""
    first = None
    for at, kind in enumerate([*kinds, Kind.BLANK]):
        if kind in (Kind.BLANK, Kind.KEPT):
            if first is not None:
                yield first, at - 1
            first = None
        elif first is None:
            first = at


def _classify_paragraph(
    contents: Sequence[str], kinds: list[Kind], covered: Sequence[bool], first: int, last: int
) -> None:
    """Takes in the lines that belong to a notice because of those around them."""
    for at in range(first, last + 1):
        if covered[at]:
            kinds[at] = Kind.NOTICE
    previous = None  # the last line of the notice so far
    for at in range(first, last + 1):
        if kinds[at] is not Kind.NOTICE:
            continue
        if previous is not None and covered[at] and covered[previous] and at - previous <= MAX_GAP + 1:
            kinds[previous:at] = [Kind.NOTICE] * (at - previous)
        previous = at
    for at in range(first, last):
        if (
            kinds[at] is Kind.NOTICE
            and kinds[at + 1] is Kind.TEXT
            and not covered[at]
            and statement_goes_on(contents[at], contents[at + 1])
        ):
            kinds[at + 1] = Kind.NOTICE


def statement_goes_on(line: str, following: str) -> bool:
    """Whether a copyright statement goes on in the next line: more names, more years."""
    end = line.rstrip(END_MARKS).rstrip()
    if not is_statement(end) or end.endswith("."):
        return False
    return bool(_OPEN_END.search(end) or _CONTINUES.match(following.strip(MARKS)))


def _wording(contents: Sequence[str]) -> list[bool]:
    """For each line, whether most of its words stand so in a licence."""
    words: list[str] = []
    owners: list[int] = []
    for at, content in enumerate(contents):
        found = _WORD.findall(content.lower())
        words += found
        owners += [at] * len(found)
    grams = licence_grams()
    known = [gram in grams for gram in zip(words, words[1:], words[2:], strict=False)]
    hits = [0] * len(contents)
    totals = [0] * len(contents)
    for at, covered in enumerate(_runs(known, len(words))):
        hits[owners[at]] += covered
        totals[owners[at]] += 1
    return [bool(total) and hit >= COVERED * total for hit, total in zip(hits, totals, strict=True)]


def _runs(known: Sequence[bool], words: int) -> list[bool]:
    """For each word, whether it stands in a run of grams that are known."""
    covered = [False] * words
    start = None
    for at, is_known in enumerate([*known, False]):
        if is_known and start is None:
            start = at
        elif not is_known and start is not None:
            if at - start >= RUN_GRAMS:
                covered[start : at + GRAM - 1] = [True] * (at + GRAM - 1 - start)
            start = None
    return covered


@cache
def licence_grams() -> frozenset[tuple[str, str, str]]:
    """All three words in a row of the known wordings."""
    grams: set[tuple[str, str, str]] = set()
    for wording in WORDINGS:
        words = wording.split()
        grams.update(zip(words, words[1:], words[2:], strict=False))
    return frozenset(grams)
