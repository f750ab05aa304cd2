"""Perplexity of a document under a language model of Wikipedia: how CCNet tells prose from the rest.

A document is normalised (:mod:`filters.commoncrawl.normalize`), cut into SentencePiece pieces, and scored by a KenLM
model over the pieces. CCNet, ``cc_net/perplexity.py``: ``MultiSentencePiece``, ``DocLM``, ``PerplexityBucket``.

Nearly all time goes to the two models. Where something was compiled (:mod:`filters.native`), unigram models and KenLM's
probing models are read by loops that give what the libraries give, in less than half of their time. What was tried
before against SentencePiece 0.2.3 and left: encoding word by word from a cache of words. It halves the time for words
seen before. But the library adds up float32 scores over the whole document, so two segmentations of nearly equal score
change places with the position of their word; to stay exact, each new word needs the margin between its two best
segmentations, and that costs more than all else saves as soon as 2 words in 100 are new. (After 40 MB of English, 4 to
10 in 100 still were.)

``python -m filters.perplexity`` trains the models and finds the cut-offs (:mod:`filters.commoncrawl.lm_cli`).
"""

import math
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import kenlm
import numpy as np
import numpy.typing as npt
import sentencepiece

from filters.commoncrawl.buckets import LARGEST_COUNTED, PERCENTILES
from filters.commoncrawl.ngrams import ProbingModel
from filters.commoncrawl.normalize import LanguageModelNormalizer
from filters.commoncrawl.unigram import UnigramScorer

Array = npt.NDArray[Any]


# White space other than the space that normalisation leaves in place. CCNet counts pieces with str.split, which splits
# here too, should a model let them into its pieces.
UNICODE_WHITESPACE = "\u00a0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"

KENLM_BINARY = b"mmap lm http://kheafield.com/code"  # lm/binary_format.cc, kMagicBeforeVersion
SURROGATE = re.compile(b"\xed[\xa0-\xbf]")
PROBED_PIECES = 500
PROBE_SECONDS = 60  # on a slow disk a whole model answers in this time; a damaged one may never
PROBE = """
import kenlm, math, sys
config = kenlm.Config()
config.load_method = kenlm.LoadMethod.LAZY
score = kenlm.Model(sys.argv[1], config).score(sys.stdin.buffer.read())
sys.exit(0 if math.isfinite(score) and score <= 0 else 1)
"""
ADVICE = "Download or copy it again, or train one with: python -m filters.perplexity train"


