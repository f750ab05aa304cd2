"""A file of a repository as the readers find it, and the document that it becomes."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote

import pyarrow as pa
import xxhash

from filters.code.header.syntax import syntax_of
from filters.code.licenses import LicenseGate
from filters.code.licenses.notices import OwnLicense
from filters.code.paths import PathRules, extension_of, programming_language
from filters.code.text import decode_source, with_newlines
from pipeline.corpus.document import Document, Refused
from sources.github.recipe import GitHubRecipe, PathsRecipe
from sources.github.repository import Nearer

META = pa.struct(
    {
        "repo": pa.string(),
        "repository_license": pa.string(),  # where ``license`` is another, or found nearer to the file
        "license_in": pa.string(),  # where that was found: a file below the root, "SPDX line", or "notice"
        "path": pa.string(),
        "programming_language": pa.string(),
        "ref": pa.string(),  # a commit, or a branch where that is all that is known
        "blob": pa.string(),  # git's id of the contents, where the dump has it
        "size": pa.int64(),  # bytes of the file
        "encoding": pa.string(),
        "notice_characters": pa.int32(),  # taken out of the file's top
        "lines": pa.int32(),
        "longest_line": pa.int32(),
        "mean_line": pa.float32(),
        "alphanumeric": pa.float32(),
        "letters_per_token": pa.float32(),
    }
)
_OWNER_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class RawFile:
    """A file before anything is decided about it.

    Attributes:
        repo: Its repository, ``owner/name`` where the owner is known.
        path: Its path there.
        content: Its bytes, or the text that a dump has made of them; None where they were not read, because the licence
            or the path drops it.
        license: What is declared for its repository.
        nearer: What is declared for it in particular, beside what it says itself.
        file: The raw file, for its origin.
        offset: Its place there.
        size: Its bytes, where known.
        ref: The commit, or the branch.
        blob: Git's id of its contents.
        hosted: Whether ``repo`` is known to be its name on GitHub.
    """

    repo: str
    path: str
    content: str | bytes | None
    license: str | None
    file: str
    offset: int
    size: int | None = None
    ref: str | None = None
    blob: str | None = None
    hosted: bool = False
    nearer: Nearer | None = None


class FileReader:
    """Makes documents of raw files, by a recipe: text only of those whose licence and path are allowed.

    Args:
        recipe: The source's choices.
        avoid: The absolute path of a folder that is in no repository, wherever it lies: that of the output.
    """

    def __init__(self, recipe: GitHubRecipe, avoid: str | None = None) -> None:
        self.recipe = recipe
        self.avoid = avoid
        self.max_bytes = recipe.max_file_kilobytes << 10

    @cached_property
    def gate(self) -> LicenseGate:
        """The licence gate."""
        return LicenseGate(self.recipe.licenses)

    @cached_property
    def own(self) -> OwnLicense:
        """Reads what files say of their licences."""
        return OwnLicense()

    @cached_property
    def paths(self) -> PathRules:
        """The rules about paths."""
        return path_rules(self.recipe.paths)

    def wants(self, license: str | None, path: str, nearer: Nearer | None = None) -> bool:
        """Whether a file's contents are of any use: what it says itself may decide against what is declared nearby."""
        if self.gate.judge(license).reason is not None or self.paths.judge(path) is not None:
            return False
        return nearer is None or nearer.closest or self.gate.judge(nearer.license).reason is None

    def document(self, raw: RawFile, counters: Counter[str]) -> Document | Refused:
        """The document of a raw file; one without contents is dropped by a later step."""
        text, encoding = None, None
        if raw.content is not None and self.wants(raw.license, raw.path, raw.nearer):
            size = len(raw.content) if raw.size is None else raw.size
            if max(size, len(raw.content)) > self.max_bytes:
                return _refused(raw, "too_large", f"it has {size:,} bytes, over {self.max_bytes:,}")
            text, encoding, reason = _decoded(raw.content)
            if reason:
                return _refused(raw, reason, f"its contents are {reason}")
            counters["text_bytes"] += size
            counters[f"encoding_{encoding}"] += 1
            text = with_newlines(text) if self.recipe.normalize_newlines else text
        return self._document(raw, text, encoding)

    def _license(self, raw: RawFile, text: str | None) -> tuple[str | None, str | None]:
        """What licence governs a file, and where that was found; None where it is its repository's."""
        if self.gate.judge(raw.license).reason is not None:
            return raw.license, None
        own = self.own.read(text, syntax_of(extension_of(raw.path))) if text else None
        if own is None or raw.nearer is None:
            found = own or raw.nearer
            return (found[0], found[1]) if found else (raw.license, None)
        if raw.nearer.closest:
            return own
        return self.gate.all_of([own[0], raw.nearer.license]), f"{own[1]}, {raw.nearer.place}"

    def _document(self, raw: RawFile, text: str | None, encoding: str | None) -> Document:
        license, place = self._license(raw, text)
        version = "" if text is None else f"@{xxhash.xxh3_64_hexdigest(text.encode('utf-8', 'surrogatepass'))}"
        meta = {
            "repo": raw.repo,
            "repository_license": self.gate.judge(raw.license).expression if place else None,
            "license_in": place,
            "path": raw.path,
            "programming_language": programming_language(raw.path),
            "ref": raw.ref,
            "blob": raw.blob,
            "size": raw.size,
            "encoding": encoding,
        }
        return Document(
            id=f"{raw.repo}/{raw.path}{version}",
            text=text or "",
            source="github",
            file=raw.file,
            offset=raw.offset,
            url=file_url(raw) if raw.hosted else None,
            license=self.gate.judge(license).expression,
            meta=meta,
        )


def path_rules(recipe: PathsRecipe) -> PathRules:
    """The rules about paths that a recipe asks for."""
    return PathRules(
        recipe.extensions,
        recipe.names,
        vendored=recipe.vendored,
        generated=recipe.generated,
        lock_files=recipe.lock_files,
        certificates=recipe.certificates,
        license_files=recipe.license_files,
    )


def file_url(raw: RawFile) -> str | None:
    """The address of a file on GitHub, where its commit or branch is known."""
    if raw.ref is None or not _OWNER_NAME.fullmatch(raw.repo):
        return None
    ref, path = (quote(part, safe="/", errors="surrogatepass") for part in (raw.ref, raw.path))
    return f"https://github.com/{raw.repo}/blob/{ref}/{path}"


def is_commit(text: str) -> bool:
    """Whether a text is the id of a git object."""
    return bool(_COMMIT.fullmatch(text))


def _decoded(content: str | bytes) -> tuple[str, str | None, str | None]:
    if isinstance(content, bytes):
        return decode_source(content)
    return (content.removeprefix("\ufeff"), "utf-8", None) if "\0" not in content else ("", None, "binary")


def _refused(raw: RawFile, reason: str, message: str) -> Refused:
    return Refused(reason, f"{raw.repo}/{raw.path}: {message}", raw.file, raw.offset, failed=reason == "undecodable")
