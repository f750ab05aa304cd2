"""Small SentencePiece models, trained on the embedded pages and on this project's own code."""

import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import sentencepiece

from tokenizer.training import settings

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