class PerplexityModel:
    """A SentencePiece model and a KenLM model over its pieces.

    A binary n-gram model is mapped into memory, so all processes of a host share one copy; its pages are read at once,
    since a cold model on a disk would otherwise be read in millions of random pieces. Beside that an instance takes the
    SentencePiece model (some 20 MB) and, while it scores, about 35 bytes for a byte of text.

    Load it where it is used (``DoFn.setup``); it cannot be pickled. Use it from one thread at a time.
    """

    def __init__(
        self,
        sentencepiece_path: str | Path,
        kenlm_path: str | Path,
        *,
        join_lines: str = "fuse",
        use_compiled: bool = True,
    ) -> None:
        """Loads both models.

        Args:
            sentencepiece_path: a SentencePiece model of any type.
            kenlm_path: a KenLM model, binary or ARPA.
            join_lines: what becomes of newlines: ``fuse`` deletes them, as CCNet does; ``space`` makes them spaces.
            use_compiled: whether to use the compiled loops, where there are any; no result depends on it.

        Raises:
            ValueError: ``join_lines`` is neither, or a model is missing or damaged; the message names the file.
        """
        self._normalize = LanguageModelNormalizer(join_lines)
        self._processor = load_sentencepiece(Path(sentencepiece_path))
        self._encode_to_bytes = _encodes_to_bytes(self._processor)
        spaced = _pieces(self._processor, "a" + "b".join(UNICODE_WHITESPACE) + "a")
        self._pieces_hold_whitespace = any(character.isspace() for piece in spaced for character in piece)
        vocabulary = range(min(PROBED_PIECES, self._processor.get_piece_size()))
        pieces = [self._processor.id_to_piece(piece) for piece in vocabulary]
        ngrams = open_ngrams(Path(kenlm_path), pieces) if use_compiled else None
        self._log10: Callable[[bytes], float] = (
            ngrams.score if ngrams else partial(load_kenlm(Path(kenlm_path), pieces).score, bos=True, eos=True)
        )
        self._unigram: UnigramScorer | None = None
        if ngrams and not self._pieces_hold_whitespace:
            self._unigram = self._checked(UnigramScorer.build(Path(sentencepiece_path).read_bytes(), ngrams), pieces)

    def perplexity(self, text: str) -> float | None:
        """Returns the perplexity of a document per piece, rounded to one decimal.

        It is ``10 ** (-score / (pieces + 1))``, with KenLM's log10 score including the end of the sentence, which is
        the one piece more. A number too large for a float is ``inf``. A document that has no piece (it is empty, or
        white space and control characters) has no perplexity: None, as in CCNet.

        Args:
            text: the document; lone surrogates count as U+FFFD.
        """
        if self._unigram and (found := self._unigram.score(self._encoded(text))):
            return _rounded(*found)
        return _rounded(*self._score(*self._joined_pieces(self._encoded(text).decode())))

    def perplexities(self, texts: Iterable[str]) -> list[float | None]:
        """Returns the perplexity of each document.

        By the libraries all are encoded first, and then scored, so that the two models do not drive each other out of
        the processor's cache: for a few hundred pages a tenth faster than one by one. Memory: twice the size of the
        texts.
        """
        if self._unigram:
            return list(map(self.perplexity, texts))
        joined = [self._joined_pieces(self._encoded(text).decode()) for text in texts]
        return [_rounded(*self._score(*pieces)) for pieces in joined]

    def _checked(self, scorer: UnigramScorer | None, pieces: Sequence[str]) -> UnigramScorer | None:
        """Returns the scorer if it gives what the libraries give for a trial."""
        trial = " ".join(pieces)
        if scorer is None or scorer.score(trial.encode()) != self._score(*self._joined_pieces(trial)):
            return None
        return scorer

    def _score(self, joined: bytes, pieces: int) -> tuple[float, int]:
        return self._log10(joined) if pieces else 0.0, pieces

    def _encoded(self, text: str) -> bytes:
        """Returns a document as the models see it, in UTF-8; half of a surrogate pair becomes U+FFFD."""
        encoded = self._normalize.encoded(text)
        if SURROGATE.search(encoded):
            normalized = encoded.decode("utf-8", "surrogatepass")
            return normalized.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
        return encoded

    def _joined_pieces(self, normalized: str) -> tuple[bytes, int]:
        """Returns a document's pieces joined by one space, and how many words CCNet would count in that."""
        if self._encode_to_bytes:
            pieces = self._processor.encode(normalized, out_type=bytes)
            joined = b" ".join(pieces)
        else:
            pieces = self._processor.encode(normalized, out_type=str)
            joined = " ".join(pieces).encode("utf-8")
        return joined, len(joined.decode("utf-8").split()) if self._pieces_hold_whitespace else len(pieces)


def _rounded(score: float, pieces: int) -> float | None:
    return perplexity_of_score(score, pieces) if pieces else None


def perplexity_of_score(score: float, pieces: int) -> float:
    """Returns the perplexity of a log10 score over so many pieces and the end of the sentence, to one decimal."""
    try:
        return float(round(10.0 ** (-score / (pieces + 1)), 1))
    except OverflowError:
        return math.inf


def cutoffs_of(
    perplexities: Sequence[float] | Array,
    counts: Sequence[int] | Array | None = None,
    percentiles: tuple[float, float] = PERCENTILES,
) -> tuple[float, float]:
    """Returns the cut-offs of a reference set: its 30th and 60th percentile, to one decimal.

    A percentile that falls between two values is interpolated linearly, as ``numpy.percentile`` does. Values over
    ``LARGEST_COUNTED`` count as that.

    Args:
        perplexities: the values, in any order; distinct ones where ``counts`` is given.
        counts: how often each value occurs; once if None.
        percentiles: those of head and middle.

    Raises:
        ValueError: there are no values.
    """
    values = np.minimum(np.asarray(perplexities, np.float64), LARGEST_COUNTED)
    if not len(values):
        raise ValueError("no document has a perplexity, so there is nothing to take percentiles of")
    order = np.argsort(values, kind="stable")
    last = np.cumsum(np.ones(len(values), np.int64) if counts is None else np.asarray(counts, np.int64)[order])
    head, middle = (_percentile(values[order], last, percent) for percent in percentiles)
    return round(head, 1), round(middle, 1)


