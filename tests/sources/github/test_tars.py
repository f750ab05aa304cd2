"""Tars of repositories."""

import gzip
import io
import tarfile
from collections import Counter

import pytest

from pipeline.corpus.document import Document
from samples.make_github import COMMIT, OUTPUT
from sources.github.raw_file import FileReader
from sources.github.recipe import GitHubRecipe
from sources.github.repository import LicenseFiles
from sources.github.tars import TarReader

MIT = (OUTPUT / "repositories" / "lantern-clock" / "LICENSE").read_bytes()
READER = FileReader(GitHubRecipe(max_file_kilobytes=10))


def tar(files: dict[str, bytes], links: dict[str, str] | None = None, **options) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", **options) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return buffer.getvalue()


def read(data: bytes, path: str = "tide.tar.gz"):
    reader = TarReader(path, READER, LicenseFiles(READER.gate))
    facts = reader.look(io.BytesIO(data))
    return list(reader.read(io.BytesIO(data), facts, Counter()))


def texts(items) -> dict[str, str]:
    return {f"{d.meta['repo']}:{d.meta['path']}": d.text for d in items if isinstance(d, Document) and d.text}


def test_githubs_tar_is_one_repository_with_its_commit():
    items = read(next(OUTPUT.glob("drum-*.tar.gz")).read_bytes())
    assert list(texts(items)) == ["drum:stroke.f90", "drum:tune.sh"]
    assert {item.meta["ref"] for item in items if isinstance(item, Document)} == {COMMIT}
    assert {item.license for item in items if isinstance(item, Document)} == {"BSD-2-Clause"}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"a/x.py": b"x = 1\n", "a/LICENSE": MIT}, ["a:x.py"]),
        ({"./a/x.py": b"x = 1\n", "./a/LICENSE": MIT}, ["a:x.py"]),
        ({"x.py": b"x = 1\n", "LICENSE": MIT, "a/y.py": b"y = 1\n"}, ["tide:x.py", "tide:a/y.py"]),
        ({"o/a/x.py": b"x = 1\n", "o/a/LICENSE": MIT, "o/b/y.py": b"y = 1\n"}, ["o/a:x.py"]),
        ({"a/LICENSE": MIT, "a/x.py": b"x = 1\n", "b/y.py": b"y = 1\n"}, ["a:x.py"]),
        ({"a/LICENSE": MIT, "a/lib/LICENSE": MIT, "a/lib/x.py": b"x = 1\n"}, ["a:lib/x.py"]),
        ({"a/package.json": b'{"license": "MIT"}', "a/x.js": b"let x;\n"}, ["a:x.js"]),
        ({"a/b/c/LICENSE": MIT, "a/b/c/x.py": b"x = 1\n"}, []),
        ({"a/LICENSE": MIT, "a/.git/hooks/x.py": b"x = 1\n"}, []),
    ],
)
def test_repositories_in_a_tar(files, expected):
    assert list(texts(read(tar(files)))) == expected
    assert list(texts(read(gzip.compress(tar(files))))) == expected


def test_licences_below_the_root_of_a_tar():
    files = {"a/x.py": b"x = 1\n", "a/lib/y.py": b"y = 1\n", "a/lib/COPYING": b"SPDX-License-Identifier: GPL-3.0-only"}
    items = read(tar(files | {"a/docs/LICENSE": MIT}, {"a/LICENSE": "docs/LICENSE"}))
    found = {d.meta["path"]: (d.license, d.meta["license_in"]) for d in items if isinstance(d, Document) and d.text}
    assert found == {"x.py": ("MIT", None), "lib/y.py": ("GPL-3.0-only", "lib/COPYING")}


def test_a_package_of_npm_is_called_by_its_file():
    files = tar({"package/package.json": b'{"license": "MIT"}', "package/x.js": b"let x;\n"})
    assert list(texts(read(files, "dir/tide-1.0.2.tgz"))) == ["tide-1.0.2:x.js"]
    assert list(texts(read(files, "dir/tide.tar"))) == ["package:x.js"]


def test_bad_members_cost_themselves():
    files = {
        "a/LICENSE": MIT,
        "../up.py": b"x = 1\n",
        "/a/absolute.py": b"y = 1\n",  # as tar does it: the slash goes
        "C:\\a\\drive.py": b"x = 1\n",
        "a/large.py": b"x" * 10_241,
        "a/large.csv": b"x" * 10_241,
        "a/zero.py": b"a\0b",
        "a/x.py": b"x = 1\n",
    }
    items = read(tar(files, {"a/loop": "loop", "a/out": "/etc/passwd"}))
    assert list(texts(items)) == ["a:absolute.py", "a:x.py"]
    reasons = Counter(item.reason for item in items if not isinstance(item, Document))
    assert reasons == {"unsafe_name": 2, "too_large": 1, "binary": 1, "link": 2}
    assert len(items) == 10


def test_a_name_that_is_no_utf8_is_read():
    items = read(
        tar({"a/LICENSE": MIT, "a/caf\udce9.py": b"x = 1\n"}, errors="surrogateescape", format=tarfile.GNU_FORMAT)
    )
    assert list(texts(items)) == ["a:caf\udce9.py"]


def test_a_cut_tar_gives_what_stands_before_the_cut():
    data = tar({"a/LICENSE": MIT, "a/x.py": b"x = 1\n", "a/y.py": b"y = 1\n" * 500})
    items = read(data[: data.index(b"y = 1") + 100])
    assert list(texts(items)) == ["a:x.py"]
    assert items[-1].reason == "truncated_tar"
    assert [item.reason for item in read(b"no tar at all" * 100)] == ["damaged_tar"]
