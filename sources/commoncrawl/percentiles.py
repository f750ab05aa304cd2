"""Cut-offs by percentiles of a scope's own pages: CCNet's rule, and what holds where there are few pages.

CCNet took the 30th and the 60th percentile of the perplexities of each language (``cc_net/perplexity.py``). They
are exact here: every perplexity has one decimal, so a count of the distinct values holds all of them in little memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from filters.commoncrawl.buckets import LARGEST_COUNTED
from pipeline.survey import Settled
from sources.commoncrawl.recipe import PerplexityRecipe

OF_PAGES, OF_RECIPE, NONE = "percentiles", "few_pages_cutoffs", "none"
Counts = Mapping[str, Counter[float]]  # language -> perplexity -> pages


def count_perplexities(shards: Iterable[pa.Table]) -> dict[str, Counter[float]]:
    """Counts a scope's pages by language and perplexity.

    Args:
        shards: Tables with the columns ``language`` and ``perplexity``; pages without one do not count.
    """
    import pyarrow.compute as pc  # noqa: PLC0415 - not where nothing is to do

    counts: dict[str, Counter[float]] = {}
    for table in shards:
        capped = pc.min_element_wise(table["perplexity"], LARGEST_COUNTED, skip_nulls=False)
        pairs = pa.table({"language": table["language"], "perplexity": capped}).filter(pc.is_valid(capped))
        grouped = pairs.group_by(["language", "perplexity"]).aggregate([([], "count_all")])
        for row in grouped.to_pylist():
            counts.setdefault(row["language"], Counter())[row["perplexity"]] += row["count_all"]
    return counts


def settle_cutoffs(counts: Counts, recipe: PerplexityRecipe) -> dict[str, Any]:
    """Finds the cut-offs of each language that has pages.

    Args:
        counts: The scope's pages, from ``count_perplexities``.
        recipe: Says the percentiles, and what holds with few pages.

    Returns:
        ``cutoffs``: language -> ``pages``, ``from`` (``percentiles``, ``few_pages_cutoffs`` or ``none``) and
        ``cutoffs`` (head below, middle below; None for ``none``).
    """
    return {"cutoffs": {language: _settle(language, counts[language], recipe) for language in sorted(counts)}}


def _settle(language: str, counts: Counter[float], recipe: PerplexityRecipe) -> dict[str, Any]:
    pages = counts.total()
    if pages >= recipe.percentile_pages:
        from filters.commoncrawl.perplexity import cutoffs_of  # noqa: PLC0415 - not where nothing is to do

        cutoffs = cutoffs_of(list(counts), list(counts.values()), recipe.percentiles)
        return {"pages": pages, "from": OF_PAGES, "cutoffs": list(cutoffs)}
    fixed = recipe.few_pages.get(language)
    return {"pages": pages, "from": OF_RECIPE if fixed else NONE, "cutoffs": list(fixed) if fixed else None}


def settled_cutoffs(settled: Settled) -> dict[str, tuple[float, float]]:
    """The cut-offs, by language, that hold in a settled scope."""
    found = settled["cutoffs"].items()
    return {language: tuple(entry["cutoffs"]) for language, entry in found if entry["cutoffs"]}


def cutoff_notes(surveys: Mapping[str, Settled], recipe: PerplexityRecipe) -> list[str]:
    """Says which cut-offs held, a sentence for each kind of scope and language.

    Args:
        surveys: What was found, by scope; empty where the cut-offs are a table.
        recipe: The recipe of the run.
    """
    kinds: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for survey in surveys.values():
        for language, entry in survey["cutoffs"].items():
            kinds.setdefault((language, entry["from"]), []).append(entry)
    return [_note(language, origin, entries, recipe) for (language, origin), entries in sorted(kinds.items())]


def _note(language: str, origin: str, entries: Sequence[Mapping[str, Any]], recipe: PerplexityRecipe) -> str:
    pages = sum(entry["pages"] for entry in entries)
    scopes = f" of {len(entries):,} scopes" if len(entries) > 1 else ""
    found = f"Perplexity cut-offs for {language}"
    what = "1 page is" if pages == 1 else f"{pages:,} pages{scopes} are"
    few = f"{what} fewer than perplexity.percentile_pages ({recipe.percentile_pages:,} a scope)"
    if origin == NONE:
        return f"{found}: none, since {few} and perplexity.few_pages_cutoffs has no {language}; they have bucket all."
    head, middle = (_span([entry["cutoffs"][place] for entry in entries]) for place in (0, 1))
    if origin == OF_RECIPE:
        return f"{found}: head below {head}, middle below {middle}, from perplexity.few_pages_cutoffs, since {few}."
    shares = " and ".join(f"{percent:g}" for percent in recipe.percentiles)
    return f"{found}: head below {head}, middle below {middle}, percentiles {shares} of {pages:,} pages{scopes}."


def _span(values: Sequence[float]) -> str:
    return f"{min(values):,}" if min(values) == max(values) else f"{min(values):,} to {max(values):,}"
