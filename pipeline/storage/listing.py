"""Which files paths, folders, globs and URLs name: each once, whatever links lead to it."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator, Sequence

from pipeline.errors import InputError, name_a_few
from pipeline.storage.fetch import file_name
from pipeline.storage.filesystem import InputFile, at_home, file_size, is_remote, is_web, join, list_names, require
from pipeline.storage.objects import match_objects, pinned

Tell = Callable[[str], None]
Known = dict[object, str]  # what identifies a file, and the path under which it was listed


def match(
    patterns: Sequence[str], tell: Tell | None = None, known: Known | None = None, flag: str = "--input"
) -> list[InputFile]:
    """Lists the files that paths, folders, globs and URLs name, sorted by path, each once.

    A file is known by what it is, not by its name: one that is given twice, or reached by a link, too, is listed under
    the path without links, or else the first. A link to nowhere, or a folder that cannot be read, is listed like a
    file: reading it then fails by itself, and is accounted for.

    Args:
        patterns: Local paths, folders (all files below them, links to folders followed, hidden ones left out), globs
            (``**`` included), Beam paths with globs, URLs.
        tell: Told in a sentence which files were passed over since they are others under another name.
        known: Files listed by earlier calls, which are passed over; gets those of this one.
        flag: What the command calls the patterns.

    Returns:
        The files with their sizes, sorted by path.

    Raises:
        InputError: A pattern matches nothing.
    """
    known = {} if known is None else known
    found: dict[object, InputFile] = {}
    doubles: list[str] = []
    for pattern in patterns:
        files = list(_match_one(at_home(pattern)))
        if not files:
            raise InputError(
                f"{flag} {pattern!r} matches no file. Give a file, a folder, a glob in quotes, or a URL."
                + (" Does it lack a / at its end, or **?" if is_remote(pattern) and "*" not in pattern else "")
            )
        for file in files:
            who = _identity(file.path)
            before = found.get(who)
            if who in known or (before is not None and _rank(before.path) <= _rank(file.path)):
                passed_over = file.path
            else:
                passed_over = before.path if before is not None else ""
                found[who] = file
            if passed_over and passed_over not in (known.get(who), found[who].path if who in found else None):
                doubles.append(passed_over)
    known.update((who, file.path) for who, file in found.items())
    if doubles and tell is not None:
        several = f"{len(doubles):,} inputs are others under another name, and are"
        one = "an input is another one under another name, and is"
        tell(f"{one if len(doubles) == 1 else several} passed over: {name_a_few(sorted(doubles), whole=True)}")
    return sorted(found.values())


def _identity(path: str) -> object:
    """What is the same for all names of one file: device and number of a local one."""
    if is_remote(path):
        return path
    try:
        state = os.stat(path)
    except OSError:  # a link to nowhere, or gone since it was listed
        return os.path.realpath(path)
    return (state.st_dev, state.st_ino) if state.st_ino else os.path.realpath(path)


def _rank(path: str) -> tuple[bool, str]:
    """A path without links comes first."""
    return not is_remote(path) and os.path.realpath(path) != os.path.abspath(path), path


def _match_one(pattern: str) -> Iterator[InputFile]:
    if is_web(pattern):
        yield InputFile(_named(pattern), -1)
    elif is_remote(pattern):
        require(pattern)
        yield from (InputFile(path, size) for path, size in match_objects(pinned(pattern)))
    else:
        for path in [pattern] if os.path.lexists(pattern) else glob.glob(pattern, recursive=True):
            if not os.path.isdir(path):
                yield InputFile(path, file_size(path))
            elif path == pattern:
                yield from (InputFile(below, file_size(below)) for below in _below(path))


def _named(url: str) -> str:
    """An address that ends in the file's name: behind a query (``?download=true``) as a fragment, which no server sees.

    The name tells what a file is, and what its shard is called.
    """
    name = file_name(url)
    return f"{url}#/{name}" if name and "#" not in url and "?" in url else url


def _below(folder: str) -> Iterator[str]:
    """The files below a folder, each folder once: those reached without links first, then what links lead to.

    A link to a folder that holds this one is no way to files below it, and is not followed.
    """
    seen: set[object] = set()
    root = os.path.join(os.path.realpath(folder), "")
    here, linked = [folder], list[str]()
    while here or linked:
        place = here.pop() if here else linked.pop(0)
        if (who := _identity(place)) in seen:
            continue
        seen.add(who)
        try:
            entries = sorted(os.scandir(place), key=lambda entry: os.fsencode(entry.name))
        except OSError:
            yield place
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                if not entry.is_symlink():
                    here.append(entry.path)
                elif not root.startswith(os.path.join(os.path.realpath(entry.path), "")):
                    linked.append(entry.path)
            else:
                yield entry.path


def files_of_folders(paths: Iterable[str]) -> set[str]:
    """The files that are there in the folders of some files, and end as they do, by one listing a folder."""
    places = {(folder, f".{name.rpartition('.')[2]}") for folder, _, name in (path.rpartition("/") for path in paths)}
    return {join(folder, f"{name}{suffix}") for folder, suffix in places for name in list_names(folder, suffix)}
