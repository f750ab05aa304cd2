"""The arms of an experiment: the recipe of each, and which stages of a build it touches."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pipeline.ablate.keys import OPTOUT, changed, check_keys, makes_the_same, trainer_value
from pipeline.ablate.recipe import BASELINE, CONTROL, AblationRecipe
from pipeline.build.recipe import BuildRecipe, SourceBuild, TokenizerBuild, TrainBuild, load_build
from pipeline.build.stages import TOKENIZER, WORK, Stage, stages_of
from pipeline.errors import RecipeError
from pipeline.mix.recipe import MixRecipe, load_mixture

LIST = f"{WORK}/../../heldout/optout.tsv"  # from an arm's folder
ENCODE = "encode"
CONTROL_SEED = 1_000_000  # added to the seeds of the data: those of arms are below
_LENGTH = ("run.steps=", "run.epochs=", "run.tokens=")


@dataclass(frozen=True)
class Arm:
    """An arm.

    Attributes:
        name: Its name.
        overrides: What it overrides.
        recipe: Of its build.
        damage: The share of documents whose words are shuffled; None where nothing is damaged.
        data_seed: The seed of its data in the first run; each further run has the next one.
        touched: Stages that are made for it; all others are the baseline's.
        shares_data: Whether even its token shards are the baseline's.
        trains_alike: Whether it trains the baseline's model in its way, on tokens of its tokenizer: its scores should
            vary as much by seed.
    """

    name: str
    overrides: tuple[str, ...]
    recipe: BuildRecipe
    damage: float | None = None
    data_seed: int = 0
    touched: tuple[str, ...] = ()
    shares_data: bool = False
    trains_alike: bool = True
    stages: tuple[Stage, ...] = field(default=(), compare=False, repr=False)

    @property
    def sources(self) -> list[str]:
        """The sources that are made for it."""
        return [stage.name for stage in self.stages if stage.is_source and stage.name in self.touched]

    @property
    def mixture(self) -> MixRecipe:
        """The recipe of its mixture."""
        return load_mixture(self.recipe.mixture.proportions, self.recipe.mixture.set)

    @property
    def mixture_stage(self) -> Stage:
        """The stage that makes its shards."""
        return next(stage for stage in self.stages if stage.name == "mixture")


def arms_of(experiment: AblationRecipe, tokens: str, *, check: bool = True) -> list[Arm]:
    """The arms of an experiment: the baseline first, then the control, then the others.

    Args:
        experiment: The experiment.
        tokens: The budget, as ``pipeline.build --tokens`` takes it.
        check: Whether the commands of sources and trainer are asked for their keys.

    Raises:
        RecipeError: A key or value is wrong; nothing is made before.
    """
    base = _baseline(experiment)
    names = judged_sources(experiment, base)
    if check:
        check_keys(_prepared(base), None, BASELINE)
    first = _arm(BASELINE, (), _prepared(base), None, tokens)
    arms = [replace(first, touched=tuple(stage.name for stage in _until_encode(first.stages)))]
    if experiment.control:
        arms.append(replace(first, name=CONTROL, data_seed=CONTROL_SEED))
    for name, overrides in experiment.arms.items():
        where = f"arm {name}"
        made = changed(base, overrides, where)
        if made.damage is not None and len(overrides) > 1:
            raise RecipeError(f"{where}: damage stands alone: it is the baseline, damaged")
        if own_lists(made.recipe) != [path for path in own_lists(base) if path in own_lists(made.recipe)]:
            raise RecipeError(
                f"{where}: an arm has no list of removals of its own; give it to all, as set: [optout=LIST]"
            )
        if check:
            check_keys(_prepared(made.recipe), _prepared(base), where)
            if made.damage is None and makes_the_same(made.recipe, base):
                raise RecipeError(
                    f"{where}: it is the baseline once more, with {', '.join(overrides)}: leave it out; the control is "
                    "the baseline with another seed of its data"
                )
        arms.append(_compared(_arm(name, overrides, _prepared(made.recipe), made.damage, tokens), arms[0]))
    if lacking := [name for name in names if name not in base.sources]:
        raise RecipeError(f"heldout.sources: the baseline has no source {lacking[0]}, but {', '.join(base.sources)}")
    _same_length(arms)
    return arms


def plain_recipe(experiment: AblationRecipe) -> BuildRecipe:
    """The recipe of the baseline before anything is held out."""
    base = _baseline(experiment)
    return replace(base, mixture=replace(base.mixture, set=(*base.mixture.set, "heldout_tokens=0")))


def own_lists(recipe: BuildRecipe) -> list[str]:
    """The lists of removals that a recipe has: those of the build and of its sources."""
    given = [
        word.partition("=")[2] for source in recipe.sources.values() for word in source.set if word[:7] == "optout="
    ]
    return list(dict.fromkeys([*([recipe.optout] if recipe.optout else []), *given]))


def judged_sources(experiment: AblationRecipe, base: BuildRecipe) -> list[str]:
    """The sources whose documents arms are judged on."""
    return list(experiment.heldout.sources or base.sources)


def _baseline(experiment: AblationRecipe) -> BuildRecipe:
    """The baseline's recipe, as a user would write it, with what holds for all arms."""
    base = load_build(experiment.baseline)
    made = changed(base, experiment.set, "set")
    if made.damage is not None:
        raise RecipeError("set: damage is for arms alone")
    model = experiment.model or made.recipe.train.model
    if model is None:
        raise RecipeError(f"the recipe {experiment.baseline} trains no model: give one, as --model tiny")
    words = _without_length(made.recipe.train.arguments)
    return replace(made.recipe, train=TrainBuild(model, (*words, *experiment.train)))


