"""Pairs of answers of one question, one of which users liked better: a source of its own, of the same dump."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from filters.html import HtmlToText
from filters.instructions.markdown import HtmlToMarkdown
from filters.instructions.turns import USER, joined
from pipeline.corpus.document import Document, Refused
from pipeline.corpus.ledger import JOINED, RECORDS
from pipeline.corpus.shard import Shard
from pipeline.steps import EachDocument, Step
from sources.stackexchange.join import Thread
from sources.stackexchange.posts import Post
from sources.stackexchange.recipe import PreferencesRecipe
from sources.stackexchange.scores import Choice, choose
from sources.stackexchange.source import StackExchange

NAME = "stackexchange_preferences"
WITHOUT_PAIR = {  # why a question gives no pair
    "no_answer": "no answer with votes",
    "one_answer": "one answer with votes",
    "like_scores": "{count} answers, of which no two have scores far enough apart",
}
META = pa.struct(
    {
        "messages": pa.list_(pa.struct([("role", pa.string()), ("content", pa.string()), ("train", pa.bool_())])),
        "chosen": pa.string(),
        "rejected": pa.string(),
        "margin": pa.float64(),  # the difference of the scores
        "site": pa.string(),
        "question_id": pa.int64(),
        "title": pa.string(),
        "score": pa.int32(),  # of the question: its votes
        "answer_votes": pa.list_(pa.int32()),  # of the better one, then of the other, as all that follows
        "answer_scores": pa.list_(pa.int32()),  # by Askell et al.
        "answer_ids": pa.list_(pa.int64()),
        "answer_offsets": pa.list_(pa.int64()),  # of their rows in Posts.xml
        "accepted": pa.int32(),  # the place of the accepted answer among them, from 0
        "tags": pa.list_(pa.string()),
        "authors": pa.list_(pa.string()),  # of the question, then of each answer: user number, or name
    }
)


@dataclass(slots=True)
class AnswerPair(Document):
    """Two answers with their question, their HTML yet to be turned into text.

    Attributes:
        question: The question; None once it is text, as the others.
        better: The better answer.
        worse: The other one.
    """

    question: Post | None = None
    better: Post | None = None
    worse: Post | None = None


@dataclass(frozen=True)
class StackExchangePreferences(StackExchange):
    """Pairs from the StackExchange data dump; read, sorted and joined as its threads are."""

    name: str = NAME
    meta: pa.StructType = META

    def read_prepared(
        self, shard: Shard, counters: Counter[str], inputs: list[dict[str, Any]] | None
    ) -> Iterator[Document | Refused]:
        """Reads one partition of a site, and pairs the answers of each question.

        A question gives several documents, so that rows are counted by themselves (``rows``, ``rows_in_threads``).
        """
        own: Counter[str] = Counter()
        entries: list[dict[str, Any]] = []
        records = failed = 0
        for item in self.read_threads(shard, own, entries):
            for one in self.pairs(item) if isinstance(item, Thread) else [item]:
                records += 1
                failed += isinstance(one, Refused) and one.failed
                yield one
        own["rows"], own["rows_in_threads"] = own.pop(RECORDS, 0), own.pop(JOINED, 0)
        counters.update(own)
        if inputs is not None:
            inputs += [{**entry, "records": records, "failed": failed} for entry in entries]

    def pairs(self, thread: Thread) -> Iterator[Document | Refused]:
        """The pairs of a question, or why there are none."""
        place = thread.meta["accepted"]
        accepted = None if place is None else thread.answers[place].id
        site, number = thread.meta["site"], thread.meta["question_id"]
        found = choose(site, number, thread.answers, accepted, self.recipe.preferences)
        if isinstance(found, str):
            count = len(thread.answers)
            message = f"question {number} has {WITHOUT_PAIR[found].format(count=count)}"
            yield Refused(found, message, thread.file, thread.offset, failed=False)
        else:
            for pair in found:
                yield pair_document(self.name, thread, pair)

    def steps_after_dedup(self) -> list[Step]:
        """HTML to text, and answers that say enough."""
        return [PairToText(self.recipe.preferences)]

    def describe(self) -> dict[str, Any]:
        """The recipe, with its preferences."""
        described = super().describe()
        whole = self.whole_recipe()
        return {**described, "recipe": {key: whole[key] for key in whole if key not in UNUSED}}


# Keys of the recipe that decide nothing of pairs.
UNUSED = frozenset({"keep_unanswered", "min_characters", "template", "optout"})


def pair_document(source: str, thread: Thread, pair: Choice) -> AnswerPair:
    """A pair as a document, its text the HTML of all three."""
    question, better, worse = thread.question, pair.better.post, pair.worse.post
    assert question is not None
    answers = (pair.better, pair.worse)
    posts = (question, better, worse)
    meta = {name: thread.meta[name] for name in ("site", "question_id", "title", "score", "tags")}
    meta["margin"] = float(pair.better.score - pair.worse.score)
    meta["answer_votes"] = [one.post.score for one in answers]
    meta["answer_scores"] = [one.score for one in answers]
    meta["answer_ids"] = [one.post.id for one in answers]
    meta["answer_offsets"] = [one.post.offset for one in answers]
    meta["accepted"] = next((place for place, one in enumerate(answers) if one.accepted), None)
    meta["authors"] = [post.author for post in posts]
    return AnswerPair(
        id=f"{meta['site']}/{question.id}/{better.id}-{worse.id}",
        text=joined([post.html for post in posts]),
        source=source,
        file=thread.file,
        offset=thread.offset,
        url=thread.url,
        created=thread.created,
        license=", ".join(sorted({post.licence for post in posts})),
        meta=meta,
        question=question,
        better=better,
        worse=worse,
    )


class PairToText(EachDocument):
    """Turns the HTML of a question and two answers into text, and drops pairs whose answers do not say enough."""

    name = "text"
    keys = "preferences.*"

    def __init__(self, recipe: PreferencesRecipe) -> None:
        self._recipe = recipe
        self._convert: Callable[[str], str] | None = None
        self._known: dict[int, tuple[Post, str]] = {}  # of the question under way, whose posts several pairs share

    def load(self) -> None:
        """Makes the parser, which cannot travel to a worker."""
        self._convert = HtmlToMarkdown() if self._recipe.markup == "markdown" else HtmlToText()

    def apply(self, documents: Sequence[Document]) -> list[str | None]:
        """Converts a batch; the HTML is let go at its end: where one pair raised, they come again, one by one."""
        reasons = super().apply(documents)
        for document in documents:
            assert isinstance(document, AnswerPair)
            document.question = document.better = document.worse = None
        self._known = {}
        return reasons

    def judge(self, document: Document) -> str | None:
        """Converts a pair; one that goes keeps its HTML, to be looked at."""
        assert isinstance(document, AnswerPair)
        question, chosen, rejected = (self._text(post) for post in (document.question, document.better, document.worse))
        prompt = self._recipe.prompt.replace("{title}", document.meta["title"] or "").replace("{question}", question)
        if not (prompt := prompt.strip()):
            return "empty_question"
        if not chosen or not rejected:
            return "empty_answer"
        if min(len(chosen), len(rejected)) < self._recipe.min_characters:
            return "too_short"
        if chosen == rejected:
            return "same_answers"
        document.meta["messages"] = [{"role": USER, "content": prompt, "train": False}]
        document.meta |= {"chosen": chosen, "rejected": rejected}
        document.text = joined([prompt, chosen, rejected])
        return None

    def _text(self, post: Post | None) -> str:
        assert post is not None
        assert self._convert is not None
        known = self._known.get(id(post))
        if known is None or known[0] is not post:
            known = self._known[id(post)] = post, self._convert(post.html)
        return known[1]


def pairs_again(thread: Thread, wanted: Sequence[tuple[int, int]]) -> Iterator[AnswerPair]:
    """The pairs of a question with the given numbers of answers, whatever would be drawn.

    Args:
        thread: The question, with those of its answers that were read.
        wanted: The numbers of the better and of the other answer, of each pair.
    """
    whole = PreferencesRecipe(max_pairs=len(thread.answers) ** 2 + 1, most_answers=len(thread.answers) + 2)
    place = thread.meta["accepted"]
    accepted = None if place is None else thread.answers[place].id
    found = choose(thread.meta["site"], thread.meta["question_id"], thread.answers, accepted, whole)
    for pair in [] if isinstance(found, str) else found:
        if (pair.better.post.id, pair.worse.post.id) in wanted:
            yield pair_document(NAME, thread, pair)
