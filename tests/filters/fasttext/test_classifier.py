"""Equality with the library on every kind of model and text, and the proven bound of the difference."""

import json
import os
import random
import struct
import subprocess
import sys
from pathlib import Path

import fasttext_pybind
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from filters.fasttext import classifier as linear
from filters.fasttext.classifier import LinearTextClassifier
from filters.native.library import compiled

# fastText trains on memory that it did not clear: a C library that clears it makes the tests' models repeatable.
PROGRAM = """
import json, sys
import fasttext
for name, data, options, quantized, how in json.loads(sys.argv[2]):
    model = fasttext.train_supervised(sys.argv[1] + "/train-" + data, thread=1, verbose=0, **options)
    model.save_model(sys.argv[1] + "/" + name)
    if quantized:
        model.quantize(**how)
        model.save_model(sys.argv[1] + "/" + quantized)
"""
NGRAMS = {"minn": 2, "maxn": 4, "bucket": 4000, "epoch": 6, "lr": 0.5, "loss": "hs"}
WORDS = {"minn": 0, "maxn": 0, "lr": 0.5}
# Name, data, options; name and options of what is made from it by quantising.
TRAININGS = [
    ("hs", "many", {**NGRAMS, "dim": 4}, "pruned", {"cutoff": 1500, "qnorm": True}),
    ("softmax", "many", {**NGRAMS, "dim": 5, "loss": "softmax", "minn": 1, "maxn": 3}, "quantized", {"qout": False}),
    ("wide", "many", {**NGRAMS, "dim": 32}, "projected", {}),
    ("labels", "labels", {**NGRAMS, "dim": 9, "lr": 2.0}, "output_quantized", {"qout": True, "qnorm": True}),
    ("words_alone", "two", {**WORDS, "dim": 20, "loss": "softmax"}, None, None),
    ("words_hs", "many", {**WORDS, "dim": 4, "loss": "hs"}, None, None),
]
FAST = ["pruned", "quantized", "projected", "output_quantized", "words_alone", "words_hs"]
# Bytes of the header (args.cc, Args::save): the signature, then 32-bit numbers, among them wordNgrams and loss.
CHANGED = {"word_ngrams": (5, 2), "one_vs_all": (6, 4)}
SLOW = ["hs", "softmax", *CHANGED]
ALPHABETS = ["abcdefghijklmnop", "éàüöñabcdef", "абвгдежзиклм", "αβγδεζηθ", "中文字漢語日本", "😀😁ab"]
# White space of Unicode that separates no words in fastText, and white space of ASCII that does.
ODD = "\u00a0 \u2028\u3000\x85 a\tb\rc\x0bd\x0ce\0f \x01\x1c\x1f g"
ODD_TEXTS = [
    "", " ", "\0", ODD, "__label__0", "__label__9 word", "a __label__1 __label__unknown __label__", "</s>", "a </s> b",
    "a</s>", "<>", "< > <> ><", "\ud800", "a\udfffb", "x" * 70000, "中" * 30000, "a " * 40000, "ab cd ef " * 9000,
    "  ".join("abc"), "\t" * 5000, "é", "\x7f\x80", "a" * 16 + " " + "a" * 17, "a" * 8 + " " + "a" * 7,
]  # fmt: skip


def vocabulary(number: int, seed: int = 0) -> list[str]:
    source = random.Random(number * 1000 + seed)
    alphabet = ALPHABETS[number % len(ALPHABETS)]
    return ["".join(source.choices(alphabet, k=source.randint(1, 12))) for _ in range(150)]


def page(number: int, words: int, source: random.Random, noise: float = 0.3) -> str:
    own, strange = vocabulary(number), vocabulary(source.randrange(6), 1)
    return " ".join(source.choice(strange if source.random() < noise else own) for _ in range(words))


