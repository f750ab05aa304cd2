"""What is read, and in which shards: bulk tars, and e-prints as files or folders of their own.

A scope is a month: the month of a paper's first version is in its identifier and in its bulk tar's name, so that all
versions of a paper that are among the inputs are in one scope, and months can be added to a corpus one after the other.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.corpus.shard import Scope, Shard, plan_shards, shards_of
from pipeline.errors import InputError
from pipeline.formats.tar import Fault, tar_headers
from pipeline.storage.filesystem import InputFile, open_input
from pipeline.storage.listing import Tell, match
from sources.arxiv.identifiers import identify

_BULK = re.compile(r"arXiv_src_(?P<yymm>\d{4})_\d+[^/]*\.tar", re.I)
_PDF_BULK = re.compile(r"arXiv_pdf_\d{4}_\d+[^/]*\.tar", re.I)
_BULK_MEMBER = re.compile(r"(?:.*/)?(?P<yymm>\d{4})/[^/]+\.(?:gz|pdf)", re.I)
_PACKED = (".gz", ".tgz", ".tar", ".pdf")
_EPRINT = (*_PACKED, ".tex", ".ltx", ".latex", ".html", ".htm", ".ps")
_BESIDE = re.compile(r"(?:readme|licen[cs]e|members|manifest|index)\b.*|.*(?:manifest|metadata).*(?:xml|json).*", re.I)


@dataclass(frozen=True)
class Plan:
    """What a run reads.

    Attributes:
        scopes: A scope for each month.
        folders: For papers that are folders: the path of the first file to those of all; of the others to nothing.
        tars: Paths of the bulk tars.
        papers: E-prints that come as files or folders.
        passed_over: Files that are no e-prints.
    """

    scopes: list[Scope]
    folders: dict[str, tuple[str, ...]] = field(default_factory=dict)
    tars: frozenset[str] = frozenset()
    papers: int = 0
    passed_over: list[str] = field(default_factory=list)


@dataclass
class _Found:
    tars: dict[InputFile, str] = field(default_factory=dict)  # to their months
    papers: dict[str, list[InputFile]] = field(default_factory=dict)  # path of a file or a folder to its files
    passed_over: list[str] = field(default_factory=list)


def plan_inputs(
    patterns: Sequence[str], eprints_per_shard: int, cache: Path | None = None, tell: Tell | None = None
) -> Plan:
    """Lists the inputs and groups them in shards.

    Args:
        patterns: Paths, globs, and folders. In a folder each file that is packed, or TeX, is a paper; so is each folder
            below it, with all that is in it, unless it holds packed files alone (as a mirror's folders do), and lists
            beside them. A bulk tar is one wherever it lies.
        eprints_per_shard: Papers in a shard; a bulk tar is one.
        cache: The cache folder for fetched files.
        tell: Told which files are others under another name.

    Raises:
        InputError: Nothing of it is a paper, or it is a bulk tar of PDFs.
    """
    found, known = _Found(), dict[object, str]()
    for pattern in patterns:
        files = match([pattern], tell, known)
        base = pattern.rstrip("/" + os.sep) if os.path.isdir(pattern) else None
        for path, members in _papers(files, base):
            _sort_in(path, members, found, cache, is_folder=len(members) > 1 or members[0].path != path)
    if not found.tars and not found.papers:
        raise InputError(
            f"no paper among {', '.join(patterns)}: give bulk tars (arXiv_src_*.tar) or a folder of e-prints"
        )
    shards = [*_bulk_shards(found), *_eprint_shards(found, eprints_per_shard)]
    tars = frozenset(file.path for file in found.tars)
    months = sorted({shard.scope for shard in shards})
    scopes = [Scope(month, tuple(s for s in shards if s.scope == month)) for month in months]
    return Plan(scopes, _folders(found), tars, len(found.papers), sorted(found.passed_over))


def _papers(files: Sequence[InputFile], base: str | None) -> Iterable[tuple[str, list[InputFile]]]:
    """Files that are one paper each, and folders with all their files."""
    if base is None:
        return [(file.path, [file]) for file in files]
    below: dict[str, list[InputFile]] = {}
    direct: dict[str, set[str]] = {}
    bulk = [file for file in files if _is_bulk(file.path)]
    files = [file for file in files if not _is_bulk(file.path)]
    for file in files:
        folder = os.path.dirname(file.path)
        direct.setdefault(folder, set()).add(file.path)
        while len(folder) > len(base):
            below.setdefault(folder, []).append(file)
            folder = os.path.dirname(folder)
    whole = {folder for folder in below if _is_paper(folder, direct.get(folder, set()))}
    papers: dict[str, list[InputFile]] = {file.path: [file] for file in bulk}
    for file in files:
        folder, top = os.path.dirname(file.path), file.path
        while len(folder) > len(base):
            top = folder if folder in whole else top
            folder = os.path.dirname(folder)
        papers.setdefault(top, []).append(file)
    return papers.items()


def _is_paper(folder: str, direct: set[str]) -> bool:
    """Whether a folder is a paper: it has an identifier for a name, or files that are not packed, nor beside such."""
    names = (path.rpartition("/")[2] for path in direct)
    return identify(folder).is_arxiv or any(
        not name.lower().endswith(_PACKED) and not _BESIDE.fullmatch(name) for name in names
    )


def _is_bulk(path: str) -> bool:
    name = path.rpartition("/")[2]
    return bool(_BULK.fullmatch(name) or _PDF_BULK.fullmatch(name))


def _sort_in(path: str, members: list[InputFile], found: _Found, cache: Path | None, *, is_folder: bool) -> None:
    name = path.rpartition("/")[2]
    if _PDF_BULK.fullmatch(name):
        raise InputError(f"{path} holds PDFs; the sources are in the tars that are named arXiv_src_*.tar")
    if is_folder:
        found.papers[path] = members
    elif month := _bulk_month(members[0], cache):
        found.tars[members[0]] = month
    elif (_BESIDE.fullmatch(name) or not _looks_like_eprint(name)) and not identify(path).is_arxiv:
        found.passed_over.append(path)
    else:
        found.papers[path] = members


def _looks_like_eprint(name: str) -> bool:
    return name.lower().endswith(_EPRINT) or ("." not in name and not name.isupper())


def _bulk_month(file: InputFile, cache: Path | None) -> str | None:
    """The month of a bulk tar, by its name, else by the name of its first member; None for what is none."""
    name = file.path.rpartition("/")[2]
    if named := _BULK.fullmatch(name):
        return named["yymm"]
    if not name.lower().endswith(".tar") or identify(file.path).is_arxiv:
        return None
    try:
        with open_input(file.path, cache) as stream:
            first = next((item for item in tar_headers(stream) if not isinstance(item, Fault)), None)
    except OSError:  # it fails where it is read, and is accounted for there
        return None
    inside = _BULK_MEMBER.fullmatch(first.name) if first else None
    return inside["yymm"] if inside else None


def _bulk_shards(found: _Found) -> list[Shard]:
    planned = shards_of(plan_shards(list(found.tars), "all", 0))
    return [replace(shard, scope=found.tars[shard.inputs[0]]) for shard in planned]


def _eprint_shards(found: _Found, size: int) -> list[Shard]:
    months: dict[str, list[str]] = {}
    for path in sorted(found.papers):
        months.setdefault(identify(path).yymm, []).append(path)
    shards = []
    for month, paths in months.items():
        for number, start in enumerate(range(0, len(paths), size)):
            inputs = [file for path in paths[start : start + size] for file in sorted(found.papers[path])]
            shards.append(Shard(f"eprints-{month}-{number:05d}", tuple(inputs), month))
    return shards


def _folders(found: _Found) -> dict[str, tuple[str, ...]]:
    result: dict[str, tuple[str, ...]] = {}
    for path, members in found.papers.items():
        paths = sorted(file.path for file in members)
        if paths != [path]:
            result.update(dict.fromkeys(paths, ()))
            result[paths[0]] = (path, *paths)
    return result
