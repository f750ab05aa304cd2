"""Shuffles the words of a share of a source's documents."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import random
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.ablate.damage import COMMAND
from pipeline.command_line import errors_told, exit_with
from pipeline.corpus.manifest import read_manifest
from pipeline.corpus.shard import MANIFEST, STATS, Layout, read_json, write_json
from pipeline.errors import InputError
from pipeline.storage.filesystem import atomic_output, file_sha256, remove_temporaries
from pipeline.storage.ownership import check_apart, claim_folder
from pipeline.text import encodable

ROWS = 512
_WORDS = re.compile(r"(\S+)")
_ALL = 1 << 64


def is_drawn(identifier: str, share: float, seed: int) -> bool:
    """Whether a document is damaged: its hash is below the share."""
    return _number(identifier, seed, "draw") < share * _ALL


def shuffled(text: str, identifier: str, seed: int) -> str:
    """A text with its words in another order, and white space where it was."""
    parts = _WORDS.split(text)
    words = parts[1::2]
    random.Random(_number(identifier, seed, "words")).shuffle(words)
    parts[1::2] = words
    return "".join(parts)


def _number(identifier: str, seed: int, what: str) -> int:
    key = encodable(f"{seed}\0damage\0{what}\0{identifier}").encode()
    return int.from_bytes(hashlib.sha256(key).digest()[:8], "big")


def damage(source: str, output: str, share: float, seed: int) -> tuple[int, int]:
    """Writes a source with some documents damaged.

    Args:
        source: The folder of a source, with its manifest.
        output: Where its files go, below the same names.
        share: Of the documents.
        seed: Of draw and order.

    Returns:
        How many documents were damaged, and how many there are.

    Raises:
        UserError: The source cannot be read, or the output not be written.
    """
    manifest = read_manifest(Layout(source))
    if manifest is None:
        raise InputError(f"{source} has no manifest: give the folder of a source that a command made")
    check_apart(output, [source])
    stats = sorted(path.name for path in Path(source, STATS).glob("*.json"))
    names = [entry["path"] for entry in manifest["outputs"]]
    owned = claim_folder(output, COMMAND)
    remove_temporaries(output)
    owned.expect([*names, *(f"{STATS}/{name}" for name in stats), MANIFEST])
    counts = [_damage_file(Path(source, name), Path(output, name), share, seed) for name in names]
    sums = {name: _sums(Path(output, name)) for name in names}
    for name in stats:
        write_json(str(Path(output, STATS, name)), _with_sums(read_json(str(Path(source, STATS, name))), sums))
    _link_rest(Path(source), Path(output))
    write_json(str(Path(output, MANIFEST)), _with_sums({**manifest, "damage": {"share": share, "seed": seed}}, sums))
    return sum(damaged for damaged, _ in counts), sum(rows for _, rows in counts)


def _sums(path: Path) -> dict[str, Any]:
    """What accounts say of a file's bytes."""
    return {"bytes": path.stat().st_size, "sha256": file_sha256(str(path))}


def _with_sums(account: Mapping[str, Any], sums: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Stats, or a manifest, of the files that were written; documents and characters are as many as before."""
    return {**account, "outputs": [{**entry, **sums[entry["path"]]} for entry in account["outputs"]]}


def _link_rest(source: Path, output: Path) -> None:
    """Links what damage does not change: rejects, ids, the configuration, and lists."""
    for path in sorted(source.iterdir()):
        target = output / path.name
        if not path.name.startswith(".") and not target.exists() and path.name not in (STATS, MANIFEST):
            with contextlib.suppress(FileExistsError):  # a link that leads nowhere any more
                target.symlink_to(os.path.relpath(path, output))


def _damage_file(source: Path, target: Path, share: float, seed: int) -> tuple[int, int]:
    """Writes one file; gives how many rows were damaged, of how many."""
    try:
        file = pq.ParquetFile(source)
        schema, damaged = file.schema_arrow, 0
        os.makedirs(target.parent, exist_ok=True)
        with atomic_output(str(target)) as handle, pq.ParquetWriter(handle, schema, compression="zstd") as writer:
            for batch in file.iter_batches(ROWS):
                drawn = [is_drawn(str(i), share, seed) for i in batch.column("id").to_pylist()]
                texts = zip(batch.column("id").to_pylist(), batch.column("text").to_pylist(), drawn, strict=True)
                made = [shuffled(text or "", str(i), seed) if is_one else text for i, text, is_one in texts]
                place = schema.get_field_index("text")
                column = pc.cast(pa.array(made, pa.large_string()), schema.field("text").type)
                writer.write_batch(batch.set_column(place, schema.field("text"), column))
                damaged += sum(drawn)
    except (OSError, KeyError, pa.ArrowException) as error:
        raise InputError(f"{source} cannot be read: {error}") from error
    return damaged, file.metadata.num_rows


def run(args: argparse.Namespace) -> NoReturn:
    """Writes the damaged source, and ends the process."""
    with errors_told():
        if not 0 < args.share <= 1:
            raise InputError(f"--share must be above 0 and 1 at the most, it is {args.share:g}")
        damaged, rows = damage(args.source, args.output, args.share, args.seed)
        print(f"{args.output}: words shuffled in {damaged:,} of {rows:,} documents")  # noqa: T201
    exit_with(0)
