"""Small SentencePiece models, trained on the embedded pages and on this project's own code, or made of given pieces."""

import io
import struct
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import sentencepiece

from tokenizer.model import BYTE, CONTROL, SPACE, UNKNOWN
from tokenizer.settings import settings

ROOT = Path(__file__).parents[2]
RELEASED = ROOT.parent / "shared" / "real" / "models" / "tokenizer.model"
PAGES = sorted((ROOT / "samples" / "commoncrawl" / "pages").glob("*.txt"))
CODE = sorted((ROOT / "filters").glob("[cf]*/*.py"))
RUNS = ["a" * 50, "ab" * 40, "aab" * 30, "-" * 60, "=-" * 40, "ééé" * 9, " " * 40 + "x"]  # pieces of runs

# What each differs in from the released model's settings.
KINDS: dict[str, dict[str, Any]] = {
    "released_settings": {},
    "merging_scripts_and_digits": {
        "split_by_unicode_script": False,
        "split_digits": False,
        "split_by_number": False,
    },
    "no_dummy_prefix": {"add_dummy_prefix": False},
    "across_spaces": {"split_by_whitespace": False},
    "no_byte_fallback": {"byte_fallback": False},
    "removes_spaces": {"remove_extra_whitespaces": True},
    "nfkc": {"normalization_rule_name": "nfkc"},
    "user_defined": {"user_defined_symbols": ["<fim>", "the t"]},
    "spaces_as_suffixes": {"treat_whitespace_as_suffix": True},
    "unigram": {
        "model_type": "unigram",
        "vocab_size": 800,
        "seed_sentencepiece_size": 2000,
        "input_sentence_size": 1000,
    },
    "characters": {"model_type": "char", "vocab_size": 700, "hard_vocab_limit": False},
}
FAST = {"released_settings", "merging_scripts_and_digits", "no_dummy_prefix"}


def texts() -> list[str]:
    return [path.read_text(encoding="utf-8") for path in [*PAGES, *CODE]]


def train(path: Path, kind: str, vocab_size: int = 1500) -> Path:
    """Trains a model of a kind in this process."""
    lines = [line for text in texts() for line in text.split("\n") if len(line.encode()) < 4192] + RUNS * 50
    model = io.BytesIO()
    options = {**settings(vocab_size), "num_threads": 2, "character_coverage": 0.99, "minloglevel": 2, **KINDS[kind]}
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_writer=model, **options)
    path.write_bytes(model.getvalue())
    return path


Piece = tuple[str, float, int]
# What every model of bytes has; the pieces that merges make come behind.
FIRST_PIECES: list[Piece] = [("<unk>", 0, UNKNOWN), ("<s>", 0, CONTROL), ("</s>", 0, CONTROL)]
FIRST_PIECES += [(f"<0x{byte:02X}>", 0, BYTE) for byte in range(256)]


def model_of_pieces(pieces: list[Piece]) -> bytes:
    """A BPE model of these pieces (text, score, kind), with the released model's settings."""
    made = b""
    for text, score, kind in pieces:
        encoded = text.replace(" ", SPACE).encode()
        fields = b"\x0a" + _varint(len(encoded)) + encoded + b"\x15" + struct.pack("<f", score) + bytes((0x18, kind))
        made += b"\x0a" + _varint(len(fields)) + fields
    trainer = b"\x18\x02\x20" + _varint(len(pieces)) + b"\x98\x02\x01"  # bpe, vocab_size, byte_fallback
    normalizer = b"\x0a\x08identity\x18\x01\x20\x00\x28\x01"  # dummy prefix; extra spaces stay; spaces are escaped
    return made + b"".join((b"\x12", _varint(len(trainer)), trainer, b"\x1a", _varint(len(normalizer)), normalizer))


def _varint(number: int) -> bytes:
    made = b""
    while number > 127:
        made += bytes((number & 127 | 128,))
        number >>= 7
    return made + bytes((number,))


def write_corpus(root: Path, files: dict[str, list[list[str]]]) -> Path:
    """Writes a corpus: texts, by row groups, of each ``source/subset/shard``."""
    for name, groups in files.items():
        path = root / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        schema = pa.schema([("id", pa.string()), ("text", pa.large_string())])
        with pq.ParquetWriter(path, schema) as writer:
            for group in groups:
                writer.write_table(pa.table([[f"{name}-{n}" for n in range(len(group))], group], schema=schema))
    return root
