import hashlib
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.c4.lines import (
    CleanPage,
    LineRules,
    clean_page,
    count_spans,
    hash_spans,
    keep_spans,
    page_text,
)
from filters.c4.sentences import SentenceCounter, load_punkt
from pipeline.formats.warc import ReadError, read_records
from tests.filters.c4.nltk_punkt import MODEL, nltk_tokenizer

COUNTER = SentenceCounter(load_punkt(str(MODEL)))
NLTK = nltk_tokenizer()
REAL = Path(__file__).parents[3].parent / "shared" / "real" / "commoncrawl" / "wet"

GOOD = "The tide came in before noon."
LINES = [
    GOOD,
    "We walked along the quay again.",
    "Was it the same boat as before?",
    'He said: "It was the same boat."',
    "A heading without an end",
    "It trails off into nothing at all...",
    "Only four words here.",
    "As the report says,[12] it rained.[edit]",
    "It ends in a source that is missing.[citation needed]",
    "Cut it down to[1] size[].",
    "Please turn on JavaScript to read this page.",
    "if (x) { return y to the caller; } is code.",
    "{ short }.",
    "Lorem ipsum dolor sit amet, said the page.",
    "lorem ipsum",
    "Our Privacy Policy tells you all about it.",
    "This site uses cookies for all that it does.",
    "The policy of the cookie jar is to be full.",
    "w" * 1001 + " is one word of a line.",
    "w" * 1000 + " is one word of a line.",
    "Mr. Smith and Dr. Jones met J. K. Brown.",
    "\u00a0 It begins and ends in white space. \u2003",
    "[7] A mark at its start leaves a space.",
    "A line\u2028in two by its separator, it is.",
    "",
    "   ",
]


def plain(text: str, rules: LineRules) -> CleanPage:
    """The rules, written down once more in the plainest form; sentences are NLTK's own."""
    page, sentences = CleanPage(), 0

    def drop(rule: str) -> None:
        page.counters[f"line-filtered:{rule}"] += 1

    for line in map(str.strip, text.splitlines()):
        if any(len(word) > rules.max_word_characters for word in line.split()):
            drop("too_long_word")
            continue
        line = without_citations(line)  # noqa: PLW2901
        small = line.lower()
        if line[-1:] not in (".", "?", "!", '"') or line[-3:] == "...":
            drop("no_endmark")
        elif len(line.split()) < rules.min_words:
            drop("too_short")
        elif "lorem ipsum" in small:
            page.reason = "loremipsum"
            return page
        elif "javascript" in small:
            drop("javascript")
        elif "{" in line:
            page.reason = "squigglybracket"
            return page
        elif any(words in small for words in ("terms of use", "privacy policy", "cookie policy")) or any(
            words in small for words in ("uses cookies", "use of cookies", "use cookies")
        ):
            drop("policy")
        else:
            sentences += len(NLTK.tokenize(line))
            page.lines.append(line)
            page.counters["line-passed"] += 1
    if sentences < rules.min_sentences:
        page.reason = "too_few_sentences"
    return page


def without_citations(line: str) -> str:
    """By hand: "[", digits or one of two notes, "]", from the left; what closes up is not looked at again."""
    result, rest = "", line
    while "[" in rest:
        before, _, behind = rest.partition("[")
        inside, closed, after = behind.partition("]")
        if closed and (inside in ("edit", "citation needed") or all(c.isdecimal() for c in inside)):
            result, rest = result + before, after
        else:
            result, rest = result + before + "[", behind
    return result + rest


def both(text: str, rules: LineRules | None = None) -> CleanPage:
    """The result, once it is seen to be that of the plain form."""
    found = clean_page(text, rules or LineRules(), COUNTER)
    assert found == plain(text, rules or LineRules()), text
    return found


@pytest.mark.parametrize(
    ("line", "counter", "kept"),
    [
        (GOOD, "line-passed", GOOD),
        ("w" * 1001 + " is one word of a line.", "line-filtered:too_long_word", None),
        ("A heading without an end", "line-filtered:no_endmark", None),
        ("It trails off into nothing at all...", "line-filtered:no_endmark", None),
        ("Only four words here.", "line-filtered:too_short", None),
        ("Five words are here [1] now.", "line-passed", "Five words are here  now."),
        ("Four words [1] are here.[2]", "line-filtered:too_short", None),
        ("It says so in a book.[12]", "line-passed", "It says so in a book."),
        ("Please turn on JavaScript to read this page.", "line-filtered:javascript", None),
        ("This javascript has a { in it, too.", "line-filtered:javascript", None),
        ("You agree to our terms of use here.", "line-filtered:policy", None),
        ("We make use of cookies on all pages.", "line-filtered:policy", None),
        ("The policy is that cookies are eaten.", "line-passed", "The policy is that cookies are eaten."),
        ("[7] A mark leaves a space before it.", "line-passed", " A mark leaves a space before it."),
    ],
)
def test_each_rule_on_one_line(line, counter, kept):
    page = both("\n".join([GOOD, GOOD, GOOD, line]))
    assert page.reason is None
    assert page.counters == Counter(["line-passed"] * 3 + [counter])
    assert page.lines == [GOOD] * 3 + ([kept] if kept else [])