def _without_length(words: Sequence[str]) -> list[str]:
    """The words of a training without its length: that is the experiment's."""
    kept, skips = list[str](), False
    for word in words:
        if skips or word.startswith(("--steps=", *_LENGTH)):
            skips = False
        elif word == "--steps":
            skips = True
        else:
            kept.append(word)
    return kept


def _prepared(recipe: BuildRecipe) -> BuildRecipe:
    """A recipe whose sources keep the held-out documents out, and whose mixture sets no others aside."""

    def without(source: SourceBuild) -> SourceBuild:
        return replace(source, set=(*source.set, f"{OPTOUT}={LIST}"))

    mixture = replace(recipe.mixture, set=(*recipe.mixture.set, "heldout_tokens=0"))
    sources = {name: without(source) for name, source in recipe.sources.items()}
    return replace(recipe, sources=sources, mixture=mixture, optout=None)  # whose removals the list has, too


def _arm(name: str, overrides: Sequence[str], recipe: BuildRecipe, damage: float | None, tokens: str) -> Arm:
    return Arm(name, tuple(overrides), recipe, damage, stages=tuple(stages_of(recipe, tokens)))


def _compared(arm: Arm, base: Arm) -> Arm:
    """An arm with what it touches; the baseline's tokenizer stays where the arm says nothing of it."""
    own = arm.recipe.tokenizer != base.recipe.tokenizer
    if not own and base.recipe.tokenizer.model is None:
        recipe = replace(arm.recipe, tokenizer=TokenizerBuild(model=TOKENIZER))
        stages = stages_of(recipe, arm.mixture_stage.keys["tokens"])
        arm = replace(arm, recipe=recipe, stages=tuple(stages))
    before = {stage.name: stage.keys for stage in base.stages}
    touched: list[str] = []
    for stage in _until_encode(arm.stages):
        follows = any(name in touched for name in stage.follows)
        is_other = stage.name != ENCODE and stage.keys != before.get(stage.name)
        is_own = stage.name == "tokenizer" and own  # it stays the baseline's otherwise: see above
        if is_other or is_own or follows:
            touched.append(stage.name)
    left_out = set(base.recipe.sources) != set(arm.recipe.sources)
    is_same = not touched and not left_out and arm.damage is None and arm.mixture == base.mixture
    if not is_same and ENCODE not in touched:
        touched.append(ENCODE)
    trains_alike = not own and (arm.recipe.train, arm.mixture.seq_len) == (base.recipe.train, base.mixture.seq_len)
    return replace(arm, touched=tuple(touched), shares_data=is_same, trains_alike=trains_alike)


def _until_encode(stages: Sequence[Stage]) -> Iterator[Stage]:
    for stage in stages:
        yield stage
        if stage.name == ENCODE:
            return


@dataclass(frozen=True)
class Length:
    """How long each arm trains.

    Attributes:
        tokens: Of each arm.
        steps: By arm.
    """

    tokens: int
    steps: Mapping[str, int]

    def save_every(self, arm: str, points: int) -> int:
        """Steps between two places at which the held-out documents are judged."""
        return max(1, math.ceil(self.steps[arm] / points))

    def places(self, arm: str, points: int) -> list[int]:
        """The steps at which they are, the last one among them."""
        return [*range(self.save_every(arm, points), self.steps[arm], self.save_every(arm, points)), self.steps[arm]]


def batch_tokens(arm: Arm) -> int:
    """Tokens that a step of an arm trains on: whole rows, as the trainer has it."""
    assert arm.recipe.train.model is not None
    given = trainer_value(arm.recipe.train, "run.batch_sequences")
    if given == "null":
        rows = int(trainer_value(arm.recipe.train, "run.batch_tokens")) // arm.mixture.seq_len
    else:
        rows = int(given)
    return max(1, rows) * arm.mixture.seq_len


def model_shape(arm: Arm) -> int:
    """The weights of an arm's model, without its embeddings, which cost no products: 12 for each layer and dim^2."""
    dim, layers = (int(trainer_value(arm.recipe.train, f"model.{key}")) for key in ("dim", "layers"))
    return 12 * layers * dim * dim


def length_of(arms: Sequence[Arm], tokens: int) -> Length:
    """The length of all runs: the largest number of tokens, up to a given one, that is whole steps of every arm.

    Raises:
        RecipeError: There is none.
    """
    batches = {arm.name: batch_tokens(arm) for arm in arms}
    unit = math.lcm(*batches.values())
    whole = tokens // unit * unit
    if not whole:
        steps = ", ".join(f"{name} {batch:,}" for name, batch in batches.items() if batch != batches[arms[0].name])
        each = (
            f", which is whole steps of all arms ({arms[0].name} {batches[arms[0].name]:,}, {steps})" if steps else ""
        )
        raise RecipeError(
            f"{tokens:,} tokens are less than a step of {unit:,}{each}: give more --tokens, or a smaller batch with "
            "--set 'train=[run.batch_tokens=1024]'"
        )
    return Length(whole, {name: whole // batch for name, batch in batches.items()})


def _same_length(arms: Sequence[Arm]) -> None:
    """Refuses arms that say how long they train: all train on the same number of tokens."""
    for arm in arms:
        for word in arm.recipe.train.arguments:
            if word.startswith(("--steps", *_LENGTH)):
                raise RecipeError(f"arm {arm.name}: {word}: all arms train on the same number of tokens; see --tokens")
