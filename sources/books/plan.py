"""Which files are read, and in which shards: one text for each of Gutenberg's ebook numbers, decided from the names.

Gutenberg's mirrors hold a book in several encodings and packings, and older releases below ``old/``. Numbers stand in
the names (``1342-0.txt``: UTF-8, ``1342-8.txt``: Latin-1, ``1342.txt``: ASCII, ``pg1342.txt``: UTF-8, as its site makes
them, each also as .zip), but for the etexts of the nineties (``pandp12.txt``; ``8fant10.txt``: Latin-1,
``7fant10.txt``: the same as ASCII). Source: Project Gutenberg's pages on its file names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, count

from pipeline.corpus.shard import Scope, Shard
from pipeline.errors import InputError
from pipeline.storage.filesystem import InputFile

SCOPE = "all"
_NUMBERED = re.compile(r"(?P<pg>pg)?(?P<number>\d{1,6})(?P<kind>-[0578])?(?:\.txt(?:\.utf-?8)?|(?P<zip>\.zip))", re.I)
_NAMED = re.compile(
    r"(?P<kind>[78](?=[a-z]{2,7}\d\d[a-z]?\.))?(?P<stem>.+?)(?:\.txt(?:\.utf-?8)?|(?P<zip>\.zip))", re.I
)
# What lies beside the texts: other formats as .zip (-h: HTML, -t: TeX, ...), indexes, notices.
_OTHER = re.compile(
    r".*-(?:h|x|t|m|p|r|s|rtf|doc|pdf|tei|tex|rst|mp3|ogg|lit|index|images?|page-images)\.zip"
    r"|(?:readme|license|donate|gutindex|index|robots|contents?|metadata|00)\b.*",
    re.I,
)
_TAR_SUFFIX = re.compile(r"\.(?:tar(?:\.gz)?|tgz)$", re.I)
# The better forms first: UTF-8, Latin-1, ASCII, then what is known to be an odd encoding.
_KIND_RANK = {"-0": 0, "8": 2, "-8": 2, "7": 3, "": 3, "-7": 4, "-5": 4}


@dataclass(frozen=True)
class Plan:
    """What a run reads.

    Attributes:
        scopes: The one scope; near duplicates are looked for in all of it.
        books: Files of Gutenberg that are read.
        passed_over: Files that are not, each with the reason.
    """

    scopes: list[Scope]
    books: int
    passed_over: list[tuple[str, str]]


def plan_books(gutenberg: Sequence[InputFile], books3: Sequence[InputFile], files_per_shard: int) -> Plan:
    """Chooses the files and groups them in shards.

    Args:
        gutenberg: All files of a mirror or a folder.
        books3: The tars; each is one shard.
        files_per_shard: Files of Gutenberg in a shard.

    Raises:
        InputError: Nothing of it is a book.
    """
    chosen, passed_over = choose_texts(gutenberg)
    for file in books3:
        if not is_tar(file.path):
            raise InputError(
                f"--books3 takes .tar or .tar.gz files of .epub.txt files; {file.path} is none by its name"
            )
    if not chosen and not books3:
        raise InputError("no book among the inputs: give --gutenberg a mirror, or a folder of .txt or .zip files")
    shards = [
        Shard(f"gutenberg-{number:05d}", tuple(chosen[at : at + files_per_shard]), SCOPE)
        for number, at in enumerate(range(0, len(chosen), files_per_shard))
    ]
    shards += [Shard(f"books3-{number:05d}", (file,), SCOPE) for number, file in enumerate(sorted(set(books3)))]
    return Plan([Scope(SCOPE, tuple(shards))], len(chosen), passed_over)


def archive_prefixes(books3: Iterable[InputFile]) -> dict[str, str]:
    """What the ids of a tar's books have before the names of its members, for the path of each tar.

    Nothing where there is one tar, as there is one Books3. Of several, two can hold the same name: then it is the tar's
    own name, numbered where two tars have one.
    """
    paths = sorted({file.path for file in books3})
    if len(paths) == 1:
        return {paths[0]: ""}
    prefixes: dict[str, str] = {}
    for path in paths:
        stem = _TAR_SUFFIX.sub("", path.rpartition("/")[2])
        names = chain([stem], (f"{stem}-{number}" for number in count(2)))
        prefixes[path] = next(f"{name}/" for name in names if f"{name}/" not in prefixes.values())
    return prefixes


def choose_texts(files: Iterable[InputFile]) -> tuple[list[InputFile], list[tuple[str, str]]]:
    """One file for each book, in the order of their paths; and those passed over, with the reasons."""
    best: dict[tuple[str, ...], tuple[tuple[int, str], InputFile]] = {}
    others: list[tuple[str, str]] = []
    for file in sorted(set(files)):
        key, rank = _book(file.path)
        if key is None:
            others.append((file.path, "no text"))
            continue
        entry = ((rank, file.path), file)
        if key in best:
            better, worse = sorted([best[key], entry], key=lambda e: e[0])
            others.append((worse[1].path, f"another form of {better[1].path}"))
            entry = better
        best[key] = entry
    return sorted(file for _, file in best.values()), sorted(others)


def _book(path: str) -> tuple[tuple[str, ...] | None, int]:
    """What a file is a form of, and how good a form, the smaller the better; None for what is no text."""
    folder, _, name = path.rpartition("/")
    old = 20 * ("/old/" in f"/{folder}/")
    if _OTHER.fullmatch(name):
        return None, 0
    if found := _NUMBERED.fullmatch(name):
        made = found["pg"] or name.lower().endswith(("utf-8", "utf8"))
        rank = 1 if made else _KIND_RANK[found["kind"] or ""]
        return ("number", str(int(found["number"]))), old + 2 * rank + bool(found["zip"])
    if found := _NAMED.fullmatch(name):
        rank = _KIND_RANK[found["kind"] or ""]
        return ("name", folder, found["stem"].lower()), old + 2 * rank + bool(found["zip"])
    return None, 0


def ebook_number(path: str) -> int | None:
    """The ebook number in a file's name."""
    found = _NUMBERED.fullmatch(path.rpartition("/")[2])
    return int(found["number"]) if found else None


def is_tar(path: str) -> bool:
    """Whether a file is a Books3 tar, by its name."""
    return bool(_TAR_SUFFIX.search(path))
