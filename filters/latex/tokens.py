r"""The scanner: what is a comment, what is verbatim, where a group ends. Everything by compiled patterns.

Comments go and verbatim text is set aside behind marks (control characters, which `decode` removes from every source),
so that every later pass may read the text as plain TeX. ``restore`` puts it back at the end.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

MASK_OPEN, MASK_CLOSE = "\x02", "\x03"  # around the number of a piece of verbatim text
COMMENT_END = "\x04"  # a comment stood here: TeX joins this line and the next
GROUP_END = "\x05"  # ends the scope of an environment that was expanded
KERNEL = "\x08"  # before a command that stands with the meaning it has in LaTeX, whatever the author makes of its name

# verbatim, fancyvrb, listings, minted, tcolorbox, moreverb, Sweave, asymptote: bodies TeX does not read as TeX.
VERBATIM = (
    "verbatim", "verbatim*", "Verbatim", "Verbatim*", "BVerbatim", "LVerbatim", "lstlisting", "minted", "tcblisting",
    "verbatimtab", "listing*", "boxedverbatim", "Sinput", "Soutput", "asy", "pycode", "spverbatim", "luacode",
    "luacode*",
)  # fmt: skip
# Literate Agda and Haskell: code between these in .lagda and .lhs files, whatever the preamble makes of it.
LITERATE = ("code", "spec", "hscode")
# verbatim.sty's and comment.sty's environment; a file written out by filecontents is not text of the paper.
DROPPED = ("comment", "filecontents", "filecontents*")
MAX_INLINE = 2000  # characters: an inline verbatim piece or an address never is longer
_ALLTT = "alltt"

_COMMENT_LINES = re.compile(r"(?:[ \t]*%[^\n]*(?:\n|\Z))+")
_BRACES = re.compile(r"\\.|[{}]", re.DOTALL)
_FLAT_GROUP = re.compile(r"\{[^{}\\]*\}")
_BRACKETS = re.compile(r"\\.|[{}\]]", re.DOTALL)
_FLAT_BRACKET = re.compile(r"\[[^\[\]{}\\]*\]")
_MASK = re.compile(f"{MASK_OPEN}(\\d+){MASK_CLOSE}")
_OPTIONS = re.compile(r"\s*(?:\[[^\]\n]{0,500}\])?")
_LANGUAGE = re.compile(r"\s*\{[^{}\n]{0,100}\}")
_BLANK_REST = re.compile(r"[ \t]*(?:\n|\Z)")
_JOINED = re.compile(rf"{COMMENT_END}\n[ \t]*(?=[^\s%&])")
# Where a line end does no harm: TeX reads no blank behind these, and before those.
_NO_BLANK_AFTER = re.compile(
    r"(?:\\(?:begin|end)\s*\{[^{}\n]*\}(?:\[[^\[\]\n]*\]|\{[^{}\n]*\})*|\\[A-Za-z@]+\*?|\\\\(?:\[[^\[\]\n]*\])?|\$\$)\Z"
)
_NO_BLANK_BEFORE = re.compile(
    r"\\(?:(?:begin|end|item|label|caption|centering|includegraphics|(?:sub)*section|paragraph|par|[a-z]*line|[a-z]*rule"
    r"|index|nomenclature|glossary|vspace|[a-z]*skip|[a-z]*page)(?![A-Za-z])|\\|\[)|\$\$"
)
_NEAR = 80  # characters looked at before a line end

# Declarations of environments whose body is verbatim, of environments that are comments, and of inline marks.
_NEW_VERBATIM = re.compile(
    r"\\(?:lstnewenvironment|DefineVerbatimEnvironment|newtcblisting|CustomVerbatimEnvironment|newverbatim)\s*\{(\w+\*?)\}"
    r"|\\(?:re)?newenvironment\s*\{(\w+\*?)\}\s*(?:\[[^\[\]]{0,200}\]\s*)*\{[^{}]{0,500}\\(?:verbatim|alltt|lstlisting|Verbatim)\b"
    r"|\\newminted\s*\[(\w+)\]|\\newminted\s*\{(\w+)\}"
)
_NEW_VERBATIM_WORDS = ("newenvironment", "VerbatimEnvironment", "newtcblisting", "newverbatim", "newminted")
# One of these stands in a file that declares any of it.
_DECLARING = (
    b"environment",
    b"Verbatim",
    b"verbatim}",
    b"newtcb",
    b"newminted",
    b"cludecomment",
    b"cludeversion",
    b"ShortVerb",
    b"ShortInline",
)
_NEW_COMMENT = re.compile(r"^[^%\n]*\\exclude(?:comment|version)\s*\{(\w+)\}", re.MULTILINE)
_OWN_COMMENT = re.compile(r"^[^%\n]*\\(?:(?:re)?newenvironment|includecomment)\s*\{comment\}", re.MULTILINE)
_SHORT_VERB = re.compile(
    r"^[^%\n]*\\(?:MakeShortVerb\*?|DefineShortVerb(?:\[[^\[\]]{0,200}\])?|lstMakeShortInline(?:\[[^\[\]]{0,200}\])?)\s*\{?\\([^\w\s])",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Verbatim:
    """The names by which one paper marks text that is not TeX: environments, comment environments, short marks."""

    environments: frozenset[str] = frozenset(VERBATIM)
    dropped: frozenset[str] = frozenset(DROPPED)
    short: frozenset[str] = frozenset()
    pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = sorted(self.environments | self.dropped | {_ALLTT}, key=lambda name: (-len(name), name))
        environments = "|".join(re.escape(name) for name in names)
        # The first character stands before the alternatives, so that the search runs from one candidate to the next.
        first = "%\\\\" + "".join(re.escape(char) for char in sorted(self.short))
        pattern = (
            rf"[{first}](?:(?P<comment>(?<=%))|(?=[bdhlmnpsuvV])(?:"  # the letters with which the names begin
            r"(?P<verb>(?<=\\)(?:verb|spverb)\*?(?![A-Za-z*\s]))"
            r"|(?P<inline>(?<=\\)(?:lstinline|mintinline|mint|Verb)\*?(?![A-Za-z]))"
            r"|(?P<url>(?<=\\)(?:url|href|path|nolinkurl|burl|doi)\*?[ \t]*(?=\{))"
            rf"|(?P<env>(?<=\\)begin[ \t]*\{{(?P<name>{environments})\}}))"
            r"|(?P<short>(?<![%\\])))"
        )
        object.__setattr__(self, "pattern", re.compile(pattern))


def declared_verbatim(sources: Iterable[bytes], literate: bool = False) -> Verbatim:
    """What the files of a paper declare to be verbatim or a comment, beside what everyone knows.

    Args:
        sources: the paper's files, undecided yet which is used.
        literate: whether the main file is literate Agda or Haskell.
    """
    environments, dropped, short = set(VERBATIM), set(DROPPED), set[str]()
    if literate:
        environments.update(LITERATE)
    for data in sources:
        if not any(word in data for word in _DECLARING):
            continue
        text = data.decode("latin-1")
        # What an expression cannot do without is looked for first: each looks at every command, or at every line.
        if any(word in text for word in _NEW_VERBATIM_WORDS):
            for match in _NEW_VERBATIM.finditer(text):
                name = match[1] or match[2] or match[3] or f"{match[4]}code"
                environments.add(name)
        if "\\exclude" in text:
            dropped.update(_NEW_COMMENT.findall(text))
        if "Short" in text:
            short.update(_SHORT_VERB.findall(text))
        if "{comment}" in text and _OWN_COMMENT.search(text):
            dropped.discard("comment")
    return Verbatim(frozenset(environments), frozenset(dropped), frozenset(short - set("%\\{}")))


def words(text: str) -> frozenset[str]:
    """The names in a list that is written as a line."""
    return frozenset(text.split())


def close_brace(text: str, start: int, limit: int) -> int:
    """Position after the brace that closes the one at ``start``; -1 where none does before ``limit``. Linear."""
    flat = _FLAT_GROUP.match(text, start, limit)
    if flat:
        return flat.end()
    depth = 0
    for match in _BRACES.finditer(text, start, limit):
        token = match[0]
        if token == "{":
            depth += 1
        elif token == "}":
            depth -= 1
            if depth == 0:
                return match.end()
    return -1


def close_bracket(text: str, start: int, limit: int) -> int:
    """Position after the ``]`` that closes the ``[`` at ``start``, braces shielding it; -1 where none does."""
    flat = _FLAT_BRACKET.match(text, start, limit)
    if flat:
        return flat.end()
    depth = 0
    for match in _BRACKETS.finditer(text, start + 1, limit):
        token = match[0]
        if token == "{":
            depth += 1
        elif token == "}":
            depth -= 1
            if depth < 0:
                return -1
        elif token == "]" and depth == 0:
            return match.end()
    return -1


def join_comment_lines(text: str) -> str:
    r"""The text without the line ends that comments swallow, where they would show: ``wo%`` and ``rds`` are one word.

    A line end stays where TeX reads no blank from it, or where one does no harm: after a control word, ``\\`` or the
    beginning or end of an environment, before a command that begins a part, and between paragraphs.
    """
    if COMMENT_END not in text:
        return text
    return _JOINED.sub(_joined, text).replace(COMMENT_END, "")


def _joined(match: re.Match[str]) -> str:
    text, start = match.string, match.start()
    before = text[max(0, start - _NEAR) : start]
    if not before or before[-1].isspace() or _NO_BLANK_BEFORE.match(text, match.end()):
        return match[0]
    return match[0] if _NO_BLANK_AFTER.search(before) else ""


def restore(text: str, store: list[str]) -> str:
    """Put the pieces that a `Masker` set aside back where their marks stand."""
    return _MASK.sub(lambda match: store[int(match[1])] if int(match[1]) < len(store) else "", text)


class Masker:
    """Takes comments out of texts and sets verbatim pieces aside in ``store``, one store for all files of a paper."""

    def __init__(self, verbatim: Verbatim) -> None:
        self.verbatim = verbatim
        self.store: list[str] = []

    def clean(self, text: str) -> str:
        r"""The text without comments, verbatim pieces masked.

        ``%`` starts a comment unless an odd number of backslashes stands before it. A line that holds a comment and
        nothing else goes whole; elsewhere what stands before the ``%`` stays, and `COMMENT_END` marks the line's end.
        """
        out: list[str] = []
        last = position = 0
        missing: set[str] = set()
        search = self.verbatim.pattern.search
        while match := search(text, position):
            start = match.start()
            if _escaped(text, start):
                position = start + 1
                continue
            kind = match.lastgroup
            if kind == "comment":
                keep, resume, mark = _comment(text, last, start)
            else:
                keep, resume, mark = self._piece(text, match, missing)
            if resume > start:
                out += (text[last:keep], mark)
                last = resume
            position = max(resume, match.end() if resume <= start else resume)
        out.append(text[last:])
        return "".join(out)

    def _piece(self, text: str, match: re.Match[str], missing: set[str]) -> tuple[int, int, str]:
        """(where the text before ends, where to go on, what stands instead); ``start`` as the second: nothing found."""
        start, end = match.span()
        kind = match.lastgroup
        if match["name"] is not None:
            return self._environment(text, match, missing)
        if kind == "url":
            line = text[end : end + MAX_INLINE].partition("\n")[0]
            stop = close_brace(text, end, end + len(line)) if "%" in line else -1
            if stop < 0 or "%" not in text[end:stop]:
                return start, start, ""
            return end, stop, self._mask(text[end:stop])
        if kind == "inline":
            end = _OPTIONS.match(text, end).end()  # type: ignore[union-attr]  # matches the empty string
            language = _LANGUAGE.match(text, end) if "mint" in match[0] else None
            end = language.end() if language else end
        stop = _delimited(text, start if kind == "short" else end)
        return (start, start, "") if stop < 0 else (start, stop, self._mask(text[start:stop]))

    def _environment(self, text: str, match: re.Match[str], missing: set[str]) -> tuple[int, int, str]:
        start, end = match.span()
        name = match["name"]
        closing = f"\\end{{{name}}}"
        stop = -1 if name in missing else text.find(closing, end)
        if stop < 0:  # once not found, never found further on: looked for once only
            missing.add(name)
            return start, start, ""
        stop += len(closing)
        if name in self.verbatim.dropped:
            line = text.rfind("\n", 0, start) + 1
            rest = _BLANK_REST.match(text, stop)
            return (start, rest.end(), "") if rest and not text[line:start].strip() else (start, stop, "")
        if name == _ALLTT:  # macros work in it, but a percent sign is one
            return start, stop, "".join(self._mask("%") if c == "%" else c for c in text[start:stop])
        return start, stop, self._mask(text[start:stop])

    def _mask(self, piece: str) -> str:
        self.store.append(piece)
        return f"{MASK_OPEN}{len(self.store) - 1}{MASK_CLOSE}"


def _escaped(text: str, start: int) -> bool:
    count = 0
    while count < start and text[start - count - 1] == "\\":
        count += 1
    return count % 2 == 1


def _comment(text: str, last: int, start: int) -> tuple[int, int, str]:
    line = text.rfind("\n", last, start) + 1
    if line == 0:  # no line end since the last piece: the line began before it, or the text begins here
        line = last
        whole = (last == 0 or text[last - 1] == "\n") and not text[last:start].strip(" \t")
    else:
        whole = not text[line:start].strip(" \t")
    if whole:
        run = _COMMENT_LINES.match(text, line)
        return line, run.end() if run else start + 1, ""
    end = text.find("\n", start)
    return start, (len(text) if end < 0 else end), COMMENT_END


def _delimited(text: str, start: int) -> int:
    """End of a ``|...|`` or ``{...}`` piece on one line that starts at ``start``; -1 for none."""
    if start >= len(text) or text[start].isspace() or text[start].isalnum():
        return -1
    if text[start] == "{":
        return close_brace(text, start, start + MAX_INLINE)
    end = text.find(text[start], start + 1, start + MAX_INLINE)
    return -1 if end < 0 or "\n" in text[start:end] else end + 1
