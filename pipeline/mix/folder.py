"""The shard folder: what lies beside the shards for datasets.load_from_disk, the trainer, trace and verify.

Layout::

    data-00000-of-00012.arrow   the shards: Arrow IPC streams
    state.json, dataset_info.json   what datasets.load_from_disk asks for
    manifest.json               what the ids are, and the mixture's accounts
    plan.json                   the plan
    documents.parquet           the Parquet files of the corpus, with the number of each one's first document
    tokenizer.model             the tokenizer
    template.yaml               the template by which conversations were encoded, where there is one
    configuration.json          what a run must have in common with the runs before it
    _stats/<shard>.json         a shard's accounts; written last, so its presence marks the shard done
    heldout/                    the held-out set: such a folder by itself, and
    heldout/kept_out.parquet    all ids that training does not have: documents, and parts of some, with their copies
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.corpus.manifest import read_manifest, versions
from pipeline.corpus.shard import Layout, write_json
from pipeline.errors import OutputError
from pipeline.mix.balance import Prefixes, balance
from pipeline.mix.blocks import TokenFile
from pipeline.mix.chat import TEMPLATE, ChatCoding
from pipeline.mix.masks import mask_record
from pipeline.mix.names import DOCUMENTS, STATE
from pipeline.mix.plan import Plan
from pipeline.mix.quotas import ShardForm
from pipeline.mix.shards import LOSS_MASK
from pipeline.mix.token_files import Coding, TokenStore
from pipeline.recipe import fingerprint
from pipeline.source import HashingReader
from pipeline.storage.filesystem import atomic_output, exists, file_sizes, join, open_input

if TYPE_CHECKING:
    from tokenizer.chat.template import Template

FORMAT = 2
KEPT_OUT = "kept_out.parquet"
TOKENIZER = "tokenizer.model"
PLAN = "plan.json"
HELDOUT = "heldout"
DATASET = "dataset_info.json"
BESIDE = (
    TOKENIZER,
    TEMPLATE,
    PLAN,
    DOCUMENTS,
    KEPT_OUT,
    STATE,
    DATASET,
)  # what lies beside shards, as far as a set has it
_SHARD_NAME = re.compile(r"data-\d{5,}-of-\d{5,}")
_DOCUMENT_SCHEMA = pa.schema(
    {
        "source": pa.string(),
        "path": pa.string(),
        "first_number": pa.uint64(),
        "documents": pa.uint64(),
        "tokens": pa.uint64(),
        "sha256": pa.string(),
        "tokens_sha256": pa.string(),
    }
)
_KEPT_OUT_SCHEMA = pa.schema({"source": pa.string(), "number": pa.uint64(), "start": pa.uint64(), "stop": pa.uint64()})


def shard_name(shard: int, shards: int) -> str:
    """The name of a shard's file, without its suffix, as Hugging Face's ``save_to_disk`` has it."""
    return f"data-{shard:05d}-of-{shards:05d}"


@dataclass(frozen=True)
class ShardAccount:
    """What the stats file of a shard says.

    Attributes:
        configuration: The fingerprint of the run's configuration.
        file: Its name.
        rows: Its rows.
        bytes: Its size.
        sha256: Its checksum.
        tokens: Ids of each source; ids that two rows share count once.
        documents: Documents of each source that begin in it.
        prefix_tokens: The most ids by which a source is ahead of or behind its share, after any row of the shard.
        prefix_error: The most, of all ids up to there (see ``balance.Prefixes``).
        optout: What a list of removals changed (see ``pipeline.optout.shards``); None where none did.
        masked: Ids of each source for which the loss is off, counted as ``tokens`` are; None without a loss mask.
        padding: How many ids are of no document, and fill rows up; None where documents are cut at the ends of rows.
    """

    configuration: str
    file: str
    rows: int
    bytes: int
    sha256: str
    tokens: list[int]
    documents: list[int]
    prefix_tokens: int
    prefix_error: float
    optout: dict[str, Any] | None = None
    masked: list[int] | None = None
    padding: int | None = None

    @property
    def gaps(self) -> list[int]:
        """The rows before which rows were taken out: they do not go on where the row before ends."""
        return list(self.optout["gaps"]) if self.optout else []

    def as_json(self) -> dict[str, Any]:
        """The account as it stands in the stats file."""
        unused = [key for key in ("optout", "masked", "padding") if getattr(self, key) is None]
        return {key: value for key, value in asdict(self).items() if key not in unused}

    def write(self, layout: Layout) -> None:
        """Writes the stats file."""
        write_json(layout.stats(self.file.removesuffix(".arrow")), self.as_json())


def read_account(layout: Layout, name: str) -> ShardAccount:
    """Reads a stats file.

    Raises:
        OutputError: It is damaged.
    """
    values = layout.read_stats(name)
    try:
        return ShardAccount(**values)
    except TypeError as error:
        raise OutputError(f"{layout.stats(name)} is damaged: {error}. Remove it and run pipeline.mix again.") from error


def write_documents(path: str, files: Sequence[TokenFile], names: Sequence[str]) -> None:
    """Writes which documents the numbers stand for."""
    with atomic_output(path) as handle:
        write_documents_to(handle, files, names)


def write_documents_to(output: BinaryIO, files: Sequence[TokenFile], names: Sequence[str]) -> None:
    """Writes them to an open file; which of them were removed only where some were."""
    columns = [
        [names[file.source] for file in files],
        *([getattr(file, key) for file in files] for key in _DOCUMENT_SCHEMA.names[1:]),
    ]
    table = pa.table([pa.array(c, f.type) for c, f in zip(columns, _DOCUMENT_SCHEMA, strict=True)], _DOCUMENT_SCHEMA)
    if any(file.removed for file in files):
        table = table.append_column("removed", pa.array([file.removed for file in files], pa.list_(pa.uint32())))
    pq.write_table(table, output, compression="zstd")


def read_documents(path: str, names: Sequence[str]) -> list[TokenFile]:
    """Reads what ``write_documents`` wrote.

    Raises:
        OutputError: It is missing or damaged.
    """
    try:
        with open_input(path) as handle:
            rows = pq.read_table(handle).to_pylist()
        return [
            TokenFile(**{**row, "source": names.index(row["source"]), "removed": tuple(row.get("removed", ()))})
            for row in rows
        ]
    except (OSError, pa.ArrowException, TypeError, KeyError, ValueError) as error:
        raise OutputError(f"{path} cannot be read: {error}") from error


def read_origins(path: str) -> list[tuple[str, str]]:
    """Path and SHA-256 of each Parquet file that ``write_documents`` listed, in any version of it.

    Files of which nothing is left are not among them.

    Raises:
        OutputError: It is missing or damaged.
    """
    try:
        with open_input(path) as handle:
            table = pq.read_table(handle)
        if "removed" in table.column_names:
            import pyarrow.compute as pc  # noqa: PLC0415 - slow to import

            table = table.filter(pc.less(pc.list_value_length(table["removed"]), table["documents"]))
        return list(zip(table["path"].to_pylist(), table["sha256"].to_pylist(), strict=True))
    except (OSError, pa.ArrowException, KeyError) as error:
        raise OutputError(f"{path} cannot be read: {error}") from error


def write_kept_out(path: str, spans: npt.NDArray[Any], names: Sequence[str]) -> None:
    """Writes what is kept out of training (``heldout.KEPT_OUT``)."""
    owners = [names[source] for source in spans["source"].tolist()]
    columns = [owners, *(spans[key] for key in _KEPT_OUT_SCHEMA.names[1:])]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, _KEPT_OUT_SCHEMA, strict=True)]
    with atomic_output(path) as handle:
        write_kept_out_to(handle, pa.table(arrays, _KEPT_OUT_SCHEMA))


def write_kept_out_to(output: BinaryIO, table: pa.Table) -> None:
    """Writes to an open file what ``read_kept_out`` reads."""
    pq.write_table(table, output, compression="zstd")


def read_kept_out(path: str) -> pa.Table:
    """Reads what ``write_kept_out`` wrote.

    Raises:
        OutputError: It is missing or damaged.
    """
    try:
        with open_input(path) as handle:
            return pq.read_table(handle, schema=_KEPT_OUT_SCHEMA)
    except (OSError, pa.ArrowException) as error:
        raise OutputError(f"{path} cannot be read: {error}") from error


@dataclass(frozen=True)
class ShardSet:
    """One folder of shards: those for training, or those held out.

    Attributes:
        layout: Where they lie.
        form: Their form.
        kind: ``train`` or ``heldout``.
    """

    layout: Layout
    form: ShardForm
    kind: str

    def done(self) -> set[str]:
        """The names of the shards that are there with their stats, and as many bytes as these say."""
        sizes = file_sizes(self.layout.root, ".arrow")
        made = {name for name in self.layout.done() if _SHARD_NAME.fullmatch(name)}
        return {name for name in made if sizes.get(f"{name}.arrow", -1) == self._bytes(name)}

    def _bytes(self, name: str) -> int | None:
        """The size that a shard must have; None where its stats are damaged."""
        try:
            return read_account(self.layout, name).bytes
        except OutputError:
            return None

    def names(self) -> list[str]:
        """The names of all its shards."""
        return [shard_name(shard, self.form.shards) for shard in range(self.form.shards)]


def sha256_of(path: str) -> str:
    """The SHA-256 of a file of a folder of shards, in hex."""
    with open_input(path) as handle:
        return str(HashingReader(handle).finish()["sha256"])


def finish_set(
    shards: ShardSet,
    plan: Plan,
    configuration: Mapping[str, Any],
    places: Mapping[str, str],
    special: Mapping[str, Any],
    store: TokenStore,
) -> dict[str, Any]:
    """Writes what a set's folder has beside its shards, once all of them are there; gives the manifest.

    Args:
        shards: The set.
        plan: The plan.
        configuration: The run's.
        places: The folders ``corpus`` and ``token_files``.
        special: ``vocab_size``, ``bos`` and ``eos`` of the tokenizer.
        store: The token files, which say how documents became ids.
    """
    layout, coding, template = shards.layout, store.coding, store.template
    accounts = [read_account(layout, name) for name in shards.names()]
    names = [source.counts.name for source in plan.sources]
    manifest = {
        "format": FORMAT,
        "kind": shards.kind,
        "seq_len": shards.form.seq_len,
        **special,
        "dtype": coding.dtype,
        "tokenizer_sha256": coding.tokenizer,
        "sources": names,
        "inserts_bos": coding.bos,
        "inserts_eos": coding.eos,
        **({} if template is None else {"template": template_record(template, coding)}),
        "rows": shards.form.rows,
        "tokens": shards.form.rows * shards.form.seq_len,
        "seed": configuration["recipe"]["seed"],
        "mixture": mixture(plan, accounts, shards.kind),
        **balance(
            shards.form,
            plan.shares,
            [account.tokens for account in accounts],
            [Prefixes(account.prefix_tokens, account.prefix_error) for account in accounts],
        ),
        **places,
        "configuration": configuration,
        "versions": versions(),
        "shards": shard_entries(accounts),
    }
    manifest["fingerprint"] = set_fingerprint(configuration, accounts)
    manifest |= padding_record(accounts, shards.form.seq_len)
    if (masks := _masks(layout, manifest, accounts)) is not None:
        manifest[LOSS_MASK] = masks
    state = {
        "_data_files": [{"filename": account.file} for account in accounts],
        "_fingerprint": manifest["fingerprint"][:16],
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": "train" if shards.kind == "train" else "test",
    }
    write_json(join(layout.root, STATE), state)
    write_json(join(layout.root, DATASET), {"description": "Token shards: see manifest.json"})
    manifest["files"] = {name: sha256_of(path) for name in BESIDE if exists(path := join(layout.root, name))}
    write_json(layout.manifest, manifest)
    return manifest


def template_record(template: Template, coding: Coding) -> dict[str, Any]:
    """What a manifest says of how conversations became ids."""
    assert coding.chat is not None
    values = asdict(coding.chat)
    return {"name": template.name, "sha256": values.pop("template"), **values}


def padding_record(accounts: Sequence[ShardAccount], seq_len: int) -> dict[str, Any]:
    """What a manifest says of ids that only fill rows up; nothing where documents are cut at the ends of rows."""
    found = [account.padding for account in accounts if account.padding is not None]
    if not found:
        return {}
    ids = sum(account.rows * seq_len + 1 for account in accounts)
    return {"padding": sum(found), "padding_share": sum(found) / ids}


def chat_of(manifest: Mapping[str, Any]) -> ChatCoding | None:
    """How conversations became ids, by a manifest; None where there was no template."""
    if (record := manifest.get("template")) is None:
        return None
    return ChatCoding(record["sha256"], record["tags"], record["longest"], record["too_long"])


def _masks(layout: Layout, manifest: Mapping[str, Any], accounts: Sequence[ShardAccount]) -> dict[str, Any] | None:
    """What the manifest says of loss masks: of which sets only where no shard was made anew since, without its mask."""
    before = read_manifest(layout) or {}
    then = before.get(LOSS_MASK) or {}
    same = before.get("fingerprint") == manifest["fingerprint"]
    masked = [account.masked for account in accounts]
    return mask_record(manifest, masked, then.get("against", ()) if same else (), then.get("earlier", ()))


def set_fingerprint(configuration: Mapping[str, Any], accounts: Sequence[ShardAccount]) -> str:
    """Identifies what is in the shards of a set."""
    return fingerprint([configuration, [account.sha256 for account in accounts]])


def shard_entries(accounts: Sequence[ShardAccount]) -> list[dict[str, Any]]:
    """The shards of a set as its manifest lists them."""
    return [
        {"file": a.file, "rows": a.rows, "bytes": a.bytes, "sha256": a.sha256, "tokens": a.tokens} for a in accounts
    ]


def mixture(plan: Plan, accounts: Sequence[ShardAccount], kind: str) -> dict[str, dict[str, Any]]:
    """The accounts of each source: asked, reached, unique, drawn, epochs."""
    total = sum(sum(account.tokens) for account in accounts)
    found = {}
    for number, source in enumerate(plan.sources):
        tokens = sum(account.tokens[number] for account in accounts)
        counts = source.counts
        unique = counts.unique if kind == "train" else counts.heldout
        found[counts.name] = {
            "share_asked": float(source.share),
            "share_reached": tokens / total,
            "unique_tokens": unique,
            "kept_out_tokens": counts.kept_out,
            "copied_tokens": counts.copies,
            "tokens": tokens,
            "epochs": tokens / unique,
            "documents": sum(account.documents[number] for account in accounts),
            "corpus": {"files": counts.files, "documents": counts.documents, "text_bytes": counts.text_bytes},
            **({} if counts.chat is None else {"chat": counts.chat}),
        }
    return found
