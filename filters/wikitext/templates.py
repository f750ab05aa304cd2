"""Second pass: templates. Those of a stated table keep their text, all others go.

Braces are matched as MediaWiki's preprocessor matches them (``Preprocessor_Hash``): a stack of openings, each closed
by the next closing run, innermost first. Every brace is looked at once; a page with openings that are never closed is
passed a second time, with those taken for text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from filters.wikitext.expansion import Definitions
from filters.wikitext.expansion.tree import Nodes
from filters.wikitext.glued import glued_number
from filters.wikitext.marks import GAP, LINK_PIPE, PIPE, gap_after
from filters.wikitext.rules import Arguments, Rule
from filters.wikitext.template_table import TemplateTable
from filters.wikitext.usage import Prose, TemplateUses
from filters.wikitext.work import Work

_RUN = re.compile(r"\{+|\}+")
# What follows the two braces of a template that is closed by two, and holds no braces, or only those of such templates.
_SIMPLE = re.compile(r"[^{}]*\}\}(?!\})")
_WHOLE = re.compile(r"[^{}]*(?:\{\{(?!\{)[^{}]*\}\}(?!\})[^{}]*)*\}\}(?!\})")
_NAME = re.compile(r"\s*([^|{}\n]*)")
_FIRST_WORD = re.compile(r"[ \t]*[^\s|{}]*")
_UNCLOSED = re.compile(r"[^{}\n]*(?:[{}](?![{}])[^{}\n]*)*")  # the rest of a line, up to the next run of braces
_LINK_OR_PIPE = re.compile(r"\[\[|\]\]|\|")
_NOT_IN_NAMES = frozenset("[]<>{}\n")  # an equals sign after one of these belongs to a link or to text
_LONGEST_NAME = 60
_BLANK = " \t\n" + GAP

PARAMETER_BRACES = 3  # {{{name|default}}}
TEMPLATE_BRACES = 2
# Steps of expansions that a page may take; with them used up, templates without a rule leave no text again.
PAGE_STEPS = 50_000
CHARACTERS_PER_STEP = 2


@dataclass(slots=True)
class _Frame:
    """An opening run of braces that waits for its closing run."""

    position: int
    braces: int
    rule: Rule | None
    parent: list[str] | None
    output: list[str] | None
    definition: Nodes | None  # of a template without a rule


def expand_templates(
    text: str,
    table: TemplateTable,
    work: Work,
    max_nesting: int,
    title: str = "",
    uses: TemplateUses | None = None,
    definitions: Definitions | None = None,
) -> str:
    """Replaces templates, parser functions and parameters by the text they keep.

    Args:
        text: wikitext without tags.
        table: the templates that keep text.
        work: is charged for each character of each argument list.
        max_nesting: templates that are nested deeper leave no text.
        title: the page's.
        uses: counts the templates inside prose, where given.
        definitions: expand the templates inside prose that have no rule, where given.

    Returns:
        The text without ``{{`` and ``}}``. Of a closing that has no partner only the braces are removed; of an opening,
        the name of the template so cut off, and what shows itself as its arguments.
    """
    if "{{" not in text and "}}" not in text:
        return text
    page = Page(title, uses, definitions)
    expansion = _Expansion(text, table, work, max_nesting, frozenset(), page)
    result = expansion.run()
    if expansion.stack:
        literal = frozenset(frame.position for frame in expansion.stack)
        result = _Expansion(text, table, work, max_nesting, literal, page).run()
    return result.replace(PIPE, "|") if PIPE in result else result


@dataclass(frozen=True)
class Page:
    """What a pass knows besides the text: the page's title, where uses are counted, and the definitions there are."""

    title: str = ""
    uses: TemplateUses | None = None
    definitions: Definitions | None = None


