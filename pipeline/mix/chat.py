"""How conversations become ids: the choices of a recipe, and what is counted of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pipeline.errors import ModelError, RecipeError

if TYPE_CHECKING:
    from pipeline.mix.recipe import MixRecipe
    from tokenizer.chat.template import Template

TEMPLATE = "template.yaml"  # beside shards
MESSAGES = "messages"  # the field of meta that a conversation has


@dataclass(frozen=True)
class ChatCoding:
    """What decides the ids of conversations, beside the tokenizer.

    Attributes:
        template: The SHA-256 of the template.
        tags: What becomes of its tags within messages.
        longest: Most ids of a conversation; None for any number.
        too_long: What becomes of one with more.
    """

    template: str
    tags: Literal["refuse", "escape"]
    longest: int | None
    too_long: Literal["turn", "ids", "refuse"]


def load(recipe: MixRecipe) -> Template | None:
    """The template of a recipe; None where it has none.

    Raises:
        RecipeError: It cannot be used.
    """
    if recipe.template is None:
        return None
    from tokenizer.chat.template import TemplateError, load_template  # noqa: PLC0415 - where one is used

    try:
        return load_template(recipe.template)
    except TemplateError as error:
        raise RecipeError(str(error)) from error


def coding_of(recipe: MixRecipe, template: Template | None) -> ChatCoding | None:
    """How a recipe encodes conversations; None where it does not."""
    if template is None:
        return None
    longest = recipe.seq_len if recipe.longest is None and recipe.packing == "whole" else recipe.longest
    return ChatCoding(template.sha256, recipe.tags, longest, recipe.too_long)


def check(recipe: MixRecipe, template: Template | None, encoder: Any) -> None:
    """Refuses a tokenizer, or keys of a recipe, that do not go with the template.

    Raises:
        ModelError: The tokenizer lacks bos or eos.
        RecipeError: All documents begin with bos, or end with eos, but not conversations.
    """
    if template is None:
        return
    from tokenizer.chat.encode import check_tokenizer  # noqa: PLC0415 - it has NumPy
    from tokenizer.chat.template import TemplateError  # noqa: PLC0415

    try:
        check_tokenizer(encoder, template)
    except TemplateError as error:
        raise ModelError(str(error)) from error
    if recipe.packing == "whole" and encoder.eos_id < 0:
        raise ModelError("packing: whole fills rows up with eos, and the tokenizer has no eos id")
    for wanted, does, key, verb in (
        (recipe.bos, template.begins_with_bos, "bos", "begin with {bos}"),
        (recipe.eos, template.ends_with_eos, "eos", "end with {eos}"),
    ):
        if wanted and not does:
            raise RecipeError(
                f"the recipe gives each document {key}, and conversations by the template {template.name} do not "
                f"{verb}: --set {key}=false"
            )


def summed(accounts: Iterable[Mapping[str, Any] | None]) -> dict[str, Any]:
    """What several token files count of conversations, in one."""
    total: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for account in accounts:
        if account:
            total.update({key: value for key, value in account.items() if key != "refused"})
            refused.update(account["refused"])
    return {**empty(), **total, "refused": dict(sorted(refused.items()))}


def empty() -> dict[str, Any]:
    """The counts of no conversations.

    ``conversations`` is how many were encoded, ``cut`` how many of them were too long and were cut, ``trained`` how
    many ids of conversations have loss, and ``refused`` how many were refused, by reason.
    """
    return {"conversations": 0, "cut": 0, "trained": 0, "refused": {}}


def sentence(name: str, account: Mapping[str, Any]) -> str:
    """What a source has of conversations, for the screen."""
    parts = [f"{account['conversations']:,} conversations of {name}, loss on {account['trained']:,} ids"]
    parts += [f"{account['cut']:,} cut"] * bool(account["cut"])
    if account["refused"]:
        parts.append(f"{sum(account['refused'].values()):,} refused ({_listed(account)})")
    return "; ".join(parts)


def all_refused(account: Mapping[str, Any]) -> str:
    """What to say where all conversations were refused; nothing where some were not, or there are none."""
    refused = sum(account["refused"].values())
    if account["conversations"] or not refused:
        return ""
    return f"all {refused:,} conversations were refused: {_listed(account)}"


def _listed(account: Mapping[str, Any]) -> str:
    return ", ".join(f"{reason} {count:,}" for reason, count in account["refused"].items())


def reasons(errors: Sequence[Any]) -> dict[str, int]:
    """How many errors there are of each reason."""
    return dict(sorted(Counter(error.reason for error in errors).items()))
