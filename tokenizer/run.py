"""One training, from the corpus to the model and its report; nothing is left half done."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sentencepiece
from rich.console import Console

from pipeline.errors import InputError, OutputError
from pipeline.storage.ownership import Owned, check_apart, claim_folder
from tokenizer import training
from tokenizer.corpus import Corpus, RowGroup, fingerprint
from tokenizer.encode import Encoder
from tokenizer.errors import TokenizerError
from tokenizer.fertility import PAPER, Fertility, measure_sources
from tokenizer.model import parse_model
from tokenizer.progress import Stage
from tokenizer.proportions import load_places, load_shares
from tokenizer.sample import (
    HashedLines,
    SourceSample,
    find_sources,
    lacking_subsets,
    scarcest,
    write_sentences,
)
from tokenizer.settings import MAX_SENTENCE_BYTES, settings

COMMAND = "tokenizer.train"
MODEL, VOCABULARY, REPORT, WORK = "tokenizer.model", "tokenizer.vocab", "report.json", "_work"
SENTENCES = "sentences.txt"

ABSENT = "(absent)"

Report = dict[str, Any]


@dataclass(frozen=True)
class TrainingRun:
    """What the user asked for.

    Attributes:
        corpus: Folder of the corpus, local or on a store.
        output: Local folder of the results.
        proportions: Name or path of the mixture.
        renormalise: Whether sources that are missing are left out.
        uneven: Whether a source with too little text leaves the others as they are; else the sample becomes smaller.
        size: Bytes of the sample.
        vocab_size: Number of pieces.
        soft_vocab_limit: Whether fewer pieces will do.
        seed: Draws the documents.
        split_long_lines: Whether lines that are too long for the trainer are taken in pieces.
    """

    corpus: str
    output: Path
    proportions: str
    renormalise: bool
    uneven: bool
    size: int
    vocab_size: int
    soft_vocab_limit: bool
    seed: int
    split_long_lines: bool = False

    def __post_init__(self) -> None:
        if self.vocab_size < 1:
            raise TokenizerError(f"--vocab-size must be 1 or more, it is {self.vocab_size}")


def run(asked: TrainingRun, console: Console) -> Report:
    """Trains a tokenizer and writes ``tokenizer.model``, ``tokenizer.vocab`` and, last, ``report.json``.

    Where the same configuration was trained before, on the same sentences, nothing is done.

    Args:
        asked: The configuration.
        console: Shows the progress.

    Returns:
        The report.

    Raises:
        TokenizerError: The corpus, the mixture, the settings or the output cannot be used; says what to do.
    """
    _check_apart(asked)
    shares = load_shares(asked.proportions)
    corpus = Corpus(asked.corpus, load_places(asked.proportions))
    sources = find_sources(corpus, shares, asked.renormalise)
    configuration = _configuration(asked, {name: shares[name] for name in sources}, sources)
    before = _report_there(asked.output, configuration)
    if before:
        _check_sample(before, _drawn(asked, corpus, sources, shares, None, console)[2], asked.output)
        console.print(f"{asked.output} has this tokenizer already", markup=False)
        return before
    try:
        folder = _claim(asked.output)
        with tempfile.TemporaryDirectory(prefix=f"{WORK}-", dir=asked.output, ignore_cleanup_errors=True) as name:
            work = Path(name)
            folder.expect(f"{work.name}/{made}" for made in (SENTENCES, MODEL, VOCABULARY, REPORT))
            report = _train(asked, corpus, sources, shares, configuration, work, console)
            _publish(work, asked.output)
        folder.remove(work.name)
    except OutputError as error:
        raise TokenizerError(str(error)) from error
    except OSError as error:
        raise TokenizerError(f"cannot write to {asked.output}: {error.strerror or error}") from error
    return report


def _check_apart(asked: TrainingRun) -> None:
    try:
        check_apart(str(asked.output), [asked.corpus], "--corpus")
    except InputError as error:
        raise TokenizerError(str(error)) from error


def _claim(output: Path) -> Owned:
    """Makes the folder the command's own, and removes what a killed run left there."""
    folder = claim_folder(str(output), COMMAND, _written_earlier)
    folder.remove(*{name.partition("/")[0] for name in folder.names if name.startswith(f"{WORK}-")})
    folder.expect([MODEL, VOCABULARY, REPORT])
    return folder


