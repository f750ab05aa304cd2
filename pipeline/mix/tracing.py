"""What pipeline.trace does: it goes from a token back to its document, its place in the text, and its raw record."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pipeline.command_line import errors_told
from pipeline.errors import UserError
from pipeline.mix.conversations import document_spans
from pipeline.mix.encode import load_encoder
from pipeline.mix.rows import Row, Segment, ShardFolder, open_folder, read_document, read_row, store_of
from pipeline.storage.filesystem import is_remote, join
from tokenizer.chat.spans import NOWHERE
from tokenizer.encode import Encoder

FILLS = "of no document, to fill the row up"
CONTEXT = 60  # characters shown before and after a token


def place_in_text(
    folder: ShardFolder, encoder: Encoder, document: Mapping[str, Any], segment: Segment, token: int, token_id: int
) -> tuple[int, int] | None:
    """Where in its document's text a token stands, by the tokenizer's own account.

    Args:
        folder: The shards.
        encoder: Their tokenizer.
        document: The document's columns.
        segment: The piece of the document that the token is in.
        token: The token's number in the row.
        token_id: The token.

    Returns:
        The first character, and the one behind the last, both ``NOWHERE`` where it is the template's own; None where
        the text does not have the token there.
    """
    store = store_of(folder)
    at = segment.offset + token - segment.start - folder.got_bos(segment)
    ids, spans = document_spans(encoder, store.coding, store.template, document)
    if not 0 <= at < len(ids) or ids[at] != token_id:
        return None
    first, last = spans[at].tolist()
    return first, last


def is_frame(folder: ShardFolder, segment: Segment, token: int, token_id: int) -> bool:
    """Whether a token is no text: a bos before, or an eos behind a document."""
    manifest = folder.manifest
    at_front = segment.begins and token == segment.start and manifest["inserts_bos"]
    at_front |= segment.offset + token - segment.start == 0 and manifest["inserts_bos"]
    return bool(at_front) or (manifest["inserts_eos"] and token_id == manifest["eos"])


def describe(folder: ShardFolder, row: Row, number: int, token: int | None) -> Iterator[str]:
    """The lines of the answer."""
    name, inside = folder.place(number)
    yield f"row {number:,} of {folder.manifest['rows']:,}: {join(folder.root, name)}, row {inside}"
    encoder = load_encoder(folder.tokenizer)
    if token is None:
        for segment in row.segments:
            yield ""
            if not segment.is_document:
                yield f"ids {segment.start} to {segment.stop - 1} are {FILLS}"
                continue
            yield from _document_lines(folder, segment, read_document(folder, segment.number))
            yield from _mask_lines(row, segment)
        return
    segment = row.at(token)
    special = {folder.manifest[name]: name for name in ("bos", "eos")}
    token_id = int(row.ids[token])
    yield f"token {token}: id {token_id}, {special.get(token_id) or repr(encoder.decode([token_id]))}"
    if row.loss is not None and not row.loss[token]:
        yield "the loss is off for it: nothing is learnt where it would be predicted"
    if not segment.is_document:
        yield f"it is {FILLS}"
        return
    yield ""
    document = read_document(folder, segment.number)
    yield from _document_lines(folder, segment, document)
    if not is_frame(folder, segment, token, token_id):
        place = place_in_text(folder, encoder, document[2], segment, token, token_id)
        yield from _text_lines(document[2]["text"], place)


def _document_lines(folder: ShardFolder, segment: Segment, document: tuple[str, int, dict[str, Any]]) -> Iterator[str]:
    path, row, columns = document
    source = folder.manifest["sources"][segment.source]
    begins = "begins in it" if segment.begins else "runs on from the row before"
    span = f"ids {segment.start} to {segment.stop - 1}"
    yield f"document {segment.number:,} of {source}: {span} of the row; the piece {begins}"
    for key in ("id", "url", "language", "created", "license"):
        if columns.get(key) is not None:
            yield f"  {key:<9}{columns[key]}"
    origin = columns.get("origin")
    if origin:
        yield f"  {'raw':<9}{origin['file']}, offset {origin['offset']}"
    yield f"  {'parquet':<9}{join(folder.corpus, *path.split('/'))}, row {row}"
    yield f"  {'text':<9}{len(columns['text']):,} characters"


def _mask_lines(row: Row, segment: Segment) -> Iterator[str]:
    """For which ids of a document in a row the loss is off."""
    if row.loss is None or row.loss[segment.start : segment.stop].all():
        return
    off = np.concatenate(([False], ~row.loss[segment.start : segment.stop], [False]))
    edges = (np.flatnonzero(off[1:] != off[:-1]) + segment.start).reshape(-1, 2).tolist()
    yield f"  {'loss off':<9}ids " + ", ".join(f"{first} to {end - 1}" for first, end in edges)


def _text_lines(text: str, place: tuple[int, int] | None) -> Iterator[str]:
    if place is None:
        yield "  the text does not have this token there: the corpus changed since"
        return
    if place[0] == NOWHERE:
        yield f"  {'place':<9}the template's own, not the text's"
        return
    first, last = place
    before, here, after = text[max(0, first - CONTEXT) : first], text[first:last], text[last : last + CONTEXT]
    yield f"  {'place':<9}characters {first:,} to {last:,}"
    yield f"  {'':<9}...{before!r} [{here!r}] {after!r}..."


def run(args: argparse.Namespace) -> None:
    """Prints where a row, or a token of it, came from."""
    with errors_told():
        folder = open_folder(args.folder if is_remote(args.folder) else args.folder.rstrip("/"), args.corpus)
        name, inside = folder.place(args.row)
        row = read_row(join(folder.root, name), inside)
        if args.token is not None and not 0 <= args.token < len(row.ids):
            raise UserError(f"a row has tokens 0 to {len(row.ids) - 1}; there is no token {args.token}")
        for line in describe(folder, row, args.row, args.token):
            sys.stdout.write(f"{line}\n")
