"""The text in one of Gutenberg's zips, never on disk, within a limit."""

from __future__ import annotations

import io
import zipfile
import zlib

DIRECTORY_LIMIT = 1 << 20  # bytes of a zip's central directory: a few thousand members, where Gutenberg's have one
NAMES_SHOWN = 3  # of its members, in a message
NAME_CHARACTERS = 100
_END_RECORD = b"PK\x05\x06"


class BadArchive(ValueError):
    """A zip that gives no text; ``reason`` says why in a word, the message in a sentence."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def zip_text(data: bytes, limit: int) -> tuple[str, bytes]:
    """The text in one of Gutenberg's zips.

    Args:
        data: The zip.
        limit: The largest text, in bytes.

    Returns:
        The name and the bytes of its first member, by name, that ends in ``.txt``.

    Raises:
        BadArchive: It is damaged, has no text, or inflates beyond the limit.
    """
    end = data.rfind(_END_RECORD, max(0, len(data) - (1 << 16) - 22))
    if end < 0:
        raise BadArchive("damaged_zip", "it has no directory: it is no zip, or was cut")
    if int.from_bytes(data[end + 12 : end + 16], "little") > DIRECTORY_LIMIT:
        raise BadArchive("too_large", f"its directory has more than {DIRECTORY_LIMIT} bytes")
    name = ""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            texts = sorted(name for name in archive.namelist() if name.lower().endswith(".txt"))
            if not texts:
                raise BadArchive("no_text", f"there is no .txt among its members: {_listed(archive.namelist())}")
            name = texts[0]
            with archive.open(name) as member:
                text = member.read(limit + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError, ValueError) as error:
        if isinstance(error, BadArchive):
            raise
        raise BadArchive("damaged_zip", f"{f'{name!r} in it' if name else 'it'} cannot be read: {error}") from error
    if len(text) > limit:
        raise BadArchive("too_large", f"{name!r} in it inflates to more than {limit} bytes")
    return name, text


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name[:NAME_CHARACTERS]) for name in names[:NAMES_SHOWN])
    return (shown or "none") + (f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else "")