class _Expansion:
    """One pass over the braces of one page."""

    def __init__(
        self, text: str, table: TemplateTable, work: Work, max_nesting: int, literal: frozenset[int], page: Page
    ) -> None:
        self.text = text
        self.prose = Prose(text)
        self.table = table
        self.work = work
        self.max_nesting = max_nesting
        self.literal = literal
        self.page = page
        self.steps = PAGE_STEPS + len(text) // CHARACTERS_PER_STEP
        self.stack: list[_Frame] = []
        self.output: list[str] | None = []
        self.last = 0

    def run(self) -> str:
        """Returns the text without templates. Frames that stay on the stack were never closed."""
        text, out = self.text, self.output
        self.work.spend(len(text))
        opening, closing = text.find("{{"), text.find("}}")  # of the next runs; an expression finds them far slower
        while opening >= 0 or closing >= 0:
            is_opening = closing < 0 or 0 <= opening < closing
            start = opening if is_opening else closing
            run = _RUN.match(text, start)
            assert run is not None
            end = run.end()
            if is_opening:
                end = self.open(start, end)
            elif self.stack:
                self.close(start, end)
            else:
                self.take(start)
                self.last = end
            if 0 <= opening < end:
                opening = text.find("{{", end)
            if 0 <= closing < end:
                closing = text.find("}}", end)
        if self.stack:
            return ""  # the caller passes again
        self.take(len(text))
        return "".join(out or ())

    def take(self, end: int) -> None:
        """Copies the text since the last brace, if what it stands in leaves text."""
        if self.output is not None and self.last < end:
            self.output.append(self.text[self.last : end])

    def open(self, start: int, end: int) -> int:
        """Opens a frame; in a template that leaves no text nothing is collected, nor are frames opened without need.

        Returns:
            Where the search for braces goes on.
        """
        if self.output is None:
            self.last = end
            if end - start == TEMPLATE_BRACES and (simple := _SIMPLE.match(self.text, end)):
                self.last = simple.end()
            else:
                self.stack.append(_Frame(start, end - start, None, None, None, None))
            return self.last
        self.take(start)
        self.last = end
        if start in self.literal:
            self.last = self.unclosed_end(start, end)
            return end
        rule, definition, is_kept = None, None, True
        if end - start == TEMPLATE_BRACES:
            rule, definition = self.found(end)
            is_kept = bool(definition) if rule is None else rule is not self.table.silent
            if not is_kept and not self.page.uses and (whole := _WHOLE.match(self.text, end)):
                is_number = rule is None and definition is None
                result = glued_number(self.text, start, whole.end()) if is_number else ""
                self.output.append(result or gap_after(self.text, start))
                self.last = whole.end()
                return self.last
        self.stack.append(_Frame(start, end - start, rule, self.output, [] if is_kept else None, definition))
        self.output = self.stack[-1].output
        return end

    def unclosed_end(self, start: int, end: int) -> int:
        """Returns where text goes on behind the opening, from ``start`` to ``end``, of a template that is never closed.

        Its arguments go with it, up to a lone closing brace, or the end of the line, or the next template; of one that
        keeps text, up to the last of them. Without a pipe to end it, its name is one word, or a short line of its own.
        """
        rest = _UNCLOSED.match(self.text, end)
        line = rest[0] if rest else ""
        if "|" in line:
            rule = self.table.find(line.partition("|")[0])
            if rule is not None and rule is not self.table.silent:
                return end + line.rindex("|") + 1
            return end + (line.index("}") + 1 if "}" in line else len(line))
        at_line_start = start == 0 or self.text[start - 1] == "\n"
        if at_line_start and len(line) <= _LONGEST_NAME:
            return end + len(line)
        word = _FIRST_WORD.match(self.text, end)
        return word.end() if word else end

    def found(self, position: int) -> tuple[Rule | None, Nodes | None]:
        """Returns the rule of the template whose name starts at ``position``, or else its definition."""
        name = _NAME.match(self.text, position)
        if name is None or len(self.stack) >= self.max_nesting:
            return None, None
        rule, definitions = self.table.find(name[1]), self.page.definitions
        if rule is not None or definitions is None or not definitions.has(name[1]):
            return rule, None
        definition = definitions.nodes(name[1])
        return None if definition else self.table.silent, definition  # the rule is that of a box

    def close(self, start: int, end: int) -> None:
        """Closes frames with a run of closing braces, innermost first."""
        text, count = self.text, end - start
        self.take(start)
        while count >= TEMPLATE_BRACES and self.stack:
            frame = self.stack[-1]
            used = min(frame.braces, count, PARAMETER_BRACES)
            count -= used
            left = frame.braces - used
            result = self.result(frame, used, end - count)
            if used == TEMPLATE_BRACES and frame.parent is not None and frame.rule is None and frame.definition is None:
                result = result or glued_number(text, frame.position + left, end - count)
            if self.page.uses and used == TEMPLATE_BRACES and frame.parent is not None:
                self.count(self.page.uses, frame, end - count)
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

    def count(self, uses: TemplateUses, frame: _Frame, end: int) -> None:
        """Counts a template that stands where text is kept, by its name as it was written."""
        start = frame.position + frame.braces - TEMPLATE_BRACES
        name = _NAME.match(self.text, start + TEMPLATE_BRACES)
        shown = name[1].strip()[:_LONGEST_NAME] if name else ""
        if shown:
            is_known = frame.rule is not None or frame.definition is not None
            uses.note(self.prose, start, end, shown, is_known)

    def result(self, frame: _Frame, used: int, end: int) -> str:
        """Returns the text of a frame that is being closed with ``used`` braces, of which the last ends at ``end``."""
        if frame.output is None:
            return ""
        content = "".join(frame.output)
        self.work.spend(len(content))
        if used == PARAMETER_BRACES:
            return content.partition("|")[2]
        rule = frame.rule or self.table.find(content.partition("|")[0])
        if rule is None and frame.definition is None:
            return ""
        start = frame.position + frame.braces - used
        arguments = parse_arguments(content, self.table.language, self.text, start, end, self.page.title)
        return rule(arguments) if rule else self.expanded(frame, arguments)

    def expanded(self, frame: _Frame, arguments: Arguments) -> str:
        """Returns what a template without a rule gives by its definition, where it stands inside prose."""
        definitions = self.page.definitions
        is_inside = self.prose.holds(arguments.start, arguments.end)
        if definitions is None or frame.definition is None or not is_inside or self.steps <= 0:
            return ""
        text, steps = definitions.expand(frame.definition, arguments, self.table)
        self.steps -= steps
        if text is None:
            frame.definition = None  # it counts as unknown
        return text or ""


