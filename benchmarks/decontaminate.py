"""Decontamination: recall of planted leaks by kind and length, false alarms on clean text, speed.

    python -m benchmarks.decontaminate
    python -m benchmarks.decontaminate --clean texts/ --samples c4-validation.00000-of-00001.json.gz

Leaks of every kind are planted into pages of other words, one a page; as many samples are not planted. The cells of the
tables are the share of samples that are found by ``words`` or ``tokens`` to be not clean (a fifth of them or more), and
in brackets dirty (four fifths: what ``--drop`` takes out). With ``--clean`` the samples of a file, cut to passages, are
looked for in texts that are not known to have them, and what is found is printed. Speed is text in MB for a CPU second
of one process, over texts of 64,000 words, and over the clean ones.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.leaks import LEAKS, WORDS, sample, sentence, write_lines
from benchmarks.optout import cpu_seconds
from benchmarks.result import RESULTS, result_file, write_result
from pipeline.decontaminate.data import Data, DataFile, find_data
from pipeline.decontaminate.scan import Indexes, Question, ScanFile
from pipeline.decontaminate.summary import Summary, summarize
from pipeline.decontaminate.tokens import CLEAN, DIRTY
from pipeline.mix.corpus import CorpusFile
from pipeline.mix.encode import encode_file, load_encoder
from pipeline.mix.names import TOKEN_FILES
from pipeline.mix.token_files import Coding, TokenStore

MODEL = str(Path(__file__).parents[1] / "samples" / "models" / "en.sp.model")
LENGTHS = (16, 25, 50, 120, 400)  # words of a sample
OVER = 20  # L of the table by tokens
PAGE = 4000  # characters of a document of clean text
PASSAGE = 60  # words of a sample of clean text
SHOWN = 25
# The evaluation sets of the LLaMA paper (sections 3 to 5): rows of the split that is evaluated, and how many words
# a row has in all its fields, rounded up.
LLAMA_SETS = {
    **{"boolq": (3270, 130), "piqa": (1838, 55), "siqa": (1954, 40), "hellaswag": (10042, 190)},
    **{"winogrande": (1267, 30), "arc_easy": (2376, 45), "arc_challenge": (1172, 55), "openbookqa": (500, 30)},
    **{"natural_questions": (3610, 20), "triviaqa": (11313, 60), "race_middle": (1436, 280), "race_high": (3498, 420)},
    **{"math": (5000, 180), "gsm8k": (1319, 160), "humaneval": (164, 300), "mbpp": (500, 120), "mmlu": (14042, 100)},
    **{
        "truthfulqa": (817, 150),
        "realtoxicityprompts": (99442, 30),
        "crows_pairs": (1508, 35),
        "winogender": (720, 25),
    },
}
SYLLABLES = [consonant + vowel for consonant in "bdfgklmn" for vowel in "aeiou"]


@dataclass(frozen=True)
class Corpus:
    """A corpus of one file, with its token file."""

    root: Path
    tokenizer: str

    def write(self, texts: Sequence[str]) -> None:
        """Writes texts and encodes them."""
        path = self.root / "made" / "all.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        ids = pa.array([str(n) for n in range(len(texts))])
        pq.write_table(pa.table({"id": ids, "text": pa.array(texts, pa.large_string())}), path, compression="zstd")
        encoder = load_encoder(self.tokenizer)
        coding = Coding(encoder.sha256, encoder.dtype.__name__, True, False)
        store = TokenStore(str(self.root), str(self.root / TOKEN_FILES), coding)
        encode_file(store, encoder, CorpusFile("made", "made/all.parquet", path.stat().st_size, None), None)

    def data(self) -> Data:
        """What is looked through."""
        return find_data(str(self.root), None, self.tokenizer, None)


def scan(corpus: Corpus, against: Path, *, words: bool = True, tokens: bool = True) -> tuple[float, Summary, Indexes]:
    """Looks a corpus through; the CPU seconds, without reading the samples."""
    data, report = corpus.data(), corpus.root.with_name("report")
    indexes = Indexes(Question((str(against),), (), 13, words, tokens, corpus.tokenizer))
    step = ScanFile(
        Question((), (), 13, words, tokens, corpus.tokenizer), indexes.key, data.corpus, data.store, str(report), ()
    )
    step.use(indexes)
    step.setup()
    (file,) = data.files

    def look(one: DataFile) -> None:
        for _ in step.process(one):
            pass

    seconds, _ = cpu_seconds(lambda: look(file))
    return seconds, summarize(str(report), data, indexes, DIRTY), indexes


def recall(root: Path, tokenizer: str, samples: int) -> dict[str, dict[str, dict[str, list[float]]]]:
    """For each method, kind of leak and length: the share of planted samples that are not clean, that are dirty, and
    of those that were not planted."""
    found: dict[str, dict[str, dict[str, list[float]]]] = {"words": {}, "tokens": {}}
    for length in LENGTHS:
        rng = np.random.default_rng(length)
        made = [sample(rng, length) for _ in range(2 * samples * len(LEAKS))]
        pages = [
            f"{sentence(rng, 60)}\n\n{leak(one)}\n\n{sentence(rng, 60)}"
            for k, leak in enumerate(LEAKS.values())
            for one in made[2 * samples * k :][:samples]
        ]
        corpus = Corpus(root / "recall", tokenizer)
        corpus.write(pages)
        _, summary, _ = scan(corpus, write_lines(root / "leaks.jsonl", made))
        assert summary.word_share is not None
        for method, share in (("words", summary.word_share), ("tokens", summary.token_share[OVER])):
            for kind, (planted, other) in zip(LEAKS, share.reshape(len(LEAKS), 2, samples), strict=True):
                cells = [np.mean(planted >= CLEAN), np.mean(planted >= DIRTY), np.mean(other > 0)]
                found[method].setdefault(kind, {})[str(length)] = [float(cell) for cell in cells]
    return found


def tables(found: dict[str, dict[str, dict[str, list[float]]]]) -> str:
    """The tables in Markdown."""
    lines = []
    for method, kinds in found.items():
        lines += ["", f"| {method} | " + " | ".join(f"{n} words" for n in LENGTHS) + " |", "|---" * 6 + "|"]
        for kind, cells in kinds.items():
            shown = [f"{cells[str(n)][0]:.0%} ({cells[str(n)][1]:.0%})" for n in LENGTHS]
            lines.append(f"| {kind} | {' | '.join(shown)} |")
        wrong = sum(cell[2] for cells in kinds.values() for cell in cells.values())
        lines.append(f"not planted, yet found in part, by {method}: {wrong:.4f} of 1 in all")
    return "\n".join(lines)


def clean_texts(paths: Sequence[Path]) -> Iterator[str]:
    """The texts of files as they are, unpacked, cut to pages."""
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                opener = {".gz": gzip.open, ".bz2": bz2.open}.get(file.suffix, open)
                with opener(file, "rb") as handle:
                    text = handle.read().decode("utf-8", "replace")
                yield from (text[at : at + PAGE] for at in range(0, len(text), PAGE))


def passages(path: Path) -> list[dict[str, str]]:
    """The texts of a file of JSON lines, cut to passages, and the short sentences in them, as samples."""
    found = []
    with gzip.open(path, "rt") as handle:
        for line in handle:
            text = json.loads(line)["text"]
            words = text.split()
            found += [" ".join(words[at : at + PASSAGE]) for at in range(0, len(words), PASSAGE)]
            found += [s for s in re.split(r"(?<=[.!?])\s+", text) if 5 <= len(s.split()) <= 12]
    return [{"text": text} for text in found if len(text.split()) >= 5]


def false_alarms(root: Path, tokenizer: str, clean: Sequence[Path], samples: Path) -> dict[str, float]:
    """Looks samples up in texts; prints what is found."""
    texts = list(clean_texts(clean))
    corpus = Corpus(root / "clean", tokenizer)
    corpus.write(texts)
    made = passages(samples)
    against = write_lines(root / "clean.jsonl", made)
    by_words, _, _ = scan(corpus, against, tokens=False)
    by_tokens, _, _ = scan(corpus, against, words=False)
    _, summary, indexes = scan(corpus, against)
    size = sum(len(text.encode()) for text in texts) / 1e6
    assert summary.word_share is not None
    assert indexes.words is not None
    share, short = summary.word_share, indexes.words.is_short
    ids = summary.token_share[OVER]
    for number in np.flatnonzero((share > 0) | (ids >= CLEAN))[:SHOWN].tolist():
        print(
            f"{share[number]:.2f} {ids[number]:.2f} {'short ' if short[number] else ''}{made[number]['text'][:300]!r}"
        )
    return {
        "megabytes": round(size, 1),
        "words_mb_per_second": round(size / by_words, 1),
        "tokens_mb_per_second": round(size / by_tokens, 1),
        "samples": int((~short).sum()),
        "found": int(((share > 0) & ~short).sum()),
        "not_clean": int(((share >= CLEAN) & ~short).sum()),
        "dirty": int(((share >= DIRTY) & ~short).sum()),
        "short": int(short.sum()),
        "short_found": int(((share > 0) & short).sum()),
        "by_tokens_not_clean": int((summary.token_share[OVER] >= CLEAN).sum()),
    }


def speed(root: Path, tokenizer: str, megabytes: int, samples: int) -> dict[str, float]:
    """MB of text a second, by words and by tokens."""
    rng = np.random.default_rng(0)
    words = made_words()
    made = [{"question": " ".join(rng.choice(words, 100))} for _ in range(samples)]
    against = write_lines(root / "speed.jsonl", made)
    corpus, page = Corpus(root / "speed", tokenizer), 3000
    texts = []
    for k in range(megabytes * 1_000_000 // page):
        text = ". ".join(" ".join(rng.choice(words, 20)).capitalize() for _ in range(24))[:page]
        texts.append(text + ("" if k % 2 else " \u2014 \u201ccaf\u00e9\u201d"))
    corpus.write(texts)
    size = sum(len(text.encode()) for text in texts) / 1e6
    by_words, _, indexes = scan(corpus, against, tokens=False)
    by_tokens, _, others = scan(corpus, against, words=False)
    assert indexes.words is not None
    assert others.tokens is not None
    return {
        "megabytes": round(size, 1),
        "tokens": sum(file.tokens.tokens for file in corpus.data().files if file.tokens),
        "words_of_samples": int(indexes.words.sizes.sum()),
        "words_mb_per_second": round(size / by_words, 1),
        "tokens_mb_per_second": round(size / by_tokens, 1),
        "words_table_bytes_per_word": round(indexes.nbytes / int(indexes.words.sizes.sum()), 1),
        "tokens_of_samples": int(others.tokens.sizes.sum()),
        "tokens_table_bytes_per_token": round(others.nbytes / int(others.tokens.sizes.sum()), 1),
    }


def made_words() -> npt.NDArray[np.str_]:
    """64,000 words that are none."""
    return np.array([one + two + three for one in SYLLABLES for two in SYLLABLES for three in SYLLABLES])


def memory(root: Path, tokenizer: str) -> dict[str, float]:
    """What the tables of sets as large as LLaMA's take, in a process of their own, and what it takes for one sample."""
    rng, words = np.random.default_rng(0), np.array(WORDS)
    for name, (rows, length) in LLAMA_SETS.items():
        lines = ({"text": " ".join(rng.choice(words, length))} for _ in range(rows))
        write_lines(root / "sets" / f"{name}.jsonl", list(lines))
    write_lines(root / "few" / "few.jsonl", [{"text": " ".join(rng.choice(words, 50))}])
    found = {}
    for name in ("few", "sets"):
        code = (
            "import json, resource, sys; from pipeline.decontaminate.scan import Indexes, Question; "
            "made = Indexes(Question((sys.argv[1],), (), 13, True, True, sys.argv[2])); "
            "most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024; "
            "print(json.dumps([made.nbytes, most, int(made.words.sizes.sum()), int(made.tokens.sizes.sum())]))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(root / name), tokenizer], check=True, capture_output=True, text=True
        )
        found[name] = json.loads(done.stdout)
    tables, most, of_words, of_ids = found["sets"]
    return {
        "sets": len(LLAMA_SETS),
        "samples": sum(rows for rows, _ in LLAMA_SETS.values()),
        "words": of_words,
        "tokens": of_ids,
        "table_megabytes": round(tables / 1e6, 1),
        "peak_megabytes": round(most / 1e6, 1),
        "peak_of_few_megabytes": round(found["few"][1] / 1e6, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", default=MODEL, help="a SentencePiece model (that of the samples)")
    parser.add_argument("--planted", type=int, default=100, help="samples of each kind and length")
    parser.add_argument("--megabytes", type=int, default=50, help="of text, for the speed")
    parser.add_argument("--samples-of-speed", type=int, default=20_000, help="of 100 words each")
    parser.add_argument("--clean", type=Path, nargs="+", help="files and folders of clean text")
    parser.add_argument("--samples", type=Path, help="with --clean: a .json.gz of C4, whose texts are looked for")
    parser.add_argument("--result", type=result_file, default=RESULTS / "decontaminate.json")
    args = parser.parse_args()
    if bool(args.clean) != bool(args.samples):
        parser.error("--clean and --samples go together")
    measured = {}
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        measured["speed"] = speed(root, args.tokenizer, args.megabytes, args.samples_of_speed)
        print(json.dumps(measured["speed"], indent=1), flush=True)
        measured["memory"] = memory(root, args.tokenizer)
        print(json.dumps(measured["memory"], indent=1), flush=True)
        if args.clean:
            measured["clean"] = false_alarms(root, args.tokenizer, args.clean, args.samples)
            print(json.dumps(measured["clean"], indent=1), flush=True)
        found = recall(root, args.tokenizer, args.planted)
    print(tables(found))
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    write_result(args.result, {"machine": machine, **measured, "recall": found})


if __name__ == "__main__":
    main()
