"""Which files of a repository are read."""

import pytest

from filters.code.paths import EXTENSIONS, PathRules, programming_language


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("src/tide.py", None),
        ("tide.c", None),
        ("tide.C", None),
        ("tide.PY", "extension"),
        ("tide.Rs", "extension"),
        ("tide.c++", None),
        ("a.tar.py", None),
        ("Makefile", None),
        ("docker/Dockerfile", None),
        ("makefile", "extension"),
        ("Makefile.am", "extension"),
        ("README", "extension"),
        (".py", "extension"),
        ("tide.", "extension"),
        ("py", "extension"),
        ("", "extension"),
        ("node_modules/a/index.js", "vendored"),
        ("a/third_party/b/c.py", "vendored"),
        ("vendor", "extension"),
        ("vendored/a.py", None),
        ("web/tide.min.js", "generated"),
        ("tide_pb2.py", "generated"),
        ("api/tide.pb.go", "generated"),
        ("tide.generated.ts", "generated"),
        ("yarn.lock", "lock_file"),
        ("a/Cargo.lock", "lock_file"),
        ("keys/server.pem", "certificate"),
        ("id_rsa", "certificate"),
        ("a/b\n.py", None),
        ("\udcff.py", None),
    ],
)
def test_paths(path, reason):
    assert PathRules().judge(path) == reason


def test_the_list_is_redpajamas():
    assert len(EXTENSIONS) == len(set(EXTENSIONS)) == 64


def test_lists_can_be_other_ones():
    rules = PathRules([".lisp"], [], vendored=["old"], generated=[], lock_files=[], certificates=[])
    assert [rules.judge(path) for path in ("a.lisp", "a.py", "old/a.lisp", "a.min.lisp", "Makefile")] == [
        None,
        "extension",
        "vendored",
        None,
        "extension",
    ]


def test_languages():
    paths = ("a.h", "a.hpp", "Makefile", "a.ts", "a.unknown", "b/Dockerfile", "a.b/c", "c")
    assert [programming_language(path) for path in paths] == [
        "C", "C++", "Makefile", "TypeScript", None, "Dockerfile", None, None
    ]  # fmt: skip
    assert all(programming_language(f"a{extension}") for extension in EXTENSIONS)
