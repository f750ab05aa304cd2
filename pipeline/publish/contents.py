"""What goes into the repository: the files, in the order in which they are sent, and the configurations that name them.

Documents, rejects where asked for, and token shards come first; then the accounts that say what these are; the card,
which names them all, comes last and is not among them. What a run needs for itself (``_work``, ``_timing``, ``_ids``,
locks, token files) stays where it is.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.card.card import split_of
from pipeline.corpus.manifest import read_manifest
from pipeline.corpus.shard import MANIFEST, Layout
from pipeline.errors import InputError, OutputError
from pipeline.mix.folder import HELDOUT
from pipeline.mix.shards import LOSS_MASK
from pipeline.report.corpus import Corpora, Mixture, SourceCorpus
from pipeline.report.paper import in_paper_order
from pipeline.storage.filesystem import file_sizes, is_remote, join

REJECTS = "rejects"
TRAIN = "train"
ARROW, PARQUET = ".arrow", ".parquet"
# Accounts, by their names below a source's folder and below a folder of token shards.
_OF_SOURCES = re.compile(
    r"configuration\.json|[^/]+\.tsv|_stats/[^/]+\.json|_scopes/[^/]+\.json|_ids/[^/]+\.npy|_duplicates/[^/]+\.parquet"
)
_OF_SHARDS = re.compile(
    r"(configuration|plan|state|dataset_info)\.json|(documents|kept_out)\.parquet|tokenizer\.model|template\.yaml|_stats/[^/]+\.json"
)
_NOT_IN_NAMES = re.compile(r'[<>:/\\|?*"\s]')  # of configurations, as the datasets library has it


@dataclass(frozen=True)
class Item:
    """A file of the repository.

    Attributes:
        name: Its name there.
        path: Where it lies now.
        size: Its bytes here; where it is converted, those of what it is made from.
        sha256: Its checksum, where an account has it; likewise.
        converted: Whether it goes as Parquet, and is Arrow here.
        masked: Whether it has a column for the loss mask then, whether it has one here or not: as others of its set.
    """

    name: str
    path: str
    size: int
    sha256: str | None = None
    converted: bool = False
    masked: bool = False

    @property
    def origin(self) -> str:
        """What a converted file says that it was made from."""
        return f"{self.sha256}{'+' + LOSS_MASK if self.masked else ''}"


@dataclass(frozen=True)
class Split:
    """A split of a configuration: its files, as patterns for the card, and what is in them."""

    name: str
    patterns: tuple[str, ...]
    rows: int
    bytes: int

    def __add__(self, other: Split) -> Split:
        return Split(self.name, self.patterns + other.patterns, self.rows + other.rows, self.bytes + other.bytes)


@dataclass(frozen=True)
class Configuration:
    """A configuration, as ``load_dataset`` takes it.

    Attributes:
        name: Its name.
        splits: Its splits.
        example: One of its files, where its columns can be looked up.
        is_whole: Whether it is all of a source, or a folder of token shards; else a part of one.
    """

    name: str
    splits: tuple[Split, ...]
    example: Item
    is_whole: bool

    def as_yaml(self) -> dict[str, Any]:
        """The entry of the card's header."""
        files = [{"split": split.name, "path": list(split.patterns)} for split in self.splits]
        return {"config_name": self.name, "data_files": files}


@dataclass(frozen=True)
class Contents:
    """All that goes, but for the card."""

    items: tuple[Item, ...]
    configurations: tuple[Configuration, ...]


def contents_of(corpora: Corpora, *, rejects: bool) -> Contents:
    """Lists what goes into the repository.

    Args:
        corpora: The sources and the mixtures.
        rejects: Whether what was dropped goes, too.

    Raises:
        InputError: A source has not ended, two things have one name, or there is nothing.
        OutputError: A file is missing, or has another size than its account says.
    """
    order = in_paper_order([source.name for source in corpora.sources])
    sources = sorted(corpora.sources, key=lambda source: order.index(source.name))
    data: list[Item] = []
    accounts: list[Item] = []
    configurations: list[Configuration] = []
    for source in sources:
        found = _source(source, rejects)
        data += found[0]
        accounts += found[1]
        configurations += found[2]
    # The library takes one reader for a repository: where there are documents, all is Parquet. So it is where a set has
    # a loss mask: all files must have the same columns then, and most shards have none.
    convert = bool(sources) or any(_is_masked(mixture) for mixture in corpora.mixtures)
    for mixture in corpora.mixtures:
        found = _mixture(mixture, convert=convert)
        data += found[0]
        accounts += found[1]
        configurations += found[2]
    if not configurations:
        raise InputError("there is nothing to publish in these folders: no document was kept.")
    items = (*data, *accounts)
    _check_names("file", (item.name for item in items))
    _check_names("configuration", (configuration.name for configuration in configurations))
    return Contents(items, tuple(configurations))


