"""Questions meet their answers: the groups of a partition become threads, and every row is accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import xxhash

from pipeline.corpus.document import Document, Refused, parse_time
from pipeline.corpus.ledger import JOINED, RECORDS
from sources.stackexchange.posts import Post, in_order, post_of, tags_of
from sources.stackexchange.rows import FAULT, NO_ROW, OTHER, QUESTION, TOO_LARGE, Line, MalformedRow, RowParser
from sources.stackexchange.store import Group

URL = "https://{site}/questions/{id}"
HASHES = 1 << 64
SHOWN = 1000  # characters of a row in the message of one that is refused
# PostTypeId (meta.stackexchange.com/questions/2677, the schema of the dump).
OTHER_TYPES = {
    3: "wiki",
    4: "tag wiki excerpt",
    5: "tag wiki",
    6: "moderator nomination",
    7: "wiki placeholder",
    8: "privilege wiki",
}


@dataclass(slots=True)
class Thread(Document):
    """A question with its answers, their HTML yet to be turned into text.

    Attributes:
        question: The question; None once it is text.
        answers: Its answers, in the order of the text.
        title: The question's title.
    """

    question: Post | None = None
    answers: list[Post] = field(default_factory=list)
    title: str = ""

    @property
    def weight(self) -> int:
        """The characters of text and HTML."""
        html = len(self.question.html) if self.question else 0
        return len(self.text) + html + sum(len(answer.html) for answer in self.answers) + len(self.title)


class Joiner:
    """Turns groups of rows into threads.

    Args:
        source: The source's name.
        site: The site.
        file: The raw file, for the documents' origin.
        counters: Gets ``records``, all rows, and ``joined``, those of answers that became part of a question's
            document or failed with it; and what else there is to count.
        questions: The share of questions that is taken.
    """

    def __init__(self, source: str, site: str, file: str, counters: Counter[str], questions: float = 1.0) -> None:
        self._source = source
        self._site = site
        self._file = file
        self._counters = counters
        self._parser = RowParser()
        self._limit = int(questions * HASHES)

    def join(self, group: Group) -> Iterator[Thread | Refused]:
        """Gives the thread of a group, and what of it is none."""
        self._counters[RECORDS] += group.rows
        if self._limit < HASHES and xxhash.xxh3_64_intdigest(f"{self._site}/{group.key}".encode()) >= self._limit:
            self._counters[JOINED] += group.rows - 1
            message = f"question {group.key}: the recipe takes a share of the questions (questions)"
            yield Refused("not_in_share", message, self._file, group.offset, failed=False)
            return
        if not group.lines:
            self._counters[JOINED] += group.rows - 1
            message = f"question {group.key} and its answers have {group.size} bytes (max_thread_megabytes)"
            yield Refused("too_large", message, self._file, group.offset)
            return
        question: tuple[dict[str, str], Post] | None = None
        answers: dict[int, Post] = {}
        for line in group.lines:
            read = self._read(line)
            if isinstance(read, Refused):
                yield read
                continue
            row, post = read
            if line.kind == QUESTION and question is None:
                question = row, post
            elif line.kind == QUESTION or post.id in answers:
                yield self._drop("duplicate_id", f"post {post.id} is there twice; the first is taken", line)
            else:
                answers[post.id] = post
        if question is None:
            yield from map(self._orphan, answers.values())
        else:
            yield self._thread(*question, list(answers.values()))

    def _read(self, line: Line) -> tuple[dict[str, str], Post] | Refused:
        """A question's or an answer's row with its post, or what else a line is."""
        if line.kind == FAULT:
            reason, _, message = line.data.decode("utf-8", "replace").partition("\n")
            return Refused(reason, message, self._file, line.offset)
        if line.kind == TOO_LARGE:
            return self._fail("too_large", "a row is longer than max_row_megabytes", line)
        if line.kind == NO_ROW:
            return self._fail("not_a_row", "a line is no row", line)
        try:
            row, forbidden = self._parser.parse(line.data)
            if line.kind == OTHER:
                return self._other(row, line)
            post = post_of(row, line.offset)
        except MalformedRow as error:
            return self._fail("malformed_row", str(error), line)
        self._counters["questions" if line.kind == QUESTION else "answers"] += 1
        self._counters["forbidden_characters"] += forbidden
        self._counters["malformed_score"] += post.score is None
        self._counters["text_bytes"] += len(post.html.encode("utf-8", "replace"))
        return row, post

    def _other(self, row: dict[str, str], line: Line) -> Refused:
        kind = row.get("PostTypeId", "").strip()
        if not kind.isdecimal():
            return self._fail("malformed_row", f"PostTypeId is {kind!r}", line)
        if kind in ("1", "2"):
            needed = "Id" if kind == "1" else "ParentId"
            return self._fail("malformed_row", f"{needed} is {row.get(needed)!r}", line)
        name = OTHER_TYPES.get(int(kind), "no question and no answer") if len(kind) < 4 else "unknown"
        return self._drop("other_post_type", f"PostTypeId {kind}: {name}", line)

    def _fail(self, reason: str, message: str, line: Line) -> Refused:
        return Refused(reason, f"{message}: {_shown(line)}", self._file, line.offset)

    def _drop(self, reason: str, message: str, line: Line) -> Refused:
        return Refused(reason, f"{message}: {_shown(line)}", self._file, line.offset, failed=False)

    def _orphan(self, answer: Post) -> Refused:
        message = f"answer {answer.id}: its question is not in the dump: {answer.html[:SHOWN]}"
        return Refused("no_question", message, self._file, answer.offset, failed=False)

    def _thread(self, row: dict[str, str], question: Post, answers: list[Post]) -> Thread:
        self._counters[JOINED] += len(answers)
        accepted = row.get("AcceptedAnswerId", "").strip()
        wanted = int(accepted) if accepted.isdecimal() and len(accepted) < 19 else None
        ordered = in_order(answers, wanted)
        position = next((place for place, answer in enumerate(ordered) if answer.id == wanted), None)
        self._counters["accepted_answer_missing"] += wanted is not None and position is None
        thread = Thread(
            id=f"{self._site}/{question.id}",
            text="\n\n".join([question.html, *(answer.html for answer in ordered)]),
            source=self._source,
            file=self._file,
            offset=question.offset,
            url=URL.format(site=self._site, id=question.id),
            created=parse_time(question.created),
            question=question,
            answers=ordered,
            title=" ".join(row.get("Title", "").split()),
        )
        thread.meta = {"site": self._site, "question_id": question.id, "score": question.score}
        thread.meta |= {"title": thread.title or None, "tags": tags_of(row.get("Tags", ""))}
        thread.meta["accepted"] = position
        thread.meta["answer_ids"] = [answer.id for answer in ordered]
        thread.meta["authors"] = [post.author for post in (question, *ordered)]
        return thread


def _shown(line: Line) -> str:
    return line.data.strip().decode("utf-8", "replace")[:SHOWN]
