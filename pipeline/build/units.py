"""The raw data of a source as units, in an order of which every beginning is a fair sample of all.

A unit is the least that can be added to a corpus: a run of a crawl's files, a part of a dump, a month, a site. Units
lie in strata (a dump, a language). Within a stratum they come in the order of a seeded hash; the strata are merged so
that each beginning of the whole has of each stratum its share of the bytes. So the slice for a small budget is part of
the slice for every larger one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from pipeline.errors import InputError


@dataclass(frozen=True)
class RawFile:
    """A file of raw data.

    Attributes:
        url: Its address or path, as the source's command takes it.
        bytes: Its size; -1 where the publisher does not say.
        checksum: Such as ``sha1:...``; None where the publisher gives none.
        beside: Whether the source finds it by itself, beside another file: it is fetched, and not named.
    """

    url: str
    bytes: int = -1
    checksum: str | None = None
    beside: bool = False


@dataclass(frozen=True)
class Unit:
    """A unit of raw data.

    Attributes:
        name: Names it among those of its source.
        stratum: What it is part of.
        files: Its files.
        alone: Whether it is made by itself: its files would not be a scope of their own among those of others.
    """

    name: str
    stratum: str
    files: tuple[RawFile, ...]
    alone: bool = False

    def size(self, default: float) -> float:
        """Its bytes; files of unknown size count as ``default``."""
        return sum(default if file.bytes < 0 else file.bytes for file in self.files)

    @property
    def inputs(self) -> list[str]:
        """What the source's command is given."""
        return [file.url for file in self.files if not file.beside]


def in_order(units: Iterable[Unit], seed: int, *, each_stratum: bool = False) -> list[Unit]:
    """The units in their order; it depends on their names, strata and sizes, and on the seed.

    Args:
        units: All of a source.
        seed: Of the hash.
        each_stratum: Whether one unit of each stratum comes first.
    """
    strata: dict[str, list[tuple[str, Unit]]] = {}
    for unit in units:
        key = hashlib.sha256(f"{seed} {unit.stratum} {unit.name}".encode("utf-8", "surrogatepass")).hexdigest()
        strata.setdefault(unit.stratum, []).append((key, unit))
    placed = []
    for members in strata.values():
        members.sort(key=lambda pair: pair[0])
        sizes = [max(1.0, unit.size(1.0)) for _, unit in members]
        total, before = sum(sizes), 0.0
        for number, ((key, unit), size) in enumerate(zip(members, sizes, strict=True)):
            place = -1.0 if each_stratum and not number else (before + size / 2) / total
            placed.append((place, key, unit))
            before += size
    return [unit for _, _, unit in sorted(placed, key=lambda entry: entry[:2])]


def to_lines(units: Iterable[Unit]) -> str:
    """The units as JSON lines."""
    return "".join(json.dumps(asdict(unit), sort_keys=True) + "\n" for unit in units)


def from_lines(text: str, where: str) -> list[Unit]:
    """What ``to_lines`` wrote.

    Args:
        text: The lines.
        where: Their file, for messages.

    Raises:
        InputError: They are none.
    """
    try:
        return [_unit(json.loads(line)) for line in text.splitlines()]
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{where} is no list of raw data ({error!r}); remove it, and it is made again") from error


def _unit(values: Mapping[str, object]) -> Unit:
    files = values["files"]
    assert isinstance(files, list)
    named = tuple(RawFile(**file) for file in files)
    return Unit(str(values["name"]), str(values["stratum"]), named, values["alone"] is True)


def strata_of(units: Sequence[Unit]) -> list[str]:
    """The strata, in the order of their names."""
    return sorted({unit.stratum for unit in units})
