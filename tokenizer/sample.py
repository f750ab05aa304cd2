"""The sentences that a tokenizer is trained on: lines of documents, each source in its share of the mixture."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

from tokenizer.corpus import Corpus, RowGroup
from tokenizer.errors import TokenizerError
from tokenizer.proportions import normalised
from tokenizer.settings import MAX_SENTENCE_BYTES

RESERVED = (
    "▅".encode()
)  # SentencePiece ignores lines with its mark for unknown characters (trainer_interface.h, kUNKStr)


class Lines(Protocol):
    """What takes lines: a file, or a checksum of what would be one."""

    def writelines(self, lines: Iterable[bytes], /) -> object:
        """Takes some."""


class HashedLines:
    """Takes lines, and makes a checksum of them.

    Attributes:
        digest: Of all lines.
    """

    def __init__(self, output: BinaryIO | None = None) -> None:
        """Takes none yet; they go to the file, where there is one."""
        self.digest = hashlib.sha256()
        self._output = output

    def writelines(self, lines: Iterable[bytes], /) -> None:
        """Takes some."""
        for line in lines:
            self.digest.update(line)
            if self._output is not None:
                self._output.write(line)


@dataclass
class Skipped:
    """Lines that were left out, and their bytes."""

    lines: int = 0
    bytes: int = 0


@dataclass
class SourceSample:
    """What was sampled of one source.

    Attributes:
        share: Its part of the mixture; all of them sum up to 1.
        wanted: Bytes that the share asks for.
        documents: Documents whose lines were taken.
        lines: Lines taken; empty ones do not count.
        bytes: Their bytes, newlines apart.
        too_long: Lines of more than 4,192 bytes, that were left out.
        cut: Such lines, that were taken in pieces.
        reserved: Lines with the character that SentencePiece reserves for itself.
    """

    share: float
    wanted: int
    documents: int = 0
    lines: int = 0
    bytes: int = 0
    too_long: Skipped = field(default_factory=Skipped)
    cut: Skipped = field(default_factory=Skipped)
    reserved: Skipped = field(default_factory=Skipped)

    @property
    def is_short(self) -> bool:
        """Whether the source had less text than its share asks for."""
        return self.bytes < self.wanted


def find_sources(corpus: Corpus, shares: Mapping[str, float], renormalise: bool) -> dict[str, list[RowGroup]]:
    """The row groups of each source of a mixture.

    Args:
        corpus: Where they lie.
        shares: The mixture.
        renormalise: Leave out sources that are missing; the others keep their proportions.

    Raises:
        TokenizerError: A source is missing, or all are.
    """
    found = {name: corpus.row_groups(name) for name in shares}
    missing = [name for name, groups in found.items() if not any(group.rows for group in groups)]
    if missing and (not renormalise or len(missing) == len(found)):
        hint = "" if len(missing) == len(found) else ", or leave them out with --renormalise"
        raise TokenizerError(
            f"{corpus.root} has no documents of {', '.join(missing)}: make them with python -m sources.SOURCE "
            f"--output {corpus.root}{hint}"
        )
    lacking = lacking_subsets(corpus, shares)
    if lacking and not renormalise:
        raise TokenizerError(
            f"{corpus.root} has no subset {', '.join(lacking)}, which the mixture names: correct its subsets, or take "
            "what there is of them with --renormalise"
        )
    return {name: groups for name, groups in found.items() if name not in missing}


def lacking_subsets(corpus: Corpus, shares: Mapping[str, float]) -> list[str]:
    """The subsets that a mixture names and that are not there, of sources that are."""
    return [f"{name}/{subset}" for name in shares for subset in corpus.lacking(name)]


def write_sentences(
    corpus: Corpus,
    sources: Mapping[str, list[RowGroup]],
    shares: Mapping[str, float],
    size: int,
    seed: int,
    output: Lines,
    progress: Callable[[int], None],
    split_long: bool = False,
) -> dict[str, SourceSample]:
    """Writes the sample, a sentence a line.

    Args:
        corpus: Where the documents lie.
        sources: What ``find_sources`` gave.
        shares: The mixture.
        size: Bytes of the sample.
        seed: Draws the documents.
        output: Takes the lines.
        progress: Called with the bytes taken since the last call.
        split_long: Whether lines of more than 4,192 bytes are taken in pieces; else they are left out.

    Returns:
        The accounts of each source.
    """
    samples = {}
    for name, share in normalised({name: shares[name] for name in sources}).items():
        sample = samples[name] = SourceSample(share, round(share * size))
        for text in corpus.documents(name, sources[name], sample.wanted, f"train {seed}"):
            before = sample.bytes
            output.writelines(line + b"\n" for line in _sentences(text, sample, split_long))
            sample.documents += sample.bytes > before
            progress(sample.bytes - before)
            if not sample.is_short:
                break
    return samples


def scarcest(samples: Mapping[str, SourceSample]) -> tuple[str, int] | None:
    """The source that falls furthest short of its share, and the bytes of the sample of which it has its share."""
    sizes = {name: int(sample.bytes / sample.share) for name, sample in samples.items() if sample.is_short}
    return min(sizes.items(), key=lambda item: item[1]) if sizes else None


def _sentences(text: bytes, sample: SourceSample, split_long: bool) -> Iterator[bytes]:
    """Lines of a document, until the source has what is wanted of it; counts them."""
    for line in _split_long(text, sample) if split_long else text.split(b"\n"):
        if not sample.is_short:
            return
        if not line:
            continue
        if len(line) > MAX_SENTENCE_BYTES:
            _count(line, sample.too_long)
        elif RESERVED in line:
            _count(line, sample.reserved)
        else:
            _count(line, sample)
            yield line


def _split_long(text: bytes, sample: SourceSample) -> Iterator[bytes]:
    """Lines of a document; those that are too long in pieces that end by a carriage return, a word, or a character."""
    for line in text.split(b"\n"):
        if len(line) > MAX_SENTENCE_BYTES and sample.is_short:
            _count(line, sample.cut)
        at = 0
        while len(line) - at > MAX_SENTENCE_BYTES:
            end = at + MAX_SENTENCE_BYTES
            cut = line.rfind(b"\r", at, end) + 1 or line.rfind(b" ", at + 1, end)
            while cut <= at or (cut == end and line[cut] & 0xC0 == 0x80):  # neither: the last character that fits
                cut, end = (end, end) if cut <= at else (cut - 1, end - 1)
            yield line[at:cut]
            at = cut
        yield line[at:]


def _count(line: bytes, account: Skipped | SourceSample) -> None:
    account.lines += 1
    account.bytes += len(line)


def take(texts: Iterable[bytes], size: int) -> Iterator[str]:
    """Whole documents until they have ``size`` bytes."""
    taken = 0
    for text in texts:
        if taken >= size:
            return
        taken += len(text)
        yield text.decode("utf-8", "replace")
