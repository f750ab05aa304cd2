"""Questions meet their answers: whatever the order, the partitions and the bounds, and every row is accounted for."""

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.corpus.document import Refused
from pipeline.corpus.shard import Layout
from pipeline.steps import Chain
from sources.stackexchange.join import Joiner, Thread
from sources.stackexchange.posts import Post, in_order, licence_of, post_of, tags_of
from sources.stackexchange.recipe import TemplateRecipe
from sources.stackexchange.rows import FAULT, Line, MalformedRow, classify
from sources.stackexchange.steps import DropUnanswered, ThreadToText
from sources.stackexchange.store import PartitionReader, RowWriter, SiteFiles, partition_of


def row(number: int, parent: int | None = None, **attributes: object) -> str:
    kind = "1" if parent is None else "2"
    above = "" if parent is None else f' ParentId="{parent}"'
    rest = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return f'  <row Id="{number}" PostTypeId="{kind}"{above}{rest} />'


def lines_of(rows: list[str]) -> list[Line]:
    lines, at = [], 0
    for text in rows:
        line = classify(at, text.encode(), False)
        assert line is not None
        lines.append(line)
        at += len(text.encode()) + 1
    return lines


def stored(folder, lines: list[Line], partitions: int = 1, ranges: int = 1, flush: int = 1 << 20) -> SiteFiles:
    files = SiteFiles(Layout(str(folder)), "work", partitions, ((0, None),) * ranges)
    for number in range(ranges):
        with RowWriter(files, number, flush) as writer:
            for line in lines[number::ranges]:
                writer.add(line)
    return files


def joined(files: SiteFiles, bound: int = 1 << 30, limit: int = 1 << 20, questions: float = 1.0):
    """Threads and refusals, in order, and the counters."""
    counters: Counter[str] = Counter()
    items = []
    for partition in range(files.partitions):
        joiner = Joiner("stackexchange", "a.com", "a.com.7z", counters, questions)
        for group in PartitionReader(files, partition, bound, limit).groups():
            items += joiner.join(group)
    return items, counters


def shape(items) -> dict[int, list[int]]:
    return {t.meta["question_id"]: [a.id for a in t.answers] for t in items if isinstance(t, Thread)}


SITE = [
    row(1, Score=5, Title="One", AcceptedAnswerId=4, Body="q1"),
    row(2, 1, Score=9, Body="a2"),
    row(3, 1, Score=100, Body="a3"),
    row(4, 1, Score=9, Body="a4"),
    row(5, 1, Score=-1, Body="a5"),
    row(6, Score="many", Title="Six", Body="q6"),
    row(7, 99, Score=1, Body="orphan"),
    '  <row Id="8" PostTypeId="5" Body="wiki" />',
    '  <row Id="9" PostTypeId="2" ParentId="6" Body="cut',
    row(6, Score=2, Body="again"),
    row(2, 1, Score=50, Body="again"),
    "no row at all",
]


def test_a_small_site(tmp_path):
    items, counters = joined(stored(tmp_path, lines_of(SITE)))
    assert shape(items) == {1: [3, 4, 2, 5], 6: []}
    refused = {(r.reason, r.failed): r.message for r in items if isinstance(r, Refused)}
    assert set(refused) == {
        ("no_question", False),
        ("other_post_type", False),
        ("malformed_row", True),
        ("duplicate_id", False),
        ("not_a_row", True),
    }
    assert refused["other_post_type", False].startswith("PostTypeId 5: tag wiki: <row")
    assert refused["no_question", False] == "answer 7: its question is not in the dump: orphan"
    assert +counters == {
        "records": 12,
        "joined": 4,
        "questions": 3,
        "answers": 6,
        "malformed_score": 1,
        "text_bytes": 2 * 6 + 5 + 5 + 6,
    }
    one = next(item for item in items if isinstance(item, Thread))
    assert (one.id, one.url, one.offset) == ("a.com/1", "https://a.com/questions/1", 0)
    assert (one.meta["accepted"], one.text) == (1, "q1\n\na3\n\na4\n\na2\n\na5")


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 7),
    st.integers(1, 3),
    st.sampled_from([1, 400, 1 << 20]),
    st.sampled_from([200, 1000, 1 << 20]),
    st.randoms(use_true_random=False),
)
def test_partitions_ranges_flushes_and_bounds_change_nothing(tmp_path_factory, partitions, ranges, flush, bound, draw):
    lines = lines_of(SITE + [row(n, n % 6 + 1, Body="x" * n) for n in range(20, 60)])
    usual, counted = joined(stored(tmp_path_factory.mktemp("one"), lines))
    draw.shuffle(lines)
    files = stored(tmp_path_factory.mktemp("other"), lines, partitions, ranges, flush)
    items, counters = joined(files, bound, 10_000)
    assert counters == counted
    assert shape(items) == shape(usual)
    refused = [sorted((r.reason, r.offset) for r in some if isinstance(r, Refused)) for some in (items, usual)]
    assert refused[0] == refused[1]


