"""The recipe of the StackExchange source: every threshold and choice, and why its default is what it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pipeline.corpus.sink import RejectPolicy
from pipeline.recipe import at_least

MINIMUM_PARTITION = 0.001  # megabytes; a test's


@dataclass(frozen=True)
class TemplateRecipe:
    """How a question and its answers become one text; the parts are joined by an empty line.

    Attributes:
        question: Has ``{title}`` and ``{question}``.
        answer: Has ``{answer}``; once for each answer.
    """

    question: str = "Q: {title}\n\n{question}"
    answer: str = "A: {answer}"

    def __post_init__(self) -> None:
        for key, needed in (("question", "{question}"), ("answer", "{answer}")):
            if needed not in getattr(self, key):
                raise ValueError(f"{key} must hold {needed}, it is {getattr(self, key)!r}")


@dataclass(frozen=True)
class PreferencesRecipe:
    """Pairs of answers (``--preferences``).

    Attributes:
        prompt: The user's turn: has ``{question}``, and may have ``{title}``.
        max_pairs: At most so many pairs of a question, drawn by a hash. StackLLaMA took 10, so that no question weighs
            too much; Askell et al. give no number.
        min_difference: The least difference of two scores.
        most_answers: Where a question has more answers, so many are drawn by a hash, which bounds the work on it.
        min_characters: A pair in which an answer is shorter goes.
        markup: What HTML becomes: ``text``, as in the source, or ``markdown``, with code in fenced blocks.
    """

    prompt: str = "{title}\n\n{question}"
    max_pairs: int = 10
    min_difference: int = 1
    most_answers: int = 100
    min_characters: int = 1
    markup: Literal["text", "markdown"] = "text"

    def __post_init__(self) -> None:
        at_least(self, 1, "max_pairs", "min_difference")
        at_least(self, 2, "most_answers")
        at_least(self, 0, "min_characters")
        if "{question}" not in self.prompt:
            raise ValueError(f"prompt must hold {{question}}, it is {self.prompt!r}")


@dataclass(frozen=True)
class StackExchangeRecipe:
    """All of the source's choices.

    Attributes:
        largest: So many sites with the most posts are taken (the paper: 28).
        meta_sites: Whether sites about sites, such as meta.stackexchange.com, take part.
        questions: The share of all questions that is taken, each with its answers, drawn by a hash of site and number:
            a larger share holds the smaller ones. The rest is counted, and kept nowhere.
        keep_unanswered: Whether questions without answers stay. The paper does not say; they are text like the rest.
        min_characters: A document with less text is dropped; the paper gives no limit.
        template: How a question and its answers become one text.
        max_row_megabytes: A larger row fails by itself; the sites allow posts of 30,000 characters.
        max_thread_megabytes: A question whose rows, with its answers', are larger fails by itself.
        partition_megabytes: Bytes of ``Posts.xml`` that are joined at a time, which bounds the memory of the join.
        range_megabytes: Bytes of an unpacked ``Posts.xml`` that one worker partitions at a time.
        optout: A list of removals: documents that it means are left out as they are read, and those with a listed text
            at the end; null for none. A path or address that every worker reaches (docs/optout.md).
    """

    largest: int = 28
    meta_sites: bool = False
    questions: float = 1.0
    keep_unanswered: bool = True
    min_characters: int = 1
    template: TemplateRecipe = TemplateRecipe()
    max_row_megabytes: float = 2.0
    max_thread_megabytes: float = 16.0
    partition_megabytes: float = 64.0
    range_megabytes: float = 1024.0
    preferences: PreferencesRecipe = PreferencesRecipe()
    rejects: RejectPolicy = field(default_factory=RejectPolicy)
    optout: str | None = None

    def __post_init__(self) -> None:
        at_least(self, 1, "largest")
        if not 0 < self.questions <= 1:
            raise ValueError(f"questions must be above 0 and at most 1, it is {self.questions}")
        at_least(self, 0, "min_characters")
        at_least(
            self,
            MINIMUM_PARTITION,
            "max_row_megabytes",
            "max_thread_megabytes",
            "partition_megabytes",
            "range_megabytes",
        )
        if self.max_row_megabytes > self.max_thread_megabytes:
            raise ValueError("max_row_megabytes must not be above max_thread_megabytes")
