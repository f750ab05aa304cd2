"""What the runs left, found and read: the folders of sources with their manifests, and those of mixtures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.corpus.ledger import Ledger, Tally, total
from pipeline.corpus.manifest import (
    CONFIGURATION,
    all_stats,
    build_manifest,
    read_manifest,
    run_folders,
    timing,
)
from pipeline.corpus.shard import MANIFEST, Layout, read_json
from pipeline.errors import InputError, OutputError
from pipeline.mix.names import DOCUMENTS
from pipeline.steps import READ_STEP
from pipeline.storage.filesystem import exists, is_remote, join

# Parts of manifests that are read, and their kinds.
_OF_SOURCES: Mapping[str, type] = {
    **{"source": str, "configuration": dict, "versions": dict, "shards": int},
    **{"ledger": dict, "outputs": list, "rejects": list, "inputs": list},
}
_OF_MIXTURES: Mapping[str, type] = {"mixture": dict}


@dataclass(frozen=True, slots=True)
class DataFile:
    """A Parquet file of a source, as its manifest lists it: path below the source's folder, documents, characters."""

    path: str
    documents: int
    characters: int
    bytes: int

    @property
    def subset(self) -> str:
        """The folder that it lies in."""
        return self.path.split("/")[0]

    @property
    def shard(self) -> str:
        """The shard that wrote it."""
        return self.path.partition("/")[2].removesuffix(".parquet")


@dataclass(frozen=True)
class SourceCorpus:
    """One source of a corpus.

    Attributes:
        layout: Its folder.
        manifest: Its manifest, or where no run has ended yet, the sum of the stats that are there.
        finished: Whether there is a manifest.
        ledger: The accounts of all its shards.
        documents: The files of kept documents.
        rejects: The files of rejects.
    """

    layout: Layout
    manifest: Mapping[str, Any]
    finished: bool
    ledger: Ledger
    documents: tuple[DataFile, ...]
    rejects: tuple[DataFile, ...]

    @property
    def name(self) -> str:
        """The source's name."""
        return str(self.manifest["source"])

    @property
    def recipe(self) -> Mapping[str, Any]:
        """The recipe that it was made by."""
        return dict(self.manifest["configuration"].get("recipe") or {})

    @property
    def read(self) -> Tally:
        """What was read."""
        return self.ledger.step(READ_STEP).entered

    @property
    def kept(self) -> Tally:
        """What was kept."""
        return total(self.ledger.kept.values())

    @property
    def timing(self) -> Mapping[str, Any]:
        """Worker seconds, in all and by step, and the largest worker's memory."""
        return dict(self.manifest.get("timing") or {"worker_seconds": 0.0, "steps": {}, "peak_bytes": 0})

    def ends(self) -> Iterator[tuple[str, str, str, Tally]]:
        """Step, kind (``dropped`` or ``failed``), reason and tally of everything that was not kept, in step order."""
        for name, step in self.ledger.steps.items():
            for kind, tallies in (("dropped", step.dropped), ("failed", step.failed)):
                for reason, tally in sorted(tallies.items()):
                    yield name, kind, reason, tally

    def open_path(self, file: DataFile) -> str:
        """The path of a file."""
        return join(self.layout.root, *file.path.split("/"))


@dataclass(frozen=True)
class Mixture:
    """A folder of token shards: its path, and its manifest."""

    root: str
    manifest: Mapping[str, Any]


@dataclass(frozen=True)
class Corpora:
    """All that was found."""

    sources: list[SourceCorpus] = field(default_factory=list)
    mixtures: list[Mixture] = field(default_factory=list)


def find(paths: Sequence[str]) -> Corpora:
    """Finds and reads sources and mixtures.

    Args:
        paths: Folders of corpora (``corpus/``), of sources (``corpus/wikipedia``), and of token shards.

    Raises:
        InputError: A path holds nothing of all that, or shards are of another corpus.
        OutputError: A manifest is damaged.
    """
    found = Corpora()
    seen: set[str] = set()
    for path in paths:
        folders = run_folders(path if is_remote(path) else path.rstrip("/") or "/")
        if not folders:
            raise InputError(
                f"{path} holds no {MANIFEST}: give the folder of a corpus, of one of its sources, or of token shards"
            )
        for folder in folders:
            if folder not in seen:
                seen.add(folder)
                _add(found, folder)
    for mixture in found.mixtures:
        for source in found.sources:
            _check_origin(mixture, source)
    return found


def _check_origin(mixture: Mixture, source: SourceCorpus) -> None:
    """Refuses shards that were made of other files than those of a source that is shown with them."""
    folder = source.layout.root.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    there = {(f"{folder}/{entry['path']}", entry["sha256"]) for entry in source.manifest["outputs"]}
    documents = join(mixture.root, DOCUMENTS)
    from pipeline.mix.folder import read_origins  # noqa: PLC0415 - not where there are no token shards

    files = read_origins(documents) if exists(documents) else []
    other = [path for path, sha256 in files if path.startswith(f"{folder}/") and (path, sha256) not in there]
    if other:
        raise InputError(
            f"{mixture.root} was made of another corpus than {source.layout.root}: {other[0]} is not the same file in "
            f"both ({len(other):,} files differ). Give the corpus of the shards, or make them again."
        )


def _add(found: Corpora, folder: str) -> None:
    layout = Layout(folder)
    manifest = read_manifest(layout)
    finished = manifest is not None
    if manifest is None:
        configuration = read_json(join(folder, CONFIGURATION))
        manifest = build_manifest(all_stats(layout), str(configuration.get("source")), configuration)
        manifest["timing"] = timing(layout)
    try:
        if "mixture" in manifest and "ledger" not in manifest:
            found.mixtures.append(Mixture(folder, _checked(manifest, _OF_MIXTURES)))
        else:
            found.sources.append(_source(layout, _checked(manifest, _OF_SOURCES), finished))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise OutputError(f"{layout.manifest} is damaged: {error!r}. Run the source's command again.") from error


def _checked(manifest: Mapping[str, Any], kinds: Mapping[str, type]) -> Mapping[str, Any]:
    """The manifest, if what is read of it is there and of its kind.

    Raises:
        KeyError: A part is missing.
        TypeError: A part is something else.
    """
    for key, kind in kinds.items():
        if not isinstance(manifest[key], kind):
            raise TypeError(f"{key} is {type(manifest[key]).__name__}")
    for entry in manifest.get("inputs") or ():
        if not isinstance(entry["path"], str) or not isinstance(entry["bytes"], (int, type(None))):
            raise TypeError("an input has no path or no size")
    spent = manifest.get("timing")
    if spent is not None:
        sum([spent["worker_seconds"], spent["peak_bytes"], *dict(spent["steps"]).values()], 0.0)
    return manifest


def _source(layout: Layout, manifest: Mapping[str, Any], finished: bool) -> SourceCorpus:
    ledger = Ledger()
    ledger.add_json(manifest["ledger"])
    ledger.step(READ_STEP)
    files = [
        tuple(
            DataFile(entry["path"], entry["documents"], entry["characters"], entry["bytes"]) for entry in manifest[key]
        )
        for key in ("outputs", "rejects")
    ]
    return SourceCorpus(layout, manifest, finished, ledger, files[0], files[1])