@pytest.mark.parametrize(
    ("lines", "reason", "passed"),
    [
        ([GOOD, GOOD, GOOD], None, 3),
        ([GOOD, GOOD], "too_few_sentences", 2),
        (["One came here and left. Two came later. Three stayed."], None, 1),
        (["Mr. Smith met Dr. Jones at noon.", GOOD], "too_few_sentences", 2),
        ([], "too_few_sentences", 0),
        ([GOOD, "The words lorem ipsum stand in this line.", GOOD, GOOD], "loremipsum", 1),
        ([GOOD, "lorem ipsum", GOOD, GOOD], None, 3),
        ([GOOD, GOOD, GOOD, "Here is a { in a whole line."], "squigglybracket", 3),
        ([GOOD, GOOD, GOOD, "Here is a { in a heading"], None, 3),
        ([GOOD, GOOD, GOOD, "A { here."], None, 3),
        ([GOOD, GOOD, GOOD, "Turn on javascript { here } in this page."], None, 3),
        ([GOOD, GOOD, GOOD, "Our privacy policy has a { in it."], "squigglybracket", 3),
    ],
)
def test_what_a_page_goes_for(lines, reason, passed):
    page = both("\n".join(lines))
    assert (page.reason, page.counters["line-passed"]) == (reason, passed)


def test_the_numbers_are_keys():
    text = f"{GOOD}\nThree words here.\n{'w' * 30} is too long for it."
    assert both(text, LineRules(min_sentences=1)).text == f"{GOOD}\n{'w' * 30} is too long for it."
    assert (
        both(text, LineRules(min_sentences=1, min_words=3, max_word_characters=29)).text == f"{GOOD}\nThree words here."
    )
    assert both("No.\n.", LineRules(min_words=0, min_sentences=0)).lines == ["No.", "."]
    assert both("", LineRules(min_sentences=0)).reason is None
    with pytest.raises(ValueError, match="min_words must not be negative, it is -1"):
        LineRules(min_words=-1)


def test_equal_to_the_plain_form_on_pages_made_of_such_lines():
    draw = random.Random(1)
    reasons = Counter(
        both("\n".join(draw.choices(LINES, k=draw.randrange(1, 9))), LineRules(min_sentences=draw.randrange(5))).reason
        for _ in range(3000)
    )
    assert set(reasons) == {None, "too_few_sentences", "loremipsum", "squigglybracket"}
    assert min(reasons.values()) > 300


@settings(max_examples=200)
@given(st.text(alphabet='aB1 .?!"{[]\n\r\x0b\x85\u2028', max_size=80), st.integers(0, 4), st.integers(0, 4))
def test_equal_to_the_plain_form_on_any_page(text, words, sentences):
    both(text, LineRules(max_word_characters=9, min_words=words, min_sentences=sentences))


@pytest.mark.skipif(not REAL.exists(), reason="the real samples are not here")
def test_equal_to_the_plain_form_on_real_pages():
    reasons = Counter()
    for path in sorted(REAL.iterdir()):
        with path.open("rb") as handle:
            for record in read_records(handle):
                if not isinstance(record, ReadError) and record.kind == "conversion":
                    reasons[both(page_text(record.body.decode(errors="replace")).text).reason] += 1
    assert reasons == {None: 69, "too_few_sentences": 99, "squigglybracket": 1}


def test_the_text_of_a_page():
    body = " Title \r\n\r\none\rtwo\u2028 half \n \t\nWARC/1.0 is a version\nContent-Type: a/b\nContent is fine\n"
    assert page_text(body) == ("Title\none\ntwo\u2028 half\nContent is fine", 2)
    kept = page_text(body, drop_header_like=False)
    assert kept == ("Title\none\ntwo\u2028 half\nWARC/1.0 is a version\nContent-Type: a/b\nContent is fine", 0)
    assert page_text("") == page_text(" \n\n") == ("", 0)


def test_the_key_of_a_line_is_the_md5_of_what_is_left_of_case_and_ends():
    digest = hashlib.md5("école no. 1".encode()).digest()[:8]
    assert hash_spans(" École No. 1\nx").tolist()[0] == int.from_bytes(digest, "little")
    assert hash_spans("A b\n a B ").tolist() == hash_spans("a b\na b").tolist()


@pytest.mark.parametrize(
    ("span", "counts"), [(1, [1, 1, 2, 4]), (2, [1, 1, 1, 3]), (3, [1, 1, 1, 2]), (9, [1, 1, 1, 1])]
)
def test_runs_of_lines(span, counts):
    texts = ["", "a", "a\nb", "a\nb\nc\nd"]
    assert [count_spans(text, span) for text in texts] == counts == [len(hash_spans(text, span)) for text in texts]


def test_lines_that_stay_and_what_the_others_went_for():
    text = "one\ntwo\nTWO \nthree\ntwo"
    found = keep_spans(text, np.array([1, 1, 0, 0, 0], bool))
    assert (found.lines, found.elsewhere, found.repeated) == (["one", "two"], 1, 2)
    whole = keep_spans(text, np.ones(5, bool))
    assert (whole.lines, whole.elsewhere, whole.repeated) == (text.split("\n"), 0, 0)
    none = keep_spans(text, np.zeros(5, bool))
    assert (none.lines, none.elsewhere, none.repeated) == ([], 5, 0)


def test_a_run_that_goes_takes_all_its_lines():
    found = keep_spans("a\nb\nc\nd\ne", np.array([1, 0, 1], bool), 3)
    assert (found.lines, found.elsewhere) == (["a", "e"], 3)
    assert keep_spans("a\nb", np.array([0], bool), 3).lines == []
