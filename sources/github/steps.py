"""The steps of the GitHub source: licence, path, notices, quality."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from filters.code.header import strip_notices
from filters.code.header.syntax import syntax_of
from filters.code.licenses import LicenseGate
from filters.code.paths import extension_of
from filters.code.quality import judge, judge_tokens, letters, measure
from pipeline.corpus.document import Document
from pipeline.errors import ModelError
from pipeline.steps import EachDocument
from pipeline.storage.filesystem import local_model
from sources.github.raw_file import path_rules
from sources.github.recipe import GitHubRecipe, PathsRecipe
from tokenizer.encode import Encoder
from tokenizer.errors import TokenizerError

OTHER_IN_FILE = "other_in_file"  # the repository's licence is allowed, but another one governs the file


class CheckLicense(EachDocument):
    """The licence gate: drops files whose licence is not allowed or known, be it their repository's or their own."""

    name = "license"
    keys = "licenses"

    def __init__(self, allowed: Sequence[str]) -> None:
        self._allowed = allowed

    @cached_property
    def _gate(self) -> LicenseGate:
        return LicenseGate(self._allowed)

    def judge(self, document: Document) -> str | None:
        """Judges the licence of a document."""
        reason = self._gate.judge(document.license).reason
        if reason and document.meta["license_in"]:
            document.text = (
                ""  # it was read for what it says of its licence; like all of other licences it is kept nowhere
            )
            return OTHER_IN_FILE
        return reason


class CheckPath(EachDocument):
    """Drops files by their paths."""

    name = "path"
    keys = "paths.*"

    def __init__(self, recipe: PathsRecipe) -> None:
        self._rules = path_rules(recipe)

    def judge(self, document: Document) -> str | None:
        """Judges its path."""
        return self._rules.judge(document.meta["path"])


class StripNotices:
    """Takes licence and copyright notices out of the comments at the top of files."""

    name = "header"

    def load(self) -> None:
        """Nothing to load."""

    def apply(self, documents: Sequence[Document]) -> list[str | None]:
        """Edits each document."""
        for document in documents:
            stripped = strip_notices(document.text, syntax_of(extension_of(document.meta["path"])))
            document.text = stripped.text
            document.meta["notice_characters"] = stripped.removed
        return [None] * len(documents)


class CheckQuality(EachDocument):
    """Drops files by the lengths of their lines and by what they are made of, as it is after the notices went."""

    name = "quality"

    def __init__(self, recipe: GitHubRecipe) -> None:
        self._recipe = recipe

    @cached_property
    def _tokenizer(self) -> Encoder:
        return load_tokenizer(self._recipe)

    def judge(self, document: Document) -> str | None:
        """Measures and judges a document."""
        measures = measure(document.text)
        document.meta.update(
            lines=measures.lines,
            longest_line=measures.longest_line,
            mean_line=measures.mean_line,
            alphanumeric=measures.alphanumeric,
        )
        reason = judge(measures, self._recipe.quality)
        if reason or self._recipe.tokenizer is None:
            return reason
        letter_count, token_count = letters(document.text), len(self._tokenizer.encode(document.text))
        document.meta["letters_per_token"] = letter_count / token_count if token_count else 0.0
        return judge_tokens(letter_count, token_count, self._recipe.quality)


def load_tokenizer(recipe: GitHubRecipe) -> Encoder:
    """Loads the recipe's SentencePiece model.

    Raises:
        ModelError: It is missing, or no such model.
    """
    assert recipe.tokenizer is not None
    try:
        return Encoder(local_model(recipe.tokenizer, recipe.tokenizer_sha256))
    except TokenizerError as error:
        raise ModelError(f"the tokenizer cannot be used: {error}") from error
