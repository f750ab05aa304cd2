"""Cleaning, scoring, and a training that must be repeatable, checked, and clear about its failures."""

import dataclasses
import json
import random
from pathlib import Path

import fasttext_pybind
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.commoncrawl import reference
from filters.commoncrawl.reference import (
    REFERENCE_LABEL,
    ReferenceClassifier,
    TrainingError,
    clean_for_classifier,
    keep_reference,
    train_reference_model,
)
from tests.tables import results

SETTINGS = {"dim": 10, "lr": 1.0, "epochs": 5, "min_count": 1}


def pages(kind: str, count: int, seed: int) -> list[str]:
    """Pages of 40 words, half of them of the kind's own and half common, on several lines."""
    source = random.Random(seed)
    words = [f"{source.choice((kind, 'common'))}{source.randrange(50)}" for _ in range(40 * count)]
    return [
        " ".join(words[at : at + 30]) + "\n" + " ".join(words[at + 30 : at + 40]) for at in range(0, len(words), 40)
    ]


POSITIVES, NEGATIVES = pages("cited", 150, 1), pages("random", 160, 2)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    output = tmp_path_factory.mktemp("reference") / "model.bin"
    return output, train_reference_model([*POSITIVES, " \n\u2028"], NEGATIVES, output, seed=7, **SETTINGS)


test_clean_for_classifier = results(
    clean_for_classifier,
    {
        "": "",
        "One line.": "One line.",
        "Two\nlines\r\n\nof\x85text\u2028and\u2029more": "Two lines\r  of text and more",
        "a\tb\u00a0c\x0b": "a\tb\u00a0c\x0b",
        "__label__reference spam": "__label reference spam",
        "x__label__ __label____label__": "x__label  __label __label ",
        "a </s> b</s>": "a < /s> b< /s>",
        "\ud800": "\ud800",
    },
)


@given(
    st.text(st.sampled_from("ab_l</s> \n\r\u2028"))
    | st.lists(st.sampled_from(["__label__", "_", "</s>", "<"])).map("".join)
)
def test_a_clean_page_is_one_line_without_labels(text):
    line = clean_for_classifier(text)
    assert not set(line) & set("\n\x85\u2028\u2029")
    assert "__label__" not in line
    assert "</s>" not in line.split(" ")
    assert clean_for_classifier(line) == line


def test_the_report_counts_every_page(trained):
    output, report = trained
    count = report.pages
    assert (report.model, report.seed, report.attempts) == (str(output), 7, ((7, "ok"),))
    assert count.train_positives + count.held_out_positives == 150
    assert count.train_negatives + count.held_out_negatives == 160
    assert (count.held_out_positives, count.held_out_negatives, count.empty) == (14, 20, 1)
    assert sum(report.held_out.positive_histogram) == 14
    assert sum(report.held_out.negative_histogram) == 20
    assert (report.dim, report.lr, report.epochs, report.min_count) == (10, 1.0, 5, 1)
    assert json.loads(json.dumps(dataclasses.asdict(report)))["held_out"]["threshold"] == 0.25


def test_the_model_tells_the_pages_apart(trained):
    output, report = trained
    assert report.held_out.area == 1.0
    assert report.held_out.recall == 1.0
    assert report.held_out.precision > 0.8
    classifier = ReferenceClassifier(str(output))
    assert min(classifier.score(pages("cited", 20, 3))) > 0.6
    assert max(classifier.score(pages("random", 20, 4))) < 0.4


def test_the_scores_are_the_librarys(trained):
    output, _ = trained
    model = fasttext_pybind.fasttext()
    model.loadModel(str(output))
    texts = [*pages("cited", 60, 5), *pages("random", 60, 6), *pages("common", 60, 7), "", "\n", "unknown words"]
    classifier = ReferenceClassifier(str(output))
    for text, score in zip(texts, classifier.score(texts), strict=True):
        every = {name: p for p, name in model.predict(text.replace("\n", " ") + "\n", -1, 0.0, "strict")}
        assert score == int(every[REFERENCE_LABEL] * 1000) / 1000
    assert classifier.classifier.library_documents < len(texts)


