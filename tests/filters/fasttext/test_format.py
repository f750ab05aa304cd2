"""Model files written byte by byte: what they hold is read, and no damage gets as far as the library."""

import struct
from pathlib import Path

import fasttext_pybind
import numpy as np
import pytest

from filters.fasttext.format import read_model

REAL = Path(__file__).parents[3] / "samples" / "models" / "lid.176.ftz"
HEADER = {
    "magic": 793712314, "version": 12, "dim": 2, "ws": 5, "epoch": 5, "minCount": 1, "neg": 5, "wordNgrams": 1,
    "loss": 3, "model": 3, "bucket": 3, "minn": 1, "maxn": 2, "lrUpdateRate": 100,
}  # fmt: skip
WORDS = [(b"</s>", 9), (b"one", 5), (b"tw\xc3\xb6", 4)]
LABELS = [(b"__label__a", 7), (b"__label__b", 2)]


def dictionary(words=WORDS, labels=LABELS, size=None, pruned=None) -> bytes:
    entries = b"".join(
        word + b"\0" + struct.pack("<qb", count, kind)
        for kind, group in enumerate((words, labels))
        for word, count in group
    )
    size = len(words) + len(labels) if size is None else size
    pairs = b"" if pruned is None else struct.pack(f"<{2 * len(pruned)}i", *sum(pruned, ()))
    sizes = struct.pack("<iiiqq", size, len(words), len(labels), 100, -1 if pruned is None else len(pruned))
    return sizes + entries + pairs


def dense(rows: int, columns: int = 2) -> bytes:
    values = np.arange(rows * columns, dtype="<f4")
    return b"\0" + struct.pack("<qq", rows, columns) + values.tobytes()


