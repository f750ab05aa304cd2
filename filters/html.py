"""HTML of posts to text: what a reader sees, code with its lines and indentation.

The parser is libxml2's (lxml), which repairs what is broken; its events are put together here without a tree, so depth
costs nothing. Rules:

- paragraphs and other blocks are parted by an empty line; within a list, and between rows of a table, by a line end;
- white space is one space, as a browser shows it, but in ``<pre>``, which stays to the letter, line for line;
- a list item has a line of its own with ``* `` or its number before it, two spaces further in for each list around it;
- a link is its label, an image its alternative text, cells of a table are parted by `` | ``;
- a power has its ``^`` (``2<sup>256</sup>`` is no 2256); other small letters are as they are;
- entities are decoded once; comments, scripts and styles go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from lxml import etree  # type: ignore[import-untyped]

# The text that the sites' editor puts in where the author gives none: it describes no picture.
PLACEHOLDER_ALT = frozenset(
    {"enter image description here", "enter link description here", "enter image title here", "alt text"}
)
FED = 64 << 10  # characters that the parser gets at a time; it gets no part of a text between tags
MOST_LOOKED_AT = 500_000_000  # open elements at end tags: some two seconds; pages have some thousands
INDENT = "  "
DEEPEST = 8  # lists in lists that are set further in: else a post of nothing but lists would be mostly indentation
CELL = " | "

# Up to _ITEM they end the block under way; from _LINE on one line end is enough between them.
_BLOCK, _PRE, _LIST, _LINE, _ROW, _ITEM, _CELL, _BREAK, _IMAGE, _SKIP, _SUPERSCRIPT = range(11)
_BLOCK_TAGS = frozenset(
    {"address", "article", "aside", "blockquote", "body", "caption", "center", "details", "div", "dl", "fieldset"}
    | {"figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "html", "main"}
    | {"nav", "p", "section", "summary", "table"}
)
_KINDS = (
    dict.fromkeys(_BLOCK_TAGS, _BLOCK)
    | dict.fromkeys(("dd", "dt", "option"), _LINE)
    | dict.fromkeys(("pre", "listing", "xmp", "plaintext"), _PRE)
    | dict.fromkeys(("ol", "ul", "menu", "dir"), _LIST)
    | dict.fromkeys(("td", "th"), _CELL)
    | dict.fromkeys(("script", "style", "head", "template"), _SKIP)
    | {"li": _ITEM, "tr": _ROW, "br": _BREAK, "img": _IMAGE, "sup": _SUPERSCRIPT}
)
_BREAK_MARK = "\0"  # the parser turns zero bytes into U+FFFD, so no text has one
_SPACES = re.compile("  +")
_OTHER_SPACES = ("\n", "\t", "\r", "\f")
_POWER = re.compile(r"[-+\u2212]?[\w.]{1,10}")  # a short number or name; what is longer is a note in small print
_BASE = re.compile(r"[\w)\]]")  # what stands before it
_ORDINALS = frozenset({"st", "nd", "rd", "th"})
_START = re.compile(r"\s*(-?\d{1,9})\s*")


class DeepHtmlError(ValueError):
    """HTML in which so many elements are open at so many end tags that the parser's search for them takes minutes."""


class HtmlToText:
    """Turns HTML into text; one instance serves any number of posts, but only one thread."""

    def __init__(self) -> None:
        self._parser = _new_parser()

    def __call__(self, html: str) -> str:
        """Converts one post.

        Args:
            html: HTML, a fragment or a page, whole or broken.

        Returns:
            The text, without white space at either end.

        Raises:
            DeepHtmlError: See ``feed_in_parts``.
        """
        if "<" not in html and "&" not in html:
            return _tidy(html)
        if len(html) > FED:
            return _long_to_text(html)
        try:
            self._parser.feed(html)
            return str(self._parser.close())
        except UnicodeEncodeError:  # half of a surrogate pair
            self._parser = _new_parser()
            self._parser.feed(html.encode("utf-8", "replace").decode())
            return str(self._parser.close())
        except Exception:
            self._parser = _new_parser()  # the next post must not meet what is left of this one
            raise


