"""Second pass: templates. Those of a stated table keep their text, all others go.

Braces are matched as MediaWiki's preprocessor matches them (``Preprocessor_Hash``): a stack of openings, each closed
by the next closing run, innermost first. Every brace is looked at once; a page with openings that are never closed is
passed a second time, with those taken for text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from filters.wikitext.marks import GAP, gap_after
from filters.wikitext.parser_functions import function_rule
from filters.wikitext.rules import Arguments, Rule, keep_name
from filters.wikitext.work import Work

_BRACES = re.compile(r"\{\{+|\}\}+")
_NAME = re.compile(r"\s*([^|{}\n]*)")
_FIRST_WORD = re.compile(r"[ \t]*[^\s|{}]*")
_UNCLOSED = re.compile(r"[^{}\n]*(?:[{}](?![{}])[^{}\n]*)*")  # the rest of a line, up to the next run of braces
_LINK = re.compile(r"\[\[[^\[\]]*\]\]")
_NOT_IN_NAMES = frozenset("[]<>{}\n")  # an equals sign after one of these belongs to a link or to text
_LONGEST_NAME = 60
_HIDDEN_PIPE = "\x06"  # a pipe inside a link, while arguments are split

PARAMETER_BRACES = 3  # {{{name|default}}}
TEMPLATE_BRACES = 2


@dataclass
class _Frame:
    """An opening run of braces that waits for its closing run."""

    position: int
    braces: int
    rule: Rule | None
    parent: list[str] | None
    output: list[str] | None = field(default_factory=list)


@dataclass(frozen=True)
class TemplateTable:
    """Which templates keep text.

    Attributes:
        language: code of the edition, for number separators and months.
        rules: rule of each template, by lower-case name.
        prefixes: rules of families such as ``lang-de``, by what comes before the first hyphen.
        names_as_text: the names that are themselves what a reader sees (``{{XXe siècle}}``), or None.
    """

    language: str
    rules: Mapping[str, Rule]
    prefixes: Mapping[str, Rule]
    names_as_text: re.Pattern[str] | None = None

    def find(self, name: str) -> Rule | None:
        """Returns the rule of a template or parser function, or None where it leaves no text."""
        name = " ".join(name.replace("_", " ").lower().split())
        rule = self.rules.get(name)
        if rule is None and "-" in name:
            rule = self.prefixes.get(name.partition("-")[0])
        if rule is None and self.names_as_text and self.names_as_text.fullmatch(name):
            return keep_name
        if rule is None and (":" in name or name.startswith("#")):
            return function_rule(name)
        return rule


def expand_templates(text: str, table: TemplateTable, work: Work, max_nesting: int) -> str:
    """Replaces each template by the text that its rule makes of it, or by a gap mark.

    Args:
        text: wikitext without tags.
        table: the templates that keep text.
        work: is charged for each character of each argument list.
        max_nesting: templates that are nested deeper leave no text.

    Returns:
        The text without ``{{`` and ``}}``. Of a closing that has no partner only the braces are removed; of an opening,
        the name of the template so cut off, and what shows itself as its arguments.
    """
    if "{{" not in text and "}}" not in text:
        return text
    expansion = _Expansion(text, table, work, max_nesting, frozenset())
    result = expansion.run()
    if expansion.stack:
        literal = frozenset(frame.position for frame in expansion.stack)
        result = _Expansion(text, table, work, max_nesting, literal).run()
    return result


class _Expansion:
    """One pass over the braces of one page."""

    def __init__(self, text: str, table: TemplateTable, work: Work, max_nesting: int, literal: frozenset[int]) -> None:
        self.text = text
        self.table = table
        self.work = work
        self.max_nesting = max_nesting
        self.literal = literal
        self.stack: list[_Frame] = []
        self.output: list[str] | None = []
        self.last = 0

    def run(self) -> str:
        """Returns the text without templates. Frames that stay on the stack were never closed."""
        text, out = self.text, self.output
        self.work.spend(len(text))
        for match in _BRACES.finditer(text):
            start, end = match.span()
            if text[start] == "{":
                self.open(start, end)
            elif self.stack:
                self.close(start, end)
            else:
                self.take(start)
                self.last = end
        if self.stack:
            return ""  # the caller passes again
        self.take(len(text))
        return "".join(out or ())

    def take(self, end: int) -> None:
        """Copies the text since the last brace, if what it stands in leaves text."""
        if self.output is not None and self.last < end:
            self.output.append(self.text[self.last : end])

    def open(self, start: int, end: int) -> None:
        """Opens a frame; in a template that leaves no text nothing is collected."""
        self.take(start)
        self.last = end
        if start in self.literal:
            self.last = self.unclosed_end(start, end)
            return
        frame = _Frame(start, end - start, None, self.output)
        self.stack.append(frame)
        if self.output is None:
            frame.output = None
            return
        if frame.braces == TEMPLATE_BRACES:
            frame.rule = self.rule_at(end)
            if frame.rule is None:
                frame.output = None
        self.output = frame.output

    def unclosed_end(self, start: int, end: int) -> int:
        """Returns where text goes on behind the opening, from ``start`` to ``end``, of a template that is never closed.

        Its arguments go with it, up to a lone closing brace, or the end of the line, or the next template; of one that
        keeps text, up to the last of them. Without a pipe to end it, its name is one word, or a short line of its own.
        """
        rest = _UNCLOSED.match(self.text, end)
        line = rest[0] if rest else ""
        if "|" in line:
            if self.table.find(line.partition("|")[0]):
                return end + line.rindex("|") + 1
            return end + (line.index("}") + 1 if "}" in line else len(line))
        at_line_start = start == 0 or self.text[start - 1] == "\n"
        if at_line_start and len(line) <= _LONGEST_NAME:
            return end + len(line)
        word = _FIRST_WORD.match(self.text, end)
        return word.end() if word else end

    def rule_at(self, position: int) -> Rule | None:
        """Returns the rule of the template whose name starts at ``position``."""
        name = _NAME.match(self.text, position)
        return self.table.find(name[1]) if name and len(self.stack) <= self.max_nesting else None

    def close(self, start: int, end: int) -> None:
        """Closes frames with a run of closing braces, innermost first."""
        text, count = self.text, end - start
        self.take(start)
        while count >= TEMPLATE_BRACES and self.stack:
            frame = self.stack[-1]
            used = min(frame.braces, count, PARAMETER_BRACES)
            count -= used
            left = frame.braces - used
            result = self.result(frame, used)
            if left >= TEMPLATE_BRACES:
                frame.braces = left
                if frame.output is not None:
                    frame.output[:] = [result]
                continue
            self.stack.pop()
            self.output = frame.parent
            if self.output is not None:
                self.output.append("{" * left + (result or gap_after(text, frame.position)))
        if count == 1 and self.output is not None and not (self.output and self.output[-1] == GAP):
            self.output.append("}")
        self.last = end

    def result(self, frame: _Frame, used: int) -> str:
        """Returns the text of a frame that is being closed with ``used`` braces."""
        if frame.output is None:
            return ""
        content = "".join(frame.output)
        self.work.spend(len(content))
        if used == PARAMETER_BRACES:
            return content.partition("|")[2]
        rule = frame.rule or self.table.find(content.partition("|")[0])
        return rule(parse_arguments(content, self.table.language)) if rule else ""


def parse_arguments(content: str, language: str) -> Arguments:
    """Splits what stands between the braces of a template into its arguments.

    Pipes inside links do not split. Positional arguments keep their spaces, named ones lose them, as in MediaWiki.
    """
    if "[[" in content:
        content = _LINK.sub(lambda match: match[0].replace("|", _HIDDEN_PIPE), content)
    parts = content.split("|")
    values: dict[str, str] = {}
    position = 0
    for part in parts[1:]:
        name, equals, value = part.partition("=")
        key = name.strip().lower()
        if equals and 0 < len(key) <= _LONGEST_NAME and _NOT_IN_NAMES.isdisjoint(key):
            value = value.strip()
        else:
            position += 1
            key, value = str(position), part
        values[key] = value.replace(_HIDDEN_PIPE, "|")
    raw = tuple(part.replace(_HIDDEN_PIPE, "|") for part in parts)
    return Arguments(parts[0].strip(), values, language, raw)
