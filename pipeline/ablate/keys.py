"""What an override of an arm means: a key of a source's own recipe, of the mixture, the tokenizer, the trainer, or the
build. Wrong ones are refused before anything is made: each recipe is asked by the command that reads it."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import io
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from pipeline.build.process import own_environment
from pipeline.build.recipe import BuildRecipe, MixtureBuild, SourceBuild, TokenizerBuild, TrainBuild
from pipeline.build.stages import WORK
from pipeline.errors import RecipeError
from pipeline.mix.recipe import MixRecipe, load_mixture
from pipeline.recipe import as_mapping, from_mapping, with_overrides
from pipeline.recipe_keys import NAME, recipe_keys
from pipeline.settings import parse_flag
from tokenizer.errors import TokenizerError
from tokenizer.run import TrainingRun
from tokenizer.train import parser as tokenizer_parser
from tokenizer.train_run import asked

DAMAGE = "damage"
OPTOUT = "optout"  # the key of every source that keeps listed documents out
TRAINER = "trainer_bridge.recipe"  # lists what trainer_bridge.train would take, without torch
_SETTLED = {  # by the experiment, so that an override of them would say nothing
    "train.run.seed": "each run has a seed of its own: see seeds",
    "train.data.seed": "each run has a seed of its own: see seeds",
    "train.run.save_every": "checkpoints are written where held-out documents are judged: see points",
    "train.run.keep": "all checkpoints that are judged are kept: see points",
    "mixture.heldout_tokens": "documents are held out before the mixture: see heldout.share",
}
_OWN_FLAGS = {"--help", "-h", "--corpus", "--output", "--proportions", "--renormalise", "--quiet"}  # not the user's


@dataclass(frozen=True)
class Changed:
    """What overrides made of a recipe.

    Attributes:
        recipe: The build's.
        damage: The share of documents whose words are shuffled; None where nothing is damaged.
    """

    recipe: BuildRecipe
    damage: float | None = None


def changed(baseline: BuildRecipe, overrides: Sequence[str], where: str) -> Changed:
    """Lays overrides over a build's recipe.

    Args:
        baseline: The recipe.
        overrides: ``key=value`` strings.
        where: Whose they are, for messages.

    Raises:
        RecipeError: There is no such key, or its value is wrong; keys of sources and of the trainer are not asked yet.
    """
    settings, damage = as_mapping(baseline), None
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key.strip():
            raise RecipeError(f"{where}: {override!r} must look like key=value")
        if is_damage(override):
            damage = _share(text, where)
        elif key.strip() in _SETTLED:
            raise RecipeError(f"{where}: {key.strip()}: {_SETTLED[key.strip()]}")
        else:
            _lay(settings, key.strip(), text, f"{where}: {key.strip()}")
    settings["sources"] = {name: value for name, value in settings["sources"].items() if value is not None}
    recipe = from_mapping(BuildRecipe, settings, where)
    if recipe.tokenizer != baseline.tokenizer:
        _tokenizer_run(recipe.tokenizer, where)
    try:
        load_mixture(recipe.mixture.proportions, recipe.mixture.set)
    except RecipeError as error:
        raise RecipeError(f"{where}: {error}") from error
    return Changed(recipe, damage)


def is_damage(override: str) -> bool:
    """Whether an override damages the baseline."""
    return override.partition("=")[0].strip() == DAMAGE


def _share(text: str, where: str) -> float:
    value = parse_flag(text, f"{where}: {DAMAGE}")
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise RecipeError(f"{where}: {DAMAGE} must be a share of the documents, above 0 to 1, it is {text}")
    return float(value)


def _lay(settings: dict[str, Any], key: str, text: str, where: str) -> None:
    head, _, rest = key.partition(".")
    own: dict[str, Any] = {"mixture": MixtureBuild, "tokenizer": TokenizerBuild, "train": TrainBuild}
    if head in settings["sources"]:
        if not rest:
            if parse_flag(text, where) is not None:
                raise RecipeError(f"{where} is a source: {head}=null leaves it out, {head}.KEY=VALUE changes a key")
            settings["sources"][head] = None
        else:
            settings["sources"][head]["set"].append(f"{rest}={text}")
    elif head in own and rest.partition(".")[0] not in {field.name for field in dataclasses.fields(own[head])}:
        _lay_below(settings, head, rest, text, where)
    elif head in {field.name for field in dataclasses.fields(BuildRecipe)}:
        try:
            with_overrides(settings, [f"{key}={text}"])
        except RecipeError as error:
            told = str(error).removeprefix(f"--set {f'{key}={text}'!r}: ")
            source = key.removeprefix("mixture.proportions.")
            share = f". Did you mean mixture.sources.{source}.share?" if source != key else ""
            raise RecipeError(f"{where}: {told}{share}") from error
    else:
        close = difflib.get_close_matches(key, _known(settings), 1, 0.5)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise RecipeError(
            f"{where}: there is no such key.{hint} A key begins with a source ({', '.join(settings['sources'])}), "
            f"mixture, tokenizer, train, or is one of the build's, or {DAMAGE}."
        )


def _lay_below(settings: dict[str, Any], head: str, rest: str, text: str, where: str) -> None:
    """Lays a key of the mixture's, the tokenizer's or the trainer's own over what the build gives it."""
    if head == "mixture":
        known = [key.path for key in recipe_keys(MixRecipe, load_mixture("llama1"))]
        _check_key(rest, known, head, where)
        settings[head]["set"].append(f"{rest}={text}")
    elif head == "train":
        settings[head]["arguments"].append(f"{rest}={text}")
    else:
        flags = {flag: action for action in tokenizer_parser()._actions for flag in action.option_strings}
        flag = f"--{rest.replace('_', '-')}"
        known = [name[2:].replace("-", "_") for name in flags if name not in _OWN_FLAGS and name[:2] == "--"]
        _check_key(flag[2:].replace("-", "_"), known, head, where)
        settings[head]["arguments"] = _with_flag(settings[head]["arguments"], flag, flags[flag].nargs == 0, text, where)


