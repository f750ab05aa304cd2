"""What is worth a plot in each source: a table of fields, with their titles, scales, and cut-offs.

A field that stands in no table is plotted by its type, so a new source has plots before anybody names them here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal


@dataclass(frozen=True)
class Field:
    """A column whose distribution is drawn.

    Attributes:
        column: The column: ``characters``, ``language``, or a field of the source's own as ``meta.<field>``.
        title: What the plot is called.
        unit: What its values are, under the axis.
        scale: ``log`` where values span orders of magnitude.
        bounds: Where the values are known to lie.
        cutoffs: The key of the recipe that holds the cut-off, or a list of them; ``{language}`` stands for the
            language, whose values cannot be compared with another's: each has a plot of its own.
        names: What the ranges are called that the cut-offs make, from the left.
        of: A column that this one is divided by; what is drawn is the rest, ``1 - column / of``.
        step: The step that judges by it, whose drops have a colour of their own.
        counted: What has the values: documents, or parts of them.
    """

    column: str
    title: str
    unit: str = ""
    scale: Literal["linear", "log"] = "linear"
    bounds: tuple[float, float] | None = None
    cutoffs: str = ""
    names: tuple[str, ...] = ()
    of: str = ""
    step: str = ""
    counted: str = "documents"


@dataclass(frozen=True)
class Extra:
    """A column of a Parquet file that a source writes beside its documents.

    Attributes:
        file: The file, in the source's folder.
        field: Its column, and how it is drawn.
    """

    file: str
    field: Field


LANGUAGE_KEY = "{language}"
LENGTH = Field("characters", "Length", "characters of text", "log", cutoffs="min_characters", step="length")
CREATED = Field("created", "Date of the record", "month")
LANGUAGE = Field("language", "Language", step="language")
LICENSE = Field("license", "Licence")
COMMON = (LENGTH, LANGUAGE, LICENSE, CREATED)

_SCORE = "Language score"
_SURE = "fastText's probability"

SPECIAL: Mapping[str, tuple[Field, ...]] = {
    "commoncrawl": (
        Field(
            "meta.perplexity",
            "Perplexity",
            "perplexity of the n-gram model",
            "log",
            cutoffs="perplexity.cutoffs.{language}",
            names=("head", "middle", "tail"),
            step="perplexity",
        ),
        Field("meta.language_score", _SCORE, _SURE, bounds=(0, 1), cutoffs="language.threshold", step="language"),
        Field(
            "meta.reference_score",
            "Likeness to pages that Wikipedia cites",
            "the classifier's probability",
            bounds=(0, 1),
            cutoffs="reference.threshold",
            step="reference",
        ),
        Field(
            "meta.kept_lines",
            "Share of lines that other pages have, too",
            "share of a page's lines",
            bounds=(0, 1),
            of="meta.original_lines",
            step="dedup",
        ),
    ),
    "c4": (
        Field("meta.sentences", "Sentences", "sentences"),
        Field(
            "meta.language_score",
            _SCORE,
            "the detector's probability",
            bounds=(0, 1),
            cutoffs="language.threshold",
            step="language",
        ),
        Field(
            "meta.kept_lines",
            "Share of lines removed",
            "share of a page's lines",
            bounds=(0, 1),
            of="meta.original_lines",
        ),
    ),
    "wikipedia": (
        Field("meta.wikitext_characters", "Length of the wikitext", "characters", "log"),
        Field(
            "characters",
            "Share of the wikitext that was markup",
            "share of characters",
            bounds=(0, 1),
            of="meta.wikitext_characters",
        ),
    ),
    "books": (
        Field("meta.language_score", _SCORE, _SURE, bounds=(0, 1), cutoffs="language.threshold", step="language"),
        Field("meta.header", "How the header ended"),
        Field("meta.trailer", "Whether the end was marked"),
        Field("meta.encoding", "Encoding"),
    ),
    "github": (
        Field("meta.programming_language", "Programming language"),
        LICENSE,
        Field(
            "meta.longest_line",
            "Longest line",
            "characters",
            "log",
            cutoffs="quality.max_line_characters",
            step="quality",
        ),
        Field(
            "meta.mean_line",
            "Mean line",
            "characters",
            "log",
            cutoffs="quality.max_mean_line_characters",
            step="quality",
        ),
        Field(
            "meta.alphanumeric",
            "Letters and digits",
            "share of characters",
            bounds=(0, 1),
            cutoffs="quality.min_alphanumeric_share",
            step="quality",
        ),
        Field(
            "meta.letters_per_token",
            "Letters to a token",
            "letters",
            cutoffs="quality.min_letters_per_token",
            step="quality",
        ),
        Field("meta.notice_characters", "Notices taken out", "characters", "log"),
        Field("meta.encoding", "Encoding"),
    ),
    "arxiv": (
        Field("meta.starts_at", "Where the text starts"),
        Field("meta.macros_expanded", "Uses of macros expanded", "uses", "log"),
        Field("meta.macros_defined", "Macros defined by the authors", "macros", "log"),
        Field("meta.files_read", "TeX files put together", "files"),
        Field("meta.encoding", "Encoding"),
        Field("meta.main_rule", "Why a file is taken for the main file"),
        Field("meta.macros_left", "Uses of macros left", "uses"),
    ),
    "stackexchange": (
        Field("meta.answer_scores", "Scores of answers", "votes", counted="answers"),
        Field("meta.score", "Scores of questions", "votes"),
        Field("meta.site", "Sites"),
    ),
    "instructions": (
        Field("meta.dataset", "Data sets"),
        Field("meta.tokens", "Length of conversations", "tokens", "log", cutoffs="split.max_tokens"),
        Field("meta.pieces", "Pieces of a conversation", "pieces"),
        Field("meta.margin", "Margins of pairs", "ranks"),
        Field("meta.language_score", _SCORE, _SURE, bounds=(0, 1), cutoffs="language.threshold", step="language"),
    ),
    "stackexchange_preferences": (
        Field("meta.margin", "Margins of pairs", "difference of scores"),
        Field("meta.answer_scores", "Scores of answers", "score", counted="answers"),
        Field("meta.answer_votes", "Votes of answers", "votes", counted="answers"),
        Field("meta.site", "Sites"),
    ),
}

EXTRAS: Mapping[str, tuple[Extra, ...]] = {
    "books": (
        Extra(
            "_duplicates/duplicates.parquet",
            Field(
                "overlap",
                "Overlap of the books removed with those that stay",
                "share of runs of words that both have",
                bounds=(0, 1),
                cutoffs="near_dedup.threshold",
            ),
        ),
    ),
}


@dataclass(frozen=True)
class Monthly:
    """Counters of steps that have a month (YYMM, as arXiv writes it) in their names.

    Attributes:
        read: Step, and beginning of the names, of the counters of what was read.
        kept: Those of what was kept.
    """

    read: tuple[str, str]
    kept: tuple[str, str]


MONTHLY: Mapping[str, Monthly] = {"arxiv": Monthly(("read", "members_"), ("length", "kept_"))}


@dataclass(frozen=True)
class Share:
    """A share that two counters of a step make.

    Attributes:
        title: What it is a share of.
        step: The step.
        part: The counter that is divided.
        whole: The counter that it is divided by.
    """

    title: str
    step: str
    part: str
    whole: str


SHARES: Mapping[str, Sequence[Share]] = {
    "wikipedia": (
        Share("template uses inside prose without a rule", "text", "prose_templates_without_rule", "prose_templates"),
    )
}

# Counters that are shown elsewhere: the bytes read, the records joined, and the months.
NO_COUNTER = ("text_bytes", "records", "joined", "members_", "kept_")

# Numbers and names that tell documents apart: a distribution of them says nothing.
NO_PLOT = frozenset(
    f"meta.{name}"
    for name in (
        *("repo", "ref", "blob", "member", "size", "lines", "normalized_url", "accepted"),
        *("yymm", "version", "main_file", "categories", "arxiv_id"),
        *("page_id", "revision_id", "ebook", "question_id", "title", "author", "path", "released", "duplicate_of"),
        *("original_lines", "original_characters", "kept_lines", "crawl_languages", "bucket", "subset", "line_numbers"),
    )
)


def fields_of(source: str) -> tuple[Field, ...]:
    """The fields that a source's table names, and those that all sources have."""
    special = SPECIAL.get(source, ())
    return (*special, *(field for field in COMMON if field not in special))


