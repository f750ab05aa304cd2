"""Puts together what was found in all files: of each sample how much, of each document which samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.decontaminate.data import Data, DataFile
from pipeline.decontaminate.grams import Places
from pipeline.decontaminate.scan import TOKENS, WORDS, Indexes, account_of, found_name
from pipeline.decontaminate.tokens import CLEAN, DIRTY, LENGTHS, SEED
from pipeline.decontaminate.words import SHORTEST, WordHits
from pipeline.errors import OutputError
from pipeline.storage.filesystem import join, open_input


@dataclass(frozen=True)
class FoundDocument:
    """A document that has something of the samples.

    Attributes:
        path: Its Parquet file, below the corpus.
        row: Its row there.
        id: Its id; None where it has none.
        url: Its address.
        raw: Its raw file.
        offset: The record's offset there.
        sample: The sample of which it has most; of short samples alone, the first; -1 where it has only phrases that
            very many samples have.
        share: How much of its words, or of its ids where that is more; 0 for a short sample.
        samples: Of how many it has anything.
        short: How many of them are short.
        over: The samples of which it has as much as is too much.
    """

    path: str
    row: int
    id: str | None
    url: str | None
    raw: str | None
    offset: int | None
    sample: int
    share: float
    samples: int
    short: int
    over: tuple[int, ...] = ()


@dataclass
class Summary:
    """What is said of all samples; each array has an entry for each of them.

    Attributes:
        word_share: How much of its words was found; None where words were not compared.
        token_share: For each length L, how much of its ids stands in longer runs.
        whole: How much of its ids stands in runs of ten and more: what tells of samples too short for a length.
        documents: Documents that have anything of it.
        best: The document that has most, as ``found`` has it; -1 for none.
        found: Documents, in order.
        counts: Files, documents, bytes of text, and tokens that were looked through.
    """

    word_share: npt.NDArray[np.float64] | None
    token_share: dict[int, npt.NDArray[np.float64]]
    whole: npt.NDArray[np.float64] | None
    documents: Places
    best: Places
    found: list[FoundDocument]
    counts: dict[str, int] = field(default_factory=dict)


def summarize(root: str, data: Data, indexes: Indexes, threshold: float) -> Summary:
    """Reads what was found in all files.

    Args:
        root: The folder of the report.
        data: What was looked through.
        indexes: The samples.
        threshold: The share of a sample that is too much.
    """
    count = len(indexes.samples.samples)
    gather = _Gather(indexes, count, threshold)
    drawn = data.drawn()
    for file in data.files:
        table = _read(join(root, *found_name(file.path).split("/")), gather.counts)
        gather.add(file, _of_drawn(table, file, drawn))
    return gather.summary()


def _read(place: str, counts: dict[str, int]) -> pa.Table:
    try:
        with open_input(place) as handle:
            table = pq.read_table(handle)
    except (pa.ArrowException, OSError) as error:
        raise OutputError(f"{place} cannot be read: {error}. Remove it and run the same command again.") from error
    account = account_of(table.schema)
    counts["files"] += 1
    for key in ("documents", "text_bytes", "tokens"):
        counts[key] += int(account.get(key, 0))
    return table


def _of_drawn(table: pa.Table, file: DataFile, drawn: npt.NDArray[np.bool_] | None) -> pa.Table:
    """The runs in documents that token shards have."""
    if drawn is None or file.numbered is None or not len(table):
        return table
    return table.filter(pa.array(drawn[file.numbered.numbers()[table["row"].to_numpy()]]))


def _by_row(runs: npt.NDArray[np.int64], rows: Places) -> list[npt.NDArray[np.int64]]:
    """The runs of each of some rows; runs are in the order of these."""
    return np.split(runs, np.searchsorted(runs[:, 0], rows))[1:]


class _Gather:
    """Adds up what was found, file by file."""

    def __init__(self, indexes: Indexes, count: int, threshold: float) -> None:
        self._indexes, self._threshold = indexes, threshold
        self.counts = dict.fromkeys(("files", "documents", "text_bytes", "tokens"), 0)
        self._tally = indexes.words.tally() if indexes.words else None
        self._longest = indexes.tokens.no_runs() if indexes.tokens else None
        self._documents, self._best = np.zeros(count, np.int64), np.full(count, -1, np.int64)
        self._best_share = np.full(count, -1.0)
        self._found: list[FoundDocument] = []

    def add(self, file: DataFile, table: pa.Table) -> None:
        method = table["method"].to_numpy()
        runs = np.stack([table[name].to_numpy() for name in ("row", "start", "count", "size")], axis=1)
        words, tokens = runs[method == WORDS], runs[method == TOKENS]
        tiny = (method == WORDS) & (runs[:, 3] < SHORTEST)  # these tell of no document
        if self._tally is not None:
            self._tally.add(words[:, 1:])
        if self._longest is not None:
            np.maximum.at(self._longest, tokens[:, 1], tokens[:, 2])
        tokens, words = tokens[tokens[:, 2] > LENGTHS[0]], runs[(method == WORDS) & ~tiny]
        runs, table = runs[~tiny], table.filter(pa.array(~tiny))
        rows, firsts = np.unique(runs[:, 0], return_index=True)
        of_words, of_tokens = (_by_row(some, rows) for some in (words, tokens))
        for k, row in enumerate(rows.tolist()):
            hits = self._hits(of_words[k][:, 1:], of_tokens[k])
            if len(of_words[k]) or len(hits.samples):
                self._take(file, row, table.slice(firsts[k], 1).to_pylist()[0], hits)

    def _hits(self, words: npt.NDArray[np.int64], tokens: npt.NDArray[np.int64]) -> WordHits:
        """What a document has of samples, by words or by ids, whichever is more."""
        none = np.empty(0, np.int64)
        hits = self._indexes.words.hits(words) if self._indexes.words else WordHits(none, none.astype(float), none)
        if self._indexes.tokens is None or not len(tokens):
            return hits
        also, shares = self._indexes.tokens.hits(tokens[:, 1], tokens[:, 2])
        if self._indexes.words is not None:  # samples that are short by their words stay so
            short = self._indexes.words.sizes[also] < self._indexes.words.n
            hits = hits._replace(short=np.union1d(hits.short, also[short]))
            also, shares = also[~short], shares[~short]
        samples, groups = np.unique(np.concatenate([hits.samples, also]), return_inverse=True)
        most = np.zeros(len(samples))
        np.maximum.at(most, groups, np.concatenate([hits.shares, shares]))
        return WordHits(samples, most, hits.short)

    def _take(self, file: DataFile, row: int, traced: Mapping[str, Any], hits: WordHits) -> None:
        samples, shares = np.append(hits.samples, hits.short), np.append(hits.shares, np.zeros(len(hits.short)))
        top = int(np.argmax(shares)) if len(samples) else -1
        sample, share = (int(samples[top]), float(shares[top])) if len(samples) else (-1, 0.0)
        trace = (traced["id"], traced["url"], traced["raw"], traced["offset"])
        better = samples[shares > self._best_share[samples]]
        self._best[better] = len(self._found)
        self._best_share[samples] = np.maximum(self._best_share[samples], shares)
        self._documents[samples] += 1
        over = tuple(hits.samples[hits.shares >= self._threshold].tolist())
        self._found.append(FoundDocument(file.path, row, *trace, sample, share, len(samples), len(hits.short), over))

    def summary(self) -> Summary:
        words, tokens = self._indexes.words, self._indexes.tokens
        word_share = None
        if words is not None and self._tally is not None:
            word_share = self._tally.found() / np.maximum(words.sizes, 1)
        token_share, whole = {}, None
        if tokens is not None and self._longest is not None:
            starts = np.flatnonzero(self._longest)
            shares = {
                over: tokens.found(starts, self._longest[starts], over) / np.maximum(tokens.sizes, 1)
                for over in (SEED - 1, *LENGTHS)
            }
            whole, token_share = shares[SEED - 1], {over: shares[over] for over in LENGTHS}
        return Summary(word_share, token_share, whole, self._documents, self._best, self._found, self.counts)


def subsets(share: float) -> list[str]:
    """The subsets of a set, of the four, that a sample is in (Llama 2, appendix A.6)."""
    return ["clean" if share < CLEAN else "not clean", "dirty" if share >= DIRTY else "not dirty"]


def word_table(summary: Summary, indexes: Indexes) -> Iterator[tuple[str, dict[str, int]]]:
    """For each set what the rule of n-grams says of its samples."""
    index, share = indexes.words, summary.word_share
    assert index is not None
    assert share is not None
    for name, own in _by_set(indexes):
        long = own & ~index.is_short & ~index.is_tiny
        yield (
            name,
            {
                "samples": int(own.sum()),
                "compared": int(long.sum()),
                "any": int((long & (share > 0)).sum()),
                "not clean": int((long & (share >= CLEAN)).sum()),
                "dirty": int((long & (share >= DIRTY)).sum()),
                "short": int((own & index.is_short).sum()),
                "short found": int((own & index.is_short & (share > 0)).sum()),
                "tiny": int((own & index.is_tiny).sum()),
                "tiny found": int((own & index.is_tiny & (share > 0)).sum()),
            },
        )


def token_table(summary: Summary, indexes: Indexes, over: int) -> Iterator[tuple[str, dict[str, float]]]:
    """For each set the four subsets for a length L."""
    index, share = indexes.tokens, summary.token_share[over]
    assert index is not None
    assert summary.whole is not None
    short, tiny = index.sizes <= over, index.sizes < SEED
    for name, own in _by_set(indexes):
        long = own & ~short
        yield (
            name,
            {
                "samples": int(own.sum()),
                "clean": int((long & (share < CLEAN)).sum()),
                "not clean": int((long & (share >= CLEAN)).sum()),
                "not dirty": int((long & (share < DIRTY)).sum()),
                "dirty": int((long & (share >= DIRTY)).sum()),
                "contaminated": round(float(share[long].mean()), 4) if long.any() else 0.0,
                "short": int((own & short & ~tiny).sum()),
                "short found": int((own & short & (summary.whole >= 1)).sum()),
                "too short": int((own & tiny).sum()),
            },
        )


def _by_set(indexes: Indexes) -> Iterator[tuple[str, npt.NDArray[np.bool_]]]:
    numbers = np.array([sample.number for sample in indexes.samples.samples])
    for number, one in enumerate(indexes.samples.sets):
        yield one.name, numbers == number