def _percentile(values: Array, last: Array, percent: float) -> float:
    """Returns a percentile of sorted values, the ``i``-th of which holds the ranks up to ``last[i]``, from 1 on."""
    rank, part = divmod((int(last[-1]) - 1) * percent / 100, 1)
    low, high = (float(values[np.searchsorted(last, at, "right")]) for at in (rank, min(rank + 1, last[-1] - 1)))
    return low + (high - low) * part


def load_sentencepiece(path: Path) -> Any:
    """Returns a loaded ``SentencePieceProcessor``.

    Raises:
        ValueError: the file is missing, or no complete model.
    """
    model = _read_head(path, "SentencePiece model", -1)
    try:
        processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    except (RuntimeError, ValueError, OSError) as error:
        raise ValueError(f"{path} is not a SentencePiece model, or a damaged one ({error}). {ADVICE}") from error
    if not _is_complete(model):
        raise ValueError(f"{path} ends before the SentencePiece model does. {ADVICE}")
    return processor


def _is_complete(model: bytes) -> bool:
    """Says whether something follows the pieces, which come first in the file; the library does not mind if not."""
    position, field = 0, 1
    while position < len(model) and field == 1:  # sentencepiece_model.proto: repeated pieces = 1, each with its length
        field = model[position] >> 3
        length = shift = 0
        while True:
            position += 1
            length |= (model[position] & 0x7F) << shift
            shift += 7
            if model[position] < 0x80:
                break
        position += 1 + length
    return field != 1


def _encodes_to_bytes(processor: Any) -> bool:
    """Says whether the library returns pieces as bytes; from 0.2.2 on it does, and saves a fifth of the time."""
    try:
        return bool(processor.encode("a", out_type=bytes)[0].__class__ is bytes)
    except (RuntimeError, ValueError, TypeError):
        return False


def _pieces(processor: Any, text: str) -> list[str]:
    pieces: list[str] = processor.encode(text, out_type=str)
    return pieces


def open_ngrams(path: Path, pieces: Sequence[str]) -> ProbingModel | None:
    """Returns a model that the compiled loops can read; None where there are none, or it is no such model.

    Args:
        path: a binary or ARPA model.
        pieces: words for a trial, which it has to score.

    Raises:
        ValueError: the file is missing.
    """
    if _read_head(path, "KenLM model", len(KENLM_BINARY)) != KENLM_BINARY:
        return None
    model = ProbingModel.open(path)
    is_sound = model is not None and -math.inf < model.score(" ".join(pieces).encode()) <= 0
    return model if is_sound else None


def load_kenlm(path: Path, pieces: Sequence[str]) -> Any:
    """Returns a loaded ``kenlm.Model``.

    KenLM notices a binary model that is too short. In one whose inside is damaged it can read past the end or search
    for ever, so such a model first has to score a few pieces in a process of its own.

    Args:
        path: a binary or ARPA model.
        pieces: words for the trial.

    Raises:
        ValueError: the file is missing, or no complete model.
    """
    if _read_head(path, "KenLM model", len(KENLM_BINARY)) == KENLM_BINARY:
        _probe(path, " ".join(pieces))
    config = kenlm.Config()
    config.load_method = kenlm.LoadMethod.POPULATE_OR_LAZY
    config.show_progress = False
    config.arpa_complain = kenlm.ARPALoadComplain.NONE
    try:
        return kenlm.Model(str(path), config)
    except (OSError, RuntimeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a KenLM model, or a damaged one ({error}). {ADVICE}") from error


def _probe(path: Path, words: str) -> None:
    try:
        command = [sys.executable, "-c", PROBE, str(path)]
        done = subprocess.run(
            command, input=words.encode("utf-8"), capture_output=True, timeout=PROBE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ValueError(f"{path} is a damaged KenLM model: scoring with it does not end. {ADVICE}") from error
    if done.returncode:
        last_line = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        reason = last_line or f"a trial ended with status {done.returncode}"
        raise ValueError(f"{path} is a damaged KenLM model ({reason}). {ADVICE}")


def _read_head(path: Path, what: str, size: int) -> bytes:
    """Returns the first ``size`` bytes of a file (all of it for -1)."""
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError as error:
        raise ValueError(f"cannot read the {what} {path}: {error.strerror}. {ADVICE}") from error
