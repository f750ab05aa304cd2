"""The linear classifier that tells pages which Wikipedia cites from pages drawn at random.

The LLaMA paper, section 2.1, English CommonCrawl: "we trained a linear model to classify pages used as references
in Wikipedia v.s. randomly sampled pages, and discarded pages not classified as references". It gives no more; the
model, fastText over single words, and the threshold are those of RedPajama's rebuild.

On training: fastText 0.9.3 often stops with "Encountered NaN" on good input, and gives another model each time. The
cause is not the data. With fewer than ten threads it fills only as many tenths of its input matrix with random numbers
(``DenseMatrix::uniform``) and leaves the rest as the memory was, which it took without clearing (``aligned.h``).
Therefore the training runs in a process of its own whose C library is told to hand out zeroed memory (glibc's
``MALLOC_PERTURB_``): one seed gives one model, and the rows without random numbers start at zero, as they did
in fastText 0.9.2. Should it stop all the same, on another C library, the next seed is tried.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xxhash

from filters.commoncrawl.reference_url import normalize_url
from filters.fasttext.classifier import LinearTextClassifier

__all__ = [
    "Evaluation",
    "PageCounts",
    "ReferenceClassifier",
    "TrainingError",
    "TrainingReport",
    "clean_for_classifier",
    "keep_reference",
    "normalize_url",
    "train_reference_model",
]

REFERENCE_LABEL = "__label__reference"
OTHER_LABEL = "__label__other"
# RedPajama's threshold; the paper gives none.
DEFAULT_THRESHOLD = 0.25
# Decimals of a score, and the most that a threshold may have.
SCORE_DECIMALS = 3

# What ends a line for a reader but not for fastText, and the newline itself. Without the space, words at line ends
# would fuse.
LINE_ENDS = "\n\x85\u2028\u2029"
# Words with a meaning of their own for fastText: a label, and the end of the text.
LABEL_PREFIX, END_OF_TEXT = "__label__", "</s>"
# One page in so many is held out.
HELD_OUT = 10
# Fewer pages held out of a class than this say nothing about the model.
MIN_HELD_OUT = 5
# A word met less often is not in the vocabulary. fastText's own default, 1, gives a model of gigabytes, most of it
# words of a single page.
MIN_COUNT = 5
# Files over which the pages are spread and then shuffled, one after the other, in memory.
BUCKETS = 64
# Bars of the histogram of scores: 0 to 0.05 and so on.
BARS = 20
# The area under the curve must exceed 0.5 by so many standard deviations of that of random scores.
DEVIATIONS = 2.0
# Pages scored at a time.
BATCH = 500
NAN_ERROR = "Encountered NaN"
PROGRAM = """
import json, sys
import fasttext
fasttext.train_supervised(**json.loads(sys.argv[1])).save_model(sys.argv[2])
"""
# glibc fills memory with the complement of this byte.
ZEROED_MEMORY = {"MALLOC_PERTURB_": "255"}

FloatArray = npt.NDArray[np.float64]


def clean_for_classifier(text: str) -> str:
    """A page as one line, as the classifier reads it in training and after.

    Line ends become spaces. What fastText would take for a label or for the end of the text is broken up, so that no
    page can label itself. Nothing else changes: as in RedPajama's rebuild, words keep their case and punctuation.

    Args:
        text: A page.

    Returns:
        The page without any newline.
    """
    # Six searches for one string are many times as fast as one str.translate.
    for end in LINE_ENDS:
        text = text.replace(end, " ")
    return text.replace(LABEL_PREFIX, "__label ").replace(END_OF_TEXT, "< /s>")


class ReferenceClassifier:
    """Scores pages with a model that :func:`train_reference_model` made.

    Args:
        path: A local fastText model with the labels ``REFERENCE_LABEL`` and ``OTHER_LABEL``.
        threshold: The least score that stays, with at most three decimals.

    Raises:
        ValueError: The file is missing or damaged or has other labels, or the threshold is out of range.

    Attributes:
        classifier: The model; it counts the texts, and those that the library was asked about.
        threshold: As given.
    """

    def __init__(self, path: str, threshold: float = DEFAULT_THRESHOLD) -> None:
        if not 0 <= threshold <= 1 or round(threshold, SCORE_DECIMALS) != threshold:
            raise ValueError(
                f"the threshold of the reference classifier is {threshold}; it must be a number from 0 to 1 "
                "with at most three decimals"
            )
        self.threshold = threshold
        self.classifier = LinearTextClassifier(path, decimals=SCORE_DECIMALS, round_down=True)
        if REFERENCE_LABEL not in self.classifier.labels:
            raise ValueError(f"{path}: no reference classifier: it has no label {REFERENCE_LABEL}")

    def score(self, texts: Sequence[str]) -> list[float]:
        """The probability that Wikipedia would cite each page.

        Args:
            texts: Pages of any length and number of lines.

        Returns:
            P(reference) per page, cut off after three decimals: so it reaches a threshold exactly where fastText's own
            probability does.
        """
        lines = [clean_for_classifier(text) for text in texts]
        return [float(score) for score in self.classifier.probability_of(lines, REFERENCE_LABEL)]

    def keep(self, score: float) -> str | None:
        """None to keep a page of this score, or "not_reference"."""
        return keep_reference(score, self.threshold)


def keep_reference(score: float, threshold: float) -> str | None:
    """None to keep a page of this score, or "not_reference"."""
    return None if score >= threshold else "not_reference"


class TrainingError(RuntimeError):
    """No usable model came out of a training; the message says why, per seed."""


@dataclass(frozen=True)
class PageCounts:
    """How the pages were used: trained on, held out, or neither since they hold no word."""

    train_positives: int
    train_negatives: int
    held_out_positives: int
    held_out_negatives: int
    empty: int


@dataclass(frozen=True)
class Evaluation:
    """How a model does on the pages held out.

    Attributes:
        threshold: The threshold that precision and recall refer to.
        precision: Share of references among the pages that reach it; None if none does.
        recall: Share of the references that reach it.
        area: Probability that a random reference scores higher than a random other page (area under the ROC curve).
        positive_histogram: References per score from 0 to 1 in steps of 0.05.
        negative_histogram: Other pages, likewise.
    """

    threshold: float
    precision: float | None
    recall: float
    area: float
    positive_histogram: tuple[int, ...]
    negative_histogram: tuple[int, ...]


@dataclass(frozen=True)
class TrainingReport:
    """How a reference classifier was trained, and how good it is.

    Attributes:
        model: Path of the model.
        seed: The seed that gave it.
        attempts: (seed, "ok" or what went wrong) of every training.
        dim: Length of a word's vector.
        lr: Learning rate.
        epochs: Passes over the pages.
        min_count: Occurrences that a word needs.
        pages: Numbers of pages.
        held_out: Measured on the tenth of the pages that the model never saw.
    """

    model: str
    seed: int
    attempts: tuple[tuple[int, str], ...]
    dim: int
    lr: float
    epochs: int
    min_count: int
    pages: PageCounts
    held_out: Evaluation


def train_reference_model(
    positives: Iterable[str | Path],
    negatives: Iterable[str | Path],
    output: str | Path,
    *,
    seed: int,
    dim: int = 100,
    lr: float = 0.1,
    epochs: int = 5,
    min_count: int = MIN_COUNT,
    threshold: float = DEFAULT_THRESHOLD,
    retries: int = 5,
) -> TrainingReport:
    """Trains, checks and stores a reference classifier.

    fastText's supervised training over single words, with softmax, in one thread. Which pages are held out, and the
    order of the others, follow from a hash of their text and the seed, whatever the order in which they come.

    Memory: the vocabulary and ``dim`` float32 per word (in the other process), a 64th of the text, and eight bytes per
    page held out. Disk: twice the text, in a folder beside the output.

    Args:
        positives: Pages that Wikipedia cites; a ``Path`` among them is a UTF-8 file of one page per line.
        negatives: Pages drawn at random, about as many, of the same lengths.
        output: The model file to write; it appears only when the model has passed the checks.
        seed: Of the split, the order, and the first training.
        dim: Length of a word's vector.
        lr: Learning rate.
        epochs: Passes over the pages.
        min_count: A word must occur so often to have a vector.
        threshold: For precision and recall in the report.
        retries: How many further seeds to try when a training fails.

    Returns:
        What was done, and how the model does on the pages held out.

    Raises:
        ValueError: Too few pages.
        TrainingError: fastText failed, or no seed gave a model that loads, is finite, and tells the pages held out
            apart better than chance.
    """
    output = Path(output)
    attempts: list[tuple[int, str]] = []
    with tempfile.TemporaryDirectory(prefix=".training-", dir=output.parent) as name:
        folder = Path(name)
        pages = _write_examples(folder, positives, negatives, seed)
        for number in range(seed, seed + retries + 1):
            _train(folder, {"dim": dim, "lr": lr, "epoch": epochs, "minCount": min_count, "seed": number})
            problem, evaluation = _check(folder, threshold)
            attempts.append((number, problem or "ok"))
            if evaluation is not None:
                os.replace(folder / "model", output)
                return TrainingReport(
                    str(output), number, tuple(attempts), dim, lr, epochs, min_count, pages, evaluation
                )
    reasons = "; ".join(f"seed {number}: {reason}" for number, reason in attempts)
    raise TrainingError(f"{output}: no reference classifier could be trained ({reasons})")


def _write_examples(
    folder: Path, positives: Iterable[str | Path], negatives: Iterable[str | Path], seed: int
) -> PageCounts:
    """Writes ``train``, shuffled, and ``held-out-0`` and ``held-out-1`` (others, references)."""
    train, held_out, empty = [0, 0], [0, 0], 0
    with ExitStack() as stack:
        buckets = [stack.enter_context(open(folder / f"bucket-{number}", "wb")) for number in range(BUCKETS)]
        for positive, pages in enumerate((negatives, positives)):
            label = (OTHER_LABEL, REFERENCE_LABEL)[positive].encode()
            tests = stack.enter_context(open(folder / f"held-out-{positive}", "wb"))
            for line in _lines(pages):
                if not line.split():
                    empty += 1
                    continue
                data = line.encode("utf-8", "replace")
                number, remainder = divmod(xxhash.xxh3_64_intdigest(data, seed % 2**64), HELD_OUT)
                if remainder == 0:
                    held_out[positive] += 1
                    tests.write(data + b"\n")
                else:
                    train[positive] += 1
                    buckets[number % BUCKETS].write(label + b" " + data + b"\n")
    if min(*train, *held_out) < MIN_HELD_OUT:
        raise ValueError(
            f"too few pages to train the reference classifier on: of {train[1] + held_out[1]} references and "
            f"{train[0] + held_out[0]} others, {held_out[1]} and {held_out[0]} are held out; {MIN_HELD_OUT} of each "
            "are needed. Give about a hundred pages of each kind, or more"
        )
    _shuffle(folder, seed)
    return PageCounts(train[1], train[0], held_out[1], held_out[0], empty)


def _lines(pages: Iterable[str | Path]) -> Iterator[str]:
    for page in pages:
        if isinstance(page, Path):
            with open(page, encoding="utf-8", errors="replace", newline="\n") as file:
                yield from (clean_for_classifier(line.removesuffix("\n")) for line in file)
        else:
            yield clean_for_classifier(page)


def _shuffle(folder: Path, seed: int) -> None:
    """Joins the buckets, each in the order of its lines' hashes, to ``train``."""
    with open(folder / "train", "wb") as train:
        for number in range(BUCKETS):
            bucket = folder / f"bucket-{number}"
            # bytes.splitlines would also split at carriage returns.
            lines = bucket.read_bytes().split(b"\n")[:-1]
            lines.sort(key=lambda line: (xxhash.xxh3_64_intdigest(line, seed % 2**64), line))
            train.writelines(line + b"\n" for line in lines)
            bucket.unlink()


