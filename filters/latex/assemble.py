r"""The files of a paper: which is the main one, where a name given to \input leads, and each file's clean text.

Paths come from archives and are never trusted: they are keys to look up, nothing is opened.
"""

import json
import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from filters.latex.classes import BODY, CLASS
from filters.latex.decode import declared_encoding, decode, is_binary, uncommented
from filters.latex.tokens import Masker, declared_verbatim

TEX_SUFFIXES = (".tex", ".ltx", ".latex", ".lagda", ".lhs")
_INPUT_SUFFIXES = (".tex", "", ".ltx", ".latex", ".lagda", ".lhs", ".bbl", ".sty")
# Never a main file: data, pictures, styles. Files of other names and of none are looked into.
OTHER_SUFFIXES = (
    ".sty", ".cls", ".clo", ".bst", ".bib", ".bbl", ".cfg", ".def", ".fd", ".ins", ".dtx", ".eps", ".ps",
    ".pdf", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".log", ".aux", ".out", ".toc", ".md", ".rst", ".py", ".m",
    ".c", ".h", ".csv", ".json", ".html", ".htm", ".xml", ".tikz", ".pstex_t", ".pdf_tex", ".eepic", ".dat", ".mf",
    ".mp", ".ist", ".gz", ".zip",
)  # fmt: skip
_README = re.compile(r"\A(?:.*/)?00readme\.(?:xxx|txt|json)\Z", re.IGNORECASE)

_INPUTS = re.compile(
    rb"\\(?:input|include|subfile|subfileinclude|@input|includestandalone)\s*(?:\[[^\[\]]{0,200}\]\s*)?\{?\s*\"?([^\s{}\\%\"]{1,200})"
)
_SUBFILE = re.compile(rb"\\documentclass\s*(?:\[[^\[\]]{0,500}\]\s*)?\{(?:subfiles|standalone)\}")
_PLAIN_END = re.compile(rb"\\(?:bye|end|enddocument|magnification)(?![A-Za-z{])")
_COMMAND = re.compile(rb"\\[A-Za-z]{2,}")
# Names by which authors tell the paper from what else they submit.
_LIKELY = re.compile(r"(?:^|[-_. ])(?:ms|main|paper|article|manuscript|arxiv|root)(?:$|[-_. ])", re.IGNORECASE)
# A version at a name's end: paper_v2, paper-rev1, paper_20200131, paper_final.
_VERSION = re.compile(
    r"[-_. ]*(?:v|ver|version|rev|revision|r)[-_. ]?(?P<number>\d{1,8})\Z|[-_. ](?P<bare>\d{1,8})\Z"
    r"|[-_. ](?:final|revised|revision|new)\Z",
    re.IGNORECASE,
)
_LATEST = 10**8
# What is no document of the paper's, though it is a whole one.
_BESIDE = re.compile(
    r"template|sample|example|cover|letter|response|rebuttal|reply|test|old|backup|draft|diff|slides|talk|figure|macros"
    r"|copyright|poster|readme",
    re.IGNORECASE,
)
_UNLIKELY = re.compile(
    r"supp|append|template|sample|example|cover|letter|response|rebuttal|reply|test|old|backup|draft|diff|slides|talk|figure"
    r"|macros|\bsi\b",
    re.IGNORECASE,
)


def normal_path(path: str) -> str:
    """A member's path as a key: forward slashes, no ``.``, no leading ``/`` or ``..``."""
    parts = posixpath.normpath(path.replace("\\", "/")).split("/")
    return "/".join(part for part in parts if part not in ("", ".", ".."))


