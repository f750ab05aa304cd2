"""Folders that are repositories: what they tell of themselves, and how they are read."""

import os
from collections import Counter
from pathlib import Path

import pytest

from pipeline.corpus.document import Document
from samples.make_github import OUTPUT
from sources.github.folders import is_repository, look_at, open_folder, read_folder, repository_name, walk
from sources.github.raw_file import FileReader
from sources.github.recipe import GitHubRecipe
from sources.github.repository import LicenseFiles
from sources.github.steps import CheckLicense

MIT = (OUTPUT / "repositories" / "lantern-clock" / "LICENSE").read_bytes()
READER = FileReader(GitHubRecipe(max_file_kilobytes=10))
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def repository(folder: Path, **files: bytes) -> Path:
    for name, data in {"LICENSE": MIT, **{name.replace("__", "/"): data for name, data in files.items()}}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def read(folder: Path):
    files = LicenseFiles(READER.gate)
    with open_folder(f"{folder}/", READER, files) as stream:
        return list(read_folder(stream, f"{folder}/", READER, Counter()))


def texts(folder: Path) -> dict[str, str]:
    return {d.meta["path"]: d.text for d in read(folder) if isinstance(d, Document) and d.text}


def test_files_come_in_one_order(tmp_path):
    folder = repository(tmp_path / "a")
    for name in ("b/z.py", "b/a/y.py", "c.py", "B.py", "é.py", "b.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x = 1\n")
    paths = [entry.path for entry in walk(str(folder))]
    assert paths == ["B.py", "LICENSE", "b.py", "c.py", "é.py", "b/z.py", "b/a/y.py"]
    assert list(texts(folder)) == [path for path in paths if path != "LICENSE"]


def test_links_and_special_files_are_not_followed_or_opened(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.py").write_text("secret = 1\n")
    folder = repository(tmp_path / "a", x__py=b"")
    (folder / "x.py").write_text("x = 1\n")
    (folder / "loop").symlink_to(folder)
    (folder / "loop.py").symlink_to("loop.py")
    (folder / "out").symlink_to(outside)
    (folder / "out.py").symlink_to(outside / "secret.py")
    os.mkfifo(folder / "pipe.py")
    items = read(folder)
    assert list(texts(folder)) == ["x.py"]
    assert Counter(item.reason for item in items if not isinstance(item, Document)) == {"link": 4, "special_file": 1}
    assert not any(item.failed for item in items if not isinstance(item, Document))


def test_the_nearest_declaration_decides(tmp_path):
    folder = repository(tmp_path / "a", lib__COPYING=b"SPDX-License-Identifier: GPL-3.0-only", lib__own__LICENSE=MIT)
    (folder / "x.py").write_text("x = 1\n")
    (folder / "gpl.py").write_text("# SPDX-License-Identifier: GPL-2.0-only\nx = 1\n")
    for name in ("lib/y.py", "lib/own/z.py"):
        (folder / name).write_text("y = 1\n")
    (folder / "lib" / "own.py").write_text("# SPDX-License-Identifier: MIT\ny = 1\n")
    documents = {d.meta["path"]: d for d in read(folder) if isinstance(d, Document) and d.text}
    found = {path: (d.license, d.meta["license_in"], d.meta["repository_license"]) for path, d in documents.items()}
    assert found == {
        "x.py": ("MIT", None, None),
        "gpl.py": ("GPL-2.0-only", "SPDX line", "MIT"),
        "lib/y.py": ("GPL-3.0-only", "lib/COPYING", "MIT"),
        "lib/own.py": ("MIT", "SPDX line", "MIT"),
        "lib/own/z.py": ("MIT", "lib/own/LICENSE", "MIT"),
    }
    step = CheckLicense(GitHubRecipe().licenses)
    reasons = dict(zip(documents, step.apply(list(documents.values())), strict=True))
    assert {path for path, reason in reasons.items() if reason == "other_in_file"} == {"gpl.py", "lib/y.py"}
    assert [documents[path].text for path in ("gpl.py", "lib/y.py")] == ["", ""]  # kept nowhere
    assert set(reasons.values()) == {None, "other_in_file"}


def test_a_licence_that_is_a_link_within_the_repository_counts(tmp_path):
    folder = repository(tmp_path / "a", docs__LICENSE=MIT)
    (folder / "x.py").write_text("x = 1\n")
    (folder / "LICENSE").unlink()
    (folder / "LICENSE").symlink_to("docs/LICENSE")
    assert texts(folder) == {"x.py": "x = 1\n"}
    (folder / "docs" / "LICENSE").rename(folder / "docs" / "legal.txt")
    (folder / "LICENSE").unlink()
    (folder / "LICENSE").symlink_to("docs/legal.txt")
    assert "x.py" in texts(folder)


def test_a_licence_that_is_a_link_out_of_it_does_not_count(tmp_path):
    (tmp_path / "LICENSE").write_bytes(MIT)
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "x.py").write_text("x = 1\n")
    (folder / "LICENSE").symlink_to(tmp_path / "LICENSE")
    assert texts(folder) == {}