def _train(folder: Path, options: dict[str, int | float]) -> None:
    """Trains in a process of its own; after "Encountered NaN" there is no model.

    Raises:
        TrainingError: It ended in another way, which another seed would not change.
    """
    model = folder / "model"
    model.unlink(missing_ok=True)
    fixed = {"input": str(folder / "train"), "thread": 1, "wordNgrams": 1, "minn": 0, "maxn": 0, "loss": "softmax"}
    settings = json.dumps({**fixed, **options, "verbose": 0})
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, settings, str(model)],
        env={**os.environ, **ZEROED_MEMORY},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0 and NAN_ERROR not in done.stderr:
        last = (done.stderr.strip().splitlines() or ["without a word"])[-1]
        raise TrainingError(f"fastText's training ended with status {done.returncode}: {last}")


def _check(folder: Path, threshold: float) -> tuple[str | None, Evaluation | None]:
    """(None, how the model does on the pages held out), or (what is wrong with it, None)."""
    model = folder / "model"
    if not model.exists():
        return NAN_ERROR, None
    try:
        classifier = ReferenceClassifier(str(model), threshold)
    except ValueError as error:
        return str(error), None
    positive, negative = (_score_file(classifier, folder / f"held-out-{number}") for number in (1, 0))
    area = _area(positive, negative)
    # Mann and Whitney, 1947.
    pairs = len(positive) * len(negative)
    deviation = math.sqrt((len(positive) + len(negative) + 1) / (12 * pairs))
    if area <= 0.5 + DEVIATIONS * deviation:
        return f"no better than chance on the pages held out (area under the ROC curve {area:.3f})", None
    return None, _evaluate(positive, negative, threshold, area)


def _score_file(classifier: ReferenceClassifier, path: Path) -> FloatArray:
    scores: list[float] = []
    with open(path, encoding="utf-8", newline="\n") as file:
        while lines := list(islice(file, BATCH)):
            scores += classifier.score(lines)
    return np.array(scores)


def _area(positive: FloatArray, negative: FloatArray) -> float:
    """Share of the pairs in which the positive score is larger, ties counting half (area under the ROC curve)."""
    ordered = np.sort(negative)
    below, upto = np.searchsorted(ordered, positive, "left"), np.searchsorted(ordered, positive, "right")
    return float((below + upto).mean() / 2 / len(negative))


def _evaluate(positive: FloatArray, negative: FloatArray, threshold: float, area: float) -> Evaluation:
    found, wrong = int((positive >= threshold).sum()), int((negative >= threshold).sum())
    precision = found / (found + wrong) if found + wrong else None
    return Evaluation(threshold, precision, found / len(positive), area, _histogram(positive), _histogram(negative))


def _histogram(scores: FloatArray) -> tuple[int, ...]:
    # fastText prints probabilities up to 1.00001; they belong into the last bar.
    return tuple(int(count) for count in np.histogram(np.minimum(scores, 1), BARS, (0, 1))[0])
