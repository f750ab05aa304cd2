"""First pass: everything that starts with ``<``. Comments and tags go; code and formulas are set aside.

What MediaWiki does first (its preprocessor takes extension tags out before it looks at templates) is done first here.
One search for the next tag, one search for its end: each character is passed once per kind of end tag at most.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from filters.wikitext.entities import decode_entities
from filters.wikitext.marks import BREAK, GAP, JOINT, LITERAL_END, LITERAL_START, gap_after
from filters.wikitext.names import words
from filters.wikitext.numbers import raised

# Extension tags whose contents are no text of the article (MediaWiki core, Cite, and the extensions of Wikipedia).
DROPPED_TAGS = words(
    """
    ref references gallery timeline score imagemap graph chart mapframe maplink templatestyles inputbox
    categorytree hiero templatedata indicator style script includeonly dynamicpagelist
    labeledsectiontransclusion charinsert quiz rss
    """
)
# Extension tags whose contents are text that holds no wikitext.
LITERAL_TAGS = words("math chem ce nowiki pre syntaxhighlight source")
# In these, character references are decoded; in code and formulas an ampersand is an ampersand.
DECODED_LITERALS = frozenset(("nowiki", "pre"))
# HTML that ends a line.
BREAKING_TAGS = words("br hr div center ul ol dl dt dd li tr td th caption")
PARAGRAPH_TAGS = words("p blockquote poem")
# HTML (and tags of templates) that leaves its contents. Another name in angle brackets is text: ``<stdio.h>``.
UNWRAPPED_TAGS = words(
    """
    abbr b bdi bdo big cite code data del dfn em font i ins kbd mark noinclude onlyinclude q rb rbc rp rt
    rtc ruby s samp small span strike strong sub sup time translate tt tvar u var wbr thead tbody tfoot
    colgroup col nobr references ref gallery math nowiki section link meta input img a table noscript blink
    """
)
# A tag left open by a missing ``>`` is only taken for one of these; ``a <b`` may be an inequality.
MISSING_BRACKET_TAGS = words("ref references br nowiki small span div")

# The first form is that of most tags, and goes with what it holds: a reference that is empty, or holds no tag.
_TAG = re.compile(
    r"<(?:ref(?:\s[^<>]*)?/\s*>|ref(?:\s[^<>]*[^<>/\s])?\s*>[^<]*</ref\s*>"
    r"|(!--)|(/?)([a-zA-Z][a-zA-Z0-9]*)\b([^<>]*)(>?))"
)
_ENDS: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {name: re.compile(rf"</{name}\s*>", re.IGNORECASE) for name in DROPPED_TAGS | LITERAL_TAGS}
)
_TABLE_TAG = re.compile(r"<(/?)table\b[^<>]*>", re.IGNORECASE)
_SUPERSCRIPT = re.compile(r"([+\-−–]?[0-9]{1,4}(?:[.,/][0-9]{1,4})?)</sup\s*>", re.IGNORECASE)
_HEADING_TAG = re.compile(r"h([1-6])", re.IGNORECASE)


def add_literal(text: str, literals: list[str]) -> str:
    """Sets a text aside and returns the mark that ``restore_literals`` turns back into it."""
    literals.append(text)
    return f"{LITERAL_START}{len(literals) - 1}{LITERAL_END}"


class _TagPass:
    """State of one pass over one page: what was found out about end tags, and the texts set aside."""

    def __init__(self, text: str, literals: list[str]) -> None:
        self.text = text
        self.literals = literals
        self.without_end: set[str] = set()
        self.table_ends: dict[int, int] | None = None

    def run(self) -> str:
        """Returns the text without tags."""
        text, out, position = self.text, [], 0
        search = _TAG.search
        while (match := search(text, position)) is not None:
            start = match.start()
            out.append(text[position:start])
            if match.lastindex is None:
                replacement, position = gap_after(text, start), match.end()
            else:
                replacement, position = self.replace(match, start)
            if replacement:
                out.append(replacement)
        out.append(text[position:])
        return "".join(out)

    def replace(self, match: re.Match[str], start: int) -> tuple[str, int]:
        """Returns what stands for the tag (or comment) at ``start``, and where the text goes on."""
        _, slash, name, attributes, bracket = match.groups()
        if name is None:
            end = self.text.find("-->", start + 4)
            return gap_after(self.text, start), len(self.text) if end < 0 else end + 3
        name = name.lower()
        if not bracket:
            return self.without_bracket(match, name)
        if not slash:
            if name in _ENDS:
                return self.extension(match, start, name, attributes.rstrip().endswith("/"))
            if name == "sup" and (digits := _SUPERSCRIPT.match(self.text, match.end())):
                return raised(digits[1]), digits.end()
            if name == "table":
                return BREAK, self.table_end(match)
        return _html(match, slash, name), match.end()

    def without_bracket(self, match: re.Match[str], name: str) -> tuple[str, int]:
        """Treats a tag whose ``>`` is missing: its name goes if it can be nothing else, the rest is text."""
        if name in MISSING_BRACKET_TAGS:
            return BREAK if name == "br" else "", match.end(3)
        return match[0], match.end()

    def extension(self, match: re.Match[str], start: int, name: str, closed: bool) -> tuple[str, int]:
        """Treats an extension tag: its contents go, or are set aside. One without an end loses the tag only."""
        if closed or name in self.without_end:
            return JOINT if name == "nowiki" else gap_after(self.text, start), match.end()
        end = _ENDS[name].search(self.text, match.end())
        if end is None:
            self.without_end.add(name)
            return "", match.end()
        if name in DROPPED_TAGS:
            return gap_after(self.text, start), end.end()
        content = self.text[match.end() : end.start()]
        if name in DECODED_LITERALS:
            content = decode_entities(content)
        content = content.strip("\n") if name != "math" else content.strip()
        return add_literal(content, self.literals) if content.strip() else GAP, end.end()

    def table_end(self, match: re.Match[str]) -> int:
        """Returns where the HTML table that starts here ends, or the end of its tag where it never ends."""
        if self.table_ends is None:
            self.table_ends = _nested_ends(self.text)
        return self.table_ends.get(match.start(), match.end())


def strip_tags(text: str, literals: list[str]) -> str:
    """Removes comments and tags; their contents stay, go, or are set aside, by the name of the tag.

    Superscript numbers become superscript characters; other superscripts and all subscripts are unwrapped.

    Args:
        text: wikitext.
        literals: receives the texts that later passes must not touch (``math``, ``nowiki``, ``pre``,
            ``syntaxhighlight``); marks with their numbers stand in the result.
    """
    return _TagPass(text, literals).run() if "<" in text else text


def _html(match: re.Match[str], slash: str, name: str) -> str:
    """Returns what stands for one HTML tag."""
    if name in UNWRAPPED_TAGS:
        return ""
    if name in BREAKING_TAGS:
        return "\n* " if name == "li" and not slash else BREAK
    if name in PARAGRAPH_TAGS:
        return "\n\n"
    if heading := _HEADING_TAG.fullmatch(name):
        equals = "=" * int(heading[1])
        return f" {equals}\n" if slash else f"\n{equals} "
    return match[0]


def _nested_ends(text: str) -> dict[int, int]:
    """Returns for each ``<table>`` that is closed the end of its ``</table>``, from one scan with a stack."""
    ends: dict[int, int] = {}
    stack: list[int] = []
    for match in _TABLE_TAG.finditer(text):
        if not match[1]:
            stack.append(match.start())
        elif stack:
            ends[stack.pop()] = match.end()
    return ends
