"""The models of a run: which languages are scored, settled or refused before it begins; and how models were trained."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.corpus.shard import read_json
from pipeline.errors import OutputError, RecipeError, name_a_few
from pipeline.storage.filesystem import is_remote, is_web, local_model, model_exists
from sources.commoncrawl.recipe import CommonCrawlRecipe, PerplexityRecipe
from sources.commoncrawl.steps import IdentifyLanguage, perplexity_addresses

TRAIN = "python -m filters.perplexity train"


def settle_languages(recipe: CommonCrawlRecipe) -> CommonCrawlRecipe:
    """Names in a recipe the languages whose pages are scored: ``perplexity.languages``.

    Args:
        recipe: The recipe as the user gave it.

    Raises:
        RecipeError: A language is unknown to the language model, or all of its pages would be dropped.
        ModelError: The language model cannot be used.
    """
    identify = IdentifyLanguage(recipe.language)
    identify.load()
    perplexity = recipe.perplexity
    if not perplexity.enabled:
        return recipe
    scored = _scored(perplexity, identify.languages, named="all" not in recipe.language.keep)
    if "all" not in perplexity.keep:
        _refuse_to_drop_all(perplexity, identify.languages, scored)
    return dataclasses.replace(recipe, perplexity=dataclasses.replace(perplexity, languages=tuple(scored)))


def unscored(recipe: CommonCrawlRecipe) -> str:
    """Says which pages are not scored; empty where all are."""
    scored, kept = recipe.perplexity.languages, recipe.language.keep
    if scored is None or not recipe.perplexity.enabled:
        return ""
    if not scored:
        at = f"{recipe.perplexity.sentencepiece} and {recipe.perplexity.lm}"
        return f"No language kept has a perplexity model at {at}: no page is scored, all have bucket all."
    others = "every other language" if "all" in kept else ", ".join(sorted(set(kept) - set(scored)))
    return f"Perplexity is scored for {', '.join(scored)}; pages in {others} have bucket all." if others else ""


def _scored(recipe: PerplexityRecipe, kept: Sequence[str], *, named: bool) -> list[str]:
    """The languages kept that have models.

    What lies at a web address is not known before it is fetched: a language that the user named is taken to be there.
    """
    if recipe.languages is not None:
        strangers = sorted(set(recipe.languages) - set(kept))
        if strangers:
            raise RecipeError(f"perplexity.languages names {', '.join(strangers)}, which language.keep does not keep")
        return sorted(set(recipe.languages))
    if len(kept) > 1 and not any("{language}" in address for address in (recipe.sentencepiece, recipe.lm)):
        raise RecipeError(
            "perplexity.sentencepiece and perplexity.lm name the models of one language, and language.keep keeps more: "
            "write {language} in their place, or name the language in perplexity.languages, for example [en]"
        )
    return [language for language in kept if _has_models(recipe, language, named)]


def _has_models(recipe: PerplexityRecipe, language: str, named: bool) -> bool:
    addresses = perplexity_addresses(recipe, language)
    if any(map(is_web, addresses)) and not named and language not in _table(recipe):
        return False
    return all(is_web(address) or model_exists(address) for address in addresses)


def _table(recipe: PerplexityRecipe) -> Mapping[str, tuple[float, float]]:
    return recipe.few_pages if isinstance(recipe.cutoffs, str) else recipe.cutoffs


def _refuse_to_drop_all(recipe: PerplexityRecipe, kept: Sequence[str], scored: Sequence[str]) -> None:
    """Refuses to keep languages whose pages all have bucket ``all`` where that bucket is not kept."""
    mute = [language for language in kept if language not in scored]
    if mute and recipe.languages is not None:
        raise RecipeError(
            f"perplexity.languages does not name {name_a_few(mute)}, which language.keep keeps, so all such pages "
            "would be dropped: name it there, or set perplexity.keep=[head,middle,all], or all"
        )
    if mute:
        addresses = " and ".join(perplexity_addresses(recipe, mute[0]))
        raise RecipeError(
            f"there is no perplexity model for {name_a_few(mute)} ({addresses}), so all such pages would be dropped: "
            f"train one ({TRAIN}), or set perplexity.keep=[head,middle,all], or all"
        )
    uncut = [] if isinstance(recipe.cutoffs, str) else sorted(set(kept) - set(recipe.cutoffs))
    if uncut:
        raise RecipeError(
            f"perplexity.cutoffs has no entry for {name_a_few(uncut)}, so all such pages would be dropped: add one "
            "(python -m filters.perplexity calibrate), or set perplexity.cutoffs=percentiles, or perplexity.keep=all"
        )


def training_records(addresses: Iterable[str]) -> dict[str, Any]:
    """How models on this machine were trained: the records that the commands which train them leave beside.

    Args:
        addresses: Of all models of a run.

    Returns:
        The name of each record that is there, such as ``reference.json`` or ``en.lm.json``, with what it holds.
    """
    found = {}
    for address in addresses:
        if is_remote(address):
            continue
        path = Path(local_model(address))
        stem = path.name.partition(".")[0]
        for record in (path.with_name(f"{stem}.json"), path.with_name(f"{stem}.lm.json")):
            with contextlib.suppress(OSError, OutputError):  # no record, or something else of that name
                found[record.name] = read_json(str(record))
    return found
