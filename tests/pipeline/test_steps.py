from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.corpus.document import Document, Refused, Reject
from pipeline.errors import ModelError
from pipeline.steps import BATCH_CHARACTERS, BATCH_DOCUMENTS, Chain, batches
from tests.pipeline.line_source import DropBadWords, DropShort


def doc(text: str, number: int = 0) -> Document:
    return Document(f"d{number}", text, "lines", "folder/f.txt", number)


class Step:
    """A step of the tests: applies a function to each document."""

    def __init__(self, name: str, judge) -> None:
        self.name = name
        self.judge = judge
        self.batches: list[int] = []

    def load(self) -> None:
        pass

    def apply(self, documents: Sequence[Document]) -> list[str | None]:
        self.batches.append(len(documents))
        return [self.judge(document) for document in documents]


def bad_words() -> DropBadWords:
    step = DropBadWords("bad")
    step.load()
    return step


def cut(document: Document) -> None:
    document.text = document.text[:4]


def texts(items) -> list[str]:
    return [item.text if isinstance(item, Document) else f"{item.step}/{item.reason}" for item in items]


class TestAccounts:
    def test_every_record_is_counted_where_it_ended(self):
        chain = Chain([DropShort(3), Step("cut", cut), bad_words()], "lines")
        items = [
            doc("good words"),
            Refused("damaged", "damaged at 9", "folder/f.txt", 9),
            doc("x"),
            Refused("comment", "only a comment", "folder/f.txt", 12, failed=False),
            doc("bad words"),
        ]
        found = list(chain.run(items))
        assert texts(found) == ["read/damaged", "read/comment", "length/too_short", "words/bad_word", "good"]
        ledger = chain.ledger.as_json()
        assert [(s["step"], s["entered"]["documents"], s["left"]["documents"]) for s in ledger["steps"]] == [
            ("read", 5, 3),
            ("length", 3, 2),
            ("cut", 2, 2),
            ("words", 2, 1),
        ]
        read, length, cutting, words = ledger["steps"]
        assert read["failed"] == {"damaged": {"documents": 1, "characters": 0}}
        assert read["dropped"] == {"comment": {"documents": 1, "characters": 0}}
        assert length["dropped"] == {"too_short": {"documents": 1, "characters": 1}}
        assert (cutting["entered"]["characters"], cutting["left"]["characters"]) == (19, 8)
        assert words["dropped"] == {"bad_word": {"documents": 1, "characters": 4}}
        chain.ledger.keep("all", 4)
        assert chain.ledger.check() == []

    def test_steps_are_in_the_ledger_even_when_nothing_reaches_them(self):
        chain = Chain([DropShort(3), bad_words()], "lines")
        assert list(chain.run([])) == []
        assert list(chain.ledger.steps) == ["read", "length", "words"]
        assert chain.ledger.check() == []

    def test_a_refused_record_is_a_reject_that_says_where_it_lies(self):
        refused = Refused("damaged", "what is wrong", "folder/f.txt", 77)
        (reject,) = Chain([], "lines").run([refused])
        assert reject == Reject(Document("f.txt@77", "what is wrong", "lines", "folder/f.txt", 77), "read", "damaged")

    def test_order_is_kept_over_batches(self):
        chain = Chain([Step("even", lambda d: "odd" if d.offset % 2 else None)], "lines")
        found = list(chain.run(doc(str(n), n) for n in range(3 * BATCH_DOCUMENTS + 5)))
        kept = [item.offset for item in found if isinstance(item, Document)]
        dropped = [item.document.offset for item in found if isinstance(item, Reject)]
        assert kept == list(range(0, 3 * BATCH_DOCUMENTS + 5, 2))
        assert dropped == list(range(1, 3 * BATCH_DOCUMENTS + 5, 2))

    def test_time_is_counted_for_each_step(self):
        chain = Chain([DropShort(0)], "lines")
        list(chain.run([doc("x")]))
        assert chain.seconds.keys() == {"read", "length"}


