"""What an arm kept and dropped beside the baseline, and documents that only one of the two has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from pipeline.corpus.ledger import Ledger
from pipeline.corpus.manifest import read_manifest
from pipeline.corpus.shard import Layout
from pipeline.mix.corpus import CorpusFile, corpus_files
from pipeline.mix.recipe import MixRecipe
from pipeline.storage.filesystem import join, open_input
from pipeline.text import encodable

BATCH_ROWS = 1024
EXCERPT = 2000  # characters
KEPT, DROPPED, FAILED = "kept", "dropped", "failed"
_ROW = np.dtype([("id", "<u8"), ("text", "<u8"), ("file", "<u4"), ("row", "<u4")])

Rows = npt.NDArray[Any]


@dataclass(frozen=True)
class Sample:
    """A document that only one side has, or that the arm has with another text: its beginning."""

    id: str
    url: str
    text: str
    left_out: int


@dataclass(frozen=True)
class SourceChange:
    """What an arm changed of a source.

    Attributes:
        source: Its name.
        accounts: Each fate with a step, a reason or subset, and its documents in the baseline and in the arm; empty
            where the arm's has no accounts.
        documents: In the baseline, and in the arm.
        only_baseline: Documents that only the baseline has, by their ids.
        only_arm: Documents that only the arm has.
        changed: Documents that both have, with another text.
        samples: Some of each of these three.
    """

    source: str
    accounts: Sequence[tuple[str, str, str, int, int]] = ()
    documents: tuple[int, int] = (0, 0)
    only_baseline: int = 0
    only_arm: int = 0
    changed: int = 0
    samples: Mapping[str, Sequence[Sample]] = field(default_factory=dict)


def compare(
    base: str, arm: str, sources: Sequence[str], mixtures: tuple[MixRecipe, MixRecipe], samples: int
) -> list[dict[str, Any]]:
    """Compares an arm's corpus with the baseline's.

    Args:
        base: The baseline's corpus.
        arm: The arm's.
        sources: Those that were made anew.
        mixtures: Of the baseline, and of the arm.
        samples: Documents of each kind.

    Returns:
        A mapping for each source, as JSON holds it. Memory: 24 bytes a document of a source, of each side.
    """
    before, after = corpus_files(base, mixtures[0]), corpus_files(arm, mixtures[1])
    return [asdict(_source(base, arm, name, before.get(name, []), after.get(name, []), samples)) for name in sources]


def _source(
    base: str, arm: str, name: str, before: Sequence[CorpusFile], after: Sequence[CorpusFile], samples: int
) -> SourceChange:
    old, new = _rows(base, before), _rows(arm, after)
    gone, come = old[~np.isin(old["id"], new["id"])], new[~np.isin(new["id"], old["id"])]
    both = new[np.isin(new["id"], old["id"])]
    texts = np.sort(old, order="id")
    places = np.searchsorted(texts["id"], both["id"])
    changed = both[texts["text"][places] != both["text"]] if len(both) else both
    chosen = {
        "only_baseline": list(_samples(base, before, gone, samples)),
        "only_arm": list(_samples(arm, after, come, samples)),
        "changed": list(_samples(arm, after, changed, samples)),
    }
    return SourceChange(
        name,
        _accounts(join(base, name), join(arm, name)),
        (len(old), len(new)),
        len(gone),
        len(come),
        len(changed),
        chosen,
    )


def _rows(corpus: str, files: Sequence[CorpusFile]) -> Rows:
    """A hash of each document's id, and one of its text, with its place."""
    found = [np.empty(0, _ROW)]
    for number, file in enumerate(files):
        with open_input(join(corpus, *file.path.split("/"))) as handle:
            at = 0
            for batch in pq.ParquetFile(handle).iter_batches(BATCH_ROWS, columns=["id", "text"]):
                rows = np.zeros(batch.num_rows, _ROW)
                for column in ("id", "text"):
                    values = (encodable(value or "") for value in batch.column(column).to_pylist())
                    rows[column] = [xxhash.xxh3_64_intdigest(value.encode()) for value in values]
                rows["file"], rows["row"] = number, np.arange(at, at + batch.num_rows)
                found.append(rows)
                at += batch.num_rows
    return np.concatenate(found)


def _samples(corpus: str, files: Sequence[CorpusFile], rows: Rows, count: int) -> Iterator[Sample]:
    """Some of the documents, those of the lowest hashes: the same ones each time."""
    for row in np.sort(rows, order=["id", "file", "row"])[:count]:
        with open_input(join(corpus, *files[row["file"]].path.split("/"))) as handle:
            values = _row(pq.ParquetFile(handle), int(row["row"]))
        text = encodable(values["text"] or "")
        url = encodable(values.get("url") or "")
        yield Sample(encodable(str(values["id"])), url, text[:EXCERPT], max(0, len(text) - EXCERPT))


def _row(file: pq.ParquetFile, row: int) -> dict[str, Any]:
    columns, at = [name for name in ("id", "url", "text") if name in file.schema_arrow.names], 0
    for batch in file.iter_batches(BATCH_ROWS, columns=columns):
        if row < at + batch.num_rows:
            values: dict[str, Any] = batch.take(pa.array([row - at])).to_pylist()[0]
            return values
        at += batch.num_rows
    raise IndexError(row)


def _accounts(base: str, arm: str) -> list[tuple[str, str, str, int, int]]:
    """What became of the records of both sides, fate by fate; nothing where one has no accounts."""
    sides = [_fates(folder) for folder in (base, arm)]
    if not all(sides):
        return []
    names = list(dict.fromkeys([*sides[0], *sides[1]]))
    order = {DROPPED: 0, FAILED: 0, KEPT: 1}
    names.sort(key=lambda fate: order[fate[0]])  # stable: steps stay in their order
    return [(*fate, sides[0].get(fate, 0), sides[1].get(fate, 0)) for fate in names]


def _fates(folder: str) -> dict[tuple[str, str, str], int]:
    manifest = read_manifest(Layout(folder))
    if manifest is None:
        return {}
    ledger = Ledger()
    ledger.add_json(manifest["ledger"])
    found: dict[tuple[str, str, str], int] = {}
    for name, step in ledger.steps.items():
        found |= {(DROPPED, name, reason): tally.documents for reason, tally in step.dropped.items()}
        found |= {(FAILED, name, reason): tally.documents for reason, tally in step.failed.items()}
    return found | {(KEPT, "", subset): tally.documents for subset, tally in ledger.kept.items()}
