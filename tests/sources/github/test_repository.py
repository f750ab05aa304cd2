"""Package metadata: what each format declares."""

import pytest

from sources.github.repository import METADATA, tells


@pytest.mark.parametrize(
    ("name", "data", "declared"),
    [
        ("pyproject.toml", '[project]\nlicense = "MIT"\n', "MIT"),
        ("pyproject.toml", '[project]\nlicense = { text = "BSD-3-Clause" }\n', "BSD-3-Clause"),
        ("pyproject.toml", '[project]\nlicense = { file = "LICENSE" }\n', None),
        ("pyproject.toml", '[tool.poetry]\nlicense = "MIT"\n', "MIT"),
        ("pyproject.toml", "[project\n", None),
        ("pyproject.toml", "project = 1\n", None),
        ("Cargo.toml", '[package]\nlicense = "MIT OR Apache-2.0"\n', "MIT OR Apache-2.0"),
        ("Cargo.toml", '[workspace.package]\nlicense = "MIT"\n', "MIT"),
        ("package.json", '{"license": "ISC"}', "ISC"),
        ("package.json", '{"license": {"type": "MIT", "url": "x"}}', "MIT"),
        ("package.json", '{"licenses": [{"type": "MIT"}, {"type": "GPL-2.0"}]}', "MIT OR GPL-2.0"),
        ("package.json", '{"license": 7}', None),
        ("package.json", "[1]", None),
        ("package.json", "{", None),
        ("composer.json", '{"license": ["MIT", "LGPL-2.1-only"]}', "MIT OR LGPL-2.1-only"),
        ("setup.cfg", "[metadata]\nlicense = MIT\n", "MIT"),
        ("setup.cfg", "[metadata]\n", None),
        ("PKG-INFO", "Name: a\nLicense: UNKNOWN\nLicense-Expression: MIT\n\nLicense: GPL\n", "MIT"),
        ("METADATA", "Name: a\nLicense: Apache 2.0\n", "Apache 2.0"),
        ("METADATA", "Classifier: License :: OSI Approved :: MIT License\n", "License :: OSI Approved :: MIT License"),
        (
            "METADATA",
            "Classifier: License :: OSI Approved :: MIT License\nClassifier: License :: OSI Approved :: Zope\n",
            None,
        ),
        ("METADATA", "\xff\xfe", None),
    ],
)
def test_metadata(name, data, declared):
    assert METADATA[name](data.encode()) == declared
    METADATA[name](data.encode() + b"\xff")
    assert tells(name)


def test_other_files_tell_nothing():
    assert not any(map(tells, ("README.md", "setup.py", "license.py", "Makefile", "docs")))