def test_threads_come_by_number_also_where_the_partition_is_read_in_runs(tmp_path):
    lines = lines_of([row(n, Body="x" * 300) for n in range(200)] + [row(1000 + n, n, Body="y") for n in range(200)])
    random.Random(1).shuffle(lines)
    files = stored(tmp_path, lines, flush=5000)
    items, _ = joined(files, bound=6000, limit=1000)
    assert list(shape(items)) == list(range(200))
    assert all(len(answers) == 1 for answers in shape(items).values())


@pytest.mark.parametrize("bound", [3000, 1 << 30])
def test_a_question_with_too_many_answers_fails_by_itself(tmp_path, bound):
    rows = [
        row(1, Body="q"),
        *(row(100 + n, 1, Body="x" * 100) for n in range(50)),
        row(2, Body="q"),
        row(3, 2, Body="a"),
    ]
    items, counters = joined(stored(tmp_path, lines_of(rows)), bound=bound, limit=2000)
    (failed,) = [item for item in items if isinstance(item, Refused)]
    assert (failed.reason, failed.failed, failed.offset) == ("too_large", True, 0)
    assert "question 1 and its answers have" in failed.message
    assert shape(items) == {2: [3]}
    assert (counters["records"], counters["joined"]) == (53, 51)
    assert counters["records"] == len(items) + counters["joined"]


def test_what_is_wrong_with_a_file_comes_from_the_first_partition(tmp_path):
    fault = Line(0, FAULT, -1, b"truncated_7z\nit was cut")
    files = stored(tmp_path, [*lines_of(SITE), fault], partitions=5)
    first = [line.kind for group in PartitionReader(files, 0, 1 << 30, 1 << 20).groups() for line in group.lines]
    assert first.count(FAULT) == 1
    items, _ = joined(files)
    assert ("truncated_7z", "it was cut") in {(i.reason, i.message) for i in items if isinstance(i, Refused)}


def test_a_site_without_rows(tmp_path):
    assert joined(stored(tmp_path, [], partitions=3)) == ([], Counter())


def test_partitions_are_even():
    for keys in (np.arange(100_000), np.arange(100_000) * 4096, np.arange(100_000) ** 2):
        counts = np.bincount(partition_of(keys.astype(np.int64), 37), minlength=37)
        assert counts.min() > 0.8 * counts.mean()
        assert counts.max() < 1.2 * counts.mean()


def post(number: int, score: int | None) -> Post:
    return Post(number, 0, "", score, None, "", None)


def test_answers_are_sorted_by_number_not_by_text():
    answers = [post(1, 9), post(2, 100), post(3, None), post(4, -3), post(5, 9), post(6, 9)]
    assert [a.id for a in in_order(answers, 5)] == [2, 5, 1, 6, 4, 3]
    assert [a.id for a in in_order(answers, None)] == [2, 1, 5, 6, 4, 3]


@pytest.mark.parametrize(
    ("created", "licence"),
    [
        ("2008-07-31T21:42:52.667", "CC BY-SA 2.5"),
        ("2011-04-07T23:59:59.999", "CC BY-SA 2.5"),
        ("2011-04-08T00:00:00.000", "CC BY-SA 3.0"),
        ("2018-05-01T23:59:59.999", "CC BY-SA 3.0"),
        ("2018-05-02T00:00:00.000", "CC BY-SA 4.0"),
        (None, "CC BY-SA"),
    ],
)
def test_the_licence_follows_the_date(created, licence):
    assert licence_of(created) == licence


