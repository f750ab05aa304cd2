"""The formats that are known, and which of them a file is in."""

from __future__ import annotations

from collections.abc import Iterable

from sources.instructions.formats.hh_rlhf import HhRlhf
from sources.instructions.formats.items import Format
from sources.instructions.formats.koala import Koala
from sources.instructions.formats.oasst import Oasst
from sources.instructions.formats.sharegpt import ShareGpt
from sources.instructions.formats.single import Alpaca, Gpt4All, WizardLM
from sources.instructions.recipe import FORMATS, InstructionsRecipe


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


def tell(names: Iterable[str], formats: dict[str, Format]) -> Format | None:
    """The format of a record with fields of these names."""
    fields = frozenset(name for name in names if isinstance(name, str))
    return next((format_ for format_ in formats.values() if format_.tells(fields)), None)


def unknown(names: Iterable[str]) -> str:
    """What is said of a file in none of the formats."""
    fields = ", ".join(sorted(map(str, names))[:12])[:200]
    return f"its records have {fields or 'no fields'}, which none of the formats has. {known()}"


def known() -> str:
    """What formats there are, in a sentence."""
    return f"Known are {', '.join(FORMATS)}: docs/instructions.md says what each has; --format names one"
