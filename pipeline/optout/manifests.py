"""What lies beside the shards of a set after documents were taken out: the lists of documents, and the manifest."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.corpus.shard import MANIFEST, Layout
from pipeline.errors import OutputError
from pipeline.mix.balance import Prefixes, balance
from pipeline.mix.blocks import TokenFile
from pipeline.mix.folder import (
    HELDOUT,
    KEPT_OUT,
    ShardAccount,
    padding_record,
    read_account,
    read_kept_out,
    set_fingerprint,
    shard_entries,
    write_documents_to,
    write_kept_out_to,
)
from pipeline.mix.masks import fingerprints_before, mask_kept
from pipeline.mix.names import DOCUMENTS
from pipeline.mix.rows import ShardFolder
from pipeline.optout.journal import Journal
from pipeline.storage.filesystem import join
from pipeline.verify.shards import planned_form

KeptOut = dict[int, list[tuple[int, int]]]  # by document: ids of it, from one to another, that training may not have


def below_root(root: str, folder: ShardFolder) -> str:
    """What stands before the names of a set's files below the folder of all sets."""
    return "" if folder.root == root else f"{HELDOUT}/"


def stage_end(
    root: str,
    before: ShardFolder,
    files: Sequence[TokenFile],
    kept_out: KeptOut,
    lists: Sequence[str],
    end: Journal,
    done: dict[str, int],
) -> None:
    """Stages what a set has beside its shards: the list of documents, what is kept out, the manifest.

    Args:
        root: The folder of all sets.
        before: The set, as it was.
        files: The files of documents, as they are.
        kept_out: What training may not have.
        lists: The checksums of the lists that took documents out now.
        end: The journal.
        done: Gets the rows that were taken out, the ids that were filled, and those of them with what was drawn before.
    """
    below, manifest = below_root(root, before), dict(before.manifest)
    sums = dict(manifest.get("files", {}))
    buffer = io.BytesIO()
    write_documents_to(buffer, files, manifest["sources"])
    sums[DOCUMENTS] = _stage(end, f"{below}{DOCUMENTS}", buffer)
    if manifest["kind"] == "heldout":
        buffer, table = io.BytesIO(), read_kept_out(join(before.root, KEPT_OUT))
        left = pc.is_in(table["number"], pa.array(list(kept_out), pa.uint64()))
        write_kept_out_to(buffer, table.filter(left))
        sums[KEPT_OUT] = _stage(end, f"{below}{KEPT_OUT}", buffer)
    accounts = [read_account(Layout(before.root), entry["file"].removesuffix(".arrow")) for entry in manifest["shards"]]
    rows = sum(account.rows for account in accounts)
    manifest |= {
        "rows": rows,
        "tokens": rows * manifest["seq_len"],
        "mixture": _mixture(before, files, kept_out, accounts),
        **_balance(before, accounts),
        "shards": shard_entries(accounts),
        "files": sums,
        "fingerprint": set_fingerprint(manifest["configuration"], accounts),
        **mask_kept(manifest, [account.masked for account in accounts]),
        **padding_record(accounts, manifest["seq_len"]),
    }
    manifest["optout"] = _optout(before.manifest, manifest["fingerprint"], files, accounts, lists)
    then = before.manifest.get("optout", {})
    done["rows_out"] += manifest["optout"]["rows_out"] - then.get("rows_out", 0)
    for key in ("filled", "again"):
        done[key] += sum(manifest["optout"][key]) - sum(then.get(key, ()))
    end.json(f"{below}{MANIFEST}", manifest)


def _stage(end: Journal, path: str, buffer: io.BytesIO) -> str:
    with end.file(path) as handle:
        handle.write(buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def _optout(
    before: Mapping[str, Any],
    now: str,
    files: Sequence[TokenFile],
    accounts: Sequence[ShardAccount],
    lists: Sequence[str],
) -> dict[str, Any]:
    """What lists of removals did to a set so far, as its manifest has it."""
    then = before.get("optout", {})
    changed = [account.optout for account in accounts if account.optout]
    none = np.zeros(len(before["sources"]), np.int64)
    filled, again = (
        np.sum([none, *(entry.get(key, none) for entry in changed)], axis=0) for key in ("filled", "again")
    )
    return {
        "lists": [*then.get("lists", []), *(one for one in lists if one not in then.get("lists", []))],
        "documents": sum(len(file.removed) for file in files),
        "rows_out": sum(entry["rows_out"] for entry in changed),
        "filled": filled.tolist(),
        "again": again.tolist(),
        "earlier": then.get("earlier", []) if now == before["fingerprint"] else fingerprints_before(before, now=now),
    }


def _mixture(
    before: ShardFolder, files: Sequence[TokenFile], kept_out: KeptOut, accounts: Sequence[ShardAccount]
) -> dict[str, Any]:
    """The accounts of each source, recounted."""
    total, found = sum(sum(account.tokens) for account in accounts), {}
    kept_apart_ids = _ids_apart(before, kept_out)
    for source, (name, entry) in enumerate(before.manifest["mixture"].items()):
        own = [file for file in files if file.source == source]
        apart = kept_apart_ids[source]
        tokens = sum(account.tokens[source] for account in accounts)
        unique = entry["unique_tokens"]
        if before.manifest["kind"] == "train":
            unique = sum(file.tokens for file in own) - apart
        found[name] = {
            **entry,
            "share_reached": tokens / total if total else 0.0,
            "unique_tokens": unique,
            "kept_out_tokens": apart,
            "tokens": tokens,
            "epochs": tokens / unique if unique else 0.0,
            "documents": sum(account.documents[source] for account in accounts),
        }
    return found


def _ids_apart(before: ShardFolder, kept_out: KeptOut) -> list[int]:
    """How many ids of each source training may not have."""
    found = [0] * len(before.manifest["sources"])
    for number, spans in kept_out.items():
        found[before.file_of(number)[0].source] += sum(stop - start for start, stop in spans)
    return found


def _balance(before: ShardFolder, accounts: Sequence[ShardAccount]) -> dict[str, float]:
    shares = [Fraction(entry["share_asked"]) for entry in before.manifest["mixture"].values()]
    measured = [Prefixes(account.prefix_tokens, account.prefix_error) for account in accounts]
    if not any(sum(account.tokens) for account in accounts):
        raise OutputError(f"nothing is left of {before.root}: remove it, and make shards of what is left of the corpus")
    return balance(planned_form(before), shares, [account.tokens for account in accounts], measured)
