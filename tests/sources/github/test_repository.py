"""What a repository declares: package metadata, and the licences of its folders and files."""

import pytest

from filters.code.licenses import LicenseGate
from samples.make_github import OUTPUT
from sources.github.metadata import METADATA
from sources.github.repository import LicenseFiles, Licenses, RepositoryFacts, tells

TROVE = "License :: OSI Approved :: MIT License"
GATE = LicenseGate()
MIT = (OUTPUT / "repositories" / "lantern-clock" / "LICENSE").read_bytes()


@pytest.mark.parametrize(
    ("name", "data", "declared"),
    [
        ("pyproject.toml", '[project]\nlicense = "MIT"\n', ["MIT"]),
        ("pyproject.toml", '[project]\nlicense = { text = "BSD-3-Clause" }\n', ["BSD-3-Clause"]),
        ("pyproject.toml", '[project]\nlicense = { file = "LICENSE" }\n', []),
        ("pyproject.toml", '[tool.poetry]\nlicense = "MIT"\n', ["MIT"]),
        ("pyproject.toml", f'[project]\nclassifiers = ["Topic :: A", "{TROVE}"]\n', [TROVE]),
        ("pyproject.toml", f'[project]\nlicense = "MIT OR GPL-2.0"\nclassifiers = ["{TROVE}"]\n', ["MIT OR GPL-2.0"]),
        ("pyproject.toml", "[project\n", []),
        ("pyproject.toml", "project = 1\n", []),
        ("pyproject.toml", "[project]\nclassifiers = 1\n", []),
        ("Cargo.toml", '[package]\nlicense = "MIT OR Apache-2.0"\n', ["MIT OR Apache-2.0"]),
        ("Cargo.toml", '[workspace.package]\nlicense = "MIT"\n', ["MIT"]),
        ("package.json", '{"license": "ISC"}', ["ISC"]),
        ("package.json", '{"license": {"type": "MIT", "url": "x"}}', ["MIT"]),
        ("package.json", '{"licenses": [{"type": "MIT"}, {"type": "GPL-2.0"}]}', ["MIT OR GPL-2.0"]),
        ("package.json", '{"license": 7}', []),
        ("package.json", "[1]", []),
        ("package.json", "{", []),
        ("composer.json", '{"license": ["MIT", "LGPL-2.1-only"]}', ["MIT OR LGPL-2.1-only"]),
        ("setup.cfg", "[metadata]\nlicense = MIT\n", ["MIT"]),
        ("setup.cfg", f"[metadata]\nclassifiers =\n    {TROVE}\n", [TROVE]),
        ("setup.cfg", "[metadata]\n", []),
        ("setup.py", 'setup(name="a", license="MIT",\n)', ["MIT"]),
        ("setup.py", f"setup(\n    # license='GPL',\n    classifiers=['{TROVE}'],\n)", [TROVE]),
        ("setup.py", "setup(license=read('LICENSE'))", []),
        ("pom.xml", "<project><licenses><license><name>MIT</name></license></licenses></project>", ["MIT"]),
        (
            "pom.xml",
            "<licenses><!-- <license><name>GPL</name></license> --><license><name>The MIT License</name></license>"
            "<license><name>EPL-2.0</name></license></licenses>",
            ["(The MIT License) OR EPL-2.0"],
        ),
        ("pom.xml", "<project><name>MIT</name></project>", []),
        ("PKG-INFO", "Name: a\nLicense: UNKNOWN\nLicense-Expression: MIT\n\nLicense: GPL\n", ["MIT"]),
        ("METADATA", "Name: a\nLicense: Apache 2.0\n", ["Apache 2.0"]),
        ("METADATA", f"License: MIT\nClassifier: {TROVE}\nClassifier: License :: OSI Approved\n", ["MIT", TROVE]),
        ("METADATA", f"Classifier: {TROVE}\nClassifier: License :: Zope\n", [TROVE, "License :: Zope"]),
        ("METADATA", "\xff\xfe", []),
    ],
)
def test_metadata(name, data, declared):
    assert METADATA[name](data.encode()) == declared
    METADATA[name](data.encode() + b"\xff")
    assert tells(name)


def test_other_files_tell_nothing():
    assert not any(map(tells, ("README.md", "license.py", "Makefile", "docs", "license/index.html", "dep5")))


GPL = b"SPDX-License-Identifier: GPL-3.0-only"


