"""The steps of the arXiv source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from filters.latex import CleanPaper, LatexOptions, Reject, clean_paper
from pipeline.corpus.document import Document
from pipeline.steps import DropShort
from sources.arxiv.submission import Submission

# What the cleaner counts in a paper, added up over all (docs/arxiv.md says what each is).
COUNTED = (
    "missing_inputs", "input_cycles", "input_repeated", "unread_definitions", "protected", "hooks", "conditionals_left",
    "recursion", "growth", "budget", "banned", "internal", "arguments", "references", "references_by_hand",
    "appendices_kept", "appendices_dropped", "second_documents", "second_documents_taken",
)  # fmt: skip
FILES = "files"  # of a document's own fields, until it is cleaned: its Submission


class CleanLatex:
    """From a submission's files to the paper's text; drops what is no paper, by the reason that the cleaner gives."""

    name = "latex"

    def __init__(self, options: LatexOptions) -> None:
        self._options = options
        self.counters: Counter[str] = Counter()

    def load(self) -> None:
        """Nothing to load."""

    def apply(self, documents: Sequence[Document]) -> list[str | None]:
        """Cleans each paper; a batch in which one fails comes again, so nothing is counted before all are done."""
        results = [self._clean(document) for document in documents]
        for result in results:
            if isinstance(result, CleanPaper):
                self._count(result)
        return [None if isinstance(result, CleanPaper) else result.reason for result in results]

    def _clean(self, document: Document) -> CleanPaper | Reject:
        submission = document.meta.pop(FILES)
        assert isinstance(submission, Submission)
        paper = clean_paper(submission.files, self._options)
        if not isinstance(paper, CleanPaper):
            return paper
        document.text = paper.text
        document.meta.update(
            title=document.meta["title"] or paper.title,
            main_file=paper.main_file,
            main_rule=paper.main_rule,
            files_read=len(paper.included),
            encoding=paper.encoding,
            starts_at=paper.started_at,
            macros_defined=paper.macros_defined,
            macros_expanded=paper.macros_expanded,
            macros_left=paper.macros_left,
        )
        return paper

    def _count(self, paper: CleanPaper) -> None:
        self.counters[f"starts_at_{paper.started_at}"] += 1
        self.counters[f"encoding_{paper.encoding}"] += 1
        self.counters["macros_defined"] += paper.macros_defined
        self.counters["macros_expanded"] += paper.macros_expanded
        self.counters["macros_left"] += paper.macros_left
        self.counters["papers_with_macros_left"] += bool(paper.macros_left)
        for name in COUNTED:
            self.counters[name] += paper.counters.get(name, 0)


class DropShortPapers:
    """The length step, which also counts by month what stays: the yield."""

    name = DropShort.name

    def __init__(self, min_characters: int) -> None:
        self._step = DropShort(min_characters)
        self.counters: Counter[str] = Counter()

    def load(self) -> None:
        """Nothing to load."""

    def apply(self, documents: Sequence[Document]) -> list[str | None]:
        """Drops papers with too little text."""
        reasons = self._step.apply(documents)
        kept = (document for document, reason in zip(documents, reasons, strict=True) if reason is None)
        self.counters.update(f"kept_{document.meta['yymm']}" for document in kept)
        return reasons
