r"""A paper's files to its text: the whole of the cleaning, file bytes in, one text and a report out.

LLaMA section 2.1, "ArXiv": everything before the first section removed, as well as the bibliography; comments from the
.tex files removed; definitions and macros written by users expanded inline.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from filters.latex.assemble import Files, find_main
from filters.latex.classes import LATEX_MAIN
from filters.latex.commands import PRIMITIVES
from filters.latex.decode import as_utf8
from filters.latex.expand import Expander
from filters.latex.left import count_left
from filters.latex.limits import Limits
from filters.latex.mathmode import resolve_math_mode
from filters.latex.sections import cut_end, find_start
from filters.latex.title import find_title
from filters.latex.tokens import GROUP_END, KERNEL, join_comment_lines, restore

KEEP_OR_DROP = ("keep", "drop")
SECOND_DOCUMENTS = ("leave", "take")


@dataclass(frozen=True)
class LatexOptions:
    """What the paper leaves open.

    Attributes:
        after_bibliography: what becomes of the text behind the bibliography: "keep" or "drop".
        appendix: what becomes of the appendix, from its command on: "keep" or "drop".
        second_documents: what becomes of other whole documents in a submission, such as a supplement: "leave", or
            "take", each from its own first section on, behind the paper.
        limits: what stops macros that never end.
    """

    after_bibliography: str = "keep"
    appendix: str = "keep"
    second_documents: str = "leave"
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        for key, allowed in (
            ("after_bibliography", KEEP_OR_DROP),
            ("appendix", KEEP_OR_DROP),
            ("second_documents", SECOND_DOCUMENTS),
        ):
            if getattr(self, key) not in allowed:
                raise ValueError(f"{key}: {getattr(self, key)!r} is not one of {', '.join(allowed)}")


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
        macros_left: uses of the author's macros that still stand in the text, verbatim text aside (`left`).
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
    recoded = {path: as_utf8(data) for path, data in files.items()}
    files = {path: data for path, (data, _) in recoded.items()}
    encodings = {path: encoding for path, (_, encoding) in recoded.items() if encoding}
    main = find_main(files)
    if not main.path:
        return Reject(main.rule)
    taken = main.others if options.second_documents == "take" else ()
    first, *more = (_Document(Files(files, path, encodings), options) for path in (main.path, *taken))
    texts = [document.text for document in (first, *more) if document.text]
    if not texts:
        return Reject("no_text")
    counters = Counter({"second_documents": len(main.others), "second_documents_taken": len(taken)})
    for document in (first, *more):
        counters.update(document.counters)
    return CleanPaper(
        text="\n".join(texts),
        title=first.title,
        main_file=first.files.main,
        main_rule=main.rule,
        included=tuple(dict.fromkeys(path for document in (first, *more) for path in document.files.read)),
        started_at=first.started_at,
        encoding=first.files.encoding,
        macros_defined=counters["definitions_of_names"],
        macros_expanded=counters["expanded"],
        macros_left=counters["left"],
        counters=counters,
    )


class _Document:
    """One main file with what it inputs, cleaned."""

    def __init__(self, files: Files, options: LatexOptions) -> None:
        self.files = files
        latex = bool(LATEX_MAIN.search(files.text(files.main)))
        expander = Expander(files, options.limits, PRIMITIVES, latex)
        body = expander.run(files.main)
        body = join_comment_lines(body.replace(GROUP_END, ""))
        start, self.started_at = find_start(body, latex)
        body, cut = cut_end(body[start:], options.after_bibliography, options.appendix)
        body = resolve_math_mode(body)
        left = count_left(body, expander)
        self.text = tidy(restore(body.replace(KERNEL, ""), files.masker.store))
        self.counters = {
            **expander.counters,
            **cut,
            "left": left.macros,
            "conditionals_left": left.conditionals,
            "definitions_of_names": len(expander.defined),
        }
        self.title = _title(files, expander)


def _title(sources: Files, expander: Expander) -> str | None:
    """The title, with the author's macros expanded as they were at the paper's end."""
    title = find_title(map(sources.text, tuple(sources.read)))
    if title is None or "\\" not in title:
        return title
    expander.push_file("", sources.main)
    return " ".join(expander.expand(title).replace(GROUP_END, "").split()) or None


def tidy(text: str) -> str:
    """Lines without trailing blanks, at most one empty line in a row, one line end at the end."""
    if " \n" in text or "\t\n" in text:
        text = "\n".join([line.rstrip(" \t") for line in text.split("\n")])
    text = text.rstrip(" \t")
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    text = text.strip("\n")
    return f"{text}\n" if text else ""
