"""Sections: those that are left empty go with their title, and so do those that hold references and links."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from filters.wikitext.layout import Line

DEEPEST_TITLE = 6
# In a section of references, a line that is no list item and at least this long is prose, and is kept. Shorter ones
# are citations without a template, and remarks such as "General references:".
MIN_REFERENCE_PROSE = 200
# Where the title may as well be that of a part of the article (``Literature``), a sentence of this length is prose.
MIN_PROSE = 60
_LEAST_SMALL = 0.5  # share of its words that begin with a small letter; of a citation they are fewer

_SENTENCE_END = re.compile(r"[^\W\d_][\"'”»)\]]*[.!?…:][\"'”»)\]]*$")
# What a citation has, in any of the languages: a number of a book or page, an address, or a year between marks.
_CITED = re.compile(
    r"\b(?:ISBN|ISSN|OCLC|doi|DOI)\b|https?://"
    r"|\b(?:pp?|S|s|str|стр|с|С|Vol|vol|Bd|Nr|No|nr|vyd|wyd|изд|вид|ed|eds|Hrsg|Hg|red|Aufl|oldal)\.\s"
)
_YEAR = re.compile(r"(?<![0-9–-])(?:1[5-9]|20)[0-9]{2}(?![0-9]|\s?[–-]\s?[0-9])")
_MARKS = re.compile(r"[.,:;—–]")


@dataclass
class _Section:
    """A title (None for the head of the page) and the lines under it, up to the next title."""

    title: Line | None
    lines: list[Line] = field(default_factory=list)


def keep_sections(
    lines: Iterable[Line], reference_titles: frozenset[str], ambiguous_titles: frozenset[str] = frozenset()
) -> list[Line]:
    """Drops sections with nothing under them.

    A section stays if text is left in it or in a section below it. In sections with a reference title, and in those
    below them, list items and short lines do not count as text, and go. An ambiguous title is only taken for one where
    its lines are citations: prose in it stays, and so do items that cite nothing.
    """
    sections = _split(lines)
    _strip_references(sections, reference_titles, ambiguous_titles)
    kept = [False] * (DEEPEST_TITLE + 2)  # by level: whether a section below the one now looked at stays
    result: list[_Section] = []
    for section in reversed(sections):
        level = section.title.title_level if section.title else 0
        stays = any(line.text for line in section.lines) or any(kept[level + 1 :])
        kept[level] = kept[level] or stays
        kept[level + 1 :] = [False] * (DEEPEST_TITLE + 1 - level)
        if stays:
            result.append(section)
    result.reverse()
    return [line for section in result for line in ([section.title] if section.title else []) + section.lines]


def _split(lines: Iterable[Line]) -> list[_Section]:
    """Groups lines under their titles. A title that lost its text ends a section and belongs to none."""
    sections = [_Section(None)]
    for line in lines:
        if line.title_level:
            sections.append(_Section(line if line.text else None))
        else:
            sections[-1].lines.append(line)
    return sections


def _strip_references(
    sections: list[_Section], reference_titles: frozenset[str], ambiguous_titles: frozenset[str]
) -> None:
    """Empties sections of references down to their prose."""
    level = 0  # of the section of references that we are in; 0: in none
    is_ambiguous = False
    for place, section in enumerate(sections):
        title = section.title
        if title is None:
            continue
        if not level or title.title_level <= level:
            name = title.text.strip(" .:").lower()
            is_ambiguous = name in ambiguous_titles
            holds = name in reference_titles and not (is_ambiguous and _is_body(_lines_under(sections, place)))
            level = title.title_level if holds else 0
        if level:
            section.lines = [line for line in section.lines if _is_prose(line, is_ambiguous)]


def _lines_under(sections: Sequence[_Section], place: int) -> list[Line]:
    """Returns the lines of a section and of those below it."""
    top = sections[place].title
    lines = list(sections[place].lines)
    for below in range(place + 1, len(sections)):
        section = sections[below]
        if section.title and top and section.title.title_level <= top.title_level:
            break
        lines += section.lines
    return lines


def _is_body(lines: Sequence[Line]) -> bool:
    """Tells whether a section with an ambiguous title holds prose, and no list of citations beside it."""
    items = [line.text for line in lines if line.is_item]
    return any(map(_is_sentence, lines)) and 2 * sum(map(_is_citation, items)) <= len(items)


def _is_prose(line: Line, is_ambiguous: bool) -> bool:
    """Tells whether a line of a section of references is prose."""
    if line.is_item:
        return False
    return len(line.text) >= MIN_REFERENCE_PROSE or (is_ambiguous and _is_sentence(line))


def _is_sentence(line: Line) -> bool:
    """Tells whether a line is a sentence, or more of them, and no citation: by its end, its length and its words."""
    text = line.text
    if line.is_item or len(text) < MIN_PROSE or not _SENTENCE_END.search(text) or _CITED.search(text):
        return False
    words = [word for word in text.split() if word[0].isalpha()]
    return sum(word[0].islower() for word in words) >= _LEAST_SMALL * len(words)


def _is_citation(text: str) -> bool:
    """Tells whether an item cites a book or a page: by its numbers, or a year with marks around it."""
    return bool(_CITED.search(text)) or (bool(_YEAR.search(text)) and len(_MARKS.findall(text)) > 1)


def join_lines(lines: Iterable[Line]) -> str:
    """Writes lines as text: one blank line between paragraphs and around titles, none at the ends."""
    out: list[str] = []
    blank = True  # whether a blank line (or the start) is the last thing written
    for line in lines:
        if not line.text:
            if not blank:
                out.append("")
            blank = True
            continue
        if line.title_level and not blank:
            out.append("")
        out.append(line.text)
        blank = bool(line.title_level)
        if blank:
            out.append("")
    return "\n".join(out).strip("\n")