def test_the_row_may_name_its_licence():
    named = {"Id": "1", "CreationDate": "2010-01-01T00:00:00", "ContentLicense": "CC BY-SA 4.0"}
    assert post_of(named, 0).licence == "CC BY-SA 4.0"


@pytest.mark.parametrize(
    ("text", "number"), [("12", 12), ("-3", -3), (" 4 ", 4), ("4.0", None), ("", None), ("x", None)]
)
def test_scores_are_integers(text, number):
    assert post_of({"Id": "1", "Score": text}, 0).score == number


def test_a_post_needs_its_id():
    with pytest.raises(MalformedRow, match="it has no Id"):
        post_of({}, 0)


def test_tags_old_and_new():
    assert tags_of("<c#><.net>") == tags_of("|c#|.net|") == ["c#", ".net"]
    assert tags_of("") == []


def thread(body: str, *answers: str, title: str = "T", accepted: int | None = None) -> Thread:
    posts = [Post(n, n, html, 10 - n, None, "CC BY-SA 4.0", None) for n, html in enumerate(answers, 1)]
    question = Post(0, 0, body, 1, None, "CC BY-SA 3.0", "7")
    result = Thread("a/0", body, "s", "f", 0, question=question, answers=posts, title=title)
    result.meta = {"accepted": accepted}
    return result


def converted(*threads: Thread, template: TemplateRecipe | None = None) -> tuple[list, Chain]:
    step = ThreadToText(template or TemplateRecipe())
    step.load()
    chain = Chain([step, DropUnanswered()], "s")
    return list(chain.run(threads)), chain


def test_the_template():
    (one,), _ = converted(thread("<p>a</p>", "<p>b</p>", "<pre>  c\n d</pre>"))
    assert one.text == "Q: T\n\na\n\nA: b\n\nA:   c\n d"
    assert (one.meta["answer_ids"], one.meta["answer_scores"], one.license) == (
        [1, 2],
        [9, 8],
        "CC BY-SA 3.0, CC BY-SA 4.0",
    )
    assert one.meta["authors"] == ["7", None, None]
    own = TemplateRecipe("{question} ({title})", "- {answer} {title}")
    (one,), _ = converted(thread("<p>{title}</p>", "{question}", title="{question}"), template=own)
    assert one.text == "{title} ({question})\n\n- {question} {title}"


def test_without_title_or_body():
    (one, two), _ = converted(thread("<p>a</p>", "b", title=""), thread("", "b"))
    assert (one.text, two.text) == ("Q: a\n\nA: b", "Q: T\n\nA: b")


def test_answers_without_text_are_left_out_of_all_that_is_said():
    (one,), chain = converted(thread("a", "<img>", "b", "<p></p>", "c", accepted=3))
    assert one.text == "Q: T\n\na\n\nA: b\n\nA: c"
    assert (one.meta["answer_ids"], one.meta["accepted"]) == ([2, 4], 1)
    assert chain.ledger.step("text").counters["empty_answers"] == 2
    (one,), _ = converted(thread("a", "<img>", "b", accepted=0))
    assert one.meta["accepted"] is None


def test_questions_without_answers_and_without_text_are_dropped_by_name():
    found, chain = converted(thread("a"), thread("<img>", title=""), thread("a", "<img>"))
    assert [reject.reason for reject in found] == ["empty", "no_answer", "no_answer"]
    assert found[0].document.text == "<img>"
    assert chain.ledger.step("text").left.documents == 2
    assert chain.ledger.check() == []


def test_a_share_of_the_questions_is_part_of_every_larger_share(tmp_path):
    lines = [row(number, Body="q") for number in range(1, 401)]
    lines += [row(1000 + number, number, Body="a") for number in range(1, 401)]
    before: set[int] = set()
    for number, share in enumerate((0.25, 0.5, 1.0)):
        items, counters = joined(stored(tmp_path / str(number), lines_of(lines)), questions=share)
        taken = set(shape(items))
        assert before <= taken
        assert abs(len(taken) - 400 * share) < 30
        left = [item.reason for item in items if isinstance(item, Refused)]
        assert left == ["not_in_share"] * (400 - len(taken))
        assert (counters["records"], counters["joined"]) == (800, 400)  # an answer goes with its question
        before = taken