def pages(seed: int, count: int = 150) -> list[str]:
    source = random.Random(seed)
    return [page(source.randrange(6), source.randint(0, 400), source, source.random()) for _ in range(count)]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for data, labels in (("many", 6), ("two", 2), ("labels", 300)):
        source, lines = random.Random(labels), []
        for number in range(700):
            # Each label occurs; the first are the most frequent, so that the tree of labels is no regular one.
            label = min(source.randrange(labels), source.randrange(labels)) if number >= labels else number
            lines.append(f"__label__{label} {page(label, 30, source)}\n")
        (folder / f"train-{data}").write_text("".join(lines), encoding="utf-8")
    command = [sys.executable, "-c", PROGRAM, str(folder), json.dumps(TRAININGS)]
    subprocess.run(command, env={**os.environ, "MALLOC_PERTURB_": "255"}, check=True, capture_output=True)
    for name, (field, value) in CHANGED.items():
        data = bytearray((folder / "hs").read_bytes())
        struct.pack_into("<i", data, 8 + 4 * field, value)
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture(scope="module")
def classifiers(models):
    return {name: LinearTextClassifier(str(models / name)) for name in ("pruned", "quantized", "words_alone")}


@pytest.fixture
def small_batches(monkeypatch):
    """Sends even the smallest batch the fast way."""
    monkeypatch.setattr(linear, "MIN_BATCH_BYTES", 0)


def library(path: Path) -> fasttext_pybind.fasttext:
    model = fasttext_pybind.fasttext()
    model.loadModel(str(path))
    return model


def expected(path: Path, texts: list[str], decimals: int = 2) -> list[tuple[str, float]]:
    model, answers = library(path), []
    for text in texts:
        found = model.predict(text.encode("utf-8", "replace") + b"\n", 1, 0.0, "strict")
        answers += [(name, round(probability, decimals)) for probability, name in found] or [("", 0.0)]
    return answers


def answers(classifier: LinearTextClassifier, texts: list[str]) -> list[tuple[str, float]]:
    labels, probabilities = classifier.predict(texts)
    names = [*classifier.labels, ""]
    return [(names[label], value) for label, value in zip(labels.tolist(), probabilities.tolist(), strict=True)]


@pytest.mark.parametrize("name", [*FAST, *SLOW])
def test_equals_the_library(models, name):
    classifier = LinearTextClassifier(str(models / name))
    texts = [*pages(1), *ODD_TEXTS, *pages(2, 30)]
    assert classifier.fast == (name in FAST)
    assert answers(classifier, texts) == expected(models / name, texts)
    # A second time: now many words are known.
    assert answers(classifier, texts) == expected(models / name, texts)
    assert classifier.documents == 2 * len(texts)
    if classifier.fast:
        assert classifier.library_documents < 0.2 * classifier.documents
    else:
        assert classifier.library_documents == classifier.documents


@pytest.mark.parametrize("name", FAST)
def test_bound_holds(models, name):
    """The library's log-probability lies within the bound, also where rounding errors add up instead of cancelling."""
    classifier, model = LinearTextClassifier(str(models / name)), library(models / name)
    repeated = [f"{word} " * 5000 for word in vocabulary(0)[:8]]
    documents = [text.encode() for text in [*pages(3, 60), *repeated] if text.strip()]
    shares = []
    for document in documents:
        logits = classifier._evaluator.logits([document])
        every = classifier._output.log_probabilities(logits.values)[:, 0]
        for probability, label in model.predict(document + b"\n", 3, 0.0, "strict"):
            number = np.array([classifier.labels.index(label)])
            reach, steps = classifier._output.reach[number], classifier._output.steps[number]
            bound = linear._error(reach, steps, every[number], logits)[0] + 1e-6
            shares.append(abs(np.log(probability) - every[number[0]]) / bound)
    assert max(shares) < 1
    # The bound is not empty either: the library is indeed off by a noticeable part of it.
    assert max(shares) > 1e-4