def _written_earlier(root: str) -> list[str] | None:
    """The names in a folder of a version without records: it has the report, or one that is not put in place yet."""
    output = Path(root)
    if not (output / REPORT).exists() and not _is_unfinished(output):
        return None
    made = (SENTENCES, MODEL, VOCABULARY, REPORT)
    left = [path.relative_to(output).as_posix() for name in made for path in output.glob(f"{WORK}-*/{name}")]
    return left + [name for name in made if (output / name).exists()]


def _publish(work: Path, output: Path) -> None:
    """Puts the results in place, the report last; all of them or, where it is interrupted, none."""
    try:
        for name in (MODEL, VOCABULARY, REPORT):
            os.replace(work / name, output / name)
    except BaseException:
        for name in (MODEL, VOCABULARY, REPORT):
            (output / name).unlink(missing_ok=True)
        raise


def _train(
    asked: TrainingRun,
    corpus: Corpus,
    sources: Mapping[str, list[RowGroup]],
    shares: Mapping[str, float],
    configuration: dict[str, Any],
    work: Path,
    console: Console,
) -> Report:
    sentences = work / SENTENCES
    samples, scarce, sha256 = _drawn(asked, corpus, sources, shares, sentences, console)
    with Stage(console, "training", asked.vocab_size) as stage:
        training.train(sentences, configuration["trainer"], work / MODEL, stage.reach)
    encoder = Encoder(work / MODEL)
    _write_vocabulary(work)
    with Stage(console, "measuring", 1):
        fertility = measure_sources(encoder, corpus, sources, asked.seed)
    report = {
        "configuration": configuration,
        "model": {"pieces": encoder.vocab_size, "sha256": encoder.sha256, "is_fast": encoder.is_fast},
        "left_out": [name for name in shares if name not in sources],
        "without_subsets": lacking_subsets(corpus, shares),
        "scarcest": scarce[0] if scarce else None,
        "sample": _sample_report(samples),
        "sample_sha256": sha256,
        "fertility": _fertility_report(fertility),
    }
    (work / REPORT).write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return report


def _drawn(
    asked: TrainingRun,
    corpus: Corpus,
    sources: Mapping[str, list[RowGroup]],
    shares: Mapping[str, float],
    output: Path | None,
    console: Console,
) -> tuple[dict[str, SourceSample], tuple[str, int] | None, str]:
    """Draws the sample, into a file where one is named.

    Returns:
        Its accounts, the source that had too little for its share, and the checksum of the sentences.
    """
    stage = Stage(console, "sampling", asked.size)
    samples, sha256 = _sample(asked, corpus, sources, shares, asked.size, output, stage)
    scarce = scarcest(samples)
    if scarce and not asked.uneven:
        stage = Stage(console, f"sampling what {scarce[0]} has enough for", scarce[1])
        samples, sha256 = _sample(asked, corpus, sources, shares, scarce[1], output, stage)
    return samples, scarce, sha256


def _sample(
    asked: TrainingRun,
    corpus: Corpus,
    sources: Mapping[str, list[RowGroup]],
    shares: Mapping[str, float],
    size: int,
    output: Path | None,
    stage: Stage,
) -> tuple[dict[str, SourceSample], str]:
    with stage, output.open("wb") if output else contextlib.nullcontext() as file:
        lines = HashedLines(file)
        samples = write_sentences(
            corpus, sources, shares, size, asked.seed, lines, stage.advance, asked.split_long_lines
        )
    for name, sample in samples.items():
        if not sample.lines:
            raise TokenizerError(_no_lines(asked.corpus, name, sample))
    return samples, lines.digest.hexdigest()


def _no_lines(corpus: str, name: str, sample: SourceSample) -> str:
    """Why a source gave no line, and what would do."""
    long, reserved = sample.too_long.lines, sample.reserved.lines
    parts = [f"{long:,} are longer than {MAX_SENTENCE_BYTES:,} bytes"] * bool(long)
    parts += [f"{reserved:,} have U+2585, which SentencePiece keeps for itself"] * bool(reserved)
    cure = (
        " (a text whose lines end by carriage returns alone is one line). --split-long-lines takes them in pieces"
        if long
        else ""
    )
    of_lines = f": of their lines {' and '.join(parts)}{cure}" if parts else ""
    return f"the documents of {name} in {corpus} have no lines to train on{of_lines}"


