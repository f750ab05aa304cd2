"""The corpus as the mixture reads it: the Parquet files of each source, as its manifest lists them.

A folder that no command of this project made, with Parquet files that have a ``text`` column, is a source, too.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.corpus.manifest import CONFIGURATION, read_manifest
from pipeline.corpus.shard import STATS, Layout
from pipeline.errors import InputError
from pipeline.mix.recipe import MixRecipe, SourceShare
from pipeline.storage.filesystem import exists, is_remote, join
from pipeline.storage.listing import match

SUFFIX = ".parquet"
NAMES_SHOWN = 3


@dataclass(frozen=True)
class CorpusFile:
    """One Parquet file of documents.

    Attributes:
        source: The source's name in the recipe.
        path: Its path below the corpus folder, with ``/``.
        bytes: Its size.
        sha256: Its checksum, as its manifest has it; None where there is no manifest.
    """

    source: str
    path: str
    bytes: int
    sha256: str | None


def corpus_files(root: str, recipe: MixRecipe) -> dict[str, list[CorpusFile]]:
    """The files of each source of a recipe, sorted by path; an empty list for a source that is not there.

    Raises:
        InputError: There is no corpus, or a source is not what its manifest says.
    """
    if not is_remote(root) and not exists(root):
        raise InputError(f"there is no corpus folder {root}. Give --corpus the folder that the sources wrote to.")
    found = {name: _source_files(root, name, share, recipe.missing) for name, share in recipe.sources.items()}
    _refuse_doubles(root, [file for files in found.values() for file in files])
    return found


def without_subsets(recipe: MixRecipe, found: Mapping[str, Sequence[CorpusFile]]) -> list[str]:
    """The subsets of a recipe that are not there, of sources that are."""
    return [
        f"{name}/{subset}"
        for name, share in recipe.sources.items()
        for subset in share.subsets
        if found[name] and subset not in {_subset(share.folder or name, file) for file in found[name]}
    ]


def _subset(folder: str, file: CorpusFile) -> str:
    return file.path[len(folder) + 1 :].split("/")[0]


def _refuse_doubles(root: str, files: Sequence[CorpusFile]) -> None:
    """Refuses a file that two sources read: its documents would be held out from one and trained on in the other."""
    seen: dict[str, CorpusFile] = {}
    for file in files:
        place = join(root, *file.path.split("/"))
        first = seen.setdefault(place if is_remote(place) else os.path.realpath(place), file)
        if first is not file:
            raise InputError(
                f"the sources {first.source} and {file.source} of the recipe both read {place}. Let each file "
                "belong to one source: give them folders or subsets that are apart."
            )


def _source_files(root: str, name: str, share: SourceShare, missing: str) -> list[CorpusFile]:
    folder = share.folder or name
    layout = Layout(join(root, folder))
    manifest = read_manifest(layout)
    sizes = _sizes(layout.root)
    if manifest is None:
        if any(path == CONFIGURATION or path.startswith(f"{STATS}/") for path in sizes):
            raise InputError(
                f"{layout.root} has no manifest: no run of python -m sources.{name} has ended there. Run it to its end."
            )
        found = [(path, size, None) for path, size in sizes.items() if path.endswith(SUFFIX) and not _is_hidden(path)]
    else:
        _check_complete(layout, name, manifest, sizes)
        found = [(entry["path"], entry["bytes"], entry["sha256"]) for entry in manifest["outputs"]]
    there = {path.split("/")[0] for path, _, _ in found if "/" in path}
    lacking = [subset for subset in share.subsets if subset not in there]
    if lacking and there and missing == "refuse":
        raise InputError(
            f"{layout.root} has no subset {', '.join(lacking)}; it has {names(sorted(there))}. Correct subsets of "
            f"{name} in the recipe, or take what there is of them with --set missing=renormalise."
        )
    wanted = [entry for entry in found if not share.subsets or entry[0].split("/")[0] in share.subsets]
    return [CorpusFile(name, f"{folder}/{path}", size, sha256) for path, size, sha256 in sorted(wanted)]


def _sizes(folder: str) -> dict[str, int]:
    """The files below a folder, by their path in it, with their sizes."""
    try:
        files = match([join(folder, "**") if is_remote(folder) else folder])
    except InputError:  # nothing is there
        return {}
    cut = len(folder.rstrip("/")) + 1
    return {file.path[cut:].replace("\\", "/"): file.size for file in files}


def _is_hidden(path: str) -> bool:
    return any(part.startswith(("_", ".")) for part in path.split("/"))


def _check_complete(layout: Layout, name: str, manifest: Mapping[str, Any], sizes: Mapping[str, int]) -> None:
    """Refuses a corpus that was cut short, or whose run was: documents would be missing without a word."""
    there = len(layout.done())
    if there != manifest["shards"]:
        raise InputError(
            f"{layout.root} holds {there} shards, its manifest counts {manifest['shards']}: a run of it has not ended. "
            f"Run python -m sources.{name} to its end."
        )
    known = {entry["path"] for entry in manifest["outputs"]}
    added = sorted(p for p in sizes if p.endswith(SUFFIX) and "/" in p and not _is_hidden(p) and p not in known)
    if added:
        raise InputError(
            f"{layout.root} holds {names(added)}, which its manifest does not list. Files of your own make a source of "
            "their own: move them to another folder of the corpus, and name it in the recipe."
        )
    missing = [entry["path"] for entry in manifest["outputs"] if entry["path"] not in sizes]
    changed = [e["path"] for e in manifest["outputs"] if sizes.get(e["path"], e["bytes"]) != e["bytes"]]
    for paths, fault in ((missing, "missing"), (changed, "of another size than its manifest says")):
        if paths:
            raise InputError(
                f"{layout.root} is not whole: {names(paths)} {'is' if len(paths) == 1 else 'are'} {fault}. Bring it "
                f"back, or remove its stats file in {STATS} and run python -m sources.{name} again."
            )


def names(paths: Sequence[str]) -> str:
    """A few names, and how many more there are."""
    more = f" and {len(paths) - NAMES_SHOWN:,} more" if len(paths) > NAMES_SHOWN else ""
    return ", ".join(paths[:NAMES_SHOWN]) + more
