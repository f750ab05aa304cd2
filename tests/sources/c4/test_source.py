import io
from collections import Counter

import numpy as np
import pytest

from pipeline.errors import ModelError
from pipeline.recipe import from_mapping
from pipeline.source import rounds_of
from pipeline.storage.filesystem import InputFile
from sources.c4.recipe import BadWordsRecipe, C4Recipe, LanguageRecipe, SentencesRecipe
from sources.c4.source import C4, LineDedup, UrlDedup
from sources.c4.steps import CleanLines, CountSentences, DropBadWords, IdentifyLanguage
from tests.end_to_end.commands import wet_record

GOOD = "The tide came in before noon. The boats came in with it. Nobody was at the quay."


def source(**settings) -> C4:
    return C4(from_mapping(C4Recipe, settings, "test"), "wet")


def read(data: bytes, c4: C4 | None = None):
    counters = Counter()
    return list((c4 or source()).read(io.BytesIO(data), InputFile("dir/a.wet", len(data)), counters)), +counters


def page(text: str, url: str = "http://www.a.example/b/"):
    return read(wet_record(text.encode(), url))[0][0]


def test_a_record_becomes_a_page():
    text = " Title \r\n\r\nOne line.\nWARC-Date: none\n\xe9\xff"
    (document,), counters = read(wet_record(text.encode("latin-1"), "http://www.a.example/b/"))
    assert document.text == "Title\nOne line.\n\ufffd\ufffd"
    assert (document.id, document.offset) == ("urn:uuid:00000000-0000-0000-0000-000000000001", 0)
    assert document.meta == {
        "normalized_url": "a.example/b",
        "crawl_languages": None,
        "original_lines": 3,
        "original_characters": 18,
        "kept_lines": 3,
    }
    assert counters == {"text_bytes": len(text), "invalid_utf8": 1, "header_like_lines": 1}


def test_the_rounds_and_steps_that_the_keys_leave():
    def names(c4: C4) -> list[str]:
        rounds = [name for r in rounds_of(c4) for name in (*(s.name for s in r.steps), r.name)]
        before = [] if c4.dedup else [step.name for step in c4.steps_before_dedup()]
        return rounds + before + [step.name for step in c4.steps_after_dedup()]

    ends = ["sentences", "language", "bad_words"]
    assert names(source()) == ["page", "url_dedup", "lines", "dedup", *ends]
    assert names(source(dedup={"urls": False})) == ["page", "lines", "dedup", *ends]
    assert names(source(dedup={"lines": False})) == ["page", "url_dedup", "lines", *ends]
    assert names(source(dedup={"urls": False, "lines": False}, bad_words={"list": None})) == [
        "page",
        "lines",
        *ends[:2],
    ]
    assert names(C4(C4Recipe(), "published")) == []


def test_of_the_pages_of_one_address_the_newest_has_the_smallest_rank():
    old, new = page("x", "http://a.example/b"), page("x", "https://www.a.example/b?utm_source=x")
    new.created = new.created.replace(year=2027)
    dedup = UrlDedup()
    assert dedup.hashes(old).hashes.tolist() == dedup.hashes(new).hashes.tolist()
    assert dedup.hashes(new).priority < dedup.hashes(old).priority < 2**64
    old.created = old.created.replace(year=1)
    assert dedup.hashes(old).priority == 2**64 - 1
    assert (dedup.keep(old, np.array([False])), dedup.keep(old, np.array([True]))) == ("duplicate_url", None)


def test_lines_that_go_are_counted_in_the_page():
    document = page("a\nb\na\nc")
    document.meta["removed_lines"] = {"no_endmark": 1}
    dedup = LineDedup(1)
    assert dedup.count(document) == len(dedup.hashes(document).hashes) == 4
    assert dedup.keep(document, np.array([1, 0, 0, 1], bool)) is None
    assert (document.text, document.meta["kept_lines"]) == ("a\nc", 2)
    assert document.meta["removed_lines"] == {"no_endmark": 1, "global_duplicate": 1, "local_duplicate": 1}


def test_a_page_that_goes_keeps_its_text_for_the_rejects():
    step = CleanLines(C4Recipe().lines, SentencesRecipe())
    step.load()
    good, bad = page(f"Title\n{GOOD}"), page(f"{GOOD}\nA {'{'} in a line of words.")
    assert step.apply([good, bad]) == [None, "squigglybracket"]
    assert good.text == GOOD
    assert bad.text.endswith("in a line of words.")
    assert good.meta["removed_lines"] == {
        "too_long_word": 0, "no_endmark": 1, "too_short": 0, "javascript": 0, "policy": 0,
    }  # fmt: skip
    assert step.counters == {"line-passed": 2, "line-filtered:no_endmark": 1}


@pytest.mark.parametrize(
    ("text", "minimum", "reason"),
    [(GOOD, 3, None), (GOOD, 4, "too_few_sentences"), ("", 3, "empty"), ("", None, None), ("One.", None, None)],
)
def test_sentences_are_counted_again(text, minimum, reason):
    step = CountSentences(minimum, SentencesRecipe())
    step.load()
    document = page(text)
    document.meta["removed_lines"] = {"global_duplicate": 2, "local_duplicate": 1}
    assert step.apply([document]) == [reason]
    assert document.meta["sentences"] == {GOOD: 3, "": 0, "One.": 1}[text]
    assert +step.counters == (
        {}
        if minimum is None
        else +Counter(
            {
                "line-filtered:global_duplicate": 2,
                "line-filtered:local_duplicate": 1,
                "line-passed": document.meta["kept_lines"],
            }
        )
    )


@pytest.mark.parametrize(("method", "threshold"), [("fasttext", 0.5), ("langdetect", 0.99)])
def test_both_ways_to_tell_a_language(method, threshold):
    step = IdentifyLanguage(LanguageRecipe(method=method, threshold=threshold))
    step.load()
    german = page("Die Fähre verlässt den Hafen jeden Morgen um zehn Minuten nach sieben.")
    english, nothing = page(GOOD), page("1 2 3.")
    reasons = step.apply([english, german, nothing])
    assert reasons[:2] == [None, "ignored_language"]
    assert reasons[2] == ("low_confidence" if method == "fasttext" else "langdetect_exception")
    assert (english.language, german.language) == ("en", "de")
    assert english.meta["language_score"] >= threshold


def test_lists_and_models_that_cannot_be_used_are_told(tmp_path):
    empty = tmp_path / "list"
    empty.write_text("\n")
    for step, message in (
        (DropBadWords(BadWordsRecipe(list=str(empty))), "is empty"),
        (DropBadWords(BadWordsRecipe(list=str(tmp_path / "nowhere"))), "nowhere"),
        (CleanLines(C4Recipe().lines, SentencesRecipe(model=str(empty))), "is no model of sentence ends"),
        (IdentifyLanguage(LanguageRecipe(model=str(empty))), "the language model cannot be used"),
    ):
        with pytest.raises(ModelError, match=message):
            step.load()
