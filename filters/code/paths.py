"""Which files of a repository are read, by their paths; and the programming language of a path."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from filters.code.licenses.names import is_license_document


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# RedPajama v1, data_prep/github: the extensions that its filter keeps, case as written. Dockerfile and Makefile, which
# it lists with them, are names of files.
EXTENSIONS = _words(
    ".asm .bat .cmd .c .h .cs .cpp .hpp .c++ .h++ .cc .hh .C .H .cmake .css .dockerfile .f90 .f .f03 .f08 .f77 .f95 "
    ".for .fpp .go .hs .html .java .js .jl .lua .md .markdown .php .php3 .php4 .php5 .phps .phpt .pl .pm .pod .perl "
    ".ps1 .psd1 .psm1 .py .rb .rs .sql .scala .sh .bash .command .zsh .ts .tsx .tex .vb .xml .rst .m .smali"
)
NAMES = ("Dockerfile", "Makefile")
# Folders of other people's code, as package managers and habit name them; after github-linguist's vendor.yml.
VENDORED = _words(
    "node_modules bower_components jspm_packages vendor vendors third_party third-party thirdparty 3rdparty external "
    "externals site-packages dist-packages .venv venv Godeps _workspace Pods Carthage .bundle .yarn .gradle"
)
# What tools write: minified, bundled and compiled files; after github-linguist's generated.rb.
GENERATED = _words(
    "*.min.js *.min.css *-min.js *-min.css *.bundle.js *.chunk.js *_pb2.py *_pb2_grpc.py *.pb.go *.pb.h *.pb.cc "
    "*.pb.cpp *.grpc.pb.* *.designer.cs *.Designer.cs *.g.cs *.g.i.cs *.generated.* *_generated.* *.gen.go "
    "*.freezed.dart *.g.dart moc_*.cpp ui_*.h qrc_*.cpp R.java"
)
LOCK_FILES = _words(
    "package-lock.json npm-shrinkwrap.json yarn.lock pnpm-lock.yaml bun.lock Cargo.lock poetry.lock Pipfile.lock "
    "uv.lock pdm.lock Gemfile.lock composer.lock mix.lock pubspec.lock Podfile.lock packages.lock.json go.sum "
    "flake.lock *.lockfile"
)
CERTIFICATES = _words("*.pem *.crt *.cer *.der *.key *.csr *.p7b *.p12 *.pfx *.asc *.gpg *.pub id_rsa id_dsa")

_LANGUAGES = """\
Assembly: asm s S
Batchfile: bat cmd
C: c h
C#: cs
C++: cpp hpp c++ h++ cc hh C H cxx hxx
CMake: cmake
CSS: css
Dockerfile: dockerfile Dockerfile
Fortran: f90 f f03 f08 f77 f95 for fpp
Go: go
Haskell: hs
HTML: html htm
Java: java
JavaScript: js mjs cjs jsx
Julia: jl
Kotlin: kt kts
Lua: lua
Makefile: Makefile mk
Markdown: md markdown
MATLAB or Objective-C: m
PHP: php php3 php4 php5 phps phpt
Perl: pl pm pod perl
PowerShell: ps1 psd1 psm1
Python: py pyi pyx
R: r R
reStructuredText: rst
Ruby: rb
Rust: rs
Scala: scala
Shell: sh bash command zsh
Smali: smali
SQL: sql
Swift: swift
TeX: tex sty
TypeScript: ts tsx
Visual Basic: vb
XML: xml
"""
_WITHOUT_EXTENSION = frozenset(("Dockerfile", "Makefile", "GNUmakefile", "Rakefile", "Gemfile"))
_BY_EXTENSION: Mapping[str, str] = MappingProxyType(
    {
        extension: language
        for language, _, extensions in (line.partition(": ") for line in _LANGUAGES.splitlines())
        for extension in extensions.split()
    }
)


def extension_of(path: str) -> str:
    """What tells a file's language: its extension without the dot, case as written, or a name such as ``Makefile``."""
    name = path.rpartition("/")[2]
    stem, dot, extension = name.rpartition(".")
    return extension if dot and stem else name if name in _WITHOUT_EXTENSION else ""


def programming_language(path: str) -> str | None:
    """The language that a file is written in, by its extension; None where that is not known."""
    return _BY_EXTENSION.get(extension_of(path))


class PathRules:
    """Judges paths.

    Args:
        extensions: Those that are kept, with their dots, case as written.
        names: Names of files that are kept whatever their extension.
        vendored: Names of folders; a file anywhere below one is dropped.
        generated: Globs of the names of generated files.
        lock_files: Likewise, of files that pin versions.
        certificates: Likewise, of keys and certificates.
        license_files: Whether files that are a licence or a notice and nothing else are kept.
    """

    def __init__(
        self,
        extensions: Sequence[str] = EXTENSIONS,
        names: Sequence[str] = NAMES,
        *,
        vendored: Sequence[str] = VENDORED,
        generated: Sequence[str] = GENERATED,
        lock_files: Sequence[str] = LOCK_FILES,
        certificates: Sequence[str] = CERTIFICATES,
        license_files: bool = False,
    ) -> None:
        self._license_files = license_files
        self._extensions = frozenset(extensions)
        self._names = frozenset(names)
        self._vendored = frozenset(vendored)
        groups = {"lock_file": lock_files, "certificate": certificates, "generated": generated}
        patterns = [f"(?P<{key}>{'|'.join(map(fnmatch.translate, globs))})" for key, globs in groups.items() if globs]
        self._named = re.compile("|".join(patterns) or r"(?!)")

    def judge(self, path: str) -> str | None:
        """Gives the reason why a file is not read, or None.

        Args:
            path: The path in its repository, with ``/`` between its parts.

        Returns:
            ``vendored``, ``lock_file``, ``certificate``, ``generated``, ``license_file``, or ``extension``; the first
            that holds.
        """
        *folders, name = path.split("/")
        if not self._vendored.isdisjoint(folders):
            return "vendored"
        if found := self._named.fullmatch(name):
            return found.lastgroup
        if not self._license_files and is_license_document(path):
            return "license_file"
        if name in self._names:
            return None
        stem, dot, extension = name.rpartition(".")
        return None if stem and dot and f".{extension}" in self._extensions else "extension"
