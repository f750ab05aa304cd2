r"""The files of a paper: which is the main one, where a name given to \input leads, and each file's clean text.

Paths come from archives and are never trusted: they are keys to look up, nothing is opened.
"""

import json
import posixpath
import re
from collections.abc import Mapping

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

_CLASS = re.compile(rb"\\document(?:class|style)\s*[\[{]")
_BODY = re.compile(rb"\\begin\s*\{document\}")
_INPUTS = re.compile(
    rb"\\(?:input|include|subfile|subfileinclude|@input|includestandalone)\s*(?:\[[^\[\]]{0,200}\]\s*)?\{?\s*\"?([^\s{}\\%\"]{1,200})"
)
_SUBFILE = re.compile(rb"\\documentclass\s*(?:\[[^\[\]]{0,500}\]\s*)?\{(?:subfiles|standalone)\}")
_PLAIN_END = re.compile(rb"\\(?:bye|end|enddocument|magnification)(?![A-Za-z{])")
_COMMAND = re.compile(rb"\\[A-Za-z]{2,}")
# Names by which authors tell the paper from what else they submit.
_LIKELY = re.compile(r"(?:^|[-_. ])(?:ms|main|paper|article|manuscript|arxiv|root)(?:$|[-_. ])", re.IGNORECASE)
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

    def __init__(self, files: Mapping[str, bytes], main: str) -> None:
        self.raw = {normal_path(path): data for path, data in files.items()}
        self.main = normal_path(main)
        self.encoding = ""
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
                self.encoding = encoding
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

    def style(self, name: str) -> str | None:
        """The path of a package's style file among the paper's files; None the second time."""
        for base in (posixpath.dirname(self.main), ""):
            path = normal_path(posixpath.join(base, name + ".sty"))
            if name and path in self.raw and path not in self._styles:
                self._styles.add(path)
                return path
        return None


def find_main(files: Mapping[str, bytes]) -> tuple[str, str]:
    r"""The main file and the rule that chose it, ("", reason) where no file is TeX.

    The rules, in order: the one file of the submission; the ``toplevelfile`` of arXiv's 00README; files with a
    \documentclass or \documentstyle that no other file inputs; failing these, plain TeX. Among several candidates:
    one with \begin{document}, with a TeX suffix, without an unlikely name (supplement, template, reply), with a .bbl of
    its name, with a likely name (ms, main, paper), nearest to the top, largest with what it inputs, first by name.
    """
    usable = {path: data for path, data in files.items() if data.strip() and not is_binary(data)}
    named = _named_by_readme(files)
    if named:
        return named, "readme"
    tex = {path: data for path, data in usable.items() if not path.lower().endswith(OTHER_SUFFIXES)}
    tex = {path: data for path, data in tex.items() if not _README.match(path) and not _is_foreign(data)}
    classed = [path for path, data in tex.items() if uncommented(_CLASS, data)]
    bodied = [path for path, data in tex.items() if path not in classed and uncommented(_BODY, data)] if classed else []
    candidates = classed + bodied
    candidates = [path for path in candidates if not _SUBFILE.search(tex[path])] or candidates
    rule = "documentclass"
    if not candidates:
        rule = "plain"
        candidates = [p for p, d in tex.items() if uncommented(_PLAIN_END, d) or uncommented(_BODY, d)]
        candidates = candidates or [path for path, data in tex.items() if _is_tex(path, data)]
    if not candidates:
        return "", _reason(files, usable)
    included = {name for path in candidates for name in _included(path, tex)}
    roots = [path for path in candidates if normal_path(path) not in included] or candidates
    return (
        (roots[0], rule)
        if len(roots) == 1
        else (max(roots, key=lambda p: _rank(p, tex, files)), f"{rule}, best of several")
    )


def _rank(path: str, tex: Mapping[str, bytes], files: Mapping[str, bytes]) -> tuple[object, ...]:
    stem = posixpath.splitext(posixpath.basename(path))[0]
    bibliography = posixpath.splitext(path)[0] + ".bbl" in files
    inputs = _included(path, tex)
    size = len(tex[path]) + sum(len(data) for other, data in tex.items() if normal_path(other) in inputs)
    return (
        bool(uncommented(_BODY, tex[path])),
        path.lower().endswith(TEX_SUFFIXES),
        not _UNLIKELY.search(stem),
        bibliography,
        bool(_LIKELY.search(stem)),
        -path.count("/"),
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


def _named_by_readme(files: Mapping[str, bytes]) -> str:
    for path, data in sorted(files.items()):
        if not _README.match(path):
            continue
        text = data.decode("utf-8", "replace")
        names = (
            _from_json(text) if path.lower().endswith(".json") else re.findall(r"(?m)^\s*(\S+)\s+toplevelfile\b", text)
        )
        known = {normal_path(other): other for other in files}
        for name in names:
            found = known.get(normal_path(name)) or known.get(
                normal_path(posixpath.join(posixpath.dirname(path), name))
            )
            if found and not is_binary(files[found]):
                return found
    return ""


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