def _source(source: SourceCorpus, rejects: bool) -> tuple[list[Item], list[Item], list[Configuration]]:
    root = source.layout.root
    if not source.finished:
        raise InputError(f"{root} is not finished: run python -m sources.{source.name} to its end first.")
    there = file_sizes(root, "")
    kept = _listed(source.name, root, source.manifest["outputs"], there)
    dropped = _listed(source.name, root, source.manifest[REJECTS], there) if rejects else []
    accounts = _accounts(source.name, root, there, _OF_SOURCES)
    configurations = _configurations(source, dict(zip(source.documents, kept, strict=True)))
    if dropped:
        rows = sum(file.documents for file in source.rejects)
        split = Split(TRAIN, (f"{source.name}/_rejects/*{PARQUET}",), rows, sum(item.size for item in dropped))
        configurations.append(Configuration(f"{source.name}-{REJECTS}", (split,), dropped[0], is_whole=True))
    return [*kept, *dropped], accounts, configurations


def _configurations(source: SourceCorpus, items: Mapping[Any, Item]) -> list[Configuration]:
    """That of the whole source, and one for each of its subsets."""
    subsets: dict[str, list[Any]] = {}
    for file in items:
        subsets.setdefault(file.subset, []).append(file)
    parts = []
    for subset, files in sorted(subsets.items()):
        pattern = f"{source.name}/{glob.escape(subset)}/*{PARQUET}"
        split = Split(split_of(subset), (pattern,), sum(f.documents for f in files), sum(f.bytes for f in files))
        parts.append(Configuration(_name(f"{source.name}-{subset}"), (split,), items[files[0]], is_whole=False))
    if not parts:
        return []
    splits: dict[str, Split] = {}
    for split in (part.splits[0] for part in parts):
        splits[split.name] = splits[split.name] + split if split.name in splits else split
    return [Configuration(source.name, tuple(splits.values()), parts[0].example, is_whole=True), *parts]


def _is_masked(mixture: Mixture) -> bool:
    """Whether any set of a mixture has a loss mask."""
    return LOSS_MASK in mixture.manifest or LOSS_MASK in (read_manifest(Layout(join(mixture.root, HELDOUT))) or {})


def _mixture(mixture: Mixture, *, convert: bool) -> tuple[list[Item], list[Item], list[Configuration]]:
    root = mixture.root if is_remote(mixture.root) else os.path.abspath(mixture.root)
    name = root.rstrip("/").rpartition("/")[2]
    there = file_sizes(root, "")
    data: list[Item] = []
    accounts: list[Item] = []
    splits: list[Split] = []
    heldout = read_manifest(Layout(join(root, HELDOUT)))
    for kind, manifest, below in ((TRAIN, mixture.manifest, ""), (HELDOUT, heldout, f"{HELDOUT}/")):
        if manifest is None:
            continue
        try:
            entries = [{**entry, "path": below + entry["file"]} for entry in manifest["shards"]]
            rows = int(manifest["rows"])
        except (KeyError, TypeError, ValueError) as error:
            raise OutputError(f"{root}/{below}{MANIFEST} is damaged: {error!r}. Run pipeline.mix again.") from error
        shards = _listed(name, root, entries, there)
        shards = [_as_parquet(item, _is_masked(mixture)) for item in shards] if convert else shards
        inside = {path.removeprefix(below): size for path, size in there.items() if path.startswith(below)}
        place = f"{name}/{below}".rstrip("/")
        accounts += _accounts(place, join(root, *below.split("/")[:-1]), inside, _OF_SHARDS)
        pattern = f"{glob.escape(name)}/{below}data-*{PARQUET if convert else ARROW}"
        splits.append(Split(kind, (pattern,), rows, sum(item.size for item in shards)))
        data += shards
    return data, accounts, [Configuration(_name(name), tuple(splits), data[0], is_whole=True)] if data else []


def _as_parquet(item: Item, masked: bool) -> Item:
    name = item.name.removesuffix(ARROW) + PARQUET
    return Item(name, item.path, item.size, item.sha256, converted=True, masked=masked)


def _listed(name: str, root: str, entries: Iterable[Mapping[str, Any]], there: Mapping[str, int]) -> list[Item]:
    """The files of a manifest's list, each of which must be there with its bytes."""
    items = []
    for entry in entries:
        path, size = str(entry["path"]), int(entry["bytes"])
        if there.get(path) != size:
            what = "is missing" if path not in there else f"has {there[path]:,} bytes, its account says {size:,}"
            raise OutputError(f"{join(root, *path.split('/'))} {what}. python -m pipeline.verify {root} tells more.")
        items.append(Item(f"{name}/{path}", join(root, *path.split("/")), size, str(entry["sha256"])))
    return items


def _accounts(name: str, root: str, there: Mapping[str, int], wanted: re.Pattern[str]) -> list[Item]:
    """The accounts of a folder, the manifest last: it stands for all others."""
    names = [path for path in sorted(there) if wanted.fullmatch(path)]
    return [
        Item(f"{name}/{path}", join(root, *path.split("/")), there[path])
        for path in [*names, *([MANIFEST] if MANIFEST in there else [])]
    ]


def _name(wanted: str) -> str:
    """A name that the library takes for a configuration."""
    return _NOT_IN_NAMES.sub("_", wanted)


def _check_names(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InputError(
                f"two of the folders have a {what} {name}: publish them in two repositories, or rename a folder of "
                "token shards."
            )
        seen.add(name)