def parse_arguments(
    content: str, language: str, page: str = "", start: int = 0, end: int = 0, title: str = ""
) -> Arguments:
    """Splits what stands between the braces of a template into its arguments.

    Pipes inside links do not split. Positional arguments keep their spaces, named ones lose them, as in MediaWiki.

    Args:
        content: what stands between the braces.
        language: code of the edition.
        page: the text that the call stands in, from ``start`` to ``end``.
        start: where in it the call begins.
        end: where in it the text goes on.
        title: the title of the page.
    """
    has_links = "[[" in content
    parts = (_hide_pipes(content) if has_links else content).split("|")
    values: dict[str, str] = {}
    position = 0
    for part in parts[1:]:
        name, equals, value = part.partition("=")
        key = name.strip(_BLANK).lower()
        if equals and 0 < len(key) <= _LONGEST_NAME and _NOT_IN_NAMES.isdisjoint(key):
            value = value.strip()
        else:
            position += 1
            key, value = str(position), part
        values[key] = value.replace(LINK_PIPE, "|") if has_links else value
    if has_links:
        parts = [part.replace(LINK_PIPE, "|") for part in parts]
    return Arguments(parts[0].strip(), values, language, tuple(parts), page, start, end, title)


def _hide_pipes(content: str) -> str:
    """Replaces the pipes X what is not closed is no link."""
    pipes: list[int] = []  # those that no link holds so far
    openings: list[int] = []  # for each open link how many of them stand before it
    hidden: list[int] = []
    for match in _LINK_OR_PIPE.finditer(content):
        if match[0] == "|":
            pipes.append(match.start())
        elif match[0] == "[[":
            openings.append(len(pipes))
        elif openings:
            first = openings.pop()
            hidden += pipes[first:]
            del pipes[first:]
    if not hidden:
        return content
    characters = list(content)
    for place in hidden:
        characters[place] = LINK_PIPE
    return "".join(characters)