def _new_parser() -> etree.HTMLParser:
    return etree.HTMLParser(target=_Builder(), huge_tree=True)


def _long_to_text(html: str) -> str:
    builder = _DeepBuilder()
    parser = etree.HTMLParser(target=builder, huge_tree=True)
    feed_in_parts(parser, html.encode("utf-8", "replace").decode(), lambda: builder.depth)
    return str(parser.close())


def feed_in_parts(parser: etree.HTMLParser, html: str, depth: Callable[[], int]) -> None:
    """Feeds a parser with HTML; gives up where its search through open elements, at each end tag, would take minutes.

    Args:
        parser: The parser; where this raises, it is not to be used any more.
        html: HTML without lone surrogates.
        depth: How many elements are open.

    Raises:
        DeepHtmlError: It gave up.
    """
    looked_at = place = 0
    while place < len(html):
        end = html.find("<", place + FED)
        part = html[place : end if end >= 0 else len(html)]
        place += len(part)
        parser.feed(part)
        looked_at += depth() * part.count("</")
        if looked_at > MOST_LOOKED_AT:
            raise DeepHtmlError(f"{depth():,} elements are open at character {place:,}")


def _tidy(text: str) -> str:
    for character in _OTHER_SPACES:  # one regular expression for it all would take five times as long
        if character in text:
            text = text.replace(character, " ")
    return (_SPACES.sub(" ", text) if "  " in text else text).strip(" ")