def list_fields(source: str) -> list[str]:
    """The fields of ``meta`` that hold lists and are drawn."""
    return [field.column.removeprefix("meta.") for field in SPECIAL.get(source, ()) if field.column.startswith("meta.")]


def by_language(field: Field, recipe: Mapping[str, Any]) -> dict[str, Field]:
    """For each language that has cut-offs of its own and is kept, the field with these.

    Args:
        field: A field, whose cut-offs may depend on the language.
        recipe: The source's recipe.

    Returns:
        Fields by language, empty where one language or none is judged.
    """
    above, _, rest = field.cutoffs.partition(LANGUAGE_KEY)
    value: Any = recipe
    for key in above.strip(".").split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    section = recipe.get("language")
    kept = section.get("keep") if isinstance(section, Mapping) else None
    if rest or not above or not isinstance(value, Mapping) or not isinstance(kept, (list, tuple)):
        return {}
    judged = [name for name in map(str, value) if name in kept or "all" in kept]
    if len(judged) < 2:
        return {}
    return {name: replace(field, title=f"{field.title}, {name}", cutoffs=f"{above}{name}") for name in judged}


def surveyed(recipe: Mapping[str, Any], surveys: Mapping[str, Any]) -> Mapping[str, Any]:
    """The recipe with the perplexity cut-offs that a survey found in place of ``percentiles``, where all scopes agree.

    Args:
        recipe: The source's recipe.
        surveys: What was found, by scope, from its manifest.
    """
    section = recipe.get("perplexity")
    if not surveys or not isinstance(section, Mapping) or section.get("cutoffs") != "percentiles":
        return recipe
    found: dict[str, list[Any]] = {}
    for survey in surveys.values():
        for language, entry in survey["cutoffs"].items():
            if entry["cutoffs"] not in found.setdefault(language, []):
                found[language].append(entry["cutoffs"])
    agreed = {language: pairs[0] for language, pairs in found.items() if len(pairs) == 1 and pairs[0]}
    return {**recipe, "perplexity": {**section, "cutoffs": agreed}}


def cutoffs(field: Field, recipe: Mapping[str, Any]) -> tuple[float, ...]:
    """The cut-offs of a field, from the recipe that a source was made by; none where the recipe has none.

    Args:
        field: The field.
        recipe: The source's recipe.
    """
    value: Any = recipe
    if LANGUAGE_KEY in field.cutoffs:
        kept = (recipe.get("language") or {}).get("keep") or []
        if len(kept) != 1:
            return ()
    for key in field.cutoffs.split(".") if field.cutoffs else ("",):
        name = key if key != LANGUAGE_KEY else str((recipe.get("language") or {}).get("keep", [""])[0])
        value = value.get(name) if isinstance(value, Mapping) else None
    values = value if isinstance(value, list) else [value]
    return tuple(float(v) for v in values if isinstance(v, (int, float)) and not isinstance(v, bool))
