"""The recipe of a build: where the raw data of each source lie, how it is made, the models, the mixture.

A recipe may say ``base: llama1``: then its keys are laid over those of that recipe, mapping by mapping; ``null`` takes
a source out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.errors import RecipeError
from pipeline.recipe import RECIPES, at_least, from_mapping, read_settings, with_overrides

FOLDER = "corpus"  # of the recipes
DEFAULT = "sample"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MOST_BASES = 8


@dataclass(frozen=True)
class SourceBuild:
    """How a source is made.

    Attributes:
        raw: Where its raw data lie: ``publisher`` and that publisher's own keys (docs/build.md has them). With
            ``files`` and ``whole: true`` the ``input`` is taken as it is; else it is cut to units of which a budget
            takes some.
        module: The command; ``sources.<name>`` where None.
        recipe: Its recipe, a name or a YAML file; its own default where None.
        set: Overrides of that, as ``key.path=value``.
        arguments: Further words of its command line.
        together: A regular expression, by which files of the user's own (publisher ``files``) that are made together
            are one unit: those in whose paths its group is the same, such as a month of arXiv. Each is one where None.
        each_stratum: Whether one unit of each stratum, such as a language, is taken whatever the budget.
        share: The key of the source's recipe by which it takes a share of what it reads, drawn by a hash, such as
            StackExchange's ``questions``: all raw data are read whatever the budget, which sets the share; None where
            a budget takes some of the units.
        input_flag: The flag that takes its raw data.
        file_megabytes: The size of a raw file, in 10^6 bytes, where neither its publisher nor files that came tell it;
            that of ``recipes/plan/facts.yaml`` where None.
        grows: Whether later units join what is made, each batch in scopes of its own. Else it is deduplicated as a
            whole, and made anew from more.
    """

    raw: Mapping[str, Any]
    module: str | None = None
    recipe: str | None = None
    set: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    together: str | None = None
    each_stratum: bool = False
    share: str | None = None
    input_flag: str = "--input"
    file_megabytes: float | None = None
    grows: bool = False

    def __post_init__(self) -> None:
        if self.together is not None:
            try:
                groups = re.compile(self.together).groups
            except re.error as error:
                raise ValueError(f"together is no regular expression: {error}") from error
            if groups != 1:
                raise ValueError(f"together must have one group, it has {groups}")
        if self.share is not None and self.grows:
            raise ValueError("share and grows do not go together: another share is made anew, of all raw data")
        if "publisher" not in self.raw:
            raise ValueError("raw must say its publisher, such as raw: {publisher: files, input: [data/*.gz]}")


@dataclass(frozen=True)
class PerplexityBuild:
    """The models that CommonCrawl's pages are scored with.

    Attributes:
        train: Whether they are trained here, on the articles of ``language`` that the Wikipedia source wrote; else
            those of CommonCrawl's own recipe are used.
        language: The language.
        arguments: Further words for ``python -m filters.perplexity train``.
        calibrate: Whether the cut-offs are CCNet's percentiles of a unit of the crawl that the corpus does not have;
            else each scope's own.
    """

    train: bool = False
    language: str = "en"
    arguments: tuple[str, ...] = ()
    calibrate: bool = True


@dataclass(frozen=True)
class ReferenceBuild:
    """The classifier of pages that Wikipedia cites.

    Attributes:
        train: Whether it is trained here, from the URLs that the Wikipedia source found and the crawl's own pages.
        arguments: Further words for ``python -m sources.commoncrawl.train_reference``.
        optional: Whether CommonCrawl is made without it where the slice has too few such pages to train it.
    """

    train: bool = False
    arguments: tuple[str, ...] = ()
    optional: bool = True


@dataclass(frozen=True)
class TokenizerBuild:
    """The tokenizer.

    Attributes:
        model: A SentencePiece model to use; where None, one is trained on the first slice and kept.
        arguments: Further words for ``python -m tokenizer.train``.
    """

    model: str | None = None
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class MixtureBuild:
    """The mixture.

    Attributes:
        proportions: Its recipe, a name in recipes/mix/ or a YAML file.
        set: Overrides of that, as ``key.path=value``.
    """

    proportions: str = "llama1"
    set: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrainBuild:
    """The model that trains on the shards.

    Attributes:
        model: A name in recipes/train/; None for none.
        arguments: Further words for ``python -m trainer_bridge.train``.
    """

    model: str | None = None
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class BuildRecipe:
    """All choices of a build.

    Attributes:
        tokens: The budget where ``--tokens`` gives none: 1B, or ``auto`` for all that the raw data and the mixture's
            epoch limits allow.
        seed: Draws the slices. Every larger slice of one seed holds the smaller ones.
        margin: How much more is made of a source than the mixture needs of it, as estimated: 0.05 is a twentieth.
        batch_gigabytes: Raw data that are made at a time, at the most, of sources that grow; twice as much lies on the
            disk while the next comes.
        min_free_gigabytes: The build stops before the disk has less than this left.
        sources: By name, in the order in which they are made.
        perplexity: CommonCrawl's language models.
        reference: Its classifier.
        tokenizer: The tokenizer.
        mixture: The mixture.
        train: A model to train on the shards.
        optout: A list of removals (docs/optout.md): every source leaves out what it names, and what is made already
            loses it; null for none. It may grow: nothing else is made anew for it.
    """

    tokens: str = "auto"
    seed: int = 0
    margin: float = 0.05
    batch_gigabytes: float = 100.0
    min_free_gigabytes: float = 1.0
    sources: Mapping[str, SourceBuild] = field(default_factory=dict)
    perplexity: PerplexityBuild = PerplexityBuild()
    reference: ReferenceBuild = ReferenceBuild()
    tokenizer: TokenizerBuild = TokenizerBuild()
    mixture: MixtureBuild = MixtureBuild()
    train: TrainBuild = TrainBuild()
    optout: str | None = None

    def __post_init__(self) -> None:
        if not self.sources:
            raise ValueError("sources must name at least one source")
        for name in self.sources:
            if not _NAME.fullmatch(name):
                raise ValueError(f"sources: {name!r} is no name: letters, digits, point, line and underline")
        at_least(self, 0, "seed", "margin", "min_free_gigabytes")
        trained = [key for key in ("perplexity", "reference") if getattr(self, key).train]
        for key in trained:
            lacking = [name for name in ("wikipedia", "commoncrawl") if name not in self.sources]
            if lacking:
                raise ValueError(f"{key}.train needs the sources wikipedia and commoncrawl; {lacking[0]} is not there")


def load_build(name_or_path: str, overrides: Sequence[str] = (), without: Sequence[str] = ()) -> BuildRecipe:
    """Reads a recipe of a build.

    Args:
        name_or_path: A name in ``recipes/corpus/`` or the path of a YAML file.
        overrides: ``key.path=value`` strings.
        without: Sources to take out.

    Raises:
        RecipeError: There is no such recipe, or a key or value is wrong.
    """
    settings = with_overrides(_with_base(name_or_path), overrides)
    given = settings.get("sources") or {}
    if not isinstance(given, Mapping):
        raise RecipeError(f"{name_or_path}: sources must be a mapping of names, it is {given!r}")
    sources = {name: value for name, value in given.items() if value is not None}
    if unknown := [name for name in without if name not in sources]:
        raise RecipeError(f"--without {unknown[0]}: the recipe has no such source, but {', '.join(sources)}")
    settings["sources"] = {name: value for name, value in sources.items() if name not in without}
    tokens = settings.get("tokens")
    if isinstance(tokens, int | float) and not isinstance(tokens, bool):  # a number in YAML
        settings["tokens"] = f"{tokens:.0f}"
    return from_mapping(BuildRecipe, settings, name_or_path)


def built_in() -> list[str]:
    """The names of the recipes that come with the program."""
    return sorted(path.stem for path in (RECIPES / FOLDER).glob("*.yaml"))


def _with_base(name_or_path: str) -> dict[str, Any]:
    layers: list[dict[str, Any]] = []
    following: str | None = name_or_path
    while following is not None:
        if len(layers) == _MOST_BASES:
            raise RecipeError(f"the recipe {name_or_path} has more than {_MOST_BASES} bases, or is its own")
        settings = read_settings(following, FOLDER)
        base = settings.pop("base", None)
        if base is not None and not isinstance(base, str):
            raise RecipeError(f"{following}: base must be a name or a .yaml, it is {base!r}")
        layers.append(settings)
        beside = Path(following).parent / base if base is not None and base.endswith((".yaml", ".yml")) else None
        following = str(beside) if beside is not None and beside.exists() else base
    result: dict[str, Any] = {}
    for settings in reversed(layers):
        result = _laid_over(result, settings)
    return result


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings are joined key by key, but for ``raw``: another publisher has other keys."""
    result = dict(below)
    for key, value in above.items():
        before = result.get(key)
        if (
            not isinstance(value, dict)
            or not isinstance(before, dict)
            or (key == "raw" and value.get("publisher", before.get("publisher")) != before.get("publisher"))
        ):
            result[key] = value
        else:
            result[key] = _laid_over(before, value)
    return result
