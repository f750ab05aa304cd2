"""Builds the arXiv sample: bulk tars with every kind of member, a folder of e-prints, and a metadata file.

Usage::

    python -m samples.make_arxiv [--output DIR]

The papers in ``arxiv/papers`` were written for this project; their authors, findings and numbers are invented. Only the
forms are arXiv's: names, packings, the manifest beside the tars, the fields of the metadata. The same sources give the
same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from samples.gzipped import gzipped
from samples.written import output_folder, write_files

OUTPUT = Path(__file__).parent / "arxiv"
MODULE = "samples.make_arxiv"
PAPERS = OUTPUT / "papers"
TIME = 1614556800  # of all files: 2021-03-01
PDF = b"%PDF-1.4\n1 0 obj << /Type /Catalog >> endobj\ntrailer << /Root 1 0 R >>\n%%EOF\n"
POSTSCRIPT = b"%!PS-Adobe-2.0\n%%Title: a paper that was sent in as PostScript\nshowpage\n"
NONEXCLUSIVE = "http://arxiv.org/licenses/nonexclusive-distrib/1.0/"
CC_BY = "http://creativecommons.org/licenses/by/4.0/"


def source(name: str, encoding: str = "utf-8") -> bytes:
    """One of the committed files, in the encoding that its author used."""
    return (PAPERS / name).read_text(encoding="utf-8").encode(encoding)


def folder(name: str) -> dict[str, bytes]:
    """All files of a paper, by their paths in it."""
    top = PAPERS / name
    return {path.relative_to(top).as_posix(): path.read_bytes() for path in sorted(top.rglob("*")) if path.is_file()}


def pack(data: bytes) -> bytes:
    """A gzip without a time or a name."""
    return gzipped(data)


def tar_of(files: Mapping[str, bytes], folders: Sequence[str] = ()) -> bytes:
    """A tar of files that all have one time; ``folders`` come before them, as members of their own."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in [*((name, None) for name in folders), *files.items()]:
            info = tarfile.TarInfo(name)
            info.mtime = TIME
            if data is None:
                info.type = tarfile.DIRTYPE
            else:
                info.size = len(data)
            archive.addfile(info, io.BytesIO(data or b""))
    return buffer.getvalue()


def bulk_members() -> Iterator[tuple[str, dict[str, bytes]]]:
    """Name and members of each bulk tar."""
    letter = {"letter.tex": source("cond-mat9902015/letter.tex", "latin-1")}
    yield (
        "arXiv_src_9902_001.tar",
        {
            "9902/cond-mat9902015.gz": pack(tar_of(letter)),
            "9902/hep-th9902001.gz": pack(source("hep-th9902001/wire.tex")),
            "9902/hep-th9902002.gz": pack(POSTSCRIPT),
        },
    )
    hostile = {
        **folder("2103.00010"),
        "../../outside.tex": b"\\section{This file wants to lie elsewhere}",
        "/etc/outside.tex": b"So does this one.",
        "picture.tex": bytes(range(256)) * 8,
    }
    yield (
        "arXiv_src_2103_001.tar",
        {
            "2103/2103.00001.gz": pack(tar_of(folder("2103.00001"))),
            "2103/2103.00002.gz": pack(source("2103.00002/sums.tex")),
            "2103/2103.00003.pdf": PDF,
            "2103/2103.00004.gz": tar_of(folder("2103.00004")),  # a plain tar, whatever its name says
            "2103/2103.00005.gz": pack(source("2103.00005/index.html")),
            "2103/2103.00006.gz": pack(source("2103.00006/withdrawn.tex")),
            "2103/2103.00007.gz": pack(source("2103.00007/note.tex")),
        },
    )
    yield (
        "arXiv_src_2103_002.tar",
        {
            "2103/2103.00008.gz": pack(source("2103.00008/pluie.tex", "cp1252")),
            "2103/2103.00009.gz": pack(b""),
            "2103/2103.00010.gz": pack(tar_of(hostile)),
            "2103/2103.00011.gz": pack(source("2103.00002/sums.tex"))[:-400],
        },
    )


