r"""A paper's files to its text: the whole of the cleaning, file bytes in, one text and a report out.

LLaMA section 2.1, "ArXiv": everything before the first section removed, as well as the bibliography; comments from the
.tex files removed; definitions and macros written by users expanded inline.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from filters.latex.assemble import Files, find_main
from filters.latex.definitions import STRUCTURE
from filters.latex.expand import Expander, Limits
from filters.latex.mathmode import resolve_math_mode
from filters.latex.sections import cut_references, find_start
from filters.latex.title import find_title
from filters.latex.tokens import COMMENT_END, GROUP_END, restore

AFTER_BIBLIOGRAPHY = ("drop_appendix", "keep", "drop")

_CONTROL = re.compile(r"\\([A-Za-z]+)")
_BLANK_LINES = re.compile(r"\n{3,}")
_LATEX = re.compile(r"\\document(?:class|style)(?![A-Za-z])|\\begin\s*\{document\}")


@dataclass(frozen=True)
class LatexOptions:
    """What the paper leaves open.

    Attributes:
        after_bibliography: what becomes of the text behind the bibliography: "drop_appendix" (kept, up to an appendix),
            "keep" (kept whole) or "drop" (all from the bibliography or the appendix on goes, as RedPajama does).
        limits: what stops macros that never end.
    """

    after_bibliography: str = "drop_appendix"
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.after_bibliography not in AFTER_BIBLIOGRAPHY:
            raise ValueError(
                f"after_bibliography: {self.after_bibliography!r} is not one of {', '.join(AFTER_BIBLIOGRAPHY)}"
            )


@dataclass(frozen=True)
class CleanPaper:
    """A paper's text and how it came about.

    Attributes:
        text: the paper, LaTeX still, from ``started_at`` on.
        title: its title, as LaTeX; None where it has none.
        main_file: path of the main file.
        main_rule: the rule by which it was chosen.
        included: paths of all files read, the main one first.
        started_at: "section", "heading", "abstract", "maketitle" or "document" (see `sections.find_start`).
        encoding: encoding of the main file.
        macros_defined: names that the author defined.
        macros_expanded: uses expanded.
        macros_left: uses of the author's macros that still stand in the text, verbatim text aside.
        counters: reasons for which uses stayed, inputs that were missing, pieces of bibliography, and so on.
    """

    text: str
    title: str | None
    main_file: str
    main_rule: str
    included: tuple[str, ...]
    started_at: str
    encoding: str
    macros_defined: int
    macros_expanded: int
    macros_left: int
    counters: Mapping[str, int]


@dataclass(frozen=True)
class Reject:
    """A submission without a text: "empty", "withdrawn", "pdf", "postscript", "html", "binary", "no_tex", "no_text"."""

    reason: str


def clean_paper(files: Mapping[str, bytes], options: LatexOptions | None = None) -> CleanPaper | Reject:
    """Clean one submission.

    Args:
        files: path in the submission to bytes. Sizes are the caller's to cap; work and memory are linear in them.
        options: what the paper leaves open.
    """
    options = options or LatexOptions()
    main, rule = find_main(files)
    if not main:
        return Reject(rule)
    sources = Files(files, main)
    expander = Expander(sources, options.limits)
    body = expander.run(sources.main)
    body = body.replace(COMMENT_END, "").replace(GROUP_END, "")
    latex = bool(_LATEX.search(sources.text(sources.main)))
    start, started_at = find_start(body, latex)
    body, references = cut_references(body[start:], options.after_bibliography)
    body = resolve_math_mode(body)
    left = _left(body, expander)
    text = tidy(restore(body, sources.masker.store))
    if not text:
        return Reject("no_text")
    counters = {**expander.counters, "references": references}
    return CleanPaper(
        text=text,
        title=_title(sources, expander),
        main_file=sources.main,
        main_rule=rule,
        included=tuple(sources.read),
        started_at=started_at,
        encoding=sources.encoding,
        macros_defined=len(expander.defined),
        macros_expanded=counters.get("expanded", 0),
        macros_left=left,
        counters=counters,
    )


def _title(sources: Files, expander: Expander) -> str | None:
    """The title, with the author's macros expanded as they were at the paper's end."""
    title = find_title(map(sources.text, tuple(sources.read)))
    if title is None or "\\" not in title:
        return title
    expander.push_file("", sources.main)
    return " ".join(expander.expand(title).replace(GROUP_END, "").split()) or None


def tidy(text: str) -> str:
    """Lines without trailing blanks, at most one empty line in a row, one line end at the end."""
    lines = [line.rstrip(" \t") for line in text.split("\n")]
    text = _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip("\n")
    return f"{text}\n" if text else ""


def _left(text: str, expander: Expander) -> int:
    r"""Uses of the author's macros in the text; names that mean the kernel's command where they stand do not count."""
    names = {name for name in expander.defined if name not in STRUCTURE} - expander.kernel
    return sum(name in names for name in _CONTROL.findall(text))