def _check_sample(report: Report, sha256: str, output: Path) -> None:
    """Refuses a tokenizer that was trained on other sentences than the corpus has now."""
    if report.get("sample_sha256") != sha256:
        raise TokenizerError(
            f"{output} has a tokenizer of other sentences: the texts of the corpus have changed since. Remove that "
            "folder to train anew, or choose another --output."
        )


def _configuration(
    asked: TrainingRun, shares: Mapping[str, float], sources: Mapping[str, list[RowGroup]]
) -> dict[str, Any]:
    return {
        "size": asked.size,
        "uneven": asked.uneven,
        "split_long_lines": asked.split_long_lines,
        "seed": asked.seed,
        "shares": dict(shares),
        "trainer": settings(asked.vocab_size, asked.soft_vocab_limit),
        "sentencepiece": sentencepiece.__version__,
        "inputs": {
            name: {
                "files": len({group.path for group in groups}),
                "documents": sum(group.rows for group in groups),
                "fingerprint": fingerprint(groups),
            }
            for name, groups in sources.items()
        },
    }


def _report_there(output: Path, configuration: dict[str, Any]) -> Report | None:
    """The report of the same configuration, where the output has one.

    Raises:
        TokenizerError: The output has a tokenizer of another configuration, or one that was not made here.
    """
    if not any((output / name).exists() for name in (MODEL, VOCABULARY, REPORT)):
        return None
    advice = "choose another --output, or remove it"
    try:
        report: Report = json.loads((output / REPORT).read_text(encoding="utf-8"))
        there, trained = report["configuration"], report["model"]["sha256"]
        sha256 = hashlib.sha256((output / MODEL).read_bytes()).hexdigest()
    except FileNotFoundError as error:
        if error.filename == str(output / REPORT) and _is_unfinished(output):
            return None
        raise TokenizerError(f"{output} has a tokenizer without its report or its model: {advice}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TokenizerError(f"{output / REPORT} is damaged: {advice}") from error
    if sha256 != trained:
        raise TokenizerError(f"{output / MODEL} is not the model that was trained there: {advice}")
    if there != configuration:
        changes = "\n  ".join(_changes(there, configuration))
        raise TokenizerError(
            f"{output} has a tokenizer of another configuration. What differs (there -> here):\n  {changes}\n"
            "Remove that folder to train anew, or choose another --output."
        )
    return report


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """A line for each key, with its path, that two configurations do not share."""
    old, new = dict(_leaves(before)), dict(_leaves(after))
    changed = sorted(key for key in old.keys() | new.keys() if old.get(key, ABSENT) != new.get(key, ABSENT))
    return [f"{key}: {old.get(key, ABSENT)} -> {new.get(key, ABSENT)}" for key in changed]


def _leaves(nested: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in nested.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _is_unfinished(output: Path) -> bool:
    """Whether a run was killed while it put its results in place."""
    return any(output.glob(f"{WORK}-*/{REPORT}"))


def _write_vocabulary(work: Path) -> None:
    """The pieces and their scores, a line each, as SentencePiece's own command writes them."""
    processor = sentencepiece.SentencePieceProcessor(model_file=str(work / MODEL))
    model = parse_model((work / MODEL).read_bytes(), work / MODEL)
    lines = [f"{piece}\t{processor.get_score(number):g}\n" for number, piece in enumerate(model.pieces)]
    (work / VOCABULARY).write_text("".join(lines), encoding="utf-8", newline="")


def _sample_report(samples: Mapping[str, SourceSample]) -> dict[str, Any]:
    total = sum(sample.bytes for sample in samples.values())
    return {
        name: {**dataclasses.asdict(sample), "share_reached": sample.bytes / total} for name, sample in samples.items()
    }


def _fertility_report(found: Mapping[str, Fertility]) -> dict[str, Any]:
    return {
        name: {**dataclasses.asdict(each), "bytes_per_token": each.bytes_per_token, "paper": PAPER.get(name)}
        for name, each in found.items()
    }