class Files:
    """A paper's files by normal path; texts are decoded and cleaned once, when asked for.

    Attributes:
        raw: path to bytes.
        main: path of the main file.
        encoding: encoding of the main file, once read.
        read: paths of the files read, in order.
        masker: holds the verbatim pieces of all of them.
    """

    def __init__(self, files: Mapping[str, bytes], main: str, recoded: Mapping[str, str] | None = None) -> None:
        self.raw = {normal_path(path): data for path, data in files.items()}
        self.main = normal_path(main)
        self.encoding = ""
        self._recoded = {normal_path(path): encoding for path, encoding in (recoded or {}).items()}
        self.read: list[str] = []
        self._declared = declared_encoding(self.raw.get(self.main, b""))
        sources = [
            data
            for path, data in self.raw.items()
            if path == self.main or path.lower().endswith((*TEX_SUFFIXES, ".sty"))
        ]
        literate = self.main.lower().endswith((".lagda", ".lhs")) or any(p.endswith(".lagda") for p in self.raw)
        self.verbatim = declared_verbatim(sources, literate)
        self.masker = Masker(self.verbatim)
        self._texts: dict[str, str] = {}
        self._lower = {path.lower(): path for path in sorted(self.raw, reverse=True)}
        self._repeats = 0
        self._styles: set[str] = set()

    def text(self, path: str) -> str:
        """A file's text, without comments and with its verbatim pieces masked; "" for a binary one."""
        if path not in self._texts:
            data = self.raw[path]
            declared = declared_encoding(data) or self._declared
            text, encoding = ("", "binary") if is_binary(data) else decode(data, declared)
            if path == self.main:
                self.encoding = self._recoded.get(path, encoding)
            self.read.append(path)
            self._texts[path] = self.masker.clean(text)
        return self._texts[path]

    def again(self, path: str) -> str | None:
        """A file's text to be read in place; None where files read again have become larger than all together."""
        seen = path in self._texts
        text = self.text(path)
        if seen:
            self._repeats += len(text)
        return None if self._repeats > sum(len(data) for data in self.raw.values()) + 1_000_000 else text

    def resolve(self, name: str, directory: str, current: str) -> str | None:
        r"""The path that a name given to ``\input`` leads to, as TeX finds it; None where the paper has no such file.

        Looked for in ``directory`` (of ``\import``), beside the main file, beside ``current`` and at the top; then
        without regard to case; then by the bare name, if one file has it.
        """
        bases = (directory, posixpath.dirname(self.main), posixpath.dirname(current), "")
        for base in dict.fromkeys(bases):
            for suffix in _INPUT_SUFFIXES:
                path = normal_path(posixpath.join(base, name + suffix))
                path = path if path in self.raw else self._lower.get(path.lower(), "")
                if path:
                    return path
        if name.endswith(".tex"):  # made from a literate source when the paper is typeset
            for suffix in (".lagda", ".lhs"):
                literate = self._lower.get(normal_path(name[:-4] + suffix).lower())
                if literate:
                    return literate
        bare = posixpath.basename(name).lower()
        found = [path for low, path in self._lower.items() if posixpath.basename(low) in (bare, bare + ".tex")]
        return found[0] if len(found) == 1 and bare else None

    def style(self, name: str, directory: str = "") -> str | None:
        """The path of a style file, or of a file that one loads, among the paper's files; None the second time."""
        for base in dict.fromkeys((directory, posixpath.dirname(self.main), "")):
            for suffix in ("", ".tex"):
                path = normal_path(posixpath.join(base, name + suffix))
                if name and path in self.raw and path not in self._styles:
                    self._styles.add(path)
                    return path
        return None


class Main(NamedTuple):
    """The main file and the rule that chose it; "" and a reason where no file is TeX. ``others``: other documents."""

    path: str
    rule: str
    others: tuple[str, ...] = ()


def find_main(files: Mapping[str, bytes]) -> Main:
    r"""The main file of a submission, and other whole documents in it, such as a supplement, the likeliest first.

    The rules, in order: the one file of the submission; the ``toplevelfile`` of arXiv's 00README; files with a
    \documentclass or \documentstyle that no other file inputs; failing these, plain TeX. Among several candidates:
    one with \begin{document}, with a TeX suffix, without an unlikely name (supplement, template, reply), with a .bbl of
    its name, with a likely name (ms, main, paper), nearest to the top, of the highest version (paper_v2 before
    paper_v1), largest with what it inputs, first by name. Earlier versions, templates, letters and the like are no
    other documents.
    """
    usable = {path: data for path, data in files.items() if data.strip() and not is_binary(data)}
    named = _named_by_readme(files)
    if named:
        return Main(named[0], "readme", tuple(named[1:]))
    tex = {path: data for path, data in usable.items() if not path.lower().endswith(OTHER_SUFFIXES)}
    tex = {path: data for path, data in tex.items() if not _README.match(path) and not _is_foreign(data)}
    classed = [path for path, data in tex.items() if uncommented(CLASS, data)]
    bodied = [path for path, data in tex.items() if path not in classed and uncommented(BODY, data)] if classed else []
    candidates = classed + bodied
    candidates = [path for path in candidates if not _SUBFILE.search(tex[path])] or candidates
    rule = "documentclass"
    if not candidates:
        rule = "plain"
        candidates = [p for p, d in tex.items() if uncommented(_PLAIN_END, d) or uncommented(BODY, d)]
        candidates = candidates or [path for path, data in tex.items() if _is_tex(path, data)]
    if not candidates:
        return Main("", _reason(files, usable))
    included = {name for path in candidates for name in _included(path, tex)}
    roots = [path for path in candidates if normal_path(path) not in included] or candidates
    if len(roots) == 1:
        return Main(roots[0], rule)
    ranked = sorted(roots, key=lambda path: _rank(path, tex, files), reverse=True)
    return Main(ranked[0], f"{rule}, best of several", tuple(_documents(ranked, tex)))


