"""Runs a mixture: encodes what is missing, plans, refuses what must not mix, writes what is missing, and sums up."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from rich.console import Console

from pipeline.corpus.manifest import READERS_REMOTE
from pipeline.corpus.shard import WORK, Layout, write_json
from pipeline.engine.configuration import check_configuration, write_configuration
from pipeline.engine.here import run_each
from pipeline.engine.options import RunOptions
from pipeline.engine.state import held
from pipeline.errors import InputError, ModelError, OutputError, UserError
from pipeline.mix import chat
from pipeline.mix.blocks import TokenFile
from pipeline.mix.corpus import CorpusFile, corpus_files, names, without_subsets
from pipeline.mix.draw import Draws, Stream, shard_draws
from pipeline.mix.encode import load_encoder
from pipeline.mix.folder import (
    FORMAT,
    HELDOUT,
    KEPT_OUT,
    PLAN,
    TOKENIZER,
    ShardSet,
    finish_set,
    write_documents,
    write_kept_out,
)
from pipeline.mix.heldout import SourceSplit, split_sources
from pipeline.mix.names import DOCUMENTS, TOKEN_FILES
from pipeline.mix.owned import COMMAND, check_output, folder_names, tokens_written_earlier, written_earlier
from pipeline.mix.plan import Plan, SourceCounts, heldout_quotas, make_plan, plan_record, present
from pipeline.mix.recipe import CHAT, MixRecipe
from pipeline.mix.steps import EncodeFiles, ShardTask, ShardWriter, WriteShards, shared_root, write_draw
from pipeline.mix.token_files import Coding, TokenStats, TokenStore, version_of
from pipeline.mix.watch import FileWatcher
from pipeline.mix.whole import Placed, plan_whole
from pipeline.recipe import as_mapping, fingerprint
from pipeline.storage.filesystem import (
    atomic_output,
    delete_files,
    is_remote,
    join,
    list_tree,
    local_model,
    write_bytes,
)
from pipeline.storage.ownership import Owned, claim_folder
from tokenizer.encode import Encoder


@dataclass(frozen=True)
class MixOptions:
    """A mixture to make.

    Attributes:
        recipe: What to make.
        budget: Tokens; None for as many as the epoch limits allow.
        corpus: The corpus folder.
        tokenizer: The tokenizer's model.
        token_files: Where token files are kept; ``_tokens`` in the corpus where None.
        run: How to run, and the output folder.
    """

    recipe: MixRecipe
    budget: int | None
    corpus: str
    tokenizer: str
    token_files: str | None
    run: RunOptions

    @property
    def remote(self) -> bool:
        """Whether the corpus or its token files are on an object store."""
        return is_remote(self.corpus) or is_remote(self.token_root)

    @property
    def token_root(self) -> str:
        """The folder of the token files."""
        return self.token_files or join(self.corpus, TOKEN_FILES)


@dataclass(frozen=True)
class Prepared:
    """A mixture that is planned.

    Attributes:
        store: The token files.
        encoder: The tokenizer.
        files: The token files that take part.
        splits: What each source has for training, and what is held out.
        plan: The plan.
        placed: Where the documents of each set stand, where they stay whole.
    """

    store: TokenStore
    encoder: Encoder
    files: list[TokenFile]
    splits: list[SourceSplit]
    plan: Plan
    placed: Mapping[str, Placed] | None = None


@dataclass(frozen=True)
class MixResult:
    """What a run did: shards planned, done before it, written by it; seconds; the manifest; the plan."""

    planned: int
    done_before: int
    seconds: float
    manifest: dict[str, Any]
    layout: Layout
    plan: Plan


def prepare(options: MixOptions, console: Console) -> Prepared:
    """Encodes what is not encoded yet, counts, and plans.

    Raises:
        UserError: The corpus, the tokenizer or the recipe do not allow the mixture; says why.
    """
    recipe, template = options.recipe, chat.load(options.recipe)
    encoder = load_encoder(options.tokenizer)
    chat.check(recipe, template, encoder)
    for wanted, number, key in ((recipe.bos, encoder.bos_id, "bos"), (recipe.eos, encoder.eos_id, "eos")):
        if wanted and number < 0:
            raise ModelError(f"the tokenizer {options.tokenizer} has no {key} id; --set {key}=false does without")
    conversations = chat.coding_of(recipe, template)
    coding = Coding(encoder.sha256, encoder.dtype.__name__, recipe.bos, recipe.eos, conversations)
    store = TokenStore(options.corpus, options.token_root, coding, template)
    listed = corpus_files(options.corpus, recipe)
    present(recipe, {name: len(files) for name, files in listed.items() if files}, options.corpus)
    _encode(options, store, [file for files in listed.values() for file in files], console)
    stats, faults = _read_stats(options, store, listed)
    tokens = {name: sum(entry.tokens for entry in entries) for name, entries in stats.items() if entries}
    names_ = present(recipe, tokens, options.corpus, _all_refused(stats))
    files = number_files([stats[name] for name in names_])
    quotas = heldout_quotas(recipe, tokens, names_)
    splits = split_sources(store, files, names_, quotas, recipe)
    counts = [count_source(name, stats[name], split) for name, split in zip(names_, splits, strict=True)]
    lacking = without_subsets(recipe, listed)
    if recipe.packing == "whole":
        sides = [(split.training, split.heldout) for split in splits]
        plan, placed = plan_whole(recipe, counts, sides, options.budget, faults, lacking)
        return Prepared(store, encoder, files, splits, plan, placed)
    return Prepared(store, encoder, files, splits, make_plan(recipe, counts, options.budget, faults, lacking))


def _all_refused(stats: Mapping[str, Sequence[TokenStats]]) -> dict[str, str]:
    """Of sources with conversations that were all refused, why."""
    accounts = {name: chat.summed(entry.chat for entry in entries) for name, entries in stats.items()}
    return {name: chat.all_refused(account) for name, account in accounts.items() if chat.all_refused(account)}


def number_files(stats: Sequence[Sequence[TokenStats]]) -> list[TokenFile]:
    """Numbers the documents of all sources, file after file, from 0 on."""
    files, number = [], 0
    for source, entries in enumerate(stats):
        for entry in entries:
            sums = entry.sha256, entry.tokens_sha256
            files.append(TokenFile(source, entry.path, number, entry.documents, entry.tokens, *sums))
            number += entry.documents
    return files


def count_source(name: str, stats: Sequence[TokenStats], split: SourceSplit) -> SourceCounts:
    """Sums up the token files of a source."""
    return SourceCounts(
        name,
        len(stats),
        sum(entry.documents - entry.empty for entry in stats),
        sum(entry.tokens for entry in stats),
        sum(entry.text_bytes for entry in stats),
        int(split.heldout["tokens"].sum()),
        split.tokens_kept_out,
        split.copies,
        fingerprint([[entry.path, entry.sha256] for entry in stats]),
        chat.summed(entry.chat for entry in stats) if any(entry.chat for entry in stats) else None,
    )


def _encode(options: MixOptions, store: TokenStore, files: Sequence[CorpusFile], console: Console) -> None:
    """Makes the token files that are missing."""
    with ThreadPoolExecutor(READERS_REMOTE if options.remote else 1) as pool:
        versions = list(pool.map(partial(_version, store.corpus), files))
        done = list(pool.map(store.is_done, files, versions))
    tasks = [task for task, there in zip(zip(files, versions, strict=True), done, strict=True) if not there]
    if not tasks:
        return
    try:
        with held(Layout(store.root)):  # two mixtures of one corpus would make the same files
            owned = claim_folder(store.root, COMMAND, tokens_written_earlier)
            owned.remove_temporaries()
            _encode_missing(options, store, tasks, owned, console)
    except UserError as error:  # whatever cannot be written is none of the shards
        raise type(error)(str(error).replace("--output", "--token-files")) from error


def _encode_missing(
    options: MixOptions,
    store: TokenStore,
    tasks: Sequence[tuple[CorpusFile, str | None]],
    owned: Owned,
    console: Console,
) -> None:
    """Makes token files; what a killed run left half-written is gone."""
    folder = join(store.root, store.coding.folder)
    owned.expect(name for file, _ in tasks for name in store.names(file.path))
    delete_files([store.stats_path(file.path) for file, _ in tasks])
    wanted = {store.stats_path(file.path)[len(folder) + 1 :].replace(os.sep, "/"): file.path for file, _ in tasks}
    step = EncodeFiles(store, options.tokenizer, tuple(options.run.flags))

    def text_bytes(name: str) -> int:
        stats = store.read_stats(wanted[name])
        return stats.text_bytes if stats else 0

    def look() -> set[str]:
        return set(list_tree(folder, ".json"))

    with FileWatcher("encode", "files", set(wanted), look, text_bytes, ("MB", 1e6), console, options.remote):
        run = options.run.for_bytes(sum(file.bytes for file, _ in tasks))
        run_each(step, tasks, "Encode documents", run, store.root)


def _version(corpus: str, file: CorpusFile) -> str | None:
    """The version of a file that no manifest vouches for."""
    return version_of(join(corpus, *file.path.split("/"))) if file.sha256 is None else None


def _read_stats(
    options: MixOptions, store: TokenStore, listed: Mapping[str, Sequence[CorpusFile]]
) -> tuple[dict[str, list[TokenStats]], list[str]]:
    """The stats of all token files, by source; and the Parquet files that cannot be read, with why.

    Raises:
        InputError: Parquet files cannot be read, and the recipe does not skip them.
    """
    found: dict[str, list[TokenStats]] = {}
    faults: list[str] = []
    with ThreadPoolExecutor(READERS_REMOTE if options.remote else 1) as pool:
        for name, files in listed.items():
            for file, stats in zip(files, pool.map(store.read_stats, [file.path for file in files]), strict=True):
                if stats is None:
                    raise OutputError(
                        f"the run ended without the token file of {file.path}; run the same command again"
                    )
                if stats.error:
                    faults.append(f"{file.path}: {stats.error}")
                else:
                    found.setdefault(name, []).append(stats)
    if faults and options.recipe.damaged == "refuse":
        raise InputError(
            f"{len(faults)} Parquet files of {options.corpus} cannot be read: {names(faults)}. Make them again, or "
            "leave them out with --set damaged=skip. The others are encoded, and stay so."
        )
    return found, faults


def write_mixture(options: MixOptions, prepared: Prepared, console: Console) -> MixResult:
    """Writes what is missing of a planned mixture.

    Raises:
        OutputError: The output cannot be written, or holds another mixture.
    """
    started = time.monotonic()
    plan, root = prepared.plan, Layout(options.run.output)
    sets = [ShardSet(Layout(join(root.root, HELDOUT)), plan.heldout, "heldout")] if plan.heldout else []
    sets.append(ShardSet(root, plan.form, "train"))
    configuration = _configuration(options.recipe, prepared)
    check_output(options.run.output, options.corpus, options.token_root)
    with held(root):
        owned = claim_folder(root.root, COMMAND, written_earlier)
        owned.remove_temporaries()
        done = {shards.kind: shards.done() for shards in sets}
        names_ = folder_names(sets, has_template=prepared.store.template is not None)
        if check_configuration(root, configuration, made=any(done.values())):
            owned.remove(*owned.names)  # what a run left that finished nothing
            owned.expect(names_)
            write_configuration(root, configuration)
        owned.expect(names_)
        write_json(join(root.root, PLAN), plan_record(plan))
        _write_sets(options, prepared, sets, done, fingerprint(configuration), console)
        owned.remove(*(f"{below}{WORK}" for below in ("", f"{HELDOUT}/")))
        manifests = [_finish(options, prepared, shards, configuration) for shards in sets]
    planned = sum(shards.form.shards for shards in sets)
    before = sum(len(done[shards.kind] & set(shards.names())) for shards in sets)
    return MixResult(planned, before, time.monotonic() - started, manifests[-1], root, plan)


def _configuration(recipe: MixRecipe, prepared: Prepared) -> dict[str, Any]:
    """All that decides the bytes of the shards."""
    template, keys = prepared.store.template, as_mapping(recipe)
    if template is None:
        keys = {key: value for key, value in keys.items() if key not in CHAT}
    else:
        keys["template"] = template.name
    return {
        "format": FORMAT,
        "recipe": keys,
        **({} if template is None else {"template_sha256": template.sha256}),
        "tokens": prepared.plan.tokens,
        "tokenizer_sha256": prepared.encoder.sha256,
        "sources": {
            source.counts.name: {
                "files": source.counts.files,
                "documents": source.counts.documents,
                "tokens": source.counts.tokens,
                "fingerprint": source.counts.fingerprint,
            }
            for source in prepared.plan.sources
        },
    }


def _write_sets(
    options: MixOptions,
    prepared: Prepared,
    sets: Sequence[ShardSet],
    done: Mapping[str, set[str]],
    configuration: str,
    console: Console,
) -> None:
    """Writes the missing shards of all sets, in one run."""
    writers, tasks = {}, []
    for shards in sets:
        missing = [number for number, name in enumerate(shards.names()) if name not in done[shards.kind]]
        writers[shards.kind] = _writer(options, prepared, shards, configuration)
        tasks += _write_draws(prepared, shards, missing, options.recipe.seed)
    if not tasks:
        return
    step = WriteShards(writers, tuple(options.run.flags))
    with _shard_watcher(sets, tasks, console):
        run = options.run.for_bytes(2 * prepared.plan.tokens)
        run_each(step, tasks, "Draw, shuffle, write", run, shared_root(writers))
    for shards in sets:
        lost = set(shards.names()) - shards.done()
        if lost:
            raise OutputError(
                f"the run ended without {len(lost)} shards, {min(lost)} among them; run the same command again"
            )


def _writer(options: MixOptions, prepared: Prepared, shards: ShardSet, configuration: str) -> ShardWriter:
    """What the shards of a set have in common; writes the list of files that it needs."""
    plan, coding = prepared.plan, prepared.store.coding
    sources = tuple(source.counts.name for source in plan.sources)
    documents = join(shards.layout.root, DOCUMENTS)
    write_documents(documents, prepared.files, sources)
    if shards.kind == "heldout":
        spans = np.concatenate([split.kept_out for split in prepared.splits])
        write_kept_out(join(shards.layout.root, KEPT_OUT), spans, sources)
    bos = prepared.encoder.bos_id if coding.bos else None
    shares, seed = tuple(plan.shares), options.recipe.seed
    filling = prepared.encoder.eos_id if prepared.placed else None
    return ShardWriter(shards, prepared.store, sources, shares, seed, bos, documents, configuration, filling)


def _finish(options: MixOptions, prepared: Prepared, shards: ShardSet, configuration: dict[str, Any]) -> dict[str, Any]:
    """Writes what lies beside the shards of a set; gives its manifest."""
    encoder = prepared.encoder
    _copy(local_model(options.tokenizer), join(shards.layout.root, TOKENIZER))
    if (template := prepared.store.template) is not None:
        write_bytes(join(shards.layout.root, chat.TEMPLATE), template.text.encode())
    special = {"vocab_size": encoder.vocab_size, "bos": encoder.bos_id, "eos": encoder.eos_id}
    known = {key: None if number < 0 else number for key, number in special.items()}
    places = {"corpus": options.corpus, "token_files": options.token_root}
    return finish_set(shards, prepared.plan, configuration, places, known, prepared.store)


def _shard_watcher(sets: Sequence[ShardSet], tasks: Sequence[ShardTask], console: Console) -> FileWatcher:
    """Watches the shards of all sets appear."""
    names_ = {shards.kind: shards.names() for shards in sets}
    forms = {shards.kind: shards.form for shards in sets}
    tokens = {
        f"{task.kind}/{names_[task.kind][task.shard]}": forms[task.kind].rows_of(task.shard) * forms[task.kind].seq_len
        for task in tasks
    }

    def done() -> set[str]:
        return {f"{shards.kind}/{name}" for shards in sets for name in shards.done()}

    remote = is_remote(sets[0].layout.root)
    measure = ("million tokens", 1e6)
    return FileWatcher("write", "shards", set(tokens), done, tokens.__getitem__, measure, console, remote)


def _write_draws(prepared: Prepared, shards: ShardSet, missing: Sequence[int], seed: int) -> list[ShardTask]:
    """Writes the draws of the shards that are missing."""
    if not missing:
        return []
    wanted, tasks = set(missing), []
    for shard, draws in enumerate(_draws(prepared, shards, seed)):
        if shard in wanted:
            path = join(shards.layout.work, "draws", f"{shard:05d}.npy")
            write_draw(path, draws)
            tasks.append(ShardTask(shards.kind, shard, path))
    return tasks


def _draws(prepared: Prepared, shards: ShardSet, seed: int) -> Iterator[Draws]:
    """The draws of all shards of a set, in order."""
    if prepared.placed is not None:
        placed = prepared.placed[shards.kind]
        return (placed.of_shard(shards.form, shard) for shard in range(shards.form.shards))
    side = "heldout" if shards.kind == "heldout" else "training"
    streams = [
        Stream(number, f"{source.counts.name}/{shards.kind}", getattr(split, side), seed, prepared.store.coding.bos)
        for number, (source, split) in enumerate(zip(prepared.plan.sources, prepared.splits, strict=True))
    ]
    return shard_draws(shards.form, prepared.plan.shares, streams)


def _copy(source: str, target: str) -> None:
    if is_remote(target):
        with open(source, "rb") as handle:
            write_bytes(target, handle.read())
        return
    with open(source, "rb") as handle, atomic_output(target) as output:
        shutil.copyfileobj(handle, output)
