r"""The expander: reads a paper as TeX's gullet does and writes its text with the author's macros expanded.

It knows groups and replacement texts, and is handed the commands that it carries out (`commands`): those that define,
that decide, that bring files in. All other commands are written as they stand. What it does otherwise than TeX, so that
the result reads well:

- Blanks after a use are kept: ``\foo bar`` gives ``text bar``. TeX would swallow them, which authors see and mend.
- ``\foo{}`` drops the empty group; a blank is put where a control word and a letter would fuse; braces are put around a
  replacement that stands as an unbraced argument (``\frac\half x``).
- A use that cannot be expanded (endless, too large, its arguments missing) stays as it is, and is counted.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from filters.latex.assemble import Files
from filters.latex.classes import LATEX_MAIN
from filters.latex.landing import ENDS_IN_WORD, as_argument
from filters.latex.limits import Limits
from filters.latex.macros import Macro, read_arguments
from filters.latex.reader import BLANKS, LINE_REST, TOKEN, TOKEN_AT, Frame, Reader
from filters.latex.scopes import Meaning, Primitive, Scopes
from filters.latex.tokens import GROUP_END, KERNEL
from filters.latex.vocabulary import LATEX, PACKAGES, STRUCTURE, TEX

BRACE = Primitive("{")
_COST = 20  # characters that an expansion counts for, whatever it makes: so that empty ones are bounded too
_TURN = 1000  # the same for a turn of a loop that \\expandafter makes: 1,000 turns, where an alphabet has 52
_TAIL = 80  # characters of output looked at to see where an expansion lands

_XSPACE = re.compile(r"(?:\\xspace\s*)+\Z")


@dataclass(slots=True)
class _Base:
    """Where the outermost expansion began, to return to when it proves endless."""

    macro: Macro
    index: int
    frame: Frame
    start: int
    written: int
    conditions: int
    groups: int


class Expander:
    """One paper's expansion. ``run`` may be called once.

    Attributes:
        latex: whether the paper is LaTeX; in plain TeX the names of LaTeX are not defined.
        preamble: whether a preamble is being read, which leaves no text.
        out: the text written so far, in pieces.
        counters: definitions, expansions, and every reason for which a use stayed.
        defined: names that the author defined.
        unread: names whose definition could not be read, or was not the author's to expand.
        declared: names that the author gave to registers, counters, fonts and theorems.
        packages: packages and classes that are loaded.
        programs: those of the defined that are programs, or call one: their uses stay, rather than parts of programs.
        flags: truth of the conditionals and toggles that the author made.
        numbers: values of registers and counters (``c@name``); ``reckoned``: those of them that are known no more.
        conditions: one entry per open conditional: None where it was decided here (its ``\\fi`` goes), else the files
            that its branches have read.
        at_begin: code that waits for the document's beginning, and whether ``@`` is a letter in it.
    """

    def __init__(
        self, files: Files, limits: Limits, commands: Mapping[str | None, Primitive], latex: bool = True
    ) -> None:
        self.files = files
        self.limits = limits
        self.latex = latex
        self.reader = Reader()
        self.frames = self.reader.frames
        self.commands = commands
        self.scopes = Scopes({None: BRACE, **commands})
        self.out: list[str] = []
        self.counters: Counter[str] = Counter()
        self.defined: set[str] = set()
        self.unread: set[str] = set()
        self.declared: set[str] = set()
        self.packages: set[str] = set()
        self.programs: set[str] = set()  # names whose meaning is, or calls, a program (`macros.PROGRAMMING`)
        self.endless: set[tuple[str | int, ...]] = set()  # replacement texts that are banned, whoever defines them anew
        self.flags: dict[str, bool] = {}
        self.numbers: dict[str, int] = {"pdfoutput": 1, "c@secnumdepth": 3, "c@tocdepth": 3}
        self.reckoned: set[str] = set()
        self.conditions: list[set[str] | None] = []
        self.at_begin: list[tuple[str, bool]] = []
        self.unless = False  # an \\unless waits for its conditional
        self.everywhere = False  # a \global prefix waits for its definition
        self.long = False  # so does a \long
        self.preamble = self.in_document = False
        self.before = ""  # what is left of the preamble
        self.joined = False  # the output ends with an expansion: what comes next must not fuse with it
        self.start = 0  # of the token being carried out
        self.read = 0  # characters of the files read
        self.grown = self.budget = 0  # characters that expansions made, and may make
        self._spent = 0
        self._base: _Base | None = None
        self._nested = 0

    def run(self, path: str) -> str:
        """The text of the paper whose main file is ``path``: from ``\\begin{document}``, where there is one."""
        text = self.files.text(path)
        self.preamble = bool(LATEX_MAIN.search(text))
        self.push_file(text, path)
        self._loop(0)
        return "".join(self.out)

    def push_file(self, text: str, path: str) -> None:
        """Read a file next."""
        limits = self.limits
        self.read += len(text)
        self.budget = limits.growth * self.read + limits.slack
        self.reader.budget = limits.work * self.read + limits.slack
        self._base = None
        self.joined = True
        self.frames.append(Frame(text, 0, path.endswith((".sty", ".cls")), path))

    def push(self, text: str, nested: bool = False, at_letter: bool | None = None) -> None:
        """Read ``text``, an argument of a command carried out here, next; ``nested``: within the use at work.

        ``at_letter``: whether ``@`` is a letter in it, where what follows has been looked at; None: as where one reads.
        """
        frame = self.reader.settle() if nested else self.frames[-1]
        self._spent = self._spent + _TURN if nested else self._spent * bool(frame.depth)
        self.frames.append(Frame(text, frame.depth + 1, frame.at_letter if at_letter is None else at_letter))

    def expand(self, text: str) -> str:
        """``text`` with the macros in it expanded now (for ``\\edef`` and file names)."""
        if self._nested > 3 or "\\" not in text:
            return text
        saved, self.out = self.out, []
        base, self._base, self.joined = self._base, None, False
        self._nested += 1
        floor = len(self.frames)
        self.push(text)
        self._loop(floor)
        self._nested -= 1
        self._base = base
        saved, self.out = self.out, saved
        return "".join(saved).replace(KERNEL, "")

    def stop(self) -> None:
        """The paper ends here, be it in a name that is put together: what reads on finds an empty text."""
        self.frames[:] = [Frame("")]

    def call(self, name: str) -> None:
        """Carry out the command of this name, as if it stood here."""
        meaning = self.scopes.meanings.get(name)
        if meaning is None:
            self.write(name)
        else:
            self._carry_out(meaning, f"\\{name}", self.frames[-1])

    def write(self, name: str) -> None:
        """Write a command as it stands; what comes next must not become part of its name."""
        self.out.append(f"\\{name}")
        self.joined = True

    def marked(self) -> Reader:
        """The reader of a command's arguments, which `put_back` returns to this place."""
        self.reader.mark()
        return self.reader

    def put_back(self, name: str) -> None:
        """Write a command as it stands, because its arguments are not there: what was read of them comes next."""
        self.reader.reset()
        self.write(name)

    def begin_document(self) -> None:
        """The preamble is read: its text goes, its definitions stay, and the code that waits for this place is next."""
        self.before = "".join(self.out)
        # What a group of the preamble alone made of a known name is not the document's.
        self.defined = {name for name in self.defined if name in self.scopes.meanings or not self.is_known(name)}
        self.in_document, self.preamble = True, False
        self.out.clear()
        self.scopes.begin_document()
        for code, at_letter in reversed(self.at_begin):
            self.frames.append(Frame(code, self.frames[-1].depth + 1, at_letter))
        self.at_begin.clear()

    def is_conditional(self, name: str) -> bool:
        """Whether a name begins a conditional that ends with ``\\fi``."""
        meaning = self.scopes.meanings.get(name)
        return isinstance(meaning, Primitive) and meaning.conditional

    def is_known(self, name: str) -> bool:
        """Whether TeX, LaTeX or a package gives a name a meaning."""
        return name in TEX or name in LATEX or name in STRUCTURE or name in PACKAGES

    def is_defined(self, name: str) -> bool:
        """Whether a name has a meaning for TeX here: the author's, or one that it has before a paper begins."""
        meaning = self.scopes.meanings.get(name)
        if name in self.defined:
            return meaning is not None
        if name in TEX or name in self.declared or (meaning is not None and name not in self.commands):
            return True
        if name in PACKAGES:
            return not self.packages.isdisjoint(PACKAGES[name])
        return self.latex and (name in LATEX or name in STRUCTURE or meaning is not None)

    def plain_text(self, name: str) -> str | None:
        """The replacement text of a macro without parameters, if it holds no command; None for all else."""
        meaning = self.scopes.meanings.get(name)
        if not isinstance(meaning, Macro) or meaning.parameters or len(meaning.pieces) != 1:
            return None
        text = str(meaning.pieces[0])
        return text if "\\" not in text and "{" not in text else None

    def abandon(self) -> bool:
        """Leave the outermost use that is being expanded as it is, from now on; False outside of any."""
        self.unless = False
        base = self._base
        if base is None or not self.frames[-1].depth or base.macro.banned:
            return False
        self._cut(base.macro, "", "growth")
        return True

    def exhausted(self) -> bool:
        """Whether the paper has used up its growth or its work; nothing is expanded any more."""
        return self.grown > self.budget or self.reader.work > self.reader.budget

    def tail(self) -> str:
        """The last characters written."""
        out = self.out
        text = out[-1][-_TAIL:] if out else ""
        if len(text) < _TAIL:
            for piece in out[-2:-5:-1]:
                text = piece[-_TAIL:] + text
                if len(text) >= _TAIL:
                    break
        return text

    def drop_line(self) -> bool:
        """After something that leaves no text: if it stood alone on its line, the line goes. Whether it did."""
        tail = self.tail()
        line = tail[tail.rfind("\n") + 1 :]
        if not self.frames:
            return False
        frame = self.frames[-1]
        if frame.depth and line[-1:] in (" ", "\t"):  # within a replacement text, blanks before and after are one
            self.skip_blanks()
        if line.strip(" \t") or (len(line) == len(tail) and len(tail) >= _TAIL):
            return False
        rest = LINE_REST.match(frame.text, frame.pos)
        if not rest:
            return False
        frame.pos = rest.end()
        if line and self.out[-1].endswith(line):
            self.out[-1] = self.out[-1][: -len(line)]
        return True

    def skip_blanks(self) -> None:
        """Skip the blanks that come next."""
        frame = self.frames[-1]
        frame.pos = BLANKS.match(frame.text, frame.pos).end()  # type: ignore[union-attr]  # matches the empty string

    def use(self, macro: Macro, token: str) -> None:
        """Expand a use of ``macro``, written ``token``; it stays where it cannot be expanded."""
        depth = self.frames[-1].depth + 1
        if macro.banned or self.exhausted():
            self._leave(token, "banned" if macro.banned else "budget")
            return
        if depth == 1:
            self._spent = 0
            self._base = _Base(
                macro,
                len(self.frames) - 1,
                self.frames[-1],
                self.start,
                len(self.out),
                len(self.conditions),
                len(self.scopes.groups),
            )
        if depth > self.limits.depth:
            self._cut(macro, token, "recursion")
            return
        if macro.internal and not all(map(self._works, macro.internal)):
            self._leave(token, "internal")
            return
        arguments: list[str] = []
        if macro.parameters:
            found = read_arguments(self.reader, macro)
            if found is None:
                self._leave(token, "arguments")
                return
            arguments = found
        body = macro.substitute(arguments)
        self._spent += len(body) + _COST
        if self._spent > self.limits.use:
            self._cut(macro, token, "growth")
            return
        self.grown += len(body) + _COST
        self.counters["expanded"] += 1
        active = bool(arguments) and any("\\" in a or "}" in a for a in arguments)
        self._deliver(macro, body, depth, active)

    def _works(self, name: str) -> bool:
        meaning = self.scopes.meanings.get(name)
        return meaning is not None and not (isinstance(meaning, Macro) and meaning.banned)

    def _loop(self, floor: int) -> None:
        frames = self.frames
        while len(frames) > floor:
            self._scan(frames[-1])

    def _scan(self, frame: Frame) -> None:
        """Write the frame's text up to the next token that means something, and carry that out."""
        text, last, out, groups = frame.text, frame.pos, self.out, self.scopes.groups
        if self.joined and last < len(text):
            self.joined = False
            if text[last].isalpha() and ENDS_IN_WORD.search(self.tail()):
                out.append(" ")
        get = self.scopes.meanings.get
        for match in (TOKEN_AT if frame.at_letter else TOKEN).finditer(text, last):
            meaning = get(match[1])
            if meaning is None:
                continue
            token = match[0]
            if meaning is BRACE and token != GROUP_END:
                if token == "{":
                    groups.append(None)
                elif groups and groups[-1] is None:
                    groups.pop()
                else:
                    self.scopes.close()
                continue
            self.start = match.start()
            if self.start > last:
                out.append(text[last : self.start])
            frame.pos = match.end()
            self._carry_out(meaning, token, frame)
            return
        if last < len(text):
            out.append(text[last:])
        self.frames.pop()
        self.joined = True

    def _carry_out(self, meaning: Meaning, token: str, frame: Frame) -> None:
        if not frame.depth:
            self._base = None
        if isinstance(meaning, Macro):
            self.use(meaning, token)
        elif meaning.handler:
            meaning.handler(self, meaning.name)
        elif meaning is BRACE:
            self.scopes.close_expanded()
            self.reader.settle()
            self.drop_line()
        else:
            self.out.append(f"{KERNEL}\\{meaning.name}")
            self.joined = True

    def _deliver(self, macro: Macro, body: str, depth: int, active: bool) -> None:
        if not macro.parameters or macro.parameters[-1].word_end:
            body = self._without_group(body)
        if not body.strip() and (self.drop_line() or not body):
            return
        tail = self.tail()
        if as_argument(tail, body):
            body = f"{{{body}}}"
        elif body[0].isalpha() and ENDS_IN_WORD.search(tail):
            self.out.append(" ")
        if macro.checked != self.scopes.version:
            macro.checked = self.scopes.version
            macro.plain = GROUP_END not in body and macro.calls.isdisjoint(self.scopes.meanings.keys())
        if macro.plain and not active:
            self.out.append(body)
            self.joined = True
        else:
            self.frames.append(Frame(body, depth, macro.at_letter))
            self.joined = True

    def _without_group(self, body: str) -> str:
        """Skip the ``{}`` of ``\\foo{}`` where it only ends the name."""
        frame = self.frames[-1]
        after = frame.text[frame.pos : frame.pos + 3]
        if not after.startswith("{}") or after[2:] in ("^", "_"):
            return body
        bare = _XSPACE.sub("", body)
        if after[2:].isalpha() and ENDS_IN_WORD.search(bare):
            return body
        frame.pos += 2
        return bare

    def _leave(self, token: str, reason: str) -> None:
        self.counters[reason] += 1
        self.out.append(token)
        self.joined = True

    def _cut(self, macro: Macro, token: str, reason: str) -> None:
        """Ban a macro that does not end, and begin the outermost expansion again without it."""
        base = self._base
        found = base is not None and base.index < len(self.frames) and self.frames[base.index] is base.frame
        if base is None or not found:
            macro.banned = True
            self.endless.add(macro.pieces)
            self._leave(token, reason)
            return
        # An endless chain is the fault of its last link; too much text is the fault of the use it came from.
        culprit = base.macro if reason == "growth" else macro
        culprit.banned = True
        self.endless.add(culprit.pieces)
        self.counters[reason] += 1
        del self.frames[base.index + 1 :]
        del self.out[base.written :]
        del self.conditions[base.conditions :]
        self.scopes.unwind(base.groups)
        base.frame.pos = base.start
        self._base = None
