"""The tree of a template's definition: text, calls, and parameters, as MediaWiki's preprocessor parts them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

Nodes = tuple["str | Call | Parameter", ...]

_TOKEN = re.compile(r"\{\{+|\}\}+|\[\[|\]\]|\|")
PARAMETER_BRACES = 3
TEMPLATE_BRACES = 2
DEEPEST = 40  # braces inside braces (MediaWiki's $wgMaxTemplateDepth)


class Argument(NamedTuple):
    """One argument of a call: its name (None where it is positional) and its value."""

    name: Nodes | None
    value: Nodes


class Call(NamedTuple):
    """``{{name|argument|...}}``: a template, a variable or a parser function."""

    name: Nodes
    arguments: tuple[Argument, ...]


class Parameter(NamedTuple):
    """``{{{name|default}}}``; the default is None where there is none."""

    name: Nodes
    default: Nodes | None


class TooDeep(ValueError):
    """Braces inside braces, deeper than MediaWiki allows."""


@dataclass
class _Open:
    """An opening that waits for its end: of braces, or of a link, whose pipes part nothing."""

    braces: int
    parts: list[list[str | Call | Parameter]] = field(default_factory=lambda: [[]])


def parse(text: str) -> Nodes:
    """Parses wikitext without tags. What is not closed is text. Time is linear in its length.

    Raises:
        TooDeep: it nests deeper than ``DEEPEST``.
    """
    stack = [_Open(0)]
    position = 0
    for match in _TOKEN.finditer(text):
        _add(stack, text[position : match.start()])
        position = match.end()
        token = match[0]
        if token[0] == "{" or token == "[[":
            stack.append(_Open(len(token) if token[0] == "{" else 0))
            if len(stack) > DEEPEST:
                raise TooDeep(f"braces inside braces, more than {DEEPEST}")
        elif token == "|":
            if stack[-1].braces:
                stack[-1].parts.append([])
            else:
                _add(stack, token)
        elif token == "]]":
            _close_link(stack)
        else:
            _close(stack, len(token))
    _add(stack, text[position:])
    while len(stack) > 1:
        _flatten(stack)
    return tuple(stack[0].parts[0])


def _add(stack: list[_Open], node: str | Call | Parameter) -> None:
    if node:
        stack[-1].parts[-1].append(node)


def _close_link(stack: list[_Open]) -> None:
    if len(stack) > 1 and not stack[-1].braces:
        inside = stack.pop().parts[0]
        stack[-1].parts[-1] += ["[[", *inside, "]]"]
    else:
        _add(stack, "]]")


def _close(stack: list[_Open], count: int) -> None:
    while len(stack) > 1 and not stack[-1].braces and any(frame.braces for frame in stack):
        _flatten(stack)
    while count >= TEMPLATE_BRACES and len(stack) > 1 and stack[-1].braces:
        top = stack[-1]
        used = min(top.braces, count, PARAMETER_BRACES)
        node = _node(top.parts, used)
        count -= used
        top.braces -= used
        if top.braces >= TEMPLATE_BRACES:
            top.parts = [[node]]
            continue
        stack.pop()
        _add(stack, "{" * top.braces)
        _add(stack, node)
    _add(stack, "}" * count)


def _flatten(stack: list[_Open]) -> None:
    """Turns the innermost opening, which has no end, into text."""
    top = stack.pop()
    _add(stack, "{" * top.braces if top.braces else "[[")
    for number, part in enumerate(top.parts):
        if number:
            _add(stack, "|")
        stack[-1].parts[-1] += part


def _node(parts: list[list[str | Call | Parameter]], braces: int) -> Call | Parameter:
    name = tuple(parts[0])
    if braces == PARAMETER_BRACES:
        return Parameter(name, tuple(parts[1]) if len(parts) > 1 else None)
    return Call(name, tuple(_argument(part) for part in parts[1:]))


def _argument(part: list[str | Call | Parameter]) -> Argument:
    """Splits an argument at its first equals sign, which only counts where it stands in the text itself."""
    in_link = 0
    for number, node in enumerate(part):
        if not isinstance(node, str):
            continue
        in_link += (node == "[[") - (node == "]]")
        if in_link or node in ("[[", "]]"):
            continue
        before, equals, after = node.partition("=")
        if equals:
            name = (*part[:number], before) if before else tuple(part[:number])
            return Argument(name, ((after, *part[number + 1 :]) if after else tuple(part[number + 1 :])))
    return Argument(None, tuple(part))
