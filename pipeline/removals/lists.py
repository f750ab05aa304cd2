"""Reading a list of removals: a line a removal, its kind, a tab, its value, and what else is noted of it."""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import dataclass

from pipeline.errors import InputError, StoreError
from pipeline.removals.kinds import KINDS
from pipeline.storage.filesystem import read_bytes

FAULTS_SHOWN = 10
SHOWN = 80  # characters of a value in a message


@dataclass(frozen=True, slots=True)
class Removal:
    """One line of a list.

    Attributes:
        line: Its number, from 1 on.
        kind: A key of ``KINDS``.
        value: As it is written.
        key: The normal form of the value.
        note: What else the line says, such as the number of a request.
    """

    line: int
    kind: str
    value: str
    key: str
    note: str = ""


@dataclass(frozen=True)
class RemovalList:
    """A list that was read.

    Attributes:
        path: Where it lies.
        sha256: Of its bytes: what it is called wherever it was applied.
        removals: Its lines, in order; of lines that mean the same the first.
    """

    path: str
    sha256: str
    removals: tuple[Removal, ...]


def read_list(path: str) -> RemovalList:
    """Reads a list.

    Args:
        path: A UTF-8 file, of any store. Empty lines, and those that begin with ``#``, are passed over.

    Raises:
        InputError: It cannot be read, holds no removal, or lines that are none: the first of them are named.
    """
    try:
        data = read_bytes(path)
    except StoreError:
        raise
    except OSError as error:
        raise InputError(f"the list {path} cannot be read: {error.strerror or error}") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(f"{path}, line {line}: it is no UTF-8. Save the list as UTF-8.") from error
    removals, faults = _parse(text)
    if faults:
        more = f"\n  and {len(faults) - FAULTS_SHOWN:,} more" if len(faults) > FAULTS_SHOWN else ""
        listed = "\n  ".join(f"{path}, line {number}: {fault}" for number, fault in faults[:FAULTS_SHOWN])
        raise InputError(
            f"the list has {len(faults):,} {'line that is' if len(faults) == 1 else 'lines that are'} no removal; "
            f"nothing was done:\n  {listed}{more}\nA line is a kind, a tab, a value; python -m pipeline.optout --help "
            "lists the kinds."
        )
    if not removals:
        raise InputError(f"the list {path} holds no removal: a line is a kind, a tab, a value")
    return RemovalList(path, hashlib.sha256(data).hexdigest(), tuple(removals))


def _parse(text: str) -> tuple[list[Removal], list[tuple[int, str]]]:
    """The removals of a list, and for each line that is none its number and what is wrong with it."""
    found: dict[tuple[str, str], Removal] = {}
    faults = []
    for number, line in enumerate(map(str.rstrip, text.split("\n")), 1):
        if not line or line.startswith("#"):
            continue
        try:
            removal = _removal(number, line)
        except ValueError as error:
            faults.append((number, str(error)))
        else:
            found.setdefault((removal.kind, removal.key), removal)
    return list(found.values()), faults


def _removal(number: int, line: str) -> Removal:
    name, tab, rest = line.partition("\t")
    value, _, note = rest.partition("\t")
    name, value = name.strip(), value.strip()
    kind = KINDS.get(name)
    if kind is None:
        close = difflib.get_close_matches(name, KINDS, 1)
        hint = f"; did you mean {close[0]}?" if close else f"; kinds are {', '.join(KINDS)}"
        raise ValueError(f"there is no kind {_shown(name)}{hint}" if tab else f"{_shown(line)} has no tab{hint}")
    if not value:
        raise ValueError(f"{name} has no value behind its tab")
    try:
        return Removal(number, name, value, kind.normal(value), note.strip())
    except ValueError as error:
        raise ValueError(f"{name} {_shown(value)}: {error}") from error


def _shown(value: str) -> str:
    return repr(value if len(value) <= SHOWN else value[:SHOWN] + "...")
