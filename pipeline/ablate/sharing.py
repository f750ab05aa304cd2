"""What an arm shares with the baseline: links to what it made, and the records of stages, so that they are done."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import yaml

from pipeline.ablate.arms import Arm
from pipeline.build.recipe import BuildRecipe
from pipeline.build.stages import Stage
from pipeline.build.work import BUILD, DONE, Work
from pipeline.errors import OutputError
from pipeline.mix.owned import COMMAND as MIX
from pipeline.recipe import as_mapping
from pipeline.storage.filesystem import write_bytes
from pipeline.storage.ownership import claim_folder

TOKENS, RAW, RECIPE = "tokens", "raw", "recipe.yaml"
TOKENIZER_FOLDER = "models/tokenizer"


def write_recipe(folder: Path, recipe: BuildRecipe) -> Path:
    """Writes the recipe of a build where ``pipeline.build`` reads it; gives its path."""
    path = folder / RECIPE
    text = yaml.safe_dump(as_mapping(recipe), sort_keys=False, allow_unicode=True)
    write_bytes(str(path), text.encode())
    return path


def share(arm: Arm, base: Arm, folder: Path, baseline: Path) -> None:
    """Links in an arm's folder what the baseline made and the arm does not touch.

    Where an arm of this name failed and was mended since, what it made of what is shared now goes to ``_build/aside``.

    Args:
        arm: The arm.
        base: The baseline, which is made.
        folder: The arm's folder.
        baseline: The baseline's.

    Raises:
        OutputError: What is to be a link is something else.
    """
    work = Work(str(folder))
    with work.held():
        link(folder / RAW, folder.parents[1] / RAW)
        if not arm.touched:
            for name in ("corpus", "models", TOKENS):
                if (baseline / name).exists():
                    _link_anew(folder, name, baseline)
            for stage in base.stages:
                if stage.name in base.touched:
                    _share_record(stage, work, baseline)
            return
        for name in ("corpus", "models", TOKENS):
            _unlink(folder / name, baseline / name)
        stages = [stage for stage in base.stages if stage.name in base.touched and stage.name in _names(arm)]
        kept = [stage for stage in stages if stage.name not in arm.touched and stage.name != "tokenizer"]
        made = [output for stage in arm.stages if stage.name in arm.touched for output in stage.outputs]
        for stage in kept:
            for output in stage.outputs:
                if arm.damage is not None and stage.is_source:
                    _unlink(folder / output, baseline / output)
                else:
                    _share_output(output, made, folder, baseline)
            _share_record(stage, work, baseline)
        if "tokenizer" not in arm.touched and (baseline / TOKENIZER_FOLDER).exists():
            _link_anew(folder, TOKENIZER_FOLDER, baseline)
        _share_units(arm, work, baseline)
        if arm.damage is None and "tokenizer" not in arm.touched:
            _share_tokens([stage.name for stage in kept if stage.is_source], folder, baseline)


def describe(folder: Path, baseline: Path, last: str) -> None:
    """Keeps for ``pipeline.build status`` what a folder is to have: all up to a stage. The rest is elsewhere."""
    work = Work(str(folder))
    about = (work if work.has_build() else Work(str(baseline))).description()
    work.describe({**about, "stages": about["stages"][: about["stages"].index(last) + 1]})


def _names(arm: Arm) -> set[str]:
    return {stage.name for stage in arm.stages}


def _share_output(output: str, made: Sequence[str], folder: Path, baseline: Path) -> None:
    """Links an output; where a stage of the arm writes below it, what lies there is linked one by one."""
    source = baseline / output
    if not any(other.startswith(f"{output}/") for other in made):
        if source.exists():
            _link_anew(folder, output, baseline)
        return
    _unlink(folder / output, source)
    (folder / output).mkdir(parents=True, exist_ok=True)
    for child in sorted(source.iterdir()):
        if f"{output}/{child.name}" not in made:
            _link_anew(folder, f"{output}/{child.name}", baseline)


def _share_record(stage: Stage, work: Work, baseline: Path) -> None:
    """Takes over the record of a stage; its identity is the same, since nothing that it follows is touched."""
    record = Work(str(baseline)).record(stage.name)
    own = work.record(stage.name)
    if record is not None and (own is None or own.identity != record.identity):
        work.write(stage.name, replace(record, status=DONE) if record.status == "changed" else record)


def _share_units(arm: Arm, work: Work, baseline: Path) -> None:
    """Takes over the lists of raw data: an arm that makes a source anew makes it of the same."""
    for path in sorted((baseline / BUILD / "units").glob("*.json*")):
        target = work.path(BUILD, "units", path.name)
        if not target.exists() and path.stem in arm.recipe.sources:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def _share_tokens(sources: Sequence[str], folder: Path, baseline: Path) -> None:
    """Links the token files of the sources that an arm does not touch."""
    claim_folder(str(folder / TOKENS), MIX)
    for coding in sorted((baseline / TOKENS).glob("*")):
        for name in sources:
            if coding.is_dir() and (coding / name).is_dir():
                _link_anew(folder, f"{TOKENS}/{coding.name}/{name}", baseline)


def _link_anew(folder: Path, name: str, baseline: Path) -> None:
    """Links what the baseline has; what the arm made there itself goes aside."""
    if (folder / name).exists() and not (folder / name).is_symlink():
        set_aside(folder, name)
    link(folder / name, baseline / name)


def set_aside(folder: Path, name: str) -> None:
    """Moves what an arm made out of the way; nothing is deleted."""
    aside = folder / BUILD / "aside"
    aside.mkdir(parents=True, exist_ok=True)
    places = (aside / f"{name.replace('/', '.')}.{number}" for number in count(1))
    os.rename(folder / name, next(place for place in places if not place.exists()))


def _unlink(path: Path, target: Path) -> None:
    """Removes a link to the baseline's, through which an arm would write into it."""
    if path.is_symlink() and os.readlink(path) == os.path.relpath(target, path.parent):
        path.unlink()


def link(path: Path, target: Path) -> None:
    """Makes a relative link, which moves with the experiment.

    Raises:
        OutputError: Something else is there.
    """
    wanted = os.path.relpath(target, path.parent)
    if path.is_symlink() and os.readlink(path) == wanted:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.symlink_to(wanted)
    except FileExistsError as error:
        raise OutputError(
            f"{path} is there, and is no link to {target}: move it away, or choose another --output"
        ) from error
