import gzip
import math
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sentencepiece
import yaml
from hypothesis import given
from hypothesis import strategies as st

from filters.commoncrawl import lm_cli, lm_run, perplexity
from filters.commoncrawl.buckets import CCNET_CUTOFFS, bucket
from filters.commoncrawl.normalize import normalize_plain
from filters.commoncrawl.perplexity import (
    PerplexityModel,
    cutoffs_of,
    load_kenlm,
    load_sentencepiece,
    perplexity_of_score,
)

REAL = Path(__file__).parents[3].parent / "shared" / "real"
KENLM_BINARY = REAL / "models" / "kenlm" / "mini.klm"

# log10 probabilities: ▁hello -1, but -0.25 after the start; ▁world -1, but -0.5 after ▁hello; anything else -2 and the
# end -1.5. No back-off weights but the -0.125 of ▁hello.
ARPA = """\\data\\
ngram 1=5
ngram 2=2

\\1-grams:
-2\t<unk>\t0
0\t<s>\t0
-1.5\t</s>\t0
-1\t▁hello\t-0.125
-1\t▁world\t0

\\2-grams:
-0.25\t<s> ▁hello
-0.5\t▁hello ▁world

\\end\\
"""


def train_sentencepiece(path: Path, lines: list[str], **options: object) -> Path:
    with path.open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines), model_writer=file, minloglevel=2, hard_vocab_limit=False, **options
        )
    return path


@pytest.fixture(scope="module")
def arpa(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("kenlm") / "words.arpa"
    path.write_text(ARPA, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def words(tmp_path_factory) -> Path:
    """A model whose pieces are words."""
    path = tmp_path_factory.mktemp("sentencepiece") / "words.model"
    return train_sentencepiece(path, ["hello world"] * 3, model_type="word", vocab_size=10)


@pytest.fixture(scope="module")
def model(words, arpa) -> PerplexityModel:
    return PerplexityModel(words, arpa)


@pytest.mark.parametrize(
    ("text", "score", "pieces"),
    [
        ("hello world", -0.25 - 0.5 - 1.5, 2),
        ("  HELLO wörld. ", -0.25 - 0.125 - 2 - 1.5, 2),  # the last word is unknown, for its full stop
        ("HELLO\twörld", -2 - 1.5, 1),  # a tab is deleted
        ("hello", -0.25 - 0.125 - 1.5, 1),
        ("world hello", -1 - 1 - 0.125 - 1.5, 2),
        ("hello\nworld", -2 - 1.5, 1),  # fused into an unknown word
        ("hello \ud800a", -0.25 - 0.125 - 2 - 1.5, 2),  # half of a surrogate pair
    ],
)
def test_perplexity(model, text, score, pieces):
    assert model.perplexity(text) == round(10 ** (-score / (pieces + 1)), 1)


def test_newlines_as_spaces(words, arpa):
    expected = round(10 ** ((0.25 + 0.5 + 1.5) / 3), 1)
    assert PerplexityModel(words, arpa, join_lines="space").perplexity("hello\nworld") == expected == 5.6


@pytest.mark.parametrize("text", ["", " \n\t", "\x00\x1f\x85", "\u0301"])
def test_a_document_without_pieces_has_no_perplexity(model, text):
    assert model.perplexity(text) is None


def test_perplexities_are_those_one_by_one(model):
    texts = ["hello world", "", "world", "Hello, world!"]
    assert model.perplexities(iter(texts)) == [model.perplexity(text) for text in texts]


def test_too_large_for_a_float():
    assert perplexity_of_score(-1000.0, 1) == math.inf
    assert perplexity_of_score(-math.inf, 1) == math.inf
    assert perplexity_of_score(-600.0, 1) == 1e300


def test_pieces_are_counted_as_ccnet_does(tmp_path, arpa):
    # Without normalisation a no-break space stays in a piece. CCNet splits the joined pieces there, KenLM does not.
    path = train_sentencepiece(
        tmp_path / "identity.model", ["a b"] * 3, model_type="word", vocab_size=10, normalization_rule_name="identity"
    )
    model = PerplexityModel(path, arpa)
    assert model.perplexity("x\xa0y") == round(10 ** ((2 + 1.5) / (2 + 1)), 1)
    assert model.perplexity("x a") == round(10 ** ((2 + 2 + 1.5) / (2 + 1)), 1)


@pytest.fixture(scope="module")
def unigram(tmp_path_factory) -> Path:
    lines = [
        f"the {noun}s of the {noun} are {noun}y, he said in {number}"
        for number, noun in enumerate(["dog", "cat", "hen"])
    ]
    return train_sentencepiece(tmp_path_factory.mktemp("unigram") / "unigram.model", lines, vocab_size=60)


@pytest.fixture(scope="module")
def unigram_paths(unigram, arpa):
    return (
        sentencepiece.SentencePieceProcessor(model_file=str(unigram)),
        load_kenlm(arpa, ["a"]),
        PerplexityModel(unigram, arpa),
    )


@given(st.text() | st.text(st.sampled_from("the dogs \n▁<s>/unk\xa0é—0")))
def test_equals_the_plain_path(unigram_paths, text):
    processor, scorer, model = unigram_paths
    joined = " ".join(processor.encode_as_pieces(normalize_plain(text.encode("utf-8", "replace").decode("utf-8"))))
    expected = round(10.0 ** (-scorer.score(joined) / (len(joined.split()) + 1)), 1) if joined else None
    assert model.perplexity(text.encode("utf-8", "replace").decode("utf-8")) == expected


@pytest.mark.parametrize(
    ("value", "language", "expected"),
    [
        (339.9, "en", "head"),
        (340.0, "en", "middle"),
        (519.9, "en", "middle"),
        (520.0, "en", "tail"),
        (math.inf, "en", "tail"),
        (1.0, "sl", "all"),
        (None, "en", "all"),
    ],
)
def test_bucket(value, language, expected):
    assert bucket(value, language, CCNET_CUTOFFS) == expected


def test_ccnet_cutoffs():
    assert len(CCNET_CUTOFFS) == 17
    assert CCNET_CUTOFFS["hu"] == (80.0, 140.0)
    assert CCNET_CUTOFFS["cs"] == (820.0, 1140.0)
    assert not {"sl", "sr", "sv"} & CCNET_CUTOFFS.keys()
    assert all(head < middle for head, middle in CCNET_CUTOFFS.values())


def test_cutoffs_are_percentiles():
    assert cutoffs_of([float(value) for value in range(11)]) == (3.0, 6.0)
    assert cutoffs_of([100.0, 200.0]) == (130.0, 160.0)
    with pytest.raises(ValueError, match="nothing to take percentiles of"):
        cutoffs_of([])


def test_damaged_sentencepiece_models(tmp_path, words):
    whole = words.read_bytes()
    first_piece = 2 + whole[1]  # a model cut between two pieces is one that the library accepts
    damaged = {"empty": b"", "page": b"<html>", "half": whole[: len(whole) // 2], "pieces": whole[:first_piece]}
    for name, content in damaged.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=f"{name}.*SentencePiece model.*train one with"):
            load_sentencepiece(tmp_path / name)
    with pytest.raises(ValueError, match=r"cannot read the SentencePiece model .*none: No such file"):
        load_sentencepiece(tmp_path / "none")


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"\xff\xfe\xf5" * 100, b"\\data\\\nngram 1=3\n\n\\1-grams:\n-1\tx\n"]
)
def test_damaged_kenlm_models(tmp_path, content):
    path = tmp_path / "lm"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"lm is not a KenLM model, or a damaged one .*train one with"):
        load_kenlm(path, ["a"])


