"""Languages of written texts, and equality with the library on real pages of all kinds."""

import gzip
import json
import re
from pathlib import Path

import fasttext_pybind
import pytest

from filters.language import LanguageIdentifier, keep_language

MODEL = Path(__file__).parents[2] / "samples" / "models" / "lid.176.ftz"
REAL = Path(__file__).parents[2].parent / "shared" / "real"
PAGES = [
    ("en", "The committee will meet again on Thursday to decide about the new railway station."),
    ("de", "Der Ausschuss wird am Donnerstag erneut tagen, um über den neuen Bahnhof zu entscheiden."),
    ("fr", "La commission se réunira de nouveau jeudi afin de décider de la nouvelle gare."),
    ("ru", "Комиссия соберётся снова в четверг, чтобы принять решение о новом вокзале."),
    ("ja", "委員会は新しい駅について決定するため、木曜日に再び会合を開く予定です。"),
    ("ar", "ستجتمع اللجنة مرة أخرى يوم الخميس لاتخاذ قرار بشأن محطة القطار الجديدة."),
]


@pytest.fixture(scope="module")
def identifier():
    if not MODEL.exists():
        pytest.skip("the language model is not there")
    return LanguageIdentifier(str(MODEL))


def library_answers(texts: list[str]) -> list[tuple[str, float]]:
    """CCNet's way: newlines deleted, the best label, the score rounded to two decimals."""
    model, found = fasttext_pybind.fasttext(), []
    model.loadModel(str(MODEL))
    for text in texts:
        line = text.replace("\n", "").encode("utf-8", "replace")
        [(score, label)] = model.predict(line + b"\n", 1, 0.0, "strict")
        found.append((label.removeprefix("__label__"), round(score, 2)))
    return found


@pytest.mark.parametrize("copies", [1, 300])
def test_languages(identifier, copies):
    """Alone the pages go to the library, together the fast way."""
    found = identifier.identify([text for _, text in PAGES] * copies)
    assert [language for language, _ in found] == [language for language, _ in PAGES] * copies
    assert min(score for _, score in found) > 0.6
    assert all(round(score, 2) == score for _, score in found)


def test_newlines_are_deleted_not_replaced(identifier):
    text = PAGES[0][1]
    cut = "\n".join(text[at : at + 3] for at in range(0, len(text), 3)) + "\n\n"
    assert identifier.identify([cut]) == identifier.identify([text])
    words = text.replace(" ", "\n")
    assert identifier.identify([words]) == identifier.identify([text.replace(" ", "")]) != identifier.identify([text])


def test_texts_of_no_language(identifier):
    texts = ["", "\n", " ", "\0", "\ud800", "</s>", "__label__fr", "12345 " * 3000, "<> " * 9000, "\t" * 99999]
    texts += ["中" * 300000, "a" * 300000, "a b " * 100000]
    found = identifier.identify(texts)
    assert found == library_answers(texts)
    # What remains of an empty page is the end of the line.
    assert found[:7] == [("en", 0.12)] * 7


def test_the_fast_way_is_taken(identifier):
    before = identifier.classifier.library_documents
    identifier.identify([text for _, text in PAGES] * 100)
    assert identifier.classifier.fast
    assert identifier.classifier.library_documents == before


@pytest.mark.parametrize(
    ("language", "score", "reason"),
    [
        ("en", 0.5, None),
        ("en", 0.49, "low_score"),
        ("de", 1.0, None),
        ("fr", 0.99, "language"),
        ("fr", 0.1, "language"),
        ("", 0.0, "language"),
    ],
)
def test_keep_language(language, score, reason):
    assert keep_language(language, score, frozenset(["en", "de"]), 0.5) == reason


def test_a_broken_model_is_told(tmp_path):
    (tmp_path / "lid.176.ftz").write_bytes(b"<!DOCTYPE html>")
    with pytest.raises(ValueError, match=r"lid\.176\.ftz: not a usable fastText model: .* fetch it again"):
        LanguageIdentifier(str(tmp_path / "lid.176.ftz"))


def real_pages() -> list[str]:
    """Pages of two crawls (cut off at the next record's header), documents of C4, sentences of 23 languages."""
    pages: list[str] = []
    for path in sorted((REAL / "commoncrawl" / "wet").iterdir()):
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        pages += [record.decode("utf-8", "replace") for record in re.split(rb"WARC/1\.0\r?\n", data)]
    for path in sorted((REAL / "c4").iterdir()):
        pages += [json.loads(line)["text"] for line in gzip.decompress(path.read_bytes()).splitlines()]
    for path in sorted((REAL / "langid" / "sentences").iterdir()):
        lines = path.read_text(encoding="utf-8").splitlines()
        pages += ["\n".join(lines[at : at + 20]) for at in range(0, len(lines), 20)]
    return pages


def test_equals_the_library_on_real_pages(identifier):
    if not REAL.exists():
        pytest.skip("the real pages are not there")
    pages = real_pages()
    # Parts of pages, and pages of two languages, whose scores are spread over all values.
    pages += [page[at : at + 200] for at, page in enumerate(pages)] + [
        a[:300] + b[:300] for a, b in zip(pages, pages[7:], strict=False)
    ]
    expected = library_answers(pages)
    assert len(pages) > 3000
    assert len({score for _, score in expected}) > 80
    before = identifier.classifier.library_documents
    assert identifier.identify(pages) == expected
    assert identifier.classifier.library_documents - before < 0.05 * len(pages)
    # With all words known by now.
    assert identifier.identify(pages) == expected
