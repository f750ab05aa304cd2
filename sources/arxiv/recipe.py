"""The recipe of the arXiv source: every threshold and choice, and why its default is what it is."""

from __future__ import annotations

from dataclasses import dataclass, field

from filters.latex import LatexOptions
from filters.latex.limits import Limits as MacroLimits
from pipeline.corpus.sink import RejectPolicy
from pipeline.recipe import at_least


@dataclass(frozen=True)
class LatexRecipe:
    """What of a paper stays (the paper, section 2.1, "ArXiv").

    Attributes:
        after_bibliography: What becomes of the text behind the bibliography: ``keep``, for papers of many journals have
            their figures, with captions, behind it; or ``drop``.
        appendix: What becomes of the appendix, from its command on: ``keep``, for the paper names the bibliography
            alone; or ``drop``. RedPajama drops both.
        second_documents: What becomes of other whole documents in a submission, such as a supplement: ``leave``, or
            ``take``, each from its own first section on, behind the paper.
        macro_depth: Expansions of macros within one another; a use that goes deeper is endless, and stays.
        macro_use_characters: What one use of a macro may grow to; a use that grows further stays.
        macro_growth: What all expansions of a paper may make, as a multiple of its source.
    """

    after_bibliography: str = "keep"
    appendix: str = "keep"
    second_documents: str = "leave"
    macro_depth: int = 100
    macro_use_characters: int = 1_000_000
    macro_growth: int = 10

    def __post_init__(self) -> None:
        at_least(self, 1, "macro_depth", "macro_use_characters", "macro_growth")
        _ = self.options  # which checks the words

    @property
    def options(self) -> LatexOptions:
        """The options of the cleaner."""
        limits = MacroLimits(depth=self.macro_depth, use=self.macro_use_characters, growth=self.macro_growth)
        return LatexOptions(self.after_bibliography, self.appendix, self.second_documents, limits)


@dataclass(frozen=True)
class SubmissionLimits:
    """Sizes beyond which a submission fails by itself, so that none can fill the memory.

    Attributes:
        packed_megabytes: A submission as it lies in the bulk tar. arXiv takes 50; a few older ones are larger.
        unpacked_megabytes: What is inflated of it; most of that is figures, which are passed over.
        file_megabytes: One file that is not a figure. A larger one is left out, and the paper fails if it has no main
            file then: the largest TeX files that people write have some megabytes, and tables of numbers more.
        text_megabytes: All files that are not figures, together: what is held of a submission.
        files: Files in it.
    """

    packed_megabytes: int = 256
    unpacked_megabytes: int = 2048
    file_megabytes: int = 16
    text_megabytes: int = 32
    files: int = 20_000

    def __post_init__(self) -> None:
        at_least(self, 1, "packed_megabytes", "unpacked_megabytes", "file_megabytes", "text_megabytes", "files")


@dataclass(frozen=True)
class ArxivRecipe:
    """All of the source's choices.

    Attributes:
        min_characters: A paper with less text is dropped: a note that it was withdrawn, an erratum of one line. The
            paper gives none.
        eprints_per_shard: Papers in a shard where they come as files or folders of their own; a bulk tar is a shard.
        latex: What of a paper stays.
        limits: What a submission may ask for.
        optout: A list of removals: documents that it means are left out as they are read, and those with a listed text
            at the end; null for none. A path or address that every worker reaches (docs/optout.md).
    """

    min_characters: int = 500
    eprints_per_shard: int = 500
    latex: LatexRecipe = LatexRecipe()
    limits: SubmissionLimits = SubmissionLimits()
    rejects: RejectPolicy = field(default_factory=RejectPolicy)
    optout: str | None = None

    def __post_init__(self) -> None:
        at_least(self, 0, "min_characters")
        at_least(self, 1, "eprints_per_shard")
