import io

import pytest

from tests.tokenizer.models import write_corpus
from tokenizer.corpus import Corpus
from tokenizer.errors import TokenizerError
from tokenizer.proportions import Place
from tokenizer.sample import Skipped, find_sources, scarcest, take, write_sentences

LONG = "x" * 4193


@pytest.fixture
def corpus(tmp_path):
    """Two sources of 100 documents, of two lines with 50 characters each, and one that has no documents."""
    lines = [[f"{n:04d}" + "a" * 46 + "\n\n" + f"{n:04d}" + "b" * 46 for n in range(100)]]
    return Corpus(str(write_corpus(tmp_path, {"books/all/0": lines, "c4/all/0": lines, "empty/all/0": [[]]})))


def write(corpus, shares, size, seed=0):
    output, steps = io.BytesIO(), []
    sources = find_sources(corpus, shares, renormalise=False)
    samples = write_sentences(corpus, sources, shares, size, seed, output, steps.append)
    assert sum(steps) == sum(sample.bytes for sample in samples.values())
    return samples, output.getvalue().decode().split("\n")[:-1]


def test_each_source_gets_its_share(corpus):
    samples, lines = write(corpus, {"books": 3.0, "c4": 1.0}, 2000)
    assert [(s.share, s.wanted, s.bytes, s.lines, s.documents) for s in samples.values()] == [
        (0.75, 1500, 1500, 30, 15),
        (0.25, 500, 500, 10, 5),
    ]
    assert [len(line) for line in lines] == [50] * 40
    assert scarcest(samples) is None


def test_the_seed_draws_the_documents(corpus):
    shares = {"books": 1.0}
    assert write(corpus, shares, 1000)[1] == write(corpus, shares, 1000)[1]
    assert write(corpus, shares, 1000)[1] != write(corpus, shares, 1000, seed=1)[1]


def test_a_document_is_cut_where_the_share_is_reached(corpus):
    samples, lines = write(corpus, {"books": 1.0}, 101)
    assert (samples["books"].bytes, samples["books"].documents, len(lines)) == (150, 2, 3)


def test_a_source_with_too_little_text(corpus):
    samples, lines = write(corpus, {"books": 3.0, "c4": 1.0}, 100_000)
    assert [sample.bytes for sample in samples.values()] == [10_000, 10_000]
    assert len(set(lines)) == 200
    assert scarcest(samples) == ("books", 13_333)


def test_lines_that_the_trainer_would_ignore_are_counted(tmp_path):
    text = "\n".join(["short", LONG, "", "with ▅ in it", "x" * 4192, "é" * 2097])
    corpus = Corpus(str(write_corpus(tmp_path, {"books/all/0": [[text, LONG]]})))
    samples, lines = write(corpus, {"books": 1.0}, 100_000)
    assert sorted(lines, key=len) == ["short", "x" * 4192]
    books = samples["books"]
    assert (books.documents, books.lines, books.bytes) == (1, 2, 4197)
    assert books.too_long == Skipped(3, 2 * 4193 + 4194)
    assert books.reserved == Skipped(1, 14)


def test_a_missing_source_is_named(corpus):
    with pytest.raises(TokenizerError, match=r"has no documents of github, empty: make them .* --renormalise"):
        find_sources(corpus, {"books": 1.0, "github": 1.0, "empty": 1.0}, renormalise=False)
    assert list(find_sources(corpus, {"books": 1.0, "github": 1.0, "c4": 1.0}, renormalise=True)) == ["books", "c4"]
    with pytest.raises(TokenizerError, match=r"has no documents of github: make them with python -m sources\.SOURCE"):
        find_sources(corpus, {"github": 1.0}, renormalise=True)


def test_take_gives_whole_documents():
    assert list(take([b"abc", b"d\xff", b"e"], 4)) == ["abc", "d\ufffd"]
    assert list(take([b"abc"], 4)) == ["abc"]
    assert list(take([], 4)) == []


def test_long_lines_in_pieces(tmp_path):
    """Nothing is lost, no piece is too long, and no character is cut."""
    texts = [
        "a\r" * 5000,
        "word " * 2000,
        "\u00e9" * 4000,
        "\u20ac" * 3000,
        "\U0001f600" * 2000,
        "x" * 4192,
        "x" * 4193,
        "a\nb",
    ]
    corpus = Corpus(str(write_corpus(tmp_path, {"books/all/0": [[*texts]]})))
    sources = find_sources(corpus, {"books": 1.0}, renormalise=False)
    output = io.BytesIO()
    samples = write_sentences(corpus, sources, {"books": 1.0}, 10**6, 0, output, lambda _: None, split_long=True)
    lines = output.getvalue().decode().split("\n")[:-1]
    assert max(len(line.encode()) for line in lines) == 4192
    assert sorted("".join(lines)) == sorted("".join(texts).replace("\n", ""))
    assert (samples["books"].too_long, samples["books"].cut.lines) == (Skipped(), 6)
    pieces = [line for line in lines if line.startswith("a\r")]
    assert len(pieces) == 3
    assert all(piece.endswith("\r") for piece in pieces)


def test_a_subset_that_is_not_there(tmp_path):
    root = str(write_corpus(tmp_path, {"books/x/0": [["a"]], "books/z/0": [["b"]]}))
    corpus = Corpus(root, {"books": Place("books", ("x", "zz"))})
    with pytest.raises(TokenizerError, match=r"has no subset books/zz, which the mixture names: correct its subsets"):
        find_sources(corpus, {"books": 1.0}, renormalise=False)
    assert len(find_sources(corpus, {"books": 1.0}, renormalise=True)["books"]) == 1
