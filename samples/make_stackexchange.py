"""Builds the StackExchange sample: two small sites and a meta site, as 7z archives in the publisher's format.

Usage::

    python -m samples.make_stackexchange [--output DIR]

The posts are written for this project, in ``stackexchange/<site>.yaml``: HTML as the sites make it of what people
write. A post under ``raw`` is a line of the file as it stands, for what a dump should not have. The same sources give
the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from samples.sevenzip import write_archive
from samples.written import output_folder, write_files

OUTPUT = Path(__file__).parent / "stackexchange"
MODULE = "samples.make_stackexchange"
SITES = ("kitchengarden.example", "workbench.example", "meta.workbench.example")
# In the order in which .NET's XmlWriter puts the attributes of the dump.
ATTRIBUTES = (
    *("Id", "PostTypeId", "AcceptedAnswerId", "ParentId", "CreationDate", "Score", "ViewCount", "Body", "OwnerUserId"),
    *("OwnerDisplayName", "LastActivityDate", "Title", "Tags", "AnswerCount", "CommentCount", "ContentLicense"),
)
ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#xA;"}


def escape(value: object) -> str:
    """A value as an attribute holds it."""
    return "".join(ESCAPES.get(character, character) for character in str(value))


def row(post: Mapping[str, Any]) -> str:
    """A post's line."""
    if "raw" in post:
        return str(post["raw"]).rstrip("\n")
    attributes = {"PostTypeId": 1, "Score": 0, "CommentCount": 0, **post}
    attributes.setdefault("LastActivityDate", attributes["CreationDate"])
    listed = (f'{name}="{escape(attributes[name])}"' for name in ATTRIBUTES if name in attributes)
    return f"  <row {' '.join(listed)} />"


def table(name: str, rows: Sequence[str]) -> bytes:
    """A table of the dump: byte order mark, CRLF."""
    lines = ['<?xml version="1.0" encoding="utf-8"?>', f"<{name}>", *rows, f"</{name}>"]
    return b"\xef\xbb\xbf" + "\r\n".join(lines).encode()


def archive_files(site: str) -> Iterator[tuple[str, list[bytes]]]:
    """Name and bytes of each table of a site."""
    posts = yaml.safe_load((OUTPUT / f"{site}.yaml").read_text(encoding="utf-8"))
    users = sorted({post["OwnerUserId"] for post in posts if "OwnerUserId" in post})
    badges = [f'  <row Id="{n}" UserId="{user}" Name="Autobiographer" Class="3" />' for n, user in enumerate(users, 1)]
    yield "Badges.xml", [table("badges", badges)]
    yield "Posts.xml", [table("posts", [row(post) for post in posts])]
    names = [f'  <row Id="{user}" Reputation="101" DisplayName="user {user}" />' for user in users]
    yield "Users.xml", [table("users", names)]


def packed(site: str) -> bytes:
    """The archive of a site."""
    archive = io.BytesIO()
    write_archive(archive, list(archive_files(site)))
    return archive.getvalue()


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of ``python -m samples.make_stackexchange``."""
    output = output_folder(MODULE, OUTPUT, arguments)
    write_files(MODULE, OUTPUT, output, ((f"{site}.7z", packed(site)) for site in SITES))


if __name__ == "__main__":
    main()
