"""What is done for a mixture, item by item: Parquet files become token files, and draws become shards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from pipeline.engine.attendance import connect
from pipeline.mix.balance import counts_by_row, masked_by_source, prefixes, tokens_by_source
from pipeline.mix.corpus import CorpusFile
from pipeline.mix.draw import Draws
from pipeline.mix.encode import encode_file, load_encoder
from pipeline.mix.folder import ShardAccount, ShardSet, read_documents, shard_name
from pipeline.mix.gather import Scratch, gather
from pipeline.mix.shards import Packed, pack, write_rows
from pipeline.mix.token_files import TokenStore
from pipeline.mix.whole import pack_whole
from pipeline.storage.filesystem import atomic_output, join, open_input
from tokenizer.encode import Encoder


class EncodeFiles:
    """(CorpusFile, its version) -> its path: encodes one Parquet file."""

    def __init__(self, store: TokenStore, model: str, flags: tuple[str, ...]) -> None:
        self._store, self._model, self._flags = store, model, flags
        self._encoder: Encoder | None = None

    def connect(self) -> None:
        """Connects the file systems."""
        connect(self._flags, self._store.root)

    def setup(self) -> None:
        """Loads the tokenizer."""
        self._encoder = load_encoder(self._model)

    def process(self, element: tuple[CorpusFile, str | None]) -> Iterator[str]:
        """Encodes one file."""
        assert self._encoder is not None
        file, version = element
        encode_file(self._store, self._encoder, file, version)
        yield file.path


@dataclass(frozen=True)
class ShardTask:
    """A shard to write: its set, its number there, and where its draw lies."""

    kind: str
    shard: int
    draw: str


@dataclass(frozen=True)
class ShardWriter:
    """What the tasks of a set have in common.

    Attributes:
        shards: The set.
        store: The token files.
        names: The sources.
        shares: What is asked of each.
        seed: The recipe's.
        bos: The id that a document gets where it goes on elsewhere; None for none.
        documents: The path of the list of files that draws number.
        configuration: The fingerprint of the run's configuration.
        filling: The id that rows are filled up with, where documents stay whole in them; else None.
    """

    shards: ShardSet
    store: TokenStore
    names: tuple[str, ...]
    shares: tuple[Fraction, ...]
    seed: int
    bos: int | None
    documents: str
    configuration: str
    filling: int | None = None

    def write(self, task: ShardTask, scratch: Scratch) -> None:
        """Writes one shard, then its stats; the scratch serves one shard after the other."""
        form = self.shards.form
        with open_input(task.draw) as handle:
            draws: Draws = np.load(handle, allow_pickle=False)
        packed = self._packed(draws, task, scratch)
        file = f"{shard_name(task.shard, form.shards)}.arrow"
        metadata = {"tokenizer_sha256": self.store.coding.tokenizer, "seed": str(self.seed)}
        size, sha256 = write_rows(join(self.shards.layout.root, file), packed, form.seq_len, metadata)
        tokens, documents = tokens_by_source(packed, len(self.names))
        counts = counts_by_row(packed, form.seq_len, len(self.names))
        found = prefixes(counts, [float(share) for share in self.shares], form, task.shard)
        account = ShardAccount(
            self.configuration,
            file,
            form.rows_of(task.shard),
            size,
            sha256,
            tokens,
            documents,
            found.tokens,
            found.error,
            masked=masked_by_source(packed, len(self.names)),
            padding=None if self.filling is None else packed.length - sum(tokens),
        )
        account.write(self.shards.layout)

    def _packed(self, draws: Draws, task: ShardTask, scratch: Scratch) -> Packed:
        """The stream of a shard."""
        files, form = read_documents(self.documents, self.names), self.shards.form
        length = form.ids_of(task.shard)
        if self.filling is not None:
            gathered = gather(self.store, files, draws, scratch, spare=form.seq_len + 1)
            return pack_whole(gathered, draws["place"], length, self.bos, self.filling)
        key = (self.seed, self.shards.kind, "shard", task.shard)
        return pack(gather(self.store, files, draws, scratch), length, self.bos, key)


def shared_root(writers: Mapping[str, ShardWriter]) -> str:
    """The folder of all sets: those beside the first lie below it."""
    return min(writer.shards.layout.root for writer in writers.values())


def write_draw(path: str, draws: Draws) -> None:
    """Keeps the draw of a shard for the worker that writes it."""
    with atomic_output(path) as handle:
        np.save(handle, draws, allow_pickle=False)


class WriteShards:
    """ShardTask -> its name: writes one shard."""

    def __init__(self, writers: Mapping[str, ShardWriter], flags: tuple[str, ...]) -> None:
        self._writers, self._flags = writers, flags
        self._scratch: Scratch | None = None

    def connect(self) -> None:
        """Connects the file systems."""
        connect(self._flags, shared_root(self._writers))

    def setup(self) -> None:
        """Makes room for a shard."""
        self._scratch = Scratch()

    def process(self, task: ShardTask) -> Iterator[str]:
        """Writes one shard."""
        assert self._scratch is not None
        self._writers[task.kind].write(task, self._scratch)
        yield f"{task.kind}/{task.shard}"
