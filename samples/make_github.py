"""Builds the dumps of the GitHub sample, in their publishers' formats, from the texts beside them.

Usage::

    python -m samples.make_github [--output DIR]

``github/repositories`` is a folder of checked-out repositories as it is; what this makes are an export of BigQuery, a
file of The Stack, and a tar as GitHub gives it. All code in them was written for this project; owners and commits are
invented. The same texts give the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from samples.gzipped import gzipped
from samples.written import output_folder, write_files

OUTPUT = Path(__file__).parent / "github"
MODULE = "samples.make_github"
TEXTS = OUTPUT / "texts"
COMMIT = hashlib.sha1(b"the commit of the drum").hexdigest()
OTHER_NOTICE = "// Copyright 2026 The Birch Kettle Authors. All rights reserved.\n// SPDX-License-Identifier: MIT\n\n"


def text(name: str) -> str:
    """A committed text."""
    return (TEXTS / name).read_text(encoding="utf-8")


def blob(content: str) -> str:
    """Git's id of a file."""
    data = content.encode()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def row(repo: str, path: str, content: str | None, license: str, **more: Any) -> dict[str, Any]:
    """A row of the export; BigQuery writes integers as strings."""
    size = len(content.encode()) if content is not None else 2_400_000
    result = {"repo_name": repo, "path": path, "ref": "refs/heads/master", "id": blob(content or path)}
    return {**result, "license": license, "size": str(size), "binary": False, "content": content, **more}


def export_rows() -> Iterator[dict[str, Any]]:
    """The rows of the export, good and bad."""
    boil, whistle, log = text("kettle/boil.go"), text("kettle/whistle.ts"), text("kettle/log.pl")
    yield row("alder/kettle", "boil.go", boil, "mit")
    yield row("alder/kettle", "boil.go", boil, "apache-2.0")  # a repository with two licence rows, not collapsed
    yield row("birch/kettle", "pkg/boil.go", OTHER_NOTICE + boil, "mit")  # a fork, with a notice of its own
    yield row("alder/kettle", "whistle.ts", whistle, "mit")
    yield row("alder/kettle", "log.pl", log, "mit")
    yield row("alder/kettle", "whistle.png", None, "mit", binary=True)
    yield row("alder/kettle", "pots.sql", None, "mit")  # over BigQuery's limit: it has no contents
    yield row("alder/kettle", "latest.pl", "log.pl", "mit", symlink_target="log.pl")
    yield row("alder/kettle", "vendor/steam/steam.go", "package steam\n", "mit")
    yield row("alder/kettle", "go.sum", "example.org/steam v1.0.0 h1:c3RlYW0=\n", "mit")
    yield row("cedar/pan", "pan.go", "package pan\n\n// Eggs fit in it.\nconst Eggs = 4\n", "gpl-3.0")
    yield row("cedar/pan", "lid.go", "package pan\n", "custom")
    yield {"path": "orphan.go", "content": "package orphan\n", "license": "mit"}


def export() -> bytes:
    """The export: JSON lines, one of them broken."""
    lines = [json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in export_rows()]
    lines.insert(5, '{"repo_name":"alder/kettle","path":"broken.go","content":"package')
    return gzipped("\n".join([*lines, ""]).encode())


def stack_rows() -> list[dict[str, Any]]:
    """Rows with the columns of The Stack v1 that matter here."""
    files = [
        ("dogwood/sundial", "src/Dial.scala", text("sundial/Dial.scala"), ["MIT", "Apache-2.0"]),
        ("dogwood/sundial", "src/equation.jl", text("sundial/equation.jl"), ["BSD-3-Clause"]),
        ("elm/sundial", "equation.jl", text("sundial/equation.jl"), ["MIT", "GPL-3.0"]),
        ("elm/sundial", "shadow.jl", "shadow(height, angle) = height / tand(angle)\n", []),
    ]
    return [
        {
            "hexsha": blob(content),
            "size": len(content.encode()),
            "ext": path.rpartition(".")[2],
            "max_stars_repo_path": path,
            "max_stars_repo_name": repo,
            "max_stars_repo_head_hexsha": hashlib.sha1(repo.encode()).hexdigest(),
            "max_stars_repo_licenses": licenses,
            "content": content,
        }
        for repo, path, content, licenses in files
    ]


def stack() -> bytes:
    """The file of The Stack."""
    strings = ("hexsha", "ext", "max_stars_repo_path", "max_stars_repo_name", "max_stars_repo_head_hexsha", "content")
    schema = pa.schema([(name, pa.string()) for name in strings])
    schema = schema.append(pa.field("size", pa.int64()))
    schema = schema.append(pa.field("max_stars_repo_licenses", pa.list_(pa.string())))
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(stack_rows(), schema), buffer, compression="zstd")
    return buffer.getvalue()


def tarball() -> bytes:
    """A tar as GitHub gives it: one folder, named after the commit, which the first header has, too."""
    buffer = io.BytesIO()
    commit = {"comment": COMMIT}
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT, pax_headers=commit) as archive:
        folder = f"drum-{COMMIT}"
        for name in ("stroke.f90", "tune.sh", "LICENSE"):
            data = text(f"drum/{name}").encode()
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo(f"{folder}/COPYING")
        link.type, link.linkname = tarfile.SYMTYPE, "LICENSE"
        archive.addfile(link)
    return gzipped(buffer.getvalue())


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of ``python -m samples.make_github``."""
    files = [
        ("bigquery-000000000000.json.gz", export()),
        ("stack-00000-of-00001.parquet", stack()),
        (f"drum-{COMMIT[:7]}.tar.gz", tarball()),
    ]
    write_files(MODULE, OUTPUT, output_folder(MODULE, OUTPUT, arguments), files)


if __name__ == "__main__":
    main()
