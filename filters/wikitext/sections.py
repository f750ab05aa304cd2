"""Sections: those that are left empty go with their title, and so do those that hold references and links."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from filters.wikitext.layout import Line

DEEPEST_TITLE = 6
# In a section of references, a line that is no list item and at least this long is prose, and is kept. Shorter ones
# are citations without a template, and remarks such as "General references:".
MIN_REFERENCE_PROSE = 200


@dataclass
class _Section:
    """A title (None for the head of the page) and the lines under it, up to the next title."""

    title: Line | None
    lines: list[Line] = field(default_factory=list)


def keep_sections(lines: Iterable[Line], reference_titles: frozenset[str]) -> list[Line]:
    """Drops sections with nothing under them.

    A section stays if text is left in it or in a section below it. In sections with a reference title, and in those
    below them, list items and short lines do not count as text, and go.
    """
    sections = _split(lines)
    _strip_references(sections, reference_titles)
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


def _strip_references(sections: list[_Section], reference_titles: frozenset[str]) -> None:
    """Empties sections of references down to their prose."""
    level = 0  # of the section of references that we are in; 0: in none
    for section in sections:
        title = section.title
        if title is None:
            continue
        if level and title.title_level > level:
            pass
        elif title.text.strip(" .:").lower() in reference_titles:
            level = title.title_level
        else:
            level = 0
        if level:
            section.lines = [
                line for line in section.lines if not line.is_item and len(line.text) >= MIN_REFERENCE_PROSE
            ]


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