class TestFailures:
    def test_a_document_that_raises_costs_only_itself(self):
        chain = Chain([bad_words()], "lines")
        items = [doc("one", 1), doc("bad", 2), doc("a crash here", 3), doc("four", 4)]
        found = list(chain.run(items))
        assert texts(found) == ["words/bad_word", "words/error_ValueError", "one", "four"]
        assert found[1].document.text == "ValueError: cannot judge 'a crash here'\n\na crash here"
        step = chain.ledger.step("words")
        assert {reason: t.documents for reason, t in step.failed.items()} == {"error_ValueError": 1}
        assert step.failed["error_ValueError"].characters == len("a crash here")
        assert {reason: t.documents for reason, t in step.dropped.items()} == {"bad_word": 1}

    def test_what_the_step_did_before_it_raised_is_undone(self):
        def count(document: Document) -> None:
            document.meta["seen"] = document.meta.get("seen", 0) + 1
            document.text += "!"
            document.language = (document.language or "") + "x"
            if document.offset == 3:
                raise KeyError("third")

        documents = [doc(f"d{n}", n) for n in range(1, 5)]
        found = list(Chain([Step("count", count)], "lines").run(documents))
        kept = [item for item in found if isinstance(item, Document)]
        assert [(d.text, d.meta, d.language) for d in kept] == [(f"d{n}!", {"seen": 1}, "x") for n in (1, 2, 4)]

    def test_a_failed_document_carries_no_fields_that_a_column_could_refuse(self):
        def fail(document: Document) -> None:
            document.meta["score"] = object()
            raise ValueError("\ud800")

        (reject,) = Chain([Step("fail", fail)], "lines").run([doc("text")])
        assert reject.document.meta == {}
        assert reject.document.text == "ValueError: \ufffd\n\ntext"

    @pytest.mark.parametrize("error", [ModelError("the model is gone"), OSError("no file"), MemoryError()])
    def test_errors_of_the_machine_or_the_models_end_the_run(self, error):
        def fail(document: Document) -> None:
            raise error

        with pytest.raises(type(error)):
            list(Chain([Step("fail", fail)], "lines").run([doc("text")]))

    def test_also_when_they_come_at_the_second_try(self):
        calls = []

        def fail(document: Document) -> None:
            calls.append(document)
            raise ValueError if len(calls) == 1 else MemoryError

        with pytest.raises(MemoryError):
            list(Chain([Step("fail", fail)], "lines").run([doc("text")]))

    def test_surrogates_never_reach_a_step(self):
        seen = []
        documents = list(Chain([Step("see", lambda d: seen.append(d.text))], "lines").run([doc("a\udcffb\ud83d")]))
        assert seen == ["a\ufffdb\ufffd"]
        assert texts(documents) == seen


class TestBatches:
    def test_so_many_documents(self):
        sizes = [len(b) for b in batches(doc("") for _ in range(2 * BATCH_DOCUMENTS + 1))]
        assert sizes == [BATCH_DOCUMENTS, BATCH_DOCUMENTS, 1]

    def test_so_many_characters_whatever_field_they_are_in(self):
        half = "x" * (BATCH_CHARACTERS // 2)
        in_text = [doc(half) for _ in range(5)]
        in_meta = [Document("i", "", "s", "f", 0, meta={"title": half}) for _ in range(5)]
        in_url = [Document("i", "", "s", "f", 0, url=half) for _ in range(5)]
        in_message = [Refused("damaged", half, "f", 0) for _ in range(5)]
        for items in (in_text, in_meta, in_url, in_message):
            assert [len(b) for b in batches(items)] == [2, 2, 1]

    def test_a_huge_document_is_a_batch(self):
        huge = doc("x" * (3 * BATCH_CHARACTERS))
        assert [len(b) for b in batches([huge, huge])] == [1, 1]

    def test_nothing_gives_no_batch(self):
        assert list(batches([])) == []

    def test_a_step_sees_no_empty_batch(self):
        step = Step("see", lambda d: None)
        list(Chain([DropShort(9), step], "lines").run([doc("x")]))
        assert step.batches == []


words = st.lists(st.sampled_from(["good", "bad", "crash", "x"]), max_size=4).map(" ".join)
records = st.lists(words | st.just("#damaged") | st.just("#comment"), max_size=30)


@given(records, st.integers(0, 6))
def test_every_record_ends_once_and_the_accounts_add_up(lines, minimum):
    items: list[Document | Refused] = []
    for number, line in enumerate(lines):
        if line.startswith("#"):
            items.append(Refused(line[1:], line, "f", number, failed=line == "#damaged"))
        else:
            items.append(doc(line, number))
    chain = Chain([DropShort(minimum), bad_words()], "lines")
    ends = {}
    for item in chain.run(items):
        document = item.document if isinstance(item, Reject) else item
        assert document.offset not in ends
        ends[document.offset] = item.reason if isinstance(item, Reject) else "kept"
        if isinstance(item, Document):
            chain.ledger.keep("all", len(item.text))
    assert chain.ledger.check() == []

    def expected(line: str) -> str:
        if line.startswith("#"):
            return line[1:]
        if len(line) < minimum:
            return "too_short"
        if "crash" in line.split():
            return "error_ValueError"
        return "bad_word" if "bad" in line.split() else "kept"

    assert ends == {number: expected(line) for number, line in enumerate(lines)}