class _Builder:
    """Takes the parser's events; ``close`` gives the text of one post and begins anew.

    ``data``, which is called most often, is the ``append`` of the list of inline text: no call of ours is as fast.
    """

    def __init__(self) -> None:
        self._line: list[str] = []  # inline text of the block under way
        self.data: Callable[[str], None] = self._line.append
        self._reset()

    def _reset(self) -> None:
        self._line.clear()
        self._out: list[str] = []  # finished blocks and what parts them
        self._gap = 0  # line ends due before the next block
        self._marker = ""  # of the list item under way, until its first block
        self._lists: list[int | None] = []  # for each open list the next number; None without numbers
        self._pre = 0
        self._raised: list[int] = []  # for each open superscript, where in the inline text it began
        self._skipped: list[int] = []  # for each open script or style, where in the inline text it began
        self._cells = 0  # of the row under way
        self._in_cell = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""
        kind = _KINDS.get(tag)
        if kind is None:
            return
        if kind == _BLOCK and self._in_cell and tag != "table":
            self._line.append(" ")  # the paragraphs of a cell are one line
        elif kind <= _ITEM:
            if not self._pre:
                self._part(kind)
            if kind != _BLOCK:
                self._open(kind, tag, attributes)
            else:
                self._in_cell = False
        elif kind == _IMAGE:
            alt = (attributes.get("alt") or "").strip()
            self._line.append("" if alt.lower() in PLACEHOLDER_ALT else alt)
        elif kind == _BREAK:
            self._line.append("\n" if self._pre else " " if self._in_cell else _BREAK_MARK)
        elif kind == _CELL:
            if self._cells and not self._pre:
                self._line.append(CELL)
            self._cells += 1
            self._in_cell = True
        elif kind == _SKIP:
            self._skipped.append(len(self._line))
        elif kind == _SUPERSCRIPT:
            self._raised.append(len(self._line))

    def _open(self, kind: int, tag: str, attributes: Mapping[str, str]) -> None:
        if kind == _PRE:
            self._pre += 1
        elif kind == _ROW:
            self._cells = 0
            self._in_cell = False
        elif kind == _LIST:
            self._lists.append(_first_number(attributes.get("start")) if tag == "ol" else None)
        elif kind == _ITEM:
            number = self._lists[-1] if self._lists else None
            if number is not None:
                self._lists[-1] = number + 1
            indent = INDENT * (min(len(self._lists), DEEPEST) - 1)
            self._marker = f"{indent}* " if number is None else f"{indent}{number}. "

    def _part(self, kind: int) -> None:
        """Ends the block under way, and says what parts it from the next one."""
        if self._line:
            self._flush()
        if self._gap < 2:
            self._gap = 1 if self._lists or kind >= _LINE else 2

    def _close(self, kind: int) -> None:
        if kind == _LIST:
            self._lists.pop()
            self._gap = 1 if self._lists else 2
        elif kind == _ITEM:
            self._marker = ""  # of an item without text
        elif kind in (_ROW, _BLOCK):
            self._in_cell = False

    def end(self, tag: str) -> None:
        """An element ends."""
        kind = _KINDS.get(tag)
        if kind is None:
            return
        if kind == _BLOCK and self._in_cell and tag != "table":
            self._line.append(" ")
        elif kind <= _ITEM:
            if kind == _PRE:
                self._pre -= 1
                if not self._pre:
                    self._flush_code()
            if not self._pre:
                self._part(kind)
            self._close(kind)
        elif kind == _SKIP:
            del self._line[self._skipped.pop() :]
        elif kind == _SUPERSCRIPT:
            self._raise(self._raised.pop())

    def _raise(self, place: int) -> None:
        """Marks the inline text from a place on as a power, where it is one."""
        power = "".join(self._line[place:])
        base = "".join(self._line[max(0, place - 1) : place])[-1:]
        if _POWER.fullmatch(power) and _BASE.fullmatch(base) and power not in _ORDINALS:
            self._line.insert(place, "^")

    def _flush(self) -> None:
        """Ends the block under way, which has inline text, but may be white space alone."""
        line = self._line
        text = line[0] if len(line) == 1 else "".join(line)
        line.clear()
        if text.isspace():
            return
        text = _tidy(text)
        if _BREAK_MARK in text:
            text = "\n".join(part.strip(" ") for part in text.split(_BREAK_MARK)).strip("\n")
        if text:
            self._add(self._marker + text)

    def _flush_code(self) -> None:
        """Ends a ``<pre>``: its lines as they are, but for empty ones at either end."""
        code = "".join(self._line).replace("\r\n", "\n").replace("\r", "\n").replace(_BREAK_MARK, "\n")
        self._line.clear()
        code = _strip_empty_lines(code)
        if code:
            if self._marker:
                self._add(self._marker.rstrip())
                self._gap = 1
            self._add(code)

    def _add(self, block: str) -> None:
        if self._out:
            self._out.append("\n\n" if self._gap == 2 else "\n")
        self._out.append(block)
        self._gap = 0
        self._marker = ""

    def close(self) -> str:
        """The post ends."""
        if self._pre:
            self._pre = 0
            self._flush_code()
        if self._line:
            self._flush()
        text = "".join(self._out).rstrip()
        self._reset()
        return text


class _DeepBuilder(_Builder):
    """The same, for long texts, which may be deep."""

    depth = 0  # open elements

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""
        self.depth += 1
        super().start(tag, attributes)

    def end(self, tag: str) -> None:
        """An element ends."""
        self.depth -= 1
        super().end(tag)


def _strip_empty_lines(code: str) -> str:
    """Cuts empty lines at either end, and white space at the very end; the first line keeps its indentation."""
    code = code.rstrip()
    lead = len(code) - len(code.lstrip())
    return code[code.rfind("\n", 0, lead) + 1 :]


def _first_number(start: str | None) -> int:
    found = _START.fullmatch(start or "")
    return int(found[1]) if found else 1


def html_to_text(html: str) -> str:
    """Converts one post; ``HtmlToText`` is for many.

    Args:
        html: HTML, a fragment or a page, whole or broken.
    """
    return HtmlToText()(html)