def licenses(files: dict[str, bytes], links: dict[str, str] | None = None) -> Licenses:
    facts, reader = RepositoryFacts(), LicenseFiles(GATE)
    for path, data in files.items():
        assert tells(path)
        reader.look(facts, path, data)
    for path, target in (links or {}).items():
        reader.look_at_link(facts, path, target)
    return Licenses(facts, GATE)


@pytest.mark.parametrize(
    ("files", "root"),
    [
        ({}, None),
        ({"LICENSE": MIT}, "MIT"),
        ({"LICENSE/MIT.txt": MIT}, "MIT"),
        ({"LICENSES/MIT.txt": MIT}, "MIT"),
        ({"LICENSES/MIT.txt": MIT, "LICENSES/LLVM-exception.txt": b"an exception"}, "MIT"),
        ({"LICENSES/MIT.txt": MIT, "LICENSES/GPL-3.0-only.txt": GPL}, "MIT"),
        ({"LICENSES/GPL-3.0-only.txt": GPL}, "GPL-3.0-only"),
        ({"LICENSE": MIT, "LICENSES/GPL-3.0-only.txt": GPL}, "MIT"),
        ({"REUSE.toml": b'[[annotations]]\npath = "**"\nSPDX-License-Identifier = "MIT"\n'}, "MIT"),
        ({"REUSE.toml": b'[[annotations]]\npath = "src/**"\nSPDX-License-Identifier = "MIT"\n'}, None),
        ({"lib/LICENSE": MIT}, None),
        ({"package.json": b'{"license": "MIT"}', "setup.py": b'setup(license="GPL-3.0-only")'}, "GPL-3.0-only AND MIT"),
    ],
)
def test_the_licence_of_the_root(files, root):
    assert licenses(files).root == root


@pytest.mark.parametrize(
    ("files", "path", "license", "place"),
    [
        ({"LICENSE": MIT}, "a.py", None, None),
        ({"lib/COPYING": GPL}, "lib/b/a.py", "GPL-3.0-only", "lib/COPYING"),
        ({"lib/COPYING": GPL}, "library/a.py", None, None),
        ({"lib/COPYING": GPL, "lib/b/LICENSE": MIT}, "lib/b/a.py", "MIT", "lib/b/LICENSE"),
        ({"lib/package.json": b'{"license": "AGPL-3.0-only"}'}, "lib/a.js", "AGPL-3.0-only", "lib/package.json"),
        ({"lib/setup.py": b'setup(license="BSD")'}, "lib/a.py", None, None),
        ({"lib/LICENSE": b"Ask me first, it is my licence."}, "lib/a.py", "unrecognized", "lib/LICENSE"),
        ({"a/bell_LICENSE.txt": GPL}, "a/bell.c", "GPL-3.0-only", "a/bell_LICENSE.txt"),
        ({"a/bell_LICENSE.txt": GPL}, "a/lamp.c", None, None),
        ({"a.py.license": GPL}, "a.py", "GPL-3.0-only", "a.py.license"),
        ({".reuse/dep5": b"Files: lib/*\nLicense: GPL-3.0-only\n"}, "lib/b/a.py", "GPL-3.0-only", ".reuse/dep5"),
        ({"REUSE.toml": b"[["}, "a.py", "unrecognized", "REUSE.toml"),
        (
            {"lib/REUSE.toml": b'[[annotations]]\npath = "*.c"\nSPDX-License-Identifier = "GPL-3.0-only"\n'},
            "lib/a.c",
            "GPL-3.0-only",
            "lib/REUSE.toml",
        ),
        ({"LICENSES/MIT.txt": MIT, "LICENSES/GPL-3.0-only.txt": GPL}, "a.py", "GPL-3.0-only AND MIT", "LICENSES"),
    ],
)
def test_the_nearest_declaration(files, path, license, place):
    nearer = licenses({"LICENSE": MIT, **files} if "LICENSES/MIT.txt" not in files else files).nearer(path)
    assert (nearer and nearer.license, nearer and nearer.place) == (license, place)


@pytest.mark.parametrize(
    ("target", "root"),
    [
        ("docs/LICENSE", "MIT"),
        ("./docs/../docs/LICENSE", "MIT"),
        ("../LICENSE", "unrecognized"),
        ("/LICENSE", "unrecognized"),
    ],
)
def test_a_link_is_followed_within_its_repository(target, root):
    assert licenses({"docs/LICENSE": MIT}, {"LICENSE": target}).root == root


@pytest.mark.parametrize("part", [b"<!--", b"<licenses>", b"<licenses><license>", b"license ", b"License :: ", b"#"])
def test_hostile_metadata_cost_bounded_work(part):
    for read in METADATA.values():
        read(part * (200_000 // len(part)))
