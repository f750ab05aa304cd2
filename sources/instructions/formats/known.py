"""The formats that are known, and which of them a file is in."""

from __future__ import annotations

import re
from typing import Any

from sources.instructions.formats.hh_rlhf import HhRlhf
from sources.instructions.formats.items import Format, Record
from sources.instructions.formats.koala import Koala
from sources.instructions.formats.messages import Messages
from sources.instructions.formats.oasst import Oasst
from sources.instructions.formats.sharegpt import ShareGpt
from sources.instructions.formats.single import Alpaca, Gpt4All, WizardLM
from sources.instructions.recipe import FORMATS, InstructionsRecipe

_NAME = re.compile(r"[A-Za-z_]\w{0,40}")


def known_formats(recipe: InstructionsRecipe) -> dict[str, Format]:
    """The formats by their names, as a recipe wants them read; which a record is of is asked in this order."""
    oasst, koala = recipe.oasst, recipe.koala
    formats: tuple[Format, ...] = (
        Oasst(
            oasst.best,
            oasst.states,
            oasst.keep_synthetic,
            oasst.most_answers,
            oasst.pairs,
            oasst.max_depth,
        ),
        Messages(),
        ShareGpt(),
        Koala(koala.bad_answers),
        HhRlhf(),
        Gpt4All(),
        Alpaca(recipe.alpaca.before_input),
        WizardLM(),
    )
    found = {format_.name: format_ for format_ in formats}
    assert set(found) == set(FORMATS)
    return found


def tell(record: Record, formats: dict[str, Format]) -> Format | None:
    """The format that a record is of."""
    return next((format_ for format_ in formats.values() if format_.tells(record)), None)


def unlike(record: Record) -> str:
    """What is said of a file in none of the formats, by a record of it."""
    fields = ", ".join(sorted(map(str, record))[:12])[:200]
    inner = next((name for name, value in record.items() if _NAME.fullmatch(name) and _holds_records(value)), None)
    what = f"its records have {fields or 'no fields'}, which none of the formats has"
    return f"{what}; if {inner} holds the records, take them out (jq -c '.{inner}[]')" if inner else what


def _holds_records(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def unknown(record: Record) -> str:
    """The same, and what formats there are."""
    return f"{unlike(record)}. {known()}"


def known() -> str:
    """What formats there are, in a sentence."""
    return (
        f"Known are {', '.join(FORMATS)}: docs/instructions.md says what each has, to rename the fields to; "
        "--format names one"
    )