def test_large_binary_and_odd_files(tmp_path):
    folder = repository(tmp_path / "a")
    (folder / "large.py").write_bytes(b"x" * 10_241)
    (folder / "full.py").write_bytes(b"x = 1\n" * 1706)
    (folder / "zero.py").write_bytes(b"\0")
    (folder / "empty.py").write_bytes(b"")
    (folder / "data.csv").write_bytes(b"x" * 50_000)
    Path(os.fsdecode(os.path.join(os.fsencode(folder), b"caf\xe9.py"))).write_text("y = 1\n")
    items = read(folder)
    assert set(texts(folder)) == {"full.py", "caf\udce9.py"}
    reasons = {item.file.rpartition("/")[2]: item.reason for item in items if not isinstance(item, Document)}
    assert reasons == {"large.py": "too_large", "zero.py": "binary"}
    assert len(items) == 7  # all but the folder itself


def test_contents_that_are_not_wanted_are_not_read(tmp_path):
    folder = repository(tmp_path / "a", data__csv=b"1,2\n")
    (folder / "LICENSE").write_bytes(b"All rights reserved, ask me first.")
    (folder / "x.py").write_text("x = 1\n")
    with open_folder(f"{folder}/", READER, LicenseFiles(READER.gate)) as stream:
        records = []
        while record := stream.read():
            records.append(record)
    assert len(records) == 4
    assert b"x = 1" not in b"".join(records)


@pytest.mark.parametrize(
    ("config", "hosted"),
    [
        ("url = https://github.com/alder/kettle.git", "alder/kettle"),
        ("url = https://github.com/alder/kettle", "alder/kettle"),
        ("url = git@github.com:alder/ket.tle.git", "alder/ket.tle"),
        ("url = ssh://git@github.com/alder/kettle.git", "alder/kettle"),
        ("url = https://token@github.com/alder/kettle/", "alder/kettle"),
        ("url = https://example.org/alder/kettle.git", None),
    ],
)
def test_the_remote_names_the_repository(tmp_path, config, hosted):
    folder = repository(tmp_path / "a")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text(f'[remote "origin"]\n\t{config}\n')
    assert look_at(str(folder), LicenseFiles(READER.gate), READER).hosted == hosted


@pytest.mark.parametrize(
    ("files", "ref"),
    [
        ({"HEAD": COMMIT + "\n"}, COMMIT),
        ({"HEAD": "ref: refs/heads/main\n", "refs/heads/main": COMMIT}, COMMIT),
        ({"HEAD": "ref: refs/heads/a/b\n", "packed-refs": f"# pack\n{COMMIT} refs/heads/a/b\n"}, COMMIT),
        ({"HEAD": "ref: refs/heads/none\n"}, None),
        ({"HEAD": "ref: refs/heads/../../../x\n", "../x": COMMIT}, None),
        ({"HEAD": "\0\xff"}, None),
    ],
)
def test_the_commit_is_that_of_head(tmp_path, files, ref):
    folder = repository(tmp_path / "a")
    for name, text in files.items():
        place = folder / ".git" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    facts = look_at(str(folder), LicenseFiles(READER.gate), READER)
    assert facts.ref == ref


def test_a_checkout_has_addresses(tmp_path):
    folder = repository(tmp_path / "a")
    (folder / "src").mkdir()
    (folder / "src" / "x.py").write_text("x = 1\n")
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text(COMMIT)
    (folder / ".git" / "config").write_text("url = https://github.com/alder/kettle.git\n")
    (document,) = [d for d in read(folder) if d.text]
    assert document.url == f"https://github.com/alder/kettle/blob/{COMMIT}/src/x.py"
    assert document.file == f"{folder}/src/x.py"


def test_names_and_marks_of_repositories(tmp_path):
    assert repository_name("repos/./alder/kettle/") == "alder/kettle"
    assert repository_name("a/kettle/") == "kettle"
    assert is_repository(str(repository(tmp_path / "a")))
    assert not is_repository(str(tmp_path))
    assert not is_repository(str(tmp_path / "nowhere"))
