"""The plan: what each source has, is asked for, and will give; made, shown and stored before a shard is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from rich.table import Table

from pipeline.errors import InputError, UserError
from pipeline.mix.chat import sentence
from pipeline.mix.corpus import names
from pipeline.mix.quotas import ShardForm, apportion, largest_form
from pipeline.mix.recipe import MixRecipe, normalised

MOST_HELD_OUT = 0.5  # of a source: more is surely a mistake


@dataclass(frozen=True)
class SourceCounts:
    """What a source has, as its token files count it.

    Attributes:
        name: Its name.
        files: Its Parquet files.
        documents: Its documents with text.
        tokens: All their ids, bos and eos among them.
        text_bytes: Bytes of their text.
        heldout: Ids that are held out.
        kept_out: Ids that training may not draw: these, and all copies of them.
        copies: Those of them that are copies.
        fingerprint: Identifies the Parquet files.
        chat: What is counted of its conversations (see ``pipeline.mix.chat.empty``); None without a template.
    """

    name: str
    files: int
    documents: int
    tokens: int
    text_bytes: int
    heldout: int
    kept_out: int
    copies: int
    fingerprint: str
    chat: dict[str, Any] | None = None

    @property
    def unique(self) -> int:
        """Ids that training may draw."""
        return self.tokens - self.kept_out


@dataclass(frozen=True)
class SourcePlan:
    """What the mixture takes of a source.

    Attributes:
        counts: What it has.
        share: What is asked, 0 to 1.
        limit: Its epoch limit.
        drawn: Ids to draw.
    """

    counts: SourceCounts
    share: Fraction
    limit: float
    drawn: int

    @property
    def epochs(self) -> float:
        """How often its ids are drawn, on average."""
        return self.drawn / self.counts.unique


@dataclass(frozen=True)
class Plan:
    """The plan of a mixture.

    Attributes:
        sources: In the order of their numbers.
        left_out: Sources of the recipe that are not there, and whose share the others got.
        damaged: Parquet files that were left out, with why.
        without_subsets: Subsets of the recipe that are not there.
        form: The shards for training.
        heldout: The held-out shards; None without.
        filled: Where documents stay whole, how many ids for training only fill rows up; else None.
    """

    sources: tuple[SourcePlan, ...]
    left_out: tuple[str, ...]
    form: ShardForm
    heldout: ShardForm | None
    damaged: tuple[str, ...] = ()
    without_subsets: tuple[str, ...] = ()
    filled: int | None = None

    @property
    def tokens(self) -> int:
        """Tokens that the rows for training predict: the budget, but for what fills no row."""
        return self.form.rows * self.form.seq_len

    @property
    def shares(self) -> list[Fraction]:
        """The share of each source."""
        return [source.share for source in self.sources]


def present(
    recipe: MixRecipe, tokens: Mapping[str, int], corpus: str, refused: Mapping[str, str] | None = None
) -> list[str]:
    """The sources that can be drawn from.

    Args:
        recipe: The recipe.
        tokens: Ids of each source; absent where it is not in the corpus.
        corpus: The corpus folder, for messages.
        refused: Of sources of which all conversations were refused, why, for messages.

    Raises:
        InputError: One is missing or empty, and the recipe does not say what then; or all are.
    """
    there = [name for name in recipe.sources if tokens.get(name)]
    lacking = [name for name in recipe.sources if name not in there]
    if lacking and (recipe.missing == "refuse" or not there):
        states = ", ".join(f"{name} ({(refused or {}).get(name) or _state(recipe, name, tokens)})" for name in lacking)
        raise InputError(
            f"{corpus} lacks sources of the recipe: {states}. Make them (python -m sources.{lacking[0]}), or divide "
            "their shares among the others with --set missing=renormalise, or choose other --proportions."
        )
    return there


def _state(recipe: MixRecipe, name: str, tokens: Mapping[str, int]) -> str:
    if name in tokens:
        return "no text"
    subsets = recipe.sources[name].subsets
    return f"not there, or not its subsets {', '.join(subsets)}" if subsets else "not there"


def heldout_form(recipe: MixRecipe) -> ShardForm | None:
    """The held-out shards; None where none are asked for."""
    rows = recipe.heldout_tokens // recipe.seq_len
    return ShardForm(rows, recipe.seq_len, recipe.shard_rows) if rows else None


def heldout_quotas(recipe: MixRecipe, tokens: Mapping[str, int], names: Sequence[str]) -> list[int]:
    """How many ids of each source are held out, at least.

    Raises:
        UserError: That is more than half of a source.
    """
    form = heldout_form(recipe)
    if form is None:
        return [0] * len(names)
    quotas = apportion(form.drawn(len(names)), normalised(recipe, names), [0] * len(names))
    for name, quota in zip(names, quotas, strict=True):
        if quota + form.shards > MOST_HELD_OUT * tokens[name]:
            raise UserError(
                f"heldout_tokens={recipe.heldout_tokens} takes {quota:,} tokens of {name}, which has {tokens[name]:,}: "
                "at most half of a source can be held out"
            )
    return [quota + form.shards for quota in quotas]  # the quotas of shards are rounded, each by one at most


def make_plan(
    recipe: MixRecipe,
    counts: Sequence[SourceCounts],
    budget: int | None,
    damaged: Sequence[str] = (),
    without_subsets: Sequence[str] = (),
) -> Plan:
    """Plans a mixture.

    Args:
        recipe: The recipe.
        counts: What each source has that takes part.
        budget: Tokens to predict; None for as many as the epoch limits allow.
        damaged: Parquet files that the counts leave out, with why.
        without_subsets: Subsets of the recipe that are not there.

    Raises:
        UserError: The budget passes an epoch limit, or fills no row.
    """
    names = [count.name for count in counts]
    shares = normalised(recipe, names)
    limits = [int(Fraction(repr(recipe.limit(count.name))) * count.unique) for count in counts]
    largest = largest_form(recipe.seq_len, recipe.shard_rows, shares, limits)
    most = largest.rows * recipe.seq_len
    rows = largest.rows if budget is None else budget // recipe.seq_len
    form = ShardForm(rows, recipe.seq_len, recipe.shard_rows)
    quotas = apportion(form.drawn(len(shares)), shares, [0] * len(shares)) if rows else [0] * len(shares)
    sources = tuple(
        SourcePlan(count, share, recipe.limit(count.name), quota)
        for count, share, quota in zip(counts, shares, quotas, strict=True)
    )
    if not rows:
        raise UserError(too_little(budget, recipe.seq_len))
    if budget is not None and rows > largest.rows:
        raise UserError(over_limit(sources, budget, most))
    left_out = tuple(name for name in recipe.sources if name not in names)
    return Plan(sources, left_out, form, heldout_form(recipe), tuple(damaged), tuple(without_subsets))


def too_little(budget: int | None, seq_len: int) -> str:
    """What to say where not a row is filled."""
    what = "the corpus" if budget is None else f"--tokens {budget}"
    return f"{what} does not fill one row of {seq_len} tokens in these proportions; use more text, or --set seq_len="


def over_limit(sources: Sequence[SourcePlan], budget: int, most: int) -> str:
    """What to say where a budget passes an epoch limit; ``most`` is the largest that does not."""
    over = max(sources, key=lambda source: source.epochs / source.limit)
    return (
        f"{budget:,} tokens would draw {over.counts.name} {over.epochs:.2f} times; its limit is {over.limit:g} "
        f"(max_epochs). The largest budget of this corpus is {most:,}: give --tokens {most} or auto, more text, or a "
        "higher limit, such as --set max_epochs=4."
    )


def plan_rows(plan: Plan) -> list[dict[str, Any]]:
    """The table of the plan, as it is stored."""
    return [
        {
            "source": source.counts.name,
            "files": source.counts.files,
            "documents": source.counts.documents,
            "unique_tokens": source.counts.unique,
            "heldout_tokens": source.counts.heldout,
            "kept_out_tokens": source.counts.kept_out,
            "copied_tokens": source.counts.copies,
            "bytes_per_token": round(source.counts.text_bytes / source.counts.tokens, 4),
            "share_asked": float(source.share),
            "tokens_to_draw": source.drawn,
            "epochs": round(source.epochs, 6),
            "max_epochs": source.limit,
            **({} if source.counts.chat is None else {"chat": source.counts.chat}),
        }
        for source in plan.sources
    ]


def plan_table(plan: Plan) -> Table:
    """The table of the plan for the screen."""
    table = Table(title="mixture", title_justify="left", title_style="bold", header_style="bold", pad_edge=False)
    table.add_column("source", no_wrap=True)
    for heading in ("documents", "unique tokens", "share asked", "tokens to draw", "epochs", "limit"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in plan_rows(plan):
        table.add_row(
            row["source"],
            f"{row['documents']:,}",
            f"{row['unique_tokens']:,}",
            f"{row['share_asked']:.2%}",
            f"{row['tokens_to_draw']:,}",
            f"{row['epochs']:.3f}",
            f"{row['max_epochs']:g}",
        )
    return table


def plan_sentences(plan: Plan) -> list[str]:
    """What the table does not say."""
    form = plan.form
    lines = [f"{plan.tokens:,} tokens: {form.rows:,} rows of {form.seq_len} in {form.shards:,} shards"]
    if plan.filled is not None:
        lines.append(f"each document stays whole in a row: {plan.filled:,} ids fill rows up ({_part(plan):.1%})")
    accounts = {source.counts.name: source.counts.chat for source in plan.sources if source.counts.chat}
    some = {name: account for name, account in accounts.items() if account["conversations"] or account["refused"]}
    lines += [sentence(name, account) for name, account in (some or accounts).items()]
    if plan.heldout:
        out, copies = (sum(getattr(source.counts, key) for source in plan.sources) for key in ("kept_out", "copies"))
        lines.append(
            f"held out: {plan.heldout.rows:,} rows, and no copy of their text is in training ({out:,} tokens are kept "
            f"out of it, {copies:,} of them copies)"
        )
    if plan.left_out:
        lines.append(f"left out, their shares divided among the others: {', '.join(plan.left_out)}")
    if plan.without_subsets:
        lines.append(f"subsets that are not there, whose place the others take: {', '.join(plan.without_subsets)}")
    if plan.damaged:
        lines.append(f"left out, as they cannot be read: {len(plan.damaged):,} files: {names(plan.damaged)}")
    return lines


def _part(plan: Plan) -> float:
    """The part of the ids for training that only fills rows up."""
    return (plan.filled or 0) / plan.form.ids


def plan_record(plan: Plan) -> dict[str, Any]:
    """The plan, as it is stored."""
    return {
        "tokens": plan.tokens,
        "sources": plan_rows(plan),
        "left_out": list(plan.left_out),
        "damaged": list(plan.damaged),
        "without_subsets": list(plan.without_subsets),
        **({} if plan.filled is None else {"padding": plan.filled, "padding_share": round(_part(plan), 6)}),
    }
