"""Making token files: a Parquet file's texts to ids, in the order of its rows; conversations by a template.

With a template a row with ``meta.messages`` is a conversation, and its ids come with a mask; any other row is a text,
all ids of which have loss but its bos, of which nothing before it tells.

Memory: a batch of texts (about 4 million characters, or the longest document) with its ids, and 16 bytes a document.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.corpus.shard import write_json
from pipeline.corpus.sink import HashingWriter
from pipeline.errors import ModelError
from pipeline.mix import chat, conversations
from pipeline.mix.conversations import Messages
from pipeline.mix.corpus import CorpusFile
from pipeline.mix.faults import DamagedFile
from pipeline.mix.token_files import MARK, Coding, Ids, Mask, Offsets, RunHasher, TokenStats, TokenStore, hash_ids
from pipeline.source import HashingReader
from pipeline.steps import BATCH_CHARACTERS
from pipeline.storage.filesystem import atomic_output, join, local_model, open_input
from tokenizer.encode import Encoder
from tokenizer.errors import TokenizerError
from tokenizer.ragged import ragged_indices

ROWS = 256  # read from Parquet at a time


def load_encoder(model: str) -> Encoder:
    """Loads the tokenizer.

    Raises:
        ModelError: It is missing, or no SentencePiece model.
    """
    try:
        return Encoder(local_model(model, what="tokenizer"))
    except TokenizerError as error:
        raise ModelError(str(error)) from error


def encode_file(store: TokenStore, encoder: Encoder, file: CorpusFile, version: str | None) -> TokenStats:
    """Makes the token file of a Parquet file, and its stats; a damaged one gets stats with an error alone.

    Raises:
        ModelError: The tokenizer is not the store's.
        OutputError: The token file cannot be written.
    """
    coding = store.coding
    if encoder.sha256 != coding.tokenizer:
        raise ModelError(f"the tokenizer has sha256 {encoder.sha256}, the token files are of {coding.tokenizer}")
    place, sha256 = join(store.corpus, *file.path.split("/")), ""
    counts: dict[str, Any] = {}
    error = None
    try:
        with open_input(place) as handle:
            sha256 = HashingReader(handle).finish()["sha256"]
        if file.sha256 and sha256 != file.sha256:
            raise DamagedFile(f"its sha256 is {sha256}, its manifest says {file.sha256}")
        with open_input(place) as handle, atomic_output(store.tokens(file.path)) as output:
            counts = _encode(handle, output, encoder, store)
    except DamagedFile as fault:
        error = str(fault)
    except OSError as fault:
        error = f"it cannot be read: {fault}"
    stats = TokenStats(coding.format, file.path, file.bytes, sha256, version, coding, **counts, error=error)
    write_json(store.stats_path(file.path), stats.as_json())
    return stats


def _encode(handle: BinaryIO, output: BinaryIO, encoder: Encoder, store: TokenStore) -> dict[str, Any]:
    """Writes the ids, the marks, the hashes of runs, and the mask where there is a template."""
    coding, documents = store.coding, _open(handle).metadata.num_rows
    marks = np.zeros(documents + 1, MARK)
    writer, runs = HashingWriter(output), RunHasher(coding.numpy.itemsize)
    account = None if coding.chat is None else chat.empty()
    row = text_bytes = 0
    for texts, messages in _rows_of(handle, has_template=coding.chat is not None):
        loss: Mask | None = None
        if account is None:
            ids, ends = _ids(encoder, texts, coding)
        else:
            ids, ends, loss = _with_conversations(encoder, texts, messages, store, account)
        data = ids.tobytes()
        writer.write(data)
        runs.add(data, loss)
        last = row + len(texts)
        if last > documents:
            raise DamagedFile("it holds more rows than its footer says")
        marks["hash"][row:last] = hash_ids(ids, ends, loss)
        marks["offset"][row + 1 : last + 1] = marks["offset"][row] + ends[1:]
        row = last
        text_bytes += sum(len(text.encode("utf-8", "replace")) for text in texts)
    if row != documents:
        raise DamagedFile(f"it holds {row} rows, its footer says {documents}")
    writer.write(marks.tobytes())
    writer.write(runs.finish().tobytes())
    writer.write(runs.bits())
    return {
        "documents": documents,
        "empty": int(np.count_nonzero(marks["hash"][:-1] == 0)),
        "tokens": int(marks["offset"][-1]),
        "text_bytes": text_bytes,
        "tokens_sha256": writer.digest.hexdigest(),
        **({} if account is None else {"chat": account}),
    }


def encode_document(store: TokenStore, encoder: Encoder, document: Mapping[str, Any]) -> tuple[Ids, Mask | None]:
    """The ids of a document [T], and which of them have loss; None where all have, as there is no template.

    Args:
        store: How documents become ids.
        encoder: The tokenizer.
        document: What ``conversations.columns_of_document`` names.
    """
    texts = [document["text"] or ""]
    if store.template is None:
        return _ids(encoder, texts, store.coding)[0], None
    ids, _, loss = _with_conversations(encoder, texts, [conversations.messages_in(document)], store, chat.empty())
    return ids, loss


def _with_conversations(
    encoder: Encoder,
    texts: Sequence[str],
    messages: Sequence[Messages],
    store: TokenStore,
    account: dict[str, Any],
) -> tuple[Ids, Offsets, Mask]:
    """The ids of texts and conversations, where each begins, and the end, and which ids have loss.

    Args:
        encoder: The tokenizer.
        texts: The texts of all.
        messages: The messages of those that are conversations; None of the others.
        store: The token files, with their template.
        account: What is counted, which these are added to.
    """
    coding, template = store.coding, store.template
    assert coding.chat is not None
    assert template is not None
    is_chat = np.array([found is not None for found in messages], np.bool_)
    ids, ends = _ids(encoder, [text for text, found in zip(texts, messages, strict=True) if found is None], coding)
    loss = np.ones(len(ids), np.bool_)
    if coding.bos:
        loss[ends[:-1][np.diff(ends) > 0]] = False
    encoded = conversations.encode(encoder, template, [found for found in messages if found is not None], coding.chat)
    conversations.count(account, encoded)
    starts, counts = np.empty(len(texts), np.int64), np.empty(len(texts), np.int64)
    starts[~is_chat], counts[~is_chat] = ends[:-1], np.diff(ends)
    starts[is_chat], counts[is_chat] = len(ids) + encoded.offsets[:-1], np.diff(encoded.offsets)
    order = ragged_indices(starts, counts)
    ids = np.concatenate((ids, encoded.ids))[order]
    return (
        np.ascontiguousarray(ids, coding.numpy),
        np.concatenate(([0], np.cumsum(counts))),
        np.concatenate((loss, encoded.loss))[order],
    )


def _ids(encoder: Encoder, texts: list[str], coding: Coding) -> tuple[Ids, Offsets]:
    """The ids of texts, and where each begins, and the end.

    One that the tokenizer makes nothing of, such as white space by a model that removes it, has none: a lone bos is no
    document.
    """
    filled = np.array([bool(text) for text in texts], bool)
    try:
        found = encoder.encode_batch([text for text in texts if text], add_bos=coding.bos, add_eos=coding.eos)
    except TokenizerError as error:
        raise ModelError(str(error)) from error
    ids, counts = found[0], np.diff(found[1])
    bare = counts <= coding.bos + coding.eos
    if bare.any():
        ids = ids[np.repeat(~bare, counts)]
    lengths = np.zeros(len(texts), np.int64)
    lengths[filled] = np.where(bare, 0, counts)
    return np.ascontiguousarray(ids, coding.numpy), np.concatenate(([0], np.cumsum(lengths)))


def _open(handle: BinaryIO) -> pq.ParquetFile:
    try:
        file = pq.ParquetFile(handle)
    except (pa.ArrowException, OSError) as error:
        raise DamagedFile(f"it is no Parquet file, or damaged: {error}") from error
    kinds = {field.name: field.type for field in file.schema_arrow}
    if "text" not in kinds:
        raise DamagedFile(f"it has no column text; it has {', '.join(kinds)}")
    if not (pa.types.is_string(kinds["text"]) or pa.types.is_large_string(kinds["text"])):
        raise DamagedFile(f"its column text holds {kinds['text']}, not strings")
    return file


def texts_of(handle: BinaryIO) -> Iterator[list[str]]:
    """The texts of all rows, in order, in lists of about 4 million characters; "" for a missing one."""
    return (texts for texts, _ in _rows_of(handle, has_template=False))


def _rows_of(handle: BinaryIO, *, has_template: bool) -> Iterator[tuple[list[str], list[Messages]]]:
    """The texts of all rows, and the messages of those that are conversations, where there is a template."""
    try:
        file = _open(handle)
        columns = ["text", *(conversations.columns(file.schema_arrow) if has_template else ())]
        for batch in file.iter_batches(ROWS, columns=columns):
            texts: list[str] = []
            first = weight = 0
            messages: list[Messages] = [None] * batch.num_rows
            if len(columns) > 1:
                messages = conversations.messages_of(batch)
            for row, value in enumerate(batch.column("text"), 1):
                text = value.as_py() or ""
                texts.append(text)
                weight += len(text)
                if weight >= BATCH_CHARACTERS:
                    yield texts, messages[first:row]
                    texts, first, weight = [], row, 0
            if texts:
                yield texts, messages[first:]
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DamagedFile(f"it is damaged: {error}") from error