def _with_flag(words: Sequence[str], flag: str, is_switch: bool, text: str, where: str) -> list[str]:
    """The words of a command line with a flag anew."""
    kept, skips = list[str](), False
    for word in words:
        if word == flag:
            skips = not is_switch
        elif skips:
            skips = False
        elif not word.startswith(f"{flag}="):
            kept.append(word)
    if not is_switch:
        return [*kept, flag, text.strip()]
    value = parse_flag(text, where)
    if not isinstance(value, bool):
        raise RecipeError(f"{where} must be true or false, it is {text}")
    return [*kept, flag] if value else kept


def _tokenizer_run(tokenizer: TokenizerBuild, where: str) -> TrainingRun:
    """What the tokenizer's command makes of its words.

    Raises:
        RecipeError: It does not take them.
    """
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return asked(tokenizer_parser().parse_args(tokenizer.arguments))
    except TokenizerError as error:
        raise RecipeError(f"{where}: tokenizer: {error}") from error
    except SystemExit as error:
        told = said.getvalue().strip().splitlines()[-1].partition("error: ")[2]
        raise RecipeError(f"{where}: tokenizer: {told}") from error


def _check_key(key: str, known: Sequence[str], head: str, where: str) -> None:
    if key in known or any(_matches(key, one) for one in known):
        return
    close = difflib.get_close_matches(key, known, 1)
    hint = f" Did you mean {head}.{close[0]}?" if close else ""
    raise RecipeError(f"{where}: there is no such key.{hint} Known: {', '.join(known)}.")


def _matches(key: str, known: str) -> bool:
    """Whether a key is one of those of a mapping, such as ``sources.c4.share``."""
    parts, pattern = key.split("."), known.split(".")
    fits = len(parts) == len(pattern) and all(b in (a, NAME) for a, b in zip(parts, pattern, strict=True))
    return fits or (NAME in pattern and parts == pattern[: pattern.index(NAME)])


def _known(settings: Mapping[str, Any]) -> list[str]:
    """Keys that a wrong one may have meant; those of sources are asked where one of them is named."""
    sources = [
        f"{name}.{key}"
        for name, source in settings["sources"].items()
        if source is not None
        for key in _listed(source["module"] or f"sources.{name}", _recipe_words(source["recipe"], ()))[0]
    ]
    trainer = [f"train.{key}" for key in _listed(TRAINER, ())[0]]
    return [*sources, *trainer, *settings["sources"], *(key.path for key in recipe_keys(BuildRecipe))]


