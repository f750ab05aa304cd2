"""Which file holds the posts of which site, from the names; and which sites take part.

The publisher's files are ``<site>.7z``, for the largest site ``stackoverflow.com-Posts.7z``, and in them ``Posts.xml``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from pipeline.errors import InputError
from pipeline.storage.filesystem import InputFile

_ARCHIVE = re.compile(r"(?P<site>.+?)(?P<table>-[A-Z][A-Za-z]+)?\.7z", re.I)
_TABLE = re.compile(r"(?:(?P<site>.+)[-.])?Posts\.xml(?P<packed>\.gz|\.bz2)?", re.I)
_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_RANK = {"": 0, "7z": 1, ".gz": 2, ".bz2": 3}
NO_SITE = "its site cannot be told: it is in no folder named after one"
_PLACE = "Put it in a folder named after its site (cardano.stackexchange.com/Posts.xml), or give it alone with --sites."


@dataclass(frozen=True, slots=True)
class Site:
    """A site and the file with its posts.

    Attributes:
        name: Its host name.
        file: The file.
        fault: Why its posts could not be counted, in a word and a sentence, where that leaves open whether it is among
            the largest: then this is all that is read of it.
    """

    name: str
    file: InputFile
    fault: tuple[str, str] | None = None

    @property
    def packing(self) -> str:
        """``7z``, ``.gz``, ``.bz2``, or nothing."""
        return _form(self.file.path)[1] or ""


class PostCount(NamedTuple):
    """Questions and answers of a site; where its file could not be read to its end, why: it has so many, or more."""

    posts: int
    fault: tuple[str, str] | None = None


@dataclass(frozen=True)
class Found:
    """What the inputs are.

    Attributes:
        sites: One file for each site, by name.
        passed_over: Files that are not read, each with the reason.
    """

    sites: list[Site]
    passed_over: list[tuple[str, str]]


def _form(path: str) -> tuple[str | None, str | None]:
    """The site's name as far as a path tells it, and the packing; None for a file without posts."""
    folder, _, name = path.replace("\\", "/").rpartition("/")
    if found := _ARCHIVE.fullmatch(name):
        table = (found["table"] or "-Posts").lower()
        return (found["site"].lower(), "7z") if table == "-posts" else (None, None)
    if found := _TABLE.fullmatch(name):
        return (found["site"] or folder.rpartition("/")[2]).lower(), (found["packed"] or "").lower()
    return None, None


def find_sites(files: Iterable[InputFile], only: Sequence[str] = ()) -> Found:
    """Tells the sites from the names of files; of several forms of one site the one that is read fastest.

    Args:
        files: All files given.
        only: The sites that the user names; a single file without a name of its own is the one site's.

    Raises:
        InputError: The site of a file cannot be told, or none has posts.
    """
    best: dict[str, tuple[tuple[int, str], InputFile]] = {}
    others: list[tuple[str, str]] = []
    listed = sorted(set(files))
    candidates = [file for file in listed if _form(file.path)[1] is not None]
    for file in listed:
        name, packing = _form(file.path)
        if packing is None:
            others.append((file.path, "no posts by its name"))
            continue
        if not _HOST.fullmatch(name or ""):
            if len(candidates) > 1 or len(only) != 1:
                others.append((file.path, NO_SITE))
                continue
            name = only[0]
        entry = ((_RANK[packing], file.path), file)
        assert name is not None
        if name in best:
            better, worse = sorted([best[name], entry], key=lambda e: e[0])
            others.append((worse[1].path, f"another form of {better[1].path}"))
            entry = better
        best[name] = entry
    nameless = [path for path, reason in others if reason == NO_SITE]
    if not best and nameless:
        raise InputError(f"the site of {nameless[0]} cannot be told. {_PLACE}")
    if not best:
        raise InputError(
            "no posts among the inputs: give <site>.7z files of the data dump, Posts.xml files, or folders of them"
        )
    return Found([Site(name, best[name][1]) for name in sorted(best)], sorted(others))


def is_meta(name: str) -> bool:
    """Whether a site is about another site, by its name (meta.askubuntu.com, cardano.meta.stackexchange.com)."""
    return "meta" in name.split(".")


def named(sites: Sequence[Site], names: Sequence[str]) -> tuple[list[Site], dict[str, str]]:
    """The sites that the user names, and for each other one why it is passed over.

    Raises:
        InputError: A site is not among the inputs.
    """
    there = {site.name for site in sites}
    for name in names:
        if name not in there:
            raise InputError(f"--sites names {name}, of which there is no file. There are: {', '.join(sorted(there))}")
    return [s for s in sites if s.name in names], {s.name: "not named" for s in sites if s.name not in names}


def competing(sites: Sequence[Site], meta_sites: bool) -> tuple[list[Site], dict[str, str]]:
    """The sites that take part where none is named, and for each other one why not.

    Raises:
        InputError: There are only meta sites.
    """
    chosen = [site for site in sites if meta_sites or not is_meta(site.name)]
    if not chosen:
        raise InputError(
            f"{sites[0].name} is a meta site, as are all that are given; they take part with --set meta_sites=true, "
            "or by --sites"
        )
    return chosen, {s.name: "a meta site" for s in sites if s not in chosen}


def largest(sites: Sequence[Site], posts: Mapping[str, PostCount], count: int) -> tuple[list[Site], dict[str, str]]:
    """The sites with the most posts, ties by name, and for each other one why it is passed over.

    One that could not be counted to its end has the posts that were counted, or more. Where these are too few, its
    place is not known: it is taken, too, but only to fail by name.
    """
    order = sorted(sites, key=lambda site: (-posts[site.name].posts, site.name))
    chosen, rest = {site.name for site in order[:count]}, order[count:]
    uncertain = {site.name: posts[site.name].fault for site in rest if posts[site.name].fault}
    doubt = f" (uncertain: not counted to the end: {', '.join(sorted(uncertain))})" if uncertain else ""
    gone = {
        site.name: f"not among the {count} with the most posts{doubt}" for site in rest if site.name not in uncertain
    }
    taken = [replace(site, fault=uncertain.get(site.name)) for site in sites if site.name in chosen | uncertain.keys()]
    return taken, gone
