"""The steps of the StackExchange source: HTML to text, and questions without answers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from filters.html import HtmlToText
from pipeline.corpus.document import Document
from pipeline.steps import EachDocument
from sources.stackexchange.join import Thread
from sources.stackexchange.posts import Post
from sources.stackexchange.recipe import TemplateRecipe

_NO_TITLE = re.compile(r"\{title\}\s*")
_FIELD = re.compile(r"\{(title|question)\}")


@dataclass(frozen=True)
class _Text:
    """A thread as text: the whole, the answers that have any, and where the accepted one is among them."""

    text: str
    answers: list[Post]
    accepted: int | None


class ThreadToText:
    """Turns the HTML of a question and its answers into text, and puts them together.

    An answer without text, such as one that is only a picture, is left out, and counted. The HTML is let go at the end
    of the batch: where one thread raised, they come again, one by one.
    """

    name = "text"

    def __init__(self, template: TemplateRecipe) -> None:
        self._template = template
        self._convert: HtmlToText | None = None
        self.counters: Counter[str] = Counter()

    def load(self) -> None:
        """Makes the parser, which cannot travel to a worker."""
        self._convert = HtmlToText()

    def apply(self, documents: Sequence[Document]) -> list[str | None]:
        """Converts a batch; a thread without text is dropped, and keeps its HTML to be looked at."""
        threads = [document for document in documents if isinstance(document, Thread)]
        results = [self._one(thread) for thread in threads]
        for thread, result in zip(threads, results, strict=True):
            self.counters["empty_answers"] += len(thread.answers) - len(result.answers)
            if result.text:
                thread.text = result.text
            thread.meta["accepted"] = result.accepted
            _describe(thread, result.answers)
            thread.question, thread.answers = None, []
        return [None if result.text else "empty" for result in results]

    def _one(self, thread: Thread) -> _Text:
        assert self._convert is not None
        assert thread.question is not None
        body = self._convert(thread.question.html)
        pairs = [(answer, text) for answer in thread.answers if (text := self._convert(answer.html))]
        if not (thread.title or body or pairs):
            return _Text("", [], None)
        parts = [self._question(thread.title, body)]
        parts += [self._template.answer.replace("{answer}", text) for _, text in pairs]
        answers = [answer for answer, _ in pairs]
        old = thread.meta["accepted"]
        chosen = None if old is None else thread.answers[old].id
        accepted = next((place for place, answer in enumerate(answers) if answer.id == chosen), None)
        return _Text("\n\n".join(parts), answers, accepted)

    def _question(self, title: str, body: str) -> str:
        pattern = self._template.question if title else _NO_TITLE.sub("", self._template.question)
        return _FIELD.sub(lambda found: title if found[1] == "title" else body, pattern).strip()


def _describe(thread: Thread, answers: Sequence[Post]) -> None:
    """Writes what the document says of the posts that it has, in their order."""
    assert thread.question is not None
    posts = (thread.question, *answers)
    thread.meta["answer_ids"] = [answer.id for answer in answers]
    thread.meta["answer_scores"] = [answer.score for answer in answers]
    thread.meta["answer_offsets"] = [answer.offset for answer in answers]
    thread.meta["authors"] = [post.author for post in posts]
    thread.license = ", ".join(sorted({post.licence for post in posts}))


class DropUnanswered(EachDocument):
    """Drops questions without answers, where they are not wanted."""

    name = "answers"

    def judge(self, document: Document) -> str | None:
        """Goes by the answers that the text has."""
        return None if document.meta["answer_ids"] else "no_answer"