@pytest.mark.skipif(compiled() is None, reason="nothing was compiled")
@pytest.mark.parametrize("name", ["pruned", "quantized", "output_quantized"])
def test_the_sum_in_the_librarys_order_is_the_librarys_to_the_last_bit(models, name):
    classifier = LinearTextClassifier(str(models / name))
    evaluator = classifier._evaluator
    assert evaluator._is_exact
    classifier.predict(pages(8))  # words that are known by now are added up all the same
    long = [text.encode() for text in [" ".join(pages(9)), *(f"{word} " * 5000 for word in vocabulary(0)[:8])]]
    texts = [text.encode("utf-8", "replace") for text in [*pages(8, 40), *ODD_TEXTS, "__label__x a", "a" * 300]]
    for text in [text for text in [*texts, *long] if b"</s>" not in text and b"\n" not in text]:
        mean, rows = evaluator._mean(text)
        assert mean.tolist() == classifier._library_mean(len(mean), text).tolist()
        exact, rough = evaluator.exact([text]), evaluator.logits([text])
        assert exact.rows.tolist() == rough.rows.tolist() == [rows]
        assert (
            np.abs(exact.values - rough.values).max(0) <= rough.error * np.linalg.norm(evaluator._weights, axis=1).max()
        ).all()


def test_a_library_that_adds_up_otherwise_is_asked(models):
    classifier = LinearTextClassifier(str(models / "pruned"))
    classifier._evaluator.check_exact([b"a b"], lambda text: np.zeros(3, np.float32))
    assert not classifier._evaluator._is_exact
    assert classifier._evaluator.exact([b"a b"]) is None
    texts = pages(1)
    assert answers(classifier, texts) == expected(models / "pruned", texts)


@pytest.mark.parametrize("name", ["pruned", "words_alone", "one_vs_all"])
def test_probability_of_each_label(models, name):
    classifier, texts = LinearTextClassifier(str(models / name), decimals=3, round_down=True), [*pages(4, 60), "", ODD]
    model = library(models / name)
    for label in classifier.labels:
        found = classifier.probability_of(texts, label)
        for text, value in zip(texts, found.tolist(), strict=True):
            every = {name: p for p, name in model.predict(text + "\n", -1, 0.0, "strict")}
            assert value == int(every.get(label, 0.0) * 1000) / 1000


@pytest.mark.parametrize("name", ["pruned", "quantized"])
@pytest.mark.parametrize("cache_words", [0, 3, 100])
def test_the_cache_changes_no_result(models, name, cache_words):
    texts = [*pages(5), *pages(5), *pages(6)]
    small = LinearTextClassifier(str(models / name), cache_words=cache_words)
    assert answers(small, texts) == answers(LinearTextClassifier(str(models / name)), texts)


def test_results_do_not_depend_on_the_batch(models):
    classifier, texts = LinearTextClassifier(str(models / "pruned")), pages(7, 60)
    together = answers(classifier, texts)
    assert [answers(classifier, [text])[0] for text in texts] == together
    assert answers(classifier, texts[::-1]) == together[::-1]


PIECES = [*"ab\u00e9я中😀<>/s_ \t\0\u00a0\ud800", "__label__", "</s>", "abc", "  ", "0", "a b c ", *vocabulary(2)[:9]]


@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=30).map("".join), max_size=4))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_equals_the_library_on_any_text(models, classifiers, small_batches, texts):
    for name, classifier in classifiers.items():
        assert answers(classifier, texts) == expected(models / name, texts)


def test_empty_input(models):
    labels, probabilities = LinearTextClassifier(str(models / "pruned")).predict([])
    assert labels.shape == probabilities.shape == (0,)


def test_a_newline_is_refused(models):
    with pytest.raises(ValueError, match="text 1 holds a newline"):
        LinearTextClassifier(str(models / "pruned")).predict(["a", "b\nc"])


def test_an_unknown_label_is_refused(models):
    with pytest.raises(ValueError, match="no label '__label__x'"):
        LinearTextClassifier(str(models / "words_alone")).probability_of(["a"], "__label__x")


def test_decimals(models):
    texts = pages(8, 80)
    for decimals in (0, 1, 4):
        classifier = LinearTextClassifier(str(models / "projected"), decimals=decimals)
        assert answers(classifier, texts) == expected(models / "projected", texts, decimals)


def test_a_matrix_without_numbers_is_refused(models, tmp_path):
    data = bytearray((models / "words_alone").read_bytes())
    data[-4:] = np.float32("nan").tobytes()
    (tmp_path / "nan").write_bytes(data)
    with pytest.raises(ValueError, match="numbers that are none"):
        LinearTextClassifier(str(tmp_path / "nan"))