def check_keys(recipe: BuildRecipe, before: BuildRecipe | None, where: str) -> None:
    """Has the commands of sources and trainer read what an arm gives them, and make nothing.

    Args:
        recipe: The arm's.
        before: One whose keys were checked; None where none was.
        where: Whose recipe it is, for messages.

    Raises:
        RecipeError: A key or value is wrong, or a source can keep nothing out.
    """
    for name, source in recipe.sources.items():
        earlier = before.sources.get(name) if before is not None else None
        if earlier is not None and _asked(earlier) == _asked(source):
            continue
        module = source.module or f"sources.{name}"
        keys, error = _listed(module, _recipe_words(source.recipe, (one for one in source.set if WORK not in one)))
        if error:
            named = error.replace(" there is no key ", f" there is no key {name}.", 1)
            raise RecipeError(f"{where}: {named.replace(' Did you mean ', f' Did you mean {name}.', 1)}")
        if OPTOUT not in keys:
            raise RecipeError(f"{where}: {module} has no key {OPTOUT}, so nothing can be held out of it")
    if recipe.train.model is not None and (before is None or recipe.train != before.train):
        overrides = [word for word in recipe.train.arguments if "=" in word and not word.startswith("-")]
        _, error = _listed(TRAINER, ("--model", recipe.train.model, *overrides))
        if error:
            raise RecipeError(f"{where}: {error}")


def makes_the_same(recipe: BuildRecipe, base: BuildRecipe) -> bool:
    """Whether a recipe makes and trains what another one does, whatever words say so; keys of both were checked."""
    parts = ("perplexity", "reference")
    if list(recipe.sources) != list(base.sources) or any(getattr(recipe, n) != getattr(base, n) for n in parts):
        return False
    mixtures = [load_mixture(one.mixture.proportions, one.mixture.set) for one in (recipe, base)]
    tokenizers = [(one.tokenizer.model, _tokenizer_run(one.tokenizer, "tokenizer")) for one in (recipe, base)]
    return (
        mixtures[0] == mixtures[1]
        and tokenizers[0] == tokenizers[1]
        and (recipe.train == base.train or _trained(recipe.train) == _trained(base.train))
        and all(
            one == base.sources[n] or _read(one, n) == _read(base.sources[n], n) for n, one in recipe.sources.items()
        )
    )


def _read(source: SourceBuild, name: str) -> tuple[Any, ...]:
    """A source's recipe as its command reads it, and all else of it."""
    words = _recipe_words(source.recipe, (one for one in source.set if WORK not in one))
    listed = _ask(source.module or f"sources.{name}", tuple(words)).stdout
    return listed, dataclasses.replace(source, set=tuple(one for one in source.set if WORK in one), recipe=None)


def _trained(train: TrainBuild) -> tuple[Any, ...]:
    """The trainer's recipe as its command reads it, and its flags."""
    overrides = [word for word in train.arguments if "=" in word and not word.startswith("-")]
    flags = [word for word in train.arguments if word not in overrides]
    return _ask(TRAINER, ("--model", str(train.model), *overrides)).stdout, flags


def trainer_value(train: TrainBuild, key: str) -> str:
    """The value of a key of the trainer's recipe, as its command lists it.

    Raises:
        RecipeError: The recipe is wrong.
    """
    overrides = [word for word in train.arguments if "=" in word and not word.startswith("-")]
    listed = _ask(TRAINER, ("--model", str(train.model), *overrides))
    if listed.returncode:
        raise RecipeError(listed.stderr.strip().removeprefix("error: "))
    values = dict(line.split(" = ", 1) for line in listed.stdout.splitlines() if " = " in line and line[:1] != " ")
    return values[key]


def _asked(source: SourceBuild) -> tuple[Any, ...]:
    return source.module, source.recipe, source.set


def _recipe_words(recipe: str | None, overrides: Iterable[str]) -> list[str]:
    return [*(["--recipe", recipe] if recipe else []), *(word for one in overrides for word in ("--set", one))]


def _listed(module: str, words: Sequence[str]) -> tuple[list[str], str]:
    """The keys that a command lists, and where it refuses what it is given, why."""
    done = _ask(module, tuple(words))
    said = done.stderr.strip().splitlines()
    error = (
        (said[-1].removeprefix("error: ") if said else f"it ended with {done.returncode}") if done.returncode else ""
    )
    return [line.partition(" = ")[0] for line in done.stdout.splitlines() if line[:1] not in ("", " ")], error


@cache
def _ask(module: str, words: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """What a command lists for ``--keys``; asked once."""
    command = [sys.executable, "-m", module, *words, "--keys"]
    return subprocess.run(
        command, capture_output=True, text=True, errors="replace", env=own_environment({}), check=False
    )
