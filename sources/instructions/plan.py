"""Which files are read: those that are named, and of folders those that are in a format that is known."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.errors import InputError, name_a_few
from pipeline.storage.filesystem import InputFile, at_home, is_remote, open_input
from pipeline.storage.listing import Tell, match
from sources.instructions.formats.items import Fault
from sources.instructions.formats.known import known, known_formats, unlike
from sources.instructions.reading import look, records_of
from sources.instructions.recipe import InstructionsRecipe

ON_ONE_LINE = ", an object over several lines: put it on one (jq -c .)"
_OPENED = "begins '{'"
MOST_WARNINGS = 5  # on files that are passed over
_NOT_JSON = frozenset({"no_json", "broken_json", "not_an_object"})
_DATA = re.compile(r".*\.(?:json|jsonl|ndjson|parquet)(?:\.gz)?", re.I)


@dataclass(frozen=True)
class Plan:
    """The files that are read, sentences on those that are not, and warnings of those that look like data."""

    inputs: list[InputFile]
    sentences: list[str]
    warnings: list[str]


def plan_inputs(patterns: Sequence[str], recipe: InstructionsRecipe, given: str | None, tell: Tell) -> Plan:
    """Finds the files of a run.

    A file that is named is read, or refused here where it can be told that nothing would come of it; of those in a
    folder the others are passed over. Remote files are told as they are read.

    Args:
        patterns: Paths, folders, globs, addresses.
        recipe: The source's choices.
        given: The format of all files; None to tell it.
        tell: Told which files were passed over since they are others under another name.

    Raises:
        InputError: A pattern matches nothing; a file that is named is in no known format; no file is left.
    """
    named = {at_home(pattern) for pattern in patterns if os.path.isfile(at_home(pattern)) or is_remote(pattern)}
    inputs, others, strange = [], [], []
    for file in match(patterns, tell):
        if file.path not in named and not _DATA.fullmatch(file.path):
            others.append(file.path)
        elif given is None and not is_remote(file.path) and (why := _strange(file.path, recipe, file.path in named)):
            if file.path in named:
                raise InputError(f"{file.path} is in no format that is known: {why}. {known()}")
            strange.append((file.path, why))
        else:
            inputs.append(file)
    if not inputs:
        why = (
            f": {strange[0][0]}: {strange[0][1]}. {known()}"
            if strange
            else ": there is no .json, .jsonl or .parquet in them"
        )
        raise InputError(f"none of the inputs is instruction data{why}")
    sentences = []
    if others:
        sentences.append(f"passed over, no .json, .jsonl or .parquet by their names: {name_a_few(others)}")
    alike: dict[str, list[str]] = {}
    for path, why in strange:
        alike.setdefault(why, []).append(path)
    warnings = [
        f"{name_a_few(paths)}: passed over, in no format that is known: {why}"
        for why, paths in list(alike.items())[:MOST_WARNINGS]
    ]
    if len(alike) > MOST_WARNINGS:
        more = [path for paths in list(alike.values())[MOST_WARNINGS:] for path in paths]
        warnings.append(f"likewise for other reasons: {name_a_few(more)}")
    return Plan(inputs, sentences, warnings)


def _strange(path: str, recipe: InstructionsRecipe, named: bool) -> str | None:
    """Why a file's first records are in no known format, shortly; None where they are, or where only reading tells.

    A file that was found in a folder, and is nothing but broken, is read, so that what is wrong with it is recorded.
    """
    try:
        with open_input(path) as handle:
            told = look(records_of(handle, recipe.max_record_megabytes << 20, Counter()), known_formats(recipe))
    except OSError:
        return None
    if told.format is not None:
        return None
    if told.first is not None:
        return unlike(told.first)
    first = next((record for _, record in told.head if isinstance(record, Fault)), None)
    if first is None or first.reason not in _NOT_JSON or not (named or first.reason == "no_json"):
        return None
    return first.message + (ON_ONE_LINE if first.message.endswith(_OPENED) else "")
