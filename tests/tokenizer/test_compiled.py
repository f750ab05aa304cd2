"""The compiled loop against SentencePiece: any vocabulary, hostile texts, a full cache, and models that it refuses."""

import gzip
import itertools
import json
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
from hypothesis import example, given, settings
from hypothesis import strategies as st

from filters.native.library import compiled
from tests.tokenizer.models import FIRST_PIECES, RELEASED, Piece, model_of_pieces, texts
from tokenizer.compiled import BUFFER, LONGEST_PIECE, CompiledEncoder
from tokenizer.cuts import find_cuts
from tokenizer.encode import Encoder
from tokenizer.model import CONTROL, NORMAL, parse_model

pytestmark = pytest.mark.skipif(compiled() is None, reason="nothing was compiled")

LETTERS = [*"aaabbbccxé中😀\n=\u0301"]
letters = st.sampled_from([*LETTERS, "\0"])
# With few letters and scores most pieces have several ways to come about, and ties.
vocabularies = st.dictionaries(
    st.builds("{}{}".format, st.sampled_from(["", "", " ", "  "]), st.text(st.sampled_from(LETTERS), max_size=5)),
    st.sampled_from([-0.0, -1.0, -1.5, -1.5000001, 3e38, 1e-40]),
    max_size=60,
)
words = [
    "▁",
    " ",
    "  ",
    "</s>",
    "<0x0A>",
    "\U0001f468\u200d\U0001f469",
    "🇩🇪",
    "ที่",
    "日本語",
    "привет",
    "\ufffd",
    "1999",
]
hostile = st.lists(
    letters
    | st.sampled_from(words)
    | st.text(max_size=3)
    | st.builds(lambda letter, count: letter * count, letters, st.integers(1, 80)),
    max_size=40,
).map("".join)


def load(content: bytes) -> sentencepiece.SentencePieceProcessor:
    processor = sentencepiece.SentencePieceProcessor()
    processor.LoadFromSerializedProto(content)
    return processor


def build(content: bytes, processor=None, cache_bytes: int = 0) -> CompiledEncoder | None:
    model = parse_model(content, Path("a.model"))
    return CompiledEncoder.build(processor or load(content), model, find_cuts(model), cache_bytes)


def ids_of(encoder: CompiledEncoder, batch: list[str]) -> list[list[int]]:
    contents = [(" " + text).replace("▁", " ").encode() if text else b"" for text in batch]
    ids, counts = encoder.encode(contents, np.uint32)
    assert len(counts) == len(batch)
    return [part.tolist() for part in np.split(ids, np.cumsum(counts)[:-1])] if batch else []


def with_space(pieces: dict[str, float]) -> list[Piece]:
    normal = {" ": -2.0} | {text: score for text, score in pieces.items() if text}
    return [*FIRST_PIECES, *((text, score, NORMAL) for text, score in normal.items())]


@settings(max_examples=100, deadline=None)
@given(vocabularies, st.lists(hostile, max_size=6))
@example({"ab": 0.0, "ba": 0.0, "aba": 0.0}, ["ababab" * 20, "baba", "aab" * 50])
@example({"abc": 0.0, "ab": -1.0}, ["abcabc", "abc" * 30])  # its letters are no pieces
@example({"a" * 2**n: float(n) for n in range(1, 7)}, ["a" * 3000, "a" * 511])
def test_any_vocabulary(pieces, batch):
    content = model_of_pieces(with_space(pieces))
    processor = load(content)
    encoder = build(content, processor)
    assert encoder is not None
    assert ids_of(encoder, batch) == [processor.encode(text) for text in batch]


@pytest.fixture(scope="module")
def trained(model_of):
    content = model_of("released_settings").read_bytes()
    processor = load(content)
    return build(content, processor), processor


@settings(deadline=None)
@given(st.lists(hostile, max_size=6))
@example(["".join(map(chr, itertools.chain(range(0xD800), range(0xE000, 0x11000), range(0x1F000, 0x20000))))])
def test_hostile_texts(trained, batch):
    encoder, processor = trained
    assert ids_of(encoder, batch) == [processor.encode(text) for text in batch]


