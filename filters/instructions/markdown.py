"""HTML of chat pages to Markdown: what the model wrote before the page showed it.

The parser is libxml2's (lxml); its events are put together here without a tree, so depth costs nothing (markdownify,
which FastChat calls, goes down the tree and fails on deep ones). Rules:

- headings, lists, quotations, tables, emphasis, links and images become what Markdown has for them;
- ``<pre>`` becomes a fenced block, to the letter; its language is its class's, or what the page wrote above the code;
- formulas, which the page holds three times, become their TeX between dollar signs;
- buttons, scripts, styles and pictures of the page itself (SVG) go;
- text is not escaped: the asterisks and underscores that are there were the model's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from lxml import etree  # type: ignore[import-untyped]

from filters.html import feed_in_parts

DEEPEST = 8  # lists and quotations in one another that are set further in
_BLOCKS = frozenset(
    {"address", "article", "aside", "body", "center", "details", "div", "dl", "dt", "dd", "fieldset", "figcaption"}
    | {"figure", "footer", "form", "header", "html", "main", "nav", "p", "section", "summary"}
)
_APART = _BLOCKS | {f"h{level}" for level in range(1, 7)} | {"ul", "ol", "menu", "li", "blockquote", "pre", "hr"}
_HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
_MARKS = {"strong": "**", "b": "**", "em": "*", "i": "*", "del": "~~", "s": "~~"}
_SKIPPED = frozenset({"button", "script", "style", "svg", "head", "template", "noscript"})
_VOID = frozenset({"br", "hr", "img"})
_BREAK = "\0"  # the parser turns zero bytes into U+FFFD, so no text has one
_SPACES = re.compile(r"[ \t\r\n\f]+")
_LANGUAGE = re.compile(r"(?:^|\s)language-([\w+#.-]{1,30})")
_NAME = re.compile(r"[\w+#.-]{1,30}")
_START = re.compile(r"\s*(\d{1,9})\s*")
_FENCES = re.compile(r"^[ \t]*(`{3,})", re.M)  # no line break before it: that takes the square of the time


class HtmlToMarkdown:
    """Turns HTML into Markdown; one instance serves any number of texts, but only one thread."""

    def __init__(self) -> None:
        self._renew()

    def __call__(self, html: str) -> str:
        """Converts one text.

        Args:
            html: HTML, a fragment or a page, whole or broken.

        Returns:
            Markdown, without white space at either end.

        Raises:
            DeepHtmlError: See ``filters.html.feed_in_parts``.
        """
        html = html.encode("utf-8", "replace").decode()
        if not html:
            return ""
        try:
            feed_in_parts(self._parser, html, lambda: self._builder.depth)
            return str(self._parser.close())
        except Exception:
            self._renew()  # the next text must not meet what is left of this one
            raise

    def _renew(self) -> None:
        self._builder = _Builder()
        self._parser = etree.HTMLParser(target=self._builder, huge_tree=True)


class _Builder:
    """Takes the parser's events; ``close`` gives the Markdown of one text and begins anew."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self.depth = 0  # open elements
        self._out: list[str] = []
        self._gap = 0  # line ends due before the next block
        self._line: list[str] = []  # inline text of the block under way
        self._heading = ""
        self._indents: list[str] = []  # of each list item and quotation under way, what stands before its lines
        self._lists: list[int | None] = []  # for each open list the next number; None without numbers
        self._shared = 0  # so many of the indents are those of the block before
        self._marker = ""  # of the list item under way, until its first block
        self._skipped = 0
        self._pre = 0
        self._code: list[str] | None = None  # of the block of code under way, once it has begun
        self._language = ""
        self._opened: list[tuple[str, int]] = []  # marks of emphasis and links, and where in the line they began
        self._unmarked = 0  # open elements below the deepest that is marked
        self._tables = 0
        self._rows: list[list[str]] = []
        self._formula = 0  # open elements within one
        self._tex: list[str] | None = None

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""
        self.depth += 1
        if self._skipped or tag in _SKIPPED:
            self._skipped += tag not in _VOID
        elif self._formula or "katex" in (attributes.get("class") or "").split():
            self._formula += tag not in _VOID
            if tag == "annotation":
                self._tex = []
        elif self._pre:
            self._start_in_code(tag, attributes)
        elif self._tables and tag in _APART:
            self._line.append(" ")  # a cell is one line
        elif tag == "pre":
            self._flush()
            self._gap = 2
            self._pre, self._code, self._language = 1, None, ""
        elif tag in _BLOCKS or tag in _HEADINGS:
            self._part(2)
            self._heading = _HEADINGS.get(tag, "")
        elif tag in ("ul", "ol", "menu"):
            self._part(1 if self._lists else 2)
            self._lists.append(_first_number(attributes.get("start")) if tag == "ol" else None)
        elif tag == "li":
            self._part(1)
            self._item()
        elif tag == "blockquote":
            self._part(2)
            self._indents.append("> ")
        elif tag in ("table", "tr", "td", "th"):
            self._start_of_table(tag)
        else:
            self._start_inline(tag, attributes)

    def _start_in_code(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._pre += tag not in _VOID
        if tag == "code" and self._code is None:
            named = _LANGUAGE.search(attributes.get("class") or "")
            above = _plain("".join(self._line))
            is_name = bool(_NAME.fullmatch(above))
            self._language = named[1] if named else above if is_name else ""
            self._line, self._code = [], [f"{above}\n"] if above and not is_name else []
        elif tag == "br":
            self.data("\n")

    def _start_of_table(self, tag: str) -> None:
        if tag == "table":
            self._tables += 1
            if self._tables == 1:
                self._part(2)
                self._rows = []
        elif self._tables == 1:
            self._flush_cell()  # what stands between cells
            if tag == "tr":
                self._rows.append([])

    def _start_inline(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "br":
            self._line.append(" " if self._tables else _BREAK)
        elif tag == "hr":
            self._part(2)
            self._add("---")
            self._part(2)
        elif tag == "img":
            source = attributes.get("src") or ""
            alt = _plain(attributes.get("alt") or "")
            self._line.append(alt if source.startswith("data:") or not source else f"![{alt}]({source})")
        elif tag == "a":
            self._open(attributes.get("href") or "")
        elif tag in _MARKS or tag == "code":
            self._open(_MARKS.get(tag, "`"))

    def _open(self, mark: str) -> None:
        if len(self._opened) == DEEPEST:
            self._unmarked += 1
        else:
            self._opened.append((mark, len(self._line)))

    def data(self, text: str) -> None:
        """Text, as it stands."""
        if self._skipped:
            return
        if self._formula:
            if self._tex is not None:
                self._tex.append(text)
        elif self._pre and self._code is not None:
            self._code.append(text)
        else:
            self._line.append(text)

    def end(self, tag: str) -> None:
        """An element ends."""
        self.depth -= 1
        if self._skipped:
            self._skipped -= tag not in _VOID
        elif self._formula:
            self._end_in_formula(tag)
        elif self._pre:
            self._pre -= tag not in _VOID
            if not self._pre:
                self._flush_code()
        elif self._tables and tag in _APART:
            self._line.append(" ")
        elif tag in _BLOCKS or tag in _HEADINGS:
            self._part(2)
            self._heading = ""
        elif tag in ("ul", "ol", "menu"):
            self._part(1 if len(self._lists) > 1 else 2)
            del self._lists[-1:]
        elif tag == "li":
            self._part(1)
            self._marker = ""
            self._leave()
        elif tag == "blockquote":
            self._part(2)
            self._leave()
        elif tag in ("table", "td", "th"):
            self._end_of_table(tag)
        elif tag in _MARKS or tag in ("a", "code"):
            self._end_inline(tag)

    def _end_in_formula(self, tag: str) -> None:
        self._formula -= tag not in _VOID
        if tag == "annotation" and self._tex is not None:
            self._line.append(f"${''.join(self._tex).strip()}$")
            self._tex = None

    def _end_of_table(self, tag: str) -> None:
        if tag == "table":
            self._tables -= 1
            if not self._tables:
                self._flush_cell()
                self._flush_table()
        elif self._tables == 1:
            self._flush_cell(even_empty=True)

    def _flush_cell(self, even_empty: bool = False) -> None:
        """Ends a cell, or what stands outside of any, which becomes one."""
        text = _plain("".join(self._line)).replace("|", "\\|")
        self._line, self._opened, self._unmarked = [], [], 0
        if text or even_empty:
            if not self._rows:
                self._rows.append([])
            self._rows[-1].append(text)

    def _end_inline(self, tag: str) -> None:
        if self._unmarked or not self._opened:
            self._unmarked = max(0, self._unmarked - 1)
            return
        mark, place = self._opened.pop()
        inner = "".join(self._line[place:])
        if not inner.strip(" \n\t\r\f" + _BREAK):
            return
        lead, tail = inner[: len(inner) - len(inner.lstrip())], inner[len(inner.rstrip()) :]
        inner = inner.strip()
        if tag == "a":
            inner = f"[{inner}]({mark})" if mark else inner
        elif tag == "code":
            fence = "``" if "`" in inner else "`"
            pad = " " if fence == "``" else ""
            inner = f"{fence}{pad}{inner}{pad}{fence}"
        else:
            inner = f"{mark}{inner}{mark}"
        self._line[place:] = [lead, inner, tail]

    def _item(self) -> None:
        number = self._lists[-1] if self._lists else None
        if number is not None:
            self._lists[-1] = number + 1
        self._marker = "- " if number is None else f"{number}. "
        self._indents.append(" " * len(self._marker))

    def _leave(self) -> None:
        del self._indents[-1:]
        self._shared = min(self._shared, len(self._indents))

    def _part(self, gap: int) -> None:
        """Ends the block under way, and says what parts it from the next one."""
        self._flush()
        self._gap = max(self._gap, gap)

    def _flush(self) -> None:
        line, self._line, self._opened, self._unmarked = "".join(self._line), [], [], 0
        text = "\n".join(map(_plain, line.split(_BREAK)))
        if text := text.strip("\n"):
            self._add(self._heading + text)

    def _flush_code(self) -> None:
        code = "".join(self._line if self._code is None else self._code)
        code = code.replace("\r\n", "\n").replace("\r", "\n").strip("\n").rstrip()
        self._line, self._code = [], None
        if not code.strip():  # nothing but what might be a name
            code, self._language = self._language, ""
        if code:
            longest = max((len(found[1]) for found in _FENCES.finditer(code)), default=0)
            fence = "`" * max(3, longest + 1)
            self._add(f"{fence}{self._language}\n{code}\n{fence}")
        self._gap = 2

    def _flush_table(self) -> None:
        rows, self._rows = [row for row in self._rows if row], []
        if rows:
            width = max(map(len, rows))
            lines = [f"| {' | '.join(row + [''] * (width - len(row)))} |" for row in rows]
            self._add("\n".join([lines[0], f"|{' --- |' * width}", *lines[1:]]))
        self._gap = 2

    def _add(self, block: str) -> None:
        """Adds a block, its lines set in as deep as the lists and quotations are that it stands in."""
        inner = "".join(self._indents[-DEEPEST:])
        first = inner
        if self._marker and self._indents:
            first = inner[: len(inner) - len(self._indents[-1])] + self._marker
            self._marker = ""
        lines = block.split("\n")
        text = "\n".join([first + lines[0], *(inner + line if line else inner.rstrip() for line in lines[1:])])
        if self._out:
            between = "".join(self._indents[max(0, self._shared - DEEPEST) : self._shared]).rstrip()
            self._out.append(f"\n{between}\n" if self._gap == 2 else "\n")
        self._out.append(text)
        self._gap, self._shared = 0, len(self._indents)

    def close(self) -> str:
        """The text ends."""
        if self._pre:
            self._flush_code()
        if self._tables:
            self._flush_cell()
            self._flush_table()
        self._flush()
        text = "".join(self._out).strip("\n").rstrip()
        self._reset()
        return text


def _plain(text: str) -> str:
    return _SPACES.sub(" ", text).strip(" ")


def _first_number(start: str | None) -> int:
    found = _START.fullmatch(start or "")
    return int(found[1]) if found else 1