def test_one_seed_gives_one_model(trained, tmp_path):
    """The same bytes, whatever the order of the pages, and whether they come from memory or from files."""
    output, report = trained
    file = tmp_path / "pages.txt"
    file.write_text("".join(page.replace("\n", " ") + "\n" for page in POSITIVES), encoding="utf-8")
    again = train_reference_model([file, ""], NEGATIVES[::-1], tmp_path / "again.bin", seed=7, **SETTINGS)
    assert (tmp_path / "again.bin").read_bytes() == output.read_bytes()
    assert again == dataclasses.replace(report, model=str(tmp_path / "again.bin"))


def test_another_seed_gives_another_split(trained, tmp_path):
    _, report = trained
    other = train_reference_model(POSITIVES, NEGATIVES, tmp_path / "other.bin", seed=8, **SETTINGS)
    assert other.pages != report.pages


def test_pages_of_one_kind_give_no_model(tmp_path):
    with pytest.raises(TrainingError, match=r"seed 1: no better than chance .* seed 2: no better than chance"):
        train_reference_model(pages("a", 200, 1), pages("a", 200, 2), tmp_path / "model", seed=1, retries=1, **SETTINGS)
    assert list(tmp_path.iterdir()) == []


def test_after_nan_the_next_seed_is_tried(trained, tmp_path, monkeypatch):
    """fastText stops so only where memory is not cleared; here it is made to stop for two seeds."""
    stop = "import json, sys\nif json.loads(sys.argv[1])['seed'] < 9: sys.exit('RuntimeError: Encountered NaN.')\n"
    monkeypatch.setattr(reference, "PROGRAM", stop + reference.PROGRAM)
    report = train_reference_model(POSITIVES, NEGATIVES, tmp_path / "model", seed=7, **SETTINGS)
    assert (report.seed, report.attempts) == (9, ((7, "Encountered NaN"), (8, "Encountered NaN"), (9, "ok")))
    assert report.pages == dataclasses.replace(trained[1].pages, empty=0)
    with pytest.raises(TrainingError, match=r"\(seed 7: Encountered NaN; seed 8: Encountered NaN\)"):
        train_reference_model(POSITIVES, NEGATIVES, tmp_path / "no-model", seed=7, retries=1, **SETTINGS)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_what_fasttext_says_is_passed_on(tmp_path, monkeypatch):
    monkeypatch.setattr(reference, "PROGRAM", "import sys; sys.exit('line 1\\nno space left on device')")
    with pytest.raises(TrainingError, match="ended with status 1: no space left on device"):
        train_reference_model(POSITIVES, NEGATIVES, tmp_path / "model", seed=1)
    assert list(tmp_path.iterdir()) == []


def test_too_few_pages(tmp_path):
    with pytest.raises(ValueError, match="of 20 references and 160 others"):
        train_reference_model(POSITIVES[:20], NEGATIVES, tmp_path / "model", seed=1)


def test_the_old_model_stays_when_a_training_fails(tmp_path):
    (tmp_path / "model").write_bytes(b"old")
    with pytest.raises(ValueError, match="too few pages"):
        train_reference_model([], [], tmp_path / "model", seed=1)
    assert (tmp_path / "model").read_bytes() == b"old"


@pytest.mark.parametrize("threshold", [-0.1, 1.5, 0.2501, float("nan")])
def test_the_threshold_is_checked(trained, threshold):
    with pytest.raises(ValueError, match="from 0 to 1 with at most three decimals"):
        ReferenceClassifier(str(trained[0]), threshold)


def test_a_model_of_something_else_is_refused():
    path = Path(__file__).parents[3] / "samples" / "models" / "lid.176.ftz"
    if not path.exists():
        pytest.skip("the language model is not there")
    with pytest.raises(ValueError, match="no reference classifier: it has no label __label__reference"):
        ReferenceClassifier(str(path))


@pytest.mark.parametrize(
    ("score", "reason"), [(0.25, None), (0.249, "not_reference"), (1.0, None), (0.0, "not_reference")]
)
def test_keep_reference(trained, score, reason):
    assert keep_reference(score, 0.25) == reason
    assert ReferenceClassifier(str(trained[0]), 0.25).keep(score) == reason