def test_missing_kenlm_model(tmp_path, words):
    with pytest.raises(ValueError, match=r"cannot read the KenLM model .*none: No such file"):
        PerplexityModel(words, tmp_path / "none")
    with pytest.raises(ValueError, match=r"cannot read the KenLM model .*: Is a directory"):
        PerplexityModel(words, tmp_path)


@pytest.mark.skipif(not KENLM_BINARY.is_file(), reason="the real samples are not here")
def test_damaged_binary_kenlm_models(tmp_path, monkeypatch):
    monkeypatch.setattr(perplexity, "PROBE_SECONDS", 2)
    whole = KENLM_BINARY.read_bytes()
    load_kenlm(KENLM_BINARY, ["a", "b"])
    path = tmp_path / "lm"
    for length in (100, 120, 200, len(whole) // 2):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="lm is a damaged KenLM model"):
            load_kenlm(path, ["a", "b"])
    path.write_bytes(whole[:200] + b"\xa5" * (len(whole) - 200))  # no crash and no endless search in this process
    with pytest.raises(ValueError, match="lm is a damaged KenLM model"):
        load_kenlm(path, ["a", "b"])


def test_calibrate(tmp_path, words, arpa, capsys):
    texts = ["hello world", "hello", "other", "", "hello world hello world"]
    pq.write_table(pa.table({"text": texts[:3]}), tmp_path / "1.parquet")
    (tmp_path / "2.jsonl.gz").write_bytes(gzip.compress(b"\n".join(orjson.dumps({"text": text}) for text in texts[3:])))
    command = ["calibrate", "--sentencepiece", str(words), "--lm", str(arpa), "--language", "xx"]
    assert lm_cli.main([*command, str(tmp_path / "*.parquet"), str(tmp_path / "2.jsonl.gz")]) == 0
    printed = capsys.readouterr().out
    model = PerplexityModel(words, arpa)
    expected = cutoffs_of([found for found in map(model.perplexity, texts) if found is not None])
    assert yaml.safe_load(printed) == {"xx": list(expected)}
    assert "# 5 documents, 4 with a perplexity;" in printed
    histogram = [line.split() for line in printed.splitlines() if line.endswith("*")]
    assert sum(int(line[2]) for line in histogram) == 4

    assert lm_cli.main([*command, "--documents", "2", "--seed", "7", str(tmp_path / "*.parquet")]) == 0
    assert "# 2 documents, 2 with a perplexity;" in capsys.readouterr().out


def test_calibrate_says_what_is_wrong(tmp_path, words, arpa, capsys):
    command = ["calibrate", "--sentencepiece", str(words), "--lm", str(arpa)]
    assert lm_cli.main([*command, str(tmp_path / "none.txt")]) == 2
    assert "error: no such file" in capsys.readouterr().err
    (tmp_path / "empty.txt").write_text("\n\n")
    assert lm_cli.main([*command, str(tmp_path / "empty.txt")]) == 2
    assert "nothing to take percentiles of" in capsys.readouterr().err


@given(st.integers(0, 50), st.integers(1, 60), st.integers())
def test_sample(total, limit, seed):
    chosen = lm_run.choose(total, limit, seed)
    assert chosen == lm_run.choose(total, limit, seed)
    if total <= limit:
        assert chosen is None
    else:
        assert len(chosen) == limit
        assert chosen <= set(range(total))
