"""The recipe of the GitHub source: every threshold and choice, and why its default is what it is."""

from __future__ import annotations

from dataclasses import dataclass, field

from filters.code.licenses import ALLOWED
from filters.code.paths import CERTIFICATES, EXTENSIONS, GENERATED, LOCK_FILES, NAMES, VENDORED
from filters.code.quality import Thresholds
from pipeline.corpus.sink import RejectPolicy
from pipeline.recipe import at_least


@dataclass(frozen=True)
class PathsRecipe:
    """Which files of a repository are read; the others are counted, and their text is kept nowhere.

    Attributes:
        extensions: Extensions, with the dot, case as written: RedPajama's list. The paper gives none.
        names: File names that are kept whatever their extension.
        vendored: Names of folders with other people's code, which has its own repository and its own licence.
        generated: Globs of the names of files that tools write.
        lock_files: Globs of files that pin versions.
        certificates: Globs of keys and certificates.
        license_files: Whether licences and notices that are files of their own (``LICENSE.md``) are documents.
    """

    extensions: tuple[str, ...] = EXTENSIONS
    names: tuple[str, ...] = NAMES
    vendored: tuple[str, ...] = VENDORED
    generated: tuple[str, ...] = GENERATED
    lock_files: tuple[str, ...] = LOCK_FILES
    certificates: tuple[str, ...] = CERTIFICATES
    license_files: bool = False

    def __post_init__(self) -> None:
        if bad := [one for one in self.extensions if not one.startswith(".") or "." in one[1:]]:
            raise ValueError(f"extensions has {bad[0]!r}; write extensions with one dot, such as .py")


@dataclass(frozen=True)
class GitHubRecipe:
    """All of the source's choices.

    Attributes:
        licenses: SPDX identifiers of the licences that are allowed; all others are dropped, and what is unknown, too.
        max_file_kilobytes: A larger file is dropped. BigQuery holds the contents of files up to 1 MiB.
        normalize_newlines: Whether line ends become one newline each. The paper does not say; a model would learn
            carriage returns from it.
        strip_notices: Whether licence and copyright notices are taken out of the comments at the top of files (the
            paper: "boilerplate, such as headers, with regular expressions").
        shard_megabytes: Text of checked-out repositories that makes a shard; a larger repository is one by itself.
        paths: Which files are read.
        quality: The limits of the quality rules.
        tokenizer: A SentencePiece model, for the rule of letters to tokens; without one the rule is off.
        tokenizer_sha256: Its checksum, checked where given.
        optout: A list of removals: documents that it means are left out as they are read, and those with a listed text
            at the end; null for none. A path or address that every worker reaches (docs/optout.md).
    """

    licenses: tuple[str, ...] = ALLOWED
    max_file_kilobytes: int = 1024
    normalize_newlines: bool = True
    strip_notices: bool = True
    shard_megabytes: float = 32.0
    paths: PathsRecipe = PathsRecipe()
    quality: Thresholds = field(default_factory=Thresholds)
    tokenizer: str | None = None
    tokenizer_sha256: str | None = None
    rejects: RejectPolicy = field(default_factory=RejectPolicy)
    optout: str | None = None

    def __post_init__(self) -> None:
        if not self.licenses:
            raise ValueError("licenses must name at least one SPDX identifier, such as MIT")
        at_least(self, 1, "max_file_kilobytes")
        if self.shard_megabytes <= 0:
            raise ValueError(f"shard_megabytes must be above 0, it is {self.shard_megabytes}")
