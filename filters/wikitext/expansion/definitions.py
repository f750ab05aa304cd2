"""Definitions of templates, and their expansion: bounded in depth, steps and length, and the same on any machine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from filters.wikitext.expansion.expressions import BadExpression
from filters.wikitext.expansion.functions import FUNCTIONS
from filters.wikitext.expansion.tree import Call, Nodes, Parameter, TooDeep, parse
from filters.wikitext.marks import GAP, HOLE, PIPE
from filters.wikitext.rules import Arguments
from filters.wikitext.tags import strip_tags
from filters.wikitext.template_table import TemplateTable, exact_name

MAX_CHARACTERS = 20_000  # of a definition; longer ones are boxes
MAX_DEPTH = 60  # templates, functions and parameters inside one another
MAX_REDIRECTS = 5
MAX_STEPS = 2_000  # calls, parameters and pieces of up to 100 characters that one use may expand
STEP_CHARACTERS = 100
MAX_TEXT = 1_000  # characters that stand for one use inside a sentence

_REDIRECT = re.compile(r"\s*#[^\s\[\]:]+\s*:?\s*\[\[[^\[\]|:]*:([^\[\]|#]+)")
_ONLY = re.compile(r"<(/?)onlyinclude>", re.I)
_NOT_INCLUDED = re.compile(r"<noinclude>.*?(?:</noinclude>|$)|<!--.*?(?:-->|$)", re.S | re.I)
_INCLUDED = re.compile(r"</?includeonly>", re.I)
# What shows a box, a notice or a table, or is not printed, is no part of a sentence.
_BOX = re.compile(
    r"\{\||\{\{\{!\}\}|<(?:table|div|ul|ol|gallery|ref|references|math|score|timeline|pre|nowiki|syntaxhighlight)\b"
    r"|class\s*=\s*[\"']?[^\"'>]{0,200}(?:noprint|metadata|ambox|navbox|infobox|hatnote|reference|error)",
    re.I,
)
_HIDDEN = re.compile(r"<(span|small|sup)\b[^<>]*display\s*:\s*none[^<>]*>.*?</\1\s*>", re.S | re.I)
_SUPERSCRIPT = re.compile(r"<sup\b[^<>]*>((?:(?!</?sup).)*)</sup\s*>", re.S | re.I)
_NAME = re.compile(r"(?<!\{)\{\{(?!\{)\s*([^|{}<>\n#:]+)")


class _CannotExpand(ValueError):
    """Something in a definition is unknown, or asks for too much."""


class Definitions:
    """The definitions of one edition's templates. They are read and parsed when they are first used."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        """Takes the wikitext of the pages by the templates' names, without their namespace."""
        self._texts = {exact_name(name): text for name, text in texts.items()}
        self._parsed: dict[str, Nodes | None] = {}

    def has(self, name: str) -> bool:
        """Tells whether there is a definition."""
        return exact_name(name) in self._texts

    def nodes(self, name: str) -> Nodes | None:
        """Returns the tree of a definition, that of the page it leads to where it is a redirect; None for a box."""
        name = exact_name(name)
        if name not in self._parsed:
            text = self._texts.get(name, "")
            for _ in range(MAX_REDIRECTS):
                if not (found := _REDIRECT.match(text)):
                    break
                text = self._texts.get(exact_name(found[1]), "")
            self._parsed[name] = _prepare(text)
        return self._parsed[name]

    def expand(self, nodes: Nodes, arguments: Arguments, table: TemplateTable) -> tuple[str | None, int]:
        """Expands one use inside a sentence.

        Args:
            nodes: the template's definition.
            arguments: those of the call.
            table: the rules, which go first, for the templates that the definition calls.

        Returns:
            The text, or None where something is unknown, or asks for too much; and the steps that it took.
        """
        use = _Use(self, table, arguments.title)
        try:
            text = use.expand(nodes, arguments.values, 0).strip(" \n\t")
        except (_CannotExpand, BadExpression):
            return None, use.steps
        is_inline = len(text) <= MAX_TEXT and "\n" not in text and "{|" not in text
        return (text.replace("|", PIPE) if is_inline else None), use.steps


class _Use:
    """One use of a template, and what it has cost so far."""

    def __init__(self, definitions: Definitions, table: TemplateTable, title: str) -> None:
        self.definitions = definitions
        self.table = table
        self.title = title
        self.steps = 0

    def expand(self, nodes: Nodes, values: Mapping[str, str], depth: int) -> str:
        """Writes nodes, with these values of the parameters."""
        out: list[str] = []
        for node in nodes:
            if isinstance(node, str):
                text = node
            elif depth > MAX_DEPTH:
                raise _CannotExpand("too deep")
            elif isinstance(node, Parameter):
                text = self.parameter(node, values, depth + 1)
            else:
                text = self.call(node, values, depth + 1)
            self.steps += 1 + len(text) // STEP_CHARACTERS
            if self.steps > MAX_STEPS:
                raise _CannotExpand("too many steps")
            out.append(text)
        text = "".join(out)
        if len(text) > MAX_CHARACTERS:
            raise _CannotExpand("too long")
        return text

    def parameter(self, node: Parameter, values: Mapping[str, str], depth: int) -> str:
        """Writes the value of a parameter, or its default."""
        value = values.get(self.expand(node.name, values, depth).strip().lower())
        if value is not None:
            return value
        return self.expand(node.default, values, depth) if node.default is not None else ""

    def call(self, node: Call, values: Mapping[str, str], depth: int) -> str:
        """Writes a call of a parser function, of a template with a rule, or of one that is expanded in its turn."""
        name = self.expand(node.name, values, depth).strip(" \n\t" + GAP)
        word, colon, subject = name.partition(":")
        function = FUNCTIONS.get(word.strip().lower()) if colon else None
        if function is not None:

            def expand(nodes: Nodes) -> str:
                return self.expand(nodes, values, depth)

            return function(subject.strip(" \n\t" + GAP), node.arguments, expand, self.table.language)
        given: dict[str, str] = {}
        position = 0
        for argument in node.arguments:
            value = self.expand(argument.value, values, depth)
            if argument.name is None:
                position += 1
                given[str(position)] = value
            else:
                given[self.expand(argument.name, values, depth).strip().lower()] = value.strip()
        return self.template(name, given, depth)

    def template(self, name: str, given: Mapping[str, str], depth: int) -> str:
        """Writes a template that stands in a definition."""
        rule = self.table.find(name) if name and "#" not in name and ":" not in name else None
        if rule is not None:
            text = rule(Arguments(name, given, self.table.language, (name, *given.values()), title=self.title))
            if HOLE in text:
                raise _CannotExpand("the page alone cannot tell")
            return text.replace(PIPE, "|")
        if not self.definitions.has(name):
            raise _CannotExpand(f"{name[:60]} is not known")
        nodes = self.definitions.nodes(name)
        return self.expand(nodes, given, depth) if nodes is not None else ""


def _prepare(text: str) -> Nodes | None:
    """Parses what a definition gives to pages that use it; None where that is no part of a sentence."""
    text = included(text)
    if len(text) > MAX_CHARACTERS:
        return None
    text = _HIDDEN.sub("", text)
    if not text or _BOX.search(text):
        return None
    literals: list[str] = []
    text = strip_tags(_SUPERSCRIPT.sub(r"{{#sup:\1}}", text), literals)
    try:
        return None if literals else parse(text)
    except TooDeep:
        return None


def included(text: str) -> str:
    """Returns the part of a definition that goes into the pages that use it (``<includeonly>`` and its like)."""
    text = _NOT_INCLUDED.sub("", text)
    first, *rest = _ONLY.split(text)  # then in pairs: whether a tag closes, and the text behind it
    only = "".join(part for slash, part in zip(rest[::2], rest[1::2], strict=True) if not slash)
    text = only if rest else first
    return _INCLUDED.sub("", text)


def template_names(text: str) -> Iterator[str]:
    """Yields the names of the templates that a definition may call or lead to, as far as they are written out."""
    if found := _REDIRECT.match(text):
        yield exact_name(found[1])
        return
    for match in _NAME.finditer(included(text)):
        yield exact_name(match[1])
