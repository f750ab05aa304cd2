"""The recipe of an experiment: a baseline, arms that override keys of it, and how they are trained and judged."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.errors import RecipeError
from pipeline.mix.recipe import parse_tokens
from pipeline.recipe import RECIPES, at_least, from_mapping, read_settings, with_overrides

FOLDER = "ablate"  # of the recipes
BASELINE, CONTROL = "baseline", "control"
CORPORA, SHARDS = "corpora", "shards"  # what an experiment can end with
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ARM = re.compile(r"\s*(?P<name>[^:\s=]+)\s*:\s*(?P<overrides>\S.*)", re.S)
_BETWEEN = re.compile(r"\s+(?=[\w.<>-]+=)")


@dataclass(frozen=True)
class HeldoutRecipe:
    """The documents that all arms are judged on, and that none of them trains on.

    Attributes:
        sources: The sources that they are of; all of the baseline where empty.
        share: Of a source's documents, as the baseline keeps them, at the most: chosen by a hash of their ids.
        documents: Of a source, at the most.
        document_bytes: Of a longer document its beginning is judged, of about so many bytes.
        overlap: A held-out document is judged for no arm where the corpus of any arm has this share of its words in
            runs of 13 words or more: a near copy stayed in. 1.01 judges all.
        seed: Of the choice.
    """

    sources: tuple[str, ...] = ()
    share: float = 0.05
    documents: int = 500
    document_bytes: int = 16_384
    overlap: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        at_least(self, 2, "documents")
        at_least(self, 64, "document_bytes")
        at_least(self, 0, "overlap", "seed")
        if not 0 < self.share <= 0.5:
            raise ValueError(f"share must lie above 0 and be 0.5 at the most, it is {self.share}")


@dataclass(frozen=True)
class AblationRecipe:
    """All choices of an experiment.

    Attributes:
        baseline: A recipe of ``pipeline.build``: a name in recipes/corpus/, or a YAML file.
        set: Overrides of it for all arms, the baseline among them, as ``key=value``.
        arms: By name, what each overrides, as ``key=value``: ``SOURCE.key`` of a source's own recipe, ``mixture.key``,
            ``tokenizer.key``, ``train.key``, ``SOURCE=null``, any key of the build's recipe, or ``damage=0.5``, which
            shuffles the words of half of the documents.
        control: Whether the baseline is trained once more with another seed of its data: the negative control.
        tokens: That each arm trains on: 100M, or ``auto`` for as many as the epoch limits of all arms allow.
        model: That is trained: a name in recipes/train/, or a YAML file; the baseline's where None.
        train: Overrides of it for all arms, as ``section.key=value``.
        seeds: Runs of each arm. The first weights, the draw of the mixture and the order of its rows change with it.
        points: At how many places of the training, the end among them, the held-out documents are judged.
        confidence: Of all intervals together.
        heldout: What arms are judged on.
        tasks: On which runs are judged, too, as they train and at the end: names of lm-evaluation-harness, ``.yaml``
            files in its format, rows of the papers' tables (``llama1:boolq``). Needs ``.[evaluation]``.
        task_data: A folder with the tasks' data sets; where None, the Hugging Face hub.
        task_limit: Documents of each task; where None, all.
        samples: Documents of each kind, and source, that the page shows of what only one of two arms has.
    """

    baseline: str = "sample"
    set: tuple[str, ...] = ()
    arms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    control: bool = True
    tokens: str = "auto"
    model: str | None = None
    train: tuple[str, ...] = ()
    seeds: int = 3
    points: int = 4
    confidence: float = 0.95
    heldout: HeldoutRecipe = HeldoutRecipe()
    tasks: tuple[str, ...] = ()
    task_data: str | None = None
    task_limit: int | None = 1000
    samples: int = 3

    def __post_init__(self) -> None:
        at_least(self, 1, "seeds", "points")
        at_least(self, 0, "samples")
        if not 0.5 <= self.confidence < 1:
            raise ValueError(f"confidence must be 0.5 or more, and below 1, it is {self.confidence}")
        for name, overrides in self.arms.items():
            if not _NAME.fullmatch(name):
                raise ValueError(f"arms: {name!r} is no name: up to 64 letters, digits, point, line and underline")
            if name in (BASELINE, CONTROL):
                raise ValueError(f"arms: {name} is the name of an arm that is always there; take another one")
            if not overrides:
                raise ValueError(f"arms.{name} overrides nothing: give it key=value, such as c4.dedup.lines=false")
        if not self.arms and not self.control:
            raise ValueError("there is nothing to compare: give arms, or leave control on")
        parse_tokens(self.tokens)


def load_ablation(
    name_or_path: str | None, overrides: Sequence[str], arms: Sequence[str], flags: Mapping[str, Any]
) -> AblationRecipe:
    """Reads an experiment.

    Args:
        name_or_path: A name in ``recipes/ablate/``, the path of a YAML file, or None for the defaults.
        overrides: ``key.path=value`` strings.
        arms: Further arms, as ``NAME: KEY=VALUE KEY=VALUE``.
        flags: Values of keys, which win; None where a flag is not given.

    Raises:
        RecipeError: There is no such experiment, or a key or value is wrong.
    """
    settings = with_overrides(read_settings(name_or_path, FOLDER) if name_or_path else {}, overrides)
    settings |= {key: value for key, value in flags.items() if value is not None}
    if arms:
        given, further = settings.get("arms") or {}, parse_arms(arms)
        if isinstance(given, Mapping) and (twice := [name for name in further if name in given]):
            raise RecipeError(
                f"--arm {twice[0]}: {name_or_path or '--set arms'} has an arm of this name: take another one"
            )
        settings["arms"] = {**given, **further} if isinstance(given, Mapping) else given
    tokens = settings.get("tokens")
    if isinstance(tokens, int | float) and not isinstance(tokens, bool):  # a number in YAML
        settings["tokens"] = f"{tokens:.0f}"
    return from_mapping(AblationRecipe, settings, name_or_path or "the experiment")


def parse_arms(arms: Sequence[str]) -> dict[str, list[str]]:
    """Arms of a command line, by name.

    Raises:
        RecipeError: One is not of the form, or stands twice.
    """
    found: dict[str, list[str]] = {}
    for arm in arms:
        match = _ARM.fullmatch(arm)
        if match is None:
            raise RecipeError(
                f"--arm {arm!r} must be a name, a colon, and what it overrides: --arm 'no_dedup: "
                "commoncrawl.dedup.enabled=false'"
            )
        if match["name"] in found:
            raise RecipeError(f"--arm {match['name']} stands twice: give all that an arm overrides at once")
        found[match["name"]] = _BETWEEN.split(match["overrides"].strip())
    return found


def built_in() -> list[str]:
    """The names of the experiments that come with the program."""
    return sorted(path.stem for path in (RECIPES / FOLDER).glob("*.yaml"))
