"""Reading a publisher's listing: fetched anew each time, bounded, and refused by name where it is none."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import InputError
from pipeline.storage.fetch import fetch, forget
from pipeline.storage.filesystem import is_remote, is_web, open_input

LARGEST = 256 << 20  # bytes of a listing, inflated


def listing(address: str, cache: Path) -> bytes:
    """The bytes of a listing, inflated where it is gzip.

    Args:
        address: An http(s) address, or a path, also on an object store.
        cache: Where it comes to; it does not stay, since listings change.

    Raises:
        FetchError: It cannot be had.
        InputError: It is damaged, or too large to be one.
    """
    if is_web(address):
        data = fetch(address, cache / "listings").read_bytes()
        forget(address, cache / "listings")
    else:
        try:
            with open_input(address) as handle:
                data = handle.read(LARGEST + 1)
        except OSError as error:
            raise InputError(f"the listing {address} cannot be read: {error}") from error
    if data[:2] == b"\x1f\x8b":
        try:
            with gzip.open(io.BytesIO(data)) as file:
                data = file.read(LARGEST + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"the listing {address} is damaged: {error}") from error
    if len(data) > LARGEST:
        raise InputError(f"the listing {address} has more than {LARGEST >> 20} MB; it is none")
    return data


def json_listing(address: str, cache: Path) -> Mapping[str, Any]:
    """A listing that is a JSON mapping.

    Raises:
        FetchError: It cannot be had.
        InputError: It is no mapping.
    """
    try:
        value = json.loads(listing(address, cache))
    except ValueError as error:
        raise InputError(f"the listing {address} is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise InputError(f"the listing {address} is no JSON mapping")
    return value


def number(value: Any) -> int:
    """A size in a listing, which may be written as a text; -1 for what is none."""
    try:
        return max(-1, int(value))
    except (TypeError, ValueError):
        return -1


def below(base: str, name: str) -> str:
    """The address of a name below another address.

    Raises:
        InputError: The name leads elsewhere.
    """
    if not name or name.startswith(("/", "\\")) or ".." in name.split("/") or "://" in name:
        raise InputError(f"a listing below {base} names {name[:80]!r}, which does not lie there")
    return f"{base.rstrip('/')}/{name}"


def is_store(address: str) -> bool:
    """Whether an address is that of an object store."""
    return is_remote(address) and not is_web(address)