def eprints() -> Iterator[tuple[str, bytes]]:
    """Path and bytes of each file in the folder of e-prints."""
    yield "2103.00002v1.gz", pack(source("2103.00002/sums_v1.tex"))
    for name, data in folder("2104.00001").items():
        yield f"2104.00001/{name}", data
    yield "note.tex", source("note.tex")
    yield "README", b"A folder of papers that came one by one.\n"


def manifest(tars: Mapping[str, bytes], members: Mapping[str, Sequence[str]]) -> bytes:
    """The manifest that lies beside the tars."""
    parts = []
    for name, data in tars.items():
        first, last = (member.rpartition("/")[2].rpartition(".")[0] for member in (members[name][0], members[name][-1]))
        digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
        yymm, sequence = name.split("_")[2], int(name.split("_")[3].partition(".")[0])
        parts.append(
            f"  <file>\n    <content_md5sum>{digest}</content_md5sum>\n    <filename>src/{name}</filename>\n"
            f"    <first_item>{first}</first_item>\n    <last_item>{last}</last_item>\n    <md5sum>{digest}</md5sum>\n"
            f"    <num_items>{len(members[name])}</num_items>\n    <seq_num>{sequence}</seq_num>\n"
            f"    <size>{len(data)}</size>\n    <timestamp>2021-04-01 00:00:00</timestamp>\n    <yymm>{yymm}</yymm>\n"
            "  </file>\n"
        )
    return f"<?xml version='1.0' standalone='yes'?>\n<arXivSRC>\n{''.join(parts)}</arXivSRC>\n".encode()


def metadata() -> bytes:
    """Lines as in arXiv's metadata; one of a paper that is not here, and one that is cut."""
    records = [
        record("2103.00001", "How Many Lighthouses Can One\n  See?", "math.PR physics.soc-ph", CC_BY, 2),
        record("2103.00002", "Sums of numbers that are not there", "math.CO", NONEXCLUSIVE, 2),
        record("2103.99999", "A paper that is not in the sample", "math.CO", NONEXCLUSIVE, 1),
        record("hep-th/9902001", "Waves on a Wire That Remembers", "hep-th", None, 1),
    ]
    lines = [json.dumps(entry) for entry in records]
    return ("\n".join([*lines, lines[0][:100]]) + "\n").encode()


def record(identifier: str, title: str, categories: str, license_: str | None, versions: int) -> dict[str, object]:
    """A record with the fields that arXiv's have."""
    created = [{"version": f"v{n}", "created": f"Mon, {n} Mar 2021 00:00:00 GMT"} for n in range(1, versions + 1)]
    return {
        "id": identifier,
        "submitter": "The makers of this sample",
        "authors": "N. Obody",
        "title": title,
        "comments": None,
        "journal-ref": None,
        "doi": None,
        "report-no": None,
        "categories": categories,
        "license": license_,
        "abstract": "  This abstract is a sample.\n",
        "versions": created,
        "update_date": "2021-03-02",
        "authors_parsed": [["Obody", "N.", ""]],
    }


def files() -> dict[str, bytes]:
    """All files of the sample."""
    members = dict(bulk_members())
    tars = {name: tar_of(inside, [f"{name.split('_')[2]}/"]) for name, inside in members.items()}
    return {
        **{f"bulk/{name}": data for name, data in tars.items()},
        "bulk/arXiv_src_manifest.xml": manifest(tars, {name: list(inside) for name, inside in members.items()}),
        **{f"eprints/{name}": data for name, data in eprints()},
        "arxiv-metadata-sample.json": metadata(),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of ``python -m samples.make_arxiv``."""
    write_files(MODULE, OUTPUT, output_folder(MODULE, OUTPUT, arguments), files().items())


if __name__ == "__main__":
    main()
