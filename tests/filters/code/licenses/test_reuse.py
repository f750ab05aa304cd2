"""REUSE's tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.code.licenses.reuse import Glob, read_dep5, read_reuse_toml

TOML = b"""
version = 1
[[annotations]]
path = "**"
SPDX-License-Identifier = "MIT"

[[annotations]]
path = ["src/*.py", "lib/**"]
precedence = "override"
SPDX-License-Identifier = ["GPL-3.0-only", "MIT"]
"""
DEP5 = b"""Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: 2026 A
License: MIT

Files: lib/* src/gpl?.py
  data/a.py
Copyright: 2026 B
License: GPL-3.0-or-later
 text of it
"""


@pytest.mark.parametrize(
    ("pattern", "crosses", "path", "matches"),
    [
        ("*.py", False, "a.py", True),
        ("*.py", False, "b/a.py", False),
        ("*.py", True, "b/a.py", True),
        ("**", False, "b/a.py", True),
        ("b/**/a.py", False, "b/c/d/a.py", True),
        ("b/*/a.py", False, "b/c/d/a.py", False),
        ("a?.py", True, "ab.py", True),
        ("a?.py", False, "ab.py", False),
        (r"a\*.py", False, "a*.py", True),
        (r"a\*.py", False, "ab.py", False),
        ("", False, "", True),
        ("a", False, "", False),
        ("***", False, "x/y", True),
    ],
)
def test_patterns(pattern, crosses, path, matches):
    assert Glob(pattern, crosses).matches(path) == matches


def test_many_stars_cost_little():
    assert not Glob("**a" * 150, False).matches("a" * 4000 + "b")


@given(st.text("ab/*", max_size=12))
def test_a_path_matches_itself(path):
    escaped = path.replace("*", "\\*")
    assert Glob(escaped, False).matches(path)
    assert Glob("**", False).matches(path)


def test_reuse_toml():
    table = read_reuse_toml(TOML)
    assert table.of("README.md") == ("**", "MIT", True)
    assert table.of("src/a.py") == ("src/*.py", "(GPL-3.0-only) AND (MIT)", False)
    assert table.of("src/b/a.py") == ("**", "MIT", True)
    assert read_reuse_toml(b"[[annotations").broken
    assert read_reuse_toml(b'[[annotations]]\npath = 1\nSPDX-License-Identifier = "MIT"').annotations == ()
    assert read_reuse_toml(b"annotations = 1").annotations == ()


def test_dep5():
    table = read_dep5(DEP5)
    assert [table.of(path).license for path in ("a.py", "lib/x/a.py", "src/gpl1.py", "data/a.py")] == [
        "MIT",
        "GPL-3.0-or-later",
        "GPL-3.0-or-later",
        "GPL-3.0-or-later",
    ]
    assert read_dep5(b"\xff" * 100).annotations == ()
    assert read_dep5(b"Files: " + b"a " * 2000 + b"\nLicense: MIT\n").broken
