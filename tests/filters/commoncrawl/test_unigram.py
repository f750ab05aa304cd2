"""The compiled loops against SentencePiece and KenLM, on unigram models of every kind that they take."""

import random
from pathlib import Path

import kenlm
import numpy as np
import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.commoncrawl.ngrams import ProbingModel
from filters.commoncrawl.unigram import VERSIONS, UnigramScorer
from filters.native.library import compiled
from tests.filters.commoncrawl.test_ngrams import write_probing_model

pytestmark = pytest.mark.skipif(
    compiled() is None or sentencepiece.__version__ not in VERSIONS,
    reason="nothing was compiled, or SentencePiece is of another version",
)

LINES = [
    "the dogs of the dog are doggy, he said in 1999",
    "the cats of the cat are catty; ﬁne ﬂowers — naïve café",
    "größe und straße, der weiße hase",
    "чай и кофе, мир и война",
    "東京は日本の首都です。",
]
KINDS = {
    "as CCNet's": {},
    "identity": {"normalization_rule_name": "identity"},
    "nfkc_cf": {"normalization_rule_name": "nfkc_cf"},
    "spaces stay": {"remove_extra_whitespaces": False},
    "no space before": {"add_dummy_prefix": False},
}
OTHERS = {
    "bpe": {"model_type": "bpe"},
    "bytes": {"byte_fallback": True},
    "suffix": {"treat_whitespace_as_suffix": True},
    "symbols": {"user_defined_symbols": ["<br>"]},
}


def train(path: Path, **options: object) -> Path:
    size = 400 if "byte_fallback" in options else 90
    with path.open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(LINES * 4), model_writer=file, minloglevel=2, vocab_size=size,
            hard_vocab_limit=False, character_coverage=0.98, **options,
        )  # fmt: skip
    return path


def ngrams_over(path: Path, model: Path) -> Path:
    """An n-gram model of order 3 whose words are the pieces of a model, some other words, and not all of either."""
    processor = sentencepiece.SentencePieceProcessor(model_file=str(model))
    words = [b"<s>", b"</s>", "首".encode(), b"qq"]
    words += [processor.id_to_piece(i).encode() for i in range(3, processor.get_piece_size(), 2)]
    source = random.Random(1)
    weight = lambda: (source.choice([-1, 1]) * source.uniform(0.1, 4), source.choice([-0.0, 0.0, -0.5]))  # noqa: E731
    pairs = {(source.randrange(len(words) + 1), source.randrange(len(words) + 1)): weight() for _ in range(2000)}
    triples = {(source.randrange(len(words) + 1), *pair): weight() for pair in pairs}
    return write_probing_model(path, words, [weight() for _ in range(len(words) + 1)], [pairs, triples])


@pytest.fixture(scope="module", params=KINDS)
def models(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unigram")
    model = train(folder / "model", **KINDS[request.param])
    ngrams = ngrams_over(folder / "ngrams", model)
    scorer = UnigramScorer.build(model.read_bytes(), ProbingModel.open(ngrams))
    assert scorer is not None
    return sentencepiece.SentencePieceProcessor(model_file=str(model)), kenlm.Model(str(ngrams)), scorer


def check(models, text: str) -> None:
    processor, library, scorer = models
    pieces = processor.encode(text, out_type=str)
    found = scorer.score(text.encode())
    if found is None:  # white space of ASCII or a zero that stays, or a text that grows
        grows = len(processor.normalize(text).encode()) > 2 * len(text.encode())
        assert grows or any(character in piece for piece in pieces for character in "\0\t\n\v\f\r")
        return
    score, count = found
    assert count == len(pieces)
    if count:
        assert np.float32(score) == np.float32(library.score(" ".join(pieces).encode(), bos=True, eos=True))


words = st.sampled_from(
    [*" ".join(LINES).split(), "▁", "▁▁", "q", "qq", "首", "ﬁ", "e\u0301", "\u00a0", "\u200b", "\ufeff", "\u3000", "㌖",
     "ﷺ", "🙂", "\U0010ffff", "<unk>", "</s>", "<s>", "", " ", "1", "①", "ⅷ", "\u0300", "ｶﾞ", "\t", "\x01"]
)  # fmt: skip


@given(pieces=st.lists(words | st.text(max_size=4), max_size=50), separator=st.sampled_from(["", " ", "  "]))
@settings(max_examples=200, deadline=None)
def test_scores_are_the_libraries_(models, pieces, separator):
    check(models, separator.join(pieces).encode("utf-8", "replace").decode())


def test_long_texts(models):
    """Their sums go beyond the number at which the library begins anew, and float32 loses digits on the way."""
    source = random.Random(2)
    known = [word for line in LINES for word in line.split()]
    for size in (5_000, 60_000):
        check(models, " ".join(source.choice([*known, "qq首", source.choice("abcdefgh") * 3]) for _ in range(size)))


def test_real_characters(models):
    """All of the basic plane but the controls of ASCII, each between two letters."""
    for start in range(0x20, 0x10000, 0x3FF):
        codes = range(start, min(start + 0x3FF, 0x10000))
        check(models, "a".join(chr(code) for code in codes if not 0xD800 <= code < 0xE000))


@pytest.mark.parametrize("kind", OTHERS)
def test_other_kinds_are_left_to_the_library(tmp_path, kind):
    model = train(tmp_path / "model", **OTHERS[kind])
    assert UnigramScorer.build(model.read_bytes(), ProbingModel.open(ngrams_over(tmp_path / "ngrams", model))) is None


def test_damaged_models(tmp_path):
    """Whatever is built of them stays within its arrays; some are told to be damaged."""
    whole = train(tmp_path / "model").read_bytes()
    ngrams = ProbingModel.open(ngrams_over(tmp_path / "ngrams", tmp_path / "model"))
    assert UnigramScorer.build(b"", ngrams) is None
    assert UnigramScorer.build(b"<html>", ngrams) is None
    source = random.Random(3)
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(source.choice([1, 20, 400])):
            damaged[source.randrange(len(damaged))] = source.randrange(256)
        scorer = UnigramScorer.build(bytes(damaged), ngrams)
        if scorer is not None:
            scorer.score(" ".join(LINES).encode())