@pytest.mark.parametrize(
    "part", ["a", " ", "\0", "=-", "é", "😀", "中文", "thehouse", "0123456789", "\n", "x" * 31 + "\t"]
)
def test_long_runs(trained, part):
    encoder, processor = trained
    text = part * (100_000 // len(part.encode()))
    assert ids_of(encoder, [text]) == [processor.encode(text)]


def test_units_at_every_limit(trained):
    """Of 22 to 25 bytes, 31 to 34 characters, one id to many, at the end of a text and before others."""
    encoder, processor = trained
    words = [letter * count for letter in "aé中😀\x01" for count in range(1, 36)]
    batch = [*words, " ".join(words), *(word + " a" for word in words)]
    expected = [processor.encode(text) for text in batch]
    for _ in range(2):
        assert ids_of(encoder, batch) == expected


def test_a_full_cache(model_of):
    content = model_of("released_settings").read_bytes()
    encoder, processor = build(content), load(content)
    batch = [
        " ".join(f"{chr(97 + n % 26)}{n:b}x{n}" for n in range(begin, begin + 900)) for begin in range(0, 9000, 900)
    ]
    expected = [processor.encode(text) for text in batch]
    assert ids_of(encoder, batch) == expected
    assert ids_of(encoder, batch[::-1]) == expected[::-1]
    assert encoder.resets > 2


def test_texts_beyond_the_buffer(trained):
    encoder, processor = trained
    batch = [*texts()[:3], "", "\x02\x03" * BUFFER, "the house", "é" * BUFFER, *texts()[3:5]]
    assert ids_of(encoder, batch) == [processor.encode(text) for text in batch]


def test_threads_take_turns(trained):
    encoder, processor = trained
    expected = [processor.encode(text) for text in texts()]
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: ids_of(encoder, texts()), range(8)):
            assert found == expected


def without(name: str) -> list[Piece]:
    return [piece for piece in with_space({"ab": 0.0}) if piece[0] != name]


ODD = {
    "a control piece of one character": [*with_space({"ab": 0.0}), ("a", 0.0, CONTROL)],
    "no space": without(" "),
    "no number": with_space({"ab": math.nan}),
    "a zero byte": with_space({"\0": 0.0}),
    "two zeros": with_space({"ab": 0.0, "bc": -0.0}),
    "an endless score": with_space({"ab": math.inf}),
    "a long piece": with_space({"a" * (LONGEST_PIECE + 1): 0.0}),
}
DAMAGED = {
    "one text twice": [*with_space({"ab": 0.0}), ("ab", 0.0, CONTROL)],
    "no piece for a byte": without("<0x41>"),
    "an empty piece": [*with_space({"ab": 0.0}), ("", 0.0, NORMAL)],
}


@pytest.mark.parametrize("pieces", ODD.values(), ids=ODD)
def test_odd_models_are_left_to_the_library(pieces, tmp_path):
    path = tmp_path / "odd.model"
    path.write_bytes(model_of_pieces(pieces))
    assert build(path.read_bytes()) is None
    batch = ["ab bc A a\0a abcbcab", "aab A a<0x41>" * 50, "x\0ab\0\0" * 200, "a" * 500]
    encoder, processor = Encoder(path), load(path.read_bytes())
    ids, _ = encoder.encode_batch(batch)
    assert ids.tolist() == [number for text in batch for number in processor.encode(text)]


@pytest.mark.parametrize("pieces", DAMAGED.values(), ids=DAMAGED)
def test_models_that_the_library_refuses(pieces):
    assert build(model_of_pieces(pieces), load(model_of_pieces(with_space({})))) is None


def test_a_plain_space_in_a_piece():
    content = model_of_pieces(with_space({"ab": 0.0})).replace(b"ab", b" b")
    assert build(content) is None


def test_other_ids_than_the_library_s():
    """Where the library should come to merge otherwise, it is asked itself."""
    content, other = (model_of_pieces(with_space({"ab": score, "bc": -1.0})) for score in (0.0, -2.0))
    assert build(content, load(content)) is not None
    assert build(content, load(other)) is None


def test_with_and_without_it(model_of):
    path = model_of("released_settings")
    batch = [*texts()[:4], "short", ""]
    found = [Encoder(path, use_compiled=way).encode_batch(batch, add_bos=True) for way in (True, False)]
    assert all(np.array_equal(one, other) for one, other in zip(*found, strict=True))


def real_documents() -> list[str]:
    folder = RELEASED.parents[1]
    files = [path for path in sorted(folder.rglob("*")) if path.suffix in {".txt", ".tex", ".wet", ".xml"}]
    documents = [path.read_bytes()[:200_000].decode("utf-8", "replace") for path in files]
    for path in sorted((folder / "c4").glob("*.json.gz")):
        documents += [json.loads(line)["text"] for line in gzip.decompress(path.read_bytes()).splitlines()]
    return documents


@pytest.mark.skipif(not RELEASED.exists(), reason="the released model is not there")
def test_real_documents():
    documents = real_documents()
    encoder, processor = Encoder(RELEASED, cache_bytes=1 << 20), load(RELEASED.read_bytes())
    ids, offsets = encoder.encode_batch(documents)
    parts = [part.tolist() for part in np.split(ids, offsets[1:-1])]
    assert parts == processor.encode(documents, num_threads=2)
