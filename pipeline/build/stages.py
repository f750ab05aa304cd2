"""The stages of a build: which commands each runs, what it makes, and what of the recipe decides it.

Sources come first, Wikipedia before what is trained on it, and CommonCrawl after that; then the tokenizer, the mixture,
what is told of both, and the model. What is settled (models, tokenizer, cut-offs) is made of the first slice and stays:
a larger slice does not change it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pipeline.build.recipe import BuildRecipe, SourceBuild
from pipeline.mix.recipe import load_mixture
from pipeline.recipe import RECIPES
from pipeline.removals.lists import read_list
from pipeline.storage.filesystem import beside, file_sha256

WORK = "{work}"  # stands for the folder in a command line
CORPUS, MODELS, SHARDS = f"{WORK}/corpus", f"{WORK}/models", f"{WORK}/shards"
TOKENS = f"{WORK}/tokens"  # in a folder for each tokenizer
TOKENIZER = f"{MODELS}/tokenizer/tokenizer.model"
PERPLEXITY, CUTOFFS, REFERENCE = f"{MODELS}/perplexity", f"{MODELS}/perplexity/cutoffs.yaml", f"{MODELS}/reference"
URLS = f"{MODELS}/cited_urls.txt"
CALIBRATION = f"{WORK}/_build/calibration"
# Keys of publishers that say where raw data are fetched from: what is made of them is the same from a mirror.
PLACES = frozenset({"url", "dumps", "archive", "metadata", "catalog", "requester_pays"})
WIKIPEDIA, COMMONCRAWL = "wikipedia", "commoncrawl"
CUTOFFS_STAGE = "cutoffs"
OPTOUT = "optout"  # the stage, and the key of every source's recipe


@dataclass(frozen=True)
class Command:
    """A command as a user types it.

    Attributes:
        module: What ``python -m`` runs.
        words: Its arguments, ``{work}`` standing for the folder.
        output: The file that gets what it prints; the log where None.
        beam: Whether it takes the flags of Beam.
    """

    module: str
    words: tuple[str, ...]
    output: str | None = None
    beam: bool = False


@dataclass(frozen=True)
class Stage:
    """A stage.

    Attributes:
        name: What the user calls it, and what its log and record are named after.
        commands: Run one after the other. Those of a source get its raw data for a last argument.
        needs: Stages that must be done before.
        keys: What of the recipe decides what it makes; with what it needs, unless that is settled.
        outputs: What it makes, below the folder: it goes aside where it is made anew.
        leaves: What it writes over where it is made anew.
        follows: The stages with which it is made anew.
        settled: Whether it stays when what it follows grows: only another recipe of that makes it anew.
        optional: Whether the build goes on where it cannot be made of what there is.
        source: The source whose raw data its commands take.
    """

    name: str
    commands: tuple[Command, ...]
    keys: Mapping[str, Any]
    needs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()
    follows: tuple[str, ...] = ()
    settled: bool = False
    optional: bool = False
    source: SourceBuild | None = field(default=None, compare=False)

    @property
    def is_source(self) -> bool:
        """Whether it makes a source."""
        return self.outputs == (f"corpus/{self.name}",)


def stages_of(recipe: BuildRecipe, tokens: str) -> list[Stage]:
    """The stages of a recipe, in their order.

    Args:
        recipe: The recipe.
        tokens: The budget, as ``pipeline.mix --tokens`` takes it.
    """
    return [*_sources(recipe), *_mixture(recipe, tokens)]


def _sources(recipe: BuildRecipe) -> Iterator[Stage]:
    order = list(recipe.sources)
    trained = recipe.perplexity.train or recipe.reference.train
    if trained:  # Wikipedia, and what is trained on it, before CommonCrawl
        order = [WIKIPEDIA, *(name for name in order if name != WIKIPEDIA)]
    for name in order:
        if name == COMMONCRAWL and trained:
            yield from _models(recipe)
        yield _source(recipe, name)


def _source(recipe: BuildRecipe, name: str) -> Stage:
    source = recipe.sources[name]
    words: list[str] = []
    needs: list[str] = []
    if name == COMMONCRAWL and recipe.perplexity.train:
        words += _perplexity_words()
        needs += ["perplexity", *([CUTOFFS_STAGE] if recipe.perplexity.calibrate else [])]
    if name == COMMONCRAWL and recipe.reference.train:
        needs.append("reference")
    command = Command(
        source.module or f"sources.{name}",
        (*_recipe_words(source), *words, *map(beside, source.arguments), "--output", CORPUS, "--cache", f"{WORK}/raw"),
        beam=True,
    )
    raw = {key: value for key, value in source.raw.items() if key not in PLACES}
    keys = {
        "raw": raw if raw.get("whole") else raw | {"seed": recipe.seed},
        "recipe": _content(source.recipe or name, ""),
        "set": list(source.set),
        "arguments": list(source.arguments),
    }
    outputs = (f"corpus/{name}",)
    return Stage(name, (command,), keys, tuple(needs), outputs, follows=tuple(needs), source=source)


def _recipe_words(source: SourceBuild) -> list[str]:
    words = ["--recipe", source.recipe] if source.recipe else []
    for override in source.set:
        words += ["--set", override]
    return words


def _perplexity_words() -> list[str]:
    models = f"{PERPLEXITY}/{{language}}"
    return ["--set", f"perplexity.sentencepiece={models}.sp.model", "--set", f"perplexity.lm={models}.arpa.bin"]


def _models(recipe: BuildRecipe) -> Iterator[Stage]:
    """What is trained on Wikipedia, and on a unit of the crawl that the corpus does not have."""
    crawl = recipe.sources[COMMONCRAWL]
    if recipe.perplexity.train:
        options = recipe.perplexity
        train = Command(
            "filters.perplexity",
            (
                *("train", "--input", f"{CORPUS}/{WIKIPEDIA}/{options.language}/*.parquet"),
                *("--output", PERPLEXITY, "--language", options.language, *options.arguments),
            ),
        )
        yield Stage(
            "perplexity",
            (train,),
            {"language": options.language, "arguments": list(options.arguments)},
            (WIKIPEDIA,),
            ("models/perplexity",),
            follows=(WIKIPEDIA,),
            settled=True,
        )
        if options.calibrate:
            yield _cutoffs(recipe, crawl)
    if recipe.reference.train:
        cited = Command("sources.wikipedia.references", (f"{CORPUS}/{WIKIPEDIA}",), URLS)
        words = ("--urls", URLS, "--output", REFERENCE, "--cache", f"{WORK}/raw", *recipe.reference.arguments)
        train = Command("sources.commoncrawl.train_reference", (*_recipe_words(crawl), *words), beam=True)
        yield Stage(
            "reference",
            (cited, train),
            {"arguments": list(recipe.reference.arguments)},
            (WIKIPEDIA,),
            ("models/reference", "models/cited_urls.txt"),
            follows=(WIKIPEDIA,),
            settled=True,
            optional=recipe.reference.optional,
            source=crawl,
        )


def _cutoffs(recipe: BuildRecipe, crawl: SourceBuild) -> Stage:
    language = recipe.perplexity.language
    keep = ("--set", "perplexity.keep=all", "--set", "reference.enabled=false", "--set", "rejects.keep=none")
    score = Command(
        f"sources.{COMMONCRAWL}",
        (
            *(*_recipe_words(crawl), *_perplexity_words(), *keep, *crawl.arguments),
            *("--output", CALIBRATION, "--cache", f"{WORK}/raw"),
        ),
        beam=True,
    )
    model = f"{PERPLEXITY}/{language}"
    calibrate = Command(
        "filters.perplexity",
        (
            *("calibrate", f"{CALIBRATION}/{COMMONCRAWL}/*/*.parquet", "--language", language),
            *("--sentencepiece", f"{model}.sp.model", "--lm", f"{model}.arpa.bin"),
        ),
        CUTOFFS,
    )
    return Stage(
        CUTOFFS_STAGE,
        (score, calibrate),
        {"set": list(crawl.set), "recipe": _content(crawl.recipe or COMMONCRAWL, "")},
        ("perplexity",),
        ("_build/calibration", "models/perplexity/cutoffs.yaml"),
        follows=("perplexity",),
        settled=True,
        source=crawl,
    )


def _mixture(recipe: BuildRecipe, tokens: str) -> Iterator[Stage]:
    names, mixture = tuple(recipe.sources), recipe.mixture
    model = recipe.tokenizer.model
    left_out = left_out_of(recipe)  # the others share their parts
    if model is None:
        words = ("--corpus", CORPUS, "--output", f"{MODELS}/tokenizer", "--proportions", mixture.proportions)
        renormalise = ("--renormalise",) if left_out else ()
        train = Command("tokenizer.train", (*words, *renormalise, *recipe.tokenizer.arguments))
        own = {"arguments": list(recipe.tokenizer.arguments), "left_out": left_out}
        yield Stage("tokenizer", (train,), own, names, ("models/tokenizer",), follows=names, settled=True)
    needs = (*names, *(["tokenizer"] if model is None else []))
    chosen = (*mixture.set, *(["missing=renormalise"] if left_out else []))
    overrides = (word for override in chosen for word in ("--set", override))
    places = ("--corpus", CORPUS, "--tokenizer", model or TOKENIZER, "--token-files", TOKENS)
    common = ("--proportions", mixture.proportions, *places, *overrides)
    keys = {"proportions": _content(mixture.proportions, "mix"), "set": list(chosen), "tokenizer": model}
    encode = Command("pipeline.mix", (*common, "--dry-run", "--json"), f"{WORK}/_build/counts.json", beam=True)
    mix = Command("pipeline.mix", (*common, "--tokens", tokens, "--output", SHARDS), beam=True)
    yield Stage("encode", (encode,), keys, needs, leaves=("_build/counts.json", "tokens"), follows=needs)
    yield Stage("mixture", (mix,), {**keys, "tokens": tokens}, ("encode",), ("shards",), follows=("encode",))
    last = ("mixture",)
    if recipe.optout is not None:  # what comes back from an earlier recipe, or was made before the list named it
        takes = (CORPUS, SHARDS, "--list", recipe.optout, "--apply")
        listed = {"list": read_list(recipe.optout).sha256}
        yield Stage(OPTOUT, (Command("pipeline.optout", takes),), listed, last, follows=last)
        last = (OPTOUT,)
    trace = Command("pipeline.trace", (SHARDS, "--row", "0", "--token", "5"))
    verify = (Command("pipeline.verify", (CORPUS, SHARDS)), trace)
    yield Stage("verify", verify, {}, last, follows=last)
    report = Command("pipeline.report", (CORPUS, SHARDS, "--output", f"{WORK}/report"))
    yield Stage("report", (report,), {}, last, leaves=("report/index.html",), follows=last)
    card = Command("pipeline.card", (CORPUS, SHARDS, "--output", f"{CORPUS}/README.md"))
    yield Stage("card", (card,), {}, last, leaves=("corpus/README.md",), follows=last)
    if recipe.train.model is not None:
        run = f"{WORK}/run"
        trains = ("--model", recipe.train.model, "--data", SHARDS, "--output", run, *recipe.train.arguments)
        yield Stage(
            "train",
            (Command("trainer_bridge.train", trains),),
            asdict(recipe.train) | {"arguments": list(recipe.train.arguments)},
            last,
            ("run",),
            follows=("mixture",),  # a run goes on with shards from which documents were taken out
        )


def left_out_of(recipe: BuildRecipe) -> list[str]:
    """The sources of the mixture that the build does not make."""
    mixture = load_mixture(recipe.mixture.proportions, recipe.mixture.set)
    return [name for name in mixture.sources if name not in recipe.sources]


def _content(name_or_path: str, folder: str) -> str:
    """What stands for a recipe in an identity: its name, and the checksum of its file."""
    path = Path(name_or_path)
    if path.suffix not in {".yaml", ".yml"}:
        path = RECIPES / folder / f"{name_or_path}.yaml"
    try:
        return f"{path.name} {file_sha256(str(path))[:16]}"
    except OSError:
        return f"{path.name} is not there"