def quantizer(dim: int, part: int) -> bytes:
    parts = -(-dim // part)
    values = np.arange(dim * 256, dtype="<f4")
    return struct.pack("<4i", dim, parts, part, dim - (parts - 1) * part) + values.tobytes()


def quantized(rows: int, columns: int = 2, part: int = 2, norms: bool = True) -> bytes:
    parts = -(-columns // part)
    codes = bytes((7 * number) % 256 for number in range(rows * parts))
    sizes = struct.pack("<?qqi", norms, rows, columns, len(codes))
    tail = bytes(range(rows)) + quantizer(1, 1) if norms else b""
    return b"\1" + sizes + codes + quantizer(columns, part) + tail


def model_bytes(words=None, matrix=None, output=None, **header) -> bytes:
    """A model file; anything may be replaced."""
    head = struct.pack("<14id", *{**HEADER, **header}.values(), 1e-4)
    return head + (words or dictionary()) + (matrix or dense(6)) + (output or dense(2))


def read(data: bytes, tmp_path: Path):
    path = tmp_path / "model.bin"
    path.write_bytes(data)
    return read_model(str(path))


def library_predicts(data: bytes, tmp_path: Path, text: str) -> list[tuple[float, str]]:
    (tmp_path / "model.bin").write_bytes(data)
    model = fasttext_pybind.fasttext()
    model.loadModel(str(tmp_path / "model.bin"))
    return model.predict(text + "\n", 2, 0.0, "strict")


def test_dense(tmp_path):
    model = read(model_bytes(), tmp_path)
    assert (model.dim, model.loss, model.word_ngrams, model.minn, model.maxn, model.bucket) == (
        2,
        "softmax",
        1,
        1,
        2,
        3,
    )
    assert model.words == [b"</s>", b"one", b"tw\xc3\xb6"]
    assert model.labels == [b"__label__a", b"__label__b"]
    assert model.label_counts.tolist() == [7, 2]
    assert (model.pruned, model.input, model.input_rows, model.quantized) == (None, None, 6, False)
    assert model.output.tolist() == [[0, 1], [2, 3]]
    # The library reads the same file: for no words but the end of line, logits (0, 1) . (0, 1) and (0, 1) . (2, 3).
    [(first, name), (second, _)] = library_predicts(model_bytes(), tmp_path, "")
    assert name == "__label__b"
    assert first / second == pytest.approx(np.exp(3 - 1), rel=1e-3)


def test_pruned_and_quantized(tmp_path):
    data = model_bytes(
        dictionary(pruned=[(0, 1), (2, 0)]),
        quantized(5, 3, 2),
        b"\1" + quantized(2, 3, 3, norms=False)[1:],
        dim=3,
        loss=1,
    )
    model = read(data, tmp_path)
    assert model.pruned.tolist() == [[0, 1], [2, 0]]
    assert (model.loss, model.quantized, model.input_rows) == ("hs", True, 5)
    # Row r has the codes 14 r and 14 r + 7, into centroids of widths 2 and 1, and the norm r.
    row = 3
    assert model.input[row].tolist() == [row * 2 * 42, row * (2 * 42 + 1), row * (512 + 49)]
    assert model.output.tolist() == [[0, 1, 2], [21, 22, 23]]
    assert len(library_predicts(data, tmp_path, "one two three")) == 2


def test_version_11_has_no_ngrams(tmp_path):
    assert read(model_bytes(version=11, bucket=0, matrix=dense(3)), tmp_path).maxn == 0


def test_real_model():
    if not REAL.exists():
        pytest.skip("the language model is not there")
    model = read_model(str(REAL))
    assert (model.dim, model.loss, model.minn, model.maxn, model.bucket) == (16, "hs", 2, 4, 2_000_000)
    assert (len(model.words), len(model.labels), len(model.pruned)) == (7235, 176, 42765)
    assert model.input.shape == (50000, 16)
    assert model.output.shape == (176, 16)


@pytest.mark.parametrize("data", [model_bytes(), model_bytes(dictionary(pruned=[(0, 0)]), quantized(4))])
def test_cut_short_anywhere(data, tmp_path):
    """A file cut inside its dictionary would make the library append bytes until the memory is gone."""
    for size in [*range(300), *range(300, len(data), 97), len(data) - 1]:
        with pytest.raises(ValueError, match=r"model\.bin: .*fetch it again"):
            read(data[: min(size, len(data) - 1)], tmp_path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"PK\3\4" * 50, "does not start with fastText's signature"),
        (model_bytes(version=13), "format version 13"),
        (model_bytes(version=-1), "format version -1"),
        (model_bytes(model=1), "not trained as a classifier"),
        (model_bytes(loss=9), "unknown number 9"),
        (model_bytes(dim=0), "no dimension"),
        (model_bytes(dim=3), "the input matrix has the shape 6 x 2"),
        (model_bytes(bucket=0), "no hash buckets"),
        (model_bytes(bucket=4), "fewer rows than words and buckets"),
        (model_bytes(dictionary(size=9)), "dictionary sizes disagree"),
        (model_bytes(dictionary(labels=[])), "dictionary sizes disagree"),
        (model_bytes(dictionary(words=[(b"a b", 1)])), "words with white space"),
        (model_bytes(dictionary(words=[(b"", 1)])), "words with white space"),
        (model_bytes(dictionary(labels=[LABELS[0]] * 2)), "a label occurs twice"),
        (model_bytes(dictionary(labels=[(b"__label__a", -1), LABELS[1]])), "label counts are out of range"),
        (model_bytes(dictionary(labels=[(b"__label__a", 10**15), LABELS[1]])), "label counts are out of range"),
        (model_bytes(dictionary(pruned=[(0, 0)])), "a pruned dictionary needs a quantised matrix"),
        (model_bytes(dictionary(pruned=[(0, 2)]), quantized(5)), "points outside the input matrix"),
        (model_bytes(dictionary(pruned=[(0, -1)]), quantized(5)), "points outside the input matrix"),
        (model_bytes(dictionary(pruned=[]), quantized(2)), "fewer rows than words"),
        (model_bytes(matrix=quantized(6, 4)), "the input matrix has the shape 6 x 4"),
        (model_bytes(matrix=quantized(6, 2, 1)[:-3000]), "it ends inside"),
        (model_bytes(output=dense(3)), "2 labels but 3 output rows"),
        (model_bytes(matrix=b"\0" + struct.pack("<qq", 2**61, 2)), "it ends inside the input matrix"),
        (model_bytes(matrix=b"\0" + struct.pack("<qq", -1, 2)), "the shape -1 x 2"),
        (model_bytes(matrix=b"\1" + struct.pack("<?qqi", False, 6, 2, -5)), "it ends inside the input matrix"),
        (model_bytes(matrix=quantized(6)[:28] + b"\x05" + quantized(6)[29:]), "the quantiser of the input matrix"),
    ],
)
def test_damage_is_told(data, message, tmp_path):
    with pytest.raises(ValueError, match=message) as told:
        read(data, tmp_path)
    assert str(told.value).startswith(str(tmp_path / "model.bin"))


def test_missing_file(tmp_path):
    with pytest.raises(ValueError, match="cannot read this fastText model: No such file"):
        read_model(str(tmp_path / "absent"))


def test_folder(tmp_path):
    with pytest.raises(ValueError, match="cannot read this fastText model: Is a directory"):
        read_model(str(tmp_path))