def _documents(ranked: list[str], tex: Mapping[str, bytes]) -> Iterable[str]:
    """Those behind the first that are whole documents, no other version of one, and no letter or template."""
    seen = {_version(ranked[0])[0]}
    for path in ranked[1:]:
        base = _version(path)[0]
        whole = uncommented(CLASS, tex[path]) and uncommented(BODY, tex[path])
        if whole and base not in seen and not _BESIDE.search(_stem(path)):
            yield path
        seen.add(base)


def _stem(path: str) -> str:
    return posixpath.splitext(posixpath.basename(path))[0]


def _version(path: str) -> tuple[str, int]:
    """A name without its version, and the version: (paper, 2) for paper_v2, (paper, 0) for paper."""
    stem, folder = _stem(path), posixpath.dirname(path)
    match = _VERSION.search(stem)
    if match is None or not match.start():
        return posixpath.join(folder, stem.lower()), 0
    digits = match["number"] or match["bare"]
    number = int(digits) if digits else _LATEST
    return posixpath.join(folder, stem[: match.start()].lower()), number


def _rank(path: str, tex: Mapping[str, bytes], files: Mapping[str, bytes]) -> tuple[object, ...]:
    stem = _stem(path)
    bibliography = posixpath.splitext(path)[0] + ".bbl" in files
    inputs = _included(path, tex)
    size = len(tex[path]) + sum(len(data) for other, data in tex.items() if normal_path(other) in inputs)
    return (
        bool(uncommented(BODY, tex[path])),
        path.lower().endswith(TEX_SUFFIXES),
        not _UNLIKELY.search(stem),
        bibliography,
        bool(_LIKELY.search(posixpath.basename(_version(path)[0]))),
        -path.count("/"),
        _version(path)[1],
        size,
        [-ord(char) for char in path],
    )


def _included(path: str, tex: Mapping[str, bytes]) -> set[str]:
    """Normal paths of the files that a file names in its inputs (one level, names as given or with .tex)."""
    base = posixpath.dirname(normal_path(path))
    known = {normal_path(other) for other in tex}
    names: set[str] = set()
    for match in _INPUTS.finditer(tex[path]):
        name = match[1].decode("latin-1")
        for where in {normal_path(posixpath.join(base, name)), normal_path(name)}:
            names |= {where, where + ".tex"} & known
    return names - {normal_path(path)}


def _is_tex(path: str, data: bytes) -> bool:
    commands = len(_COMMAND.findall(data, 0, 200_000))
    return commands >= (1 if path.lower().endswith(TEX_SUFFIXES) else 10) and not looks_like_html(data)


def _named_by_readme(files: Mapping[str, bytes]) -> list[str]:
    known = {normal_path(other): other for other in files}
    for path, data in sorted(files.items()):
        if not _README.match(path):
            continue
        text = data.decode("utf-8", "replace")
        names = (
            _from_json(text) if path.lower().endswith(".json") else re.findall(r"(?m)^\s*(\S+)\s+toplevelfile\b", text)
        )
        beside = [posixpath.join(posixpath.dirname(path), name) for name in names]
        found = [
            known.get(normal_path(name)) or known.get(normal_path(other))
            for name, other in zip(names, beside, strict=True)
        ]
        usable = [name for name in dict.fromkeys(found) if name and not is_binary(files[name])]
        if usable:
            return usable
    return []


def _from_json(text: str) -> list[str]:
    """Names that arXiv's 00README.json marks as toplevel (``sources``: a list of ``filename`` and ``usage``)."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return []
    sources = data.get("sources") if isinstance(data, dict) else None
    entries = [entry for entry in sources if isinstance(entry, dict)] if isinstance(sources, list) else []
    return [str(entry.get("filename")) for entry in entries if entry.get("usage") == "toplevel"]


def looks_like_html(data: bytes) -> bool:
    """Whether a file is an HTML page."""
    return data[:1000].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype html", b"<html"))


def _is_foreign(data: bytes) -> bool:
    """Whether a file is a page, a picture, or one that its author asks not to be processed (arXiv's %auto-ignore)."""
    return looks_like_html(data) or data.lstrip()[:12].lower().startswith((b"%auto-ignore", b"%!ps", b"%pdf"))


def _reason(files: Mapping[str, bytes], usable: Mapping[str, bytes]) -> str:
    """Why there is no main file: "empty", "withdrawn", "pdf", "postscript", "html", "binary" or "no_tex"."""
    contents = [data for data in files.values() if data.strip()]
    if not contents:
        return "empty"
    heads = [data.lstrip()[:20] for data in contents]
    if any(head.startswith(b"%auto-ignore") for head in heads):
        return "withdrawn"
    if any(looks_like_html(data) for data in usable.values()):
        return "html"
    if any(head.startswith(b"%!PS") for head in heads):
        return "postscript"
    if any(head.startswith(b"%PDF") for head in heads):
        return "pdf"
    return "no_tex" if usable else "binary"
