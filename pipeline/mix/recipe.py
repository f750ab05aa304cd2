"""The recipe of a mixture: shares, limits, and the form of the shards, with the reason for each default."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from pipeline.errors import RecipeError
from pipeline.recipe import RECIPES, at_least, from_mapping, read_settings, with_overrides

FOLDER = "mix"  # of the recipes
MAX_SEQ_LEN = 65_535  # the place of a document in its row is a uint16
LEAST_WHOLE = 8  # ids of a row in which documents stay whole: fewer hold none
MAX_SOURCES = 256  # the number of a source is a uint8
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}
_TOKENS = re.compile(r"(?P<number>\d+(?:[._]\d+)*)\s*(?P<unit>[KMBT]?)", re.I)


@dataclass(frozen=True)
class SourceShare:
    """What the mixture takes of one source.

    Attributes:
        share: Its share of the tokens; all shares sum to 100, or to 1.
        folder: Its folder in the corpus, with ``/`` between its parts; its name where None. No two sources may read the
            same file.
        subsets: The folders below it that are read; all where empty. One that is not there is treated as ``missing``
            says.
        max_epochs: Its own limit of epochs; the recipe's where None.
    """

    share: float
    folder: str | None = None
    subsets: tuple[str, ...] = ()
    max_epochs: float | None = None

    def __post_init__(self) -> None:
        if self.share <= 0:
            raise ValueError(f"share must be above 0, it is {self.share}; leave out a source that is not wanted")
        if self.max_epochs is not None and self.max_epochs <= 0:
            raise ValueError(f"max_epochs must be above 0, it is {self.max_epochs}")
        if self.folder is not None and not is_below(self.folder):
            raise ValueError(f"folder must name a folder in the corpus, such as mine/books, it is {self.folder!r}")


def is_below(folder: str) -> bool:
    """Whether a name is that of a folder below another one: parts with ``/`` between them, none of which leads up."""
    return all(part not in ("", ".", "..") for part in folder.split("/")) and "\\" not in folder


@dataclass(frozen=True)
class MixRecipe:
    """All choices of a mixture.

    Attributes:
        sources: The sources by name, in the order of their numbers in the shards.
        max_epochs: No source is drawn more often; ``--tokens auto`` goes as far as that. The paper's largest is 2.45;
            up to four epochs are nearly as good as new text (Muennighoff et al. 2023).
        missing: What becomes of a source that is not in the corpus, or has no text there: ``refuse``, or
            ``renormalise``, which divides its share among the others in proportion to theirs. Likewise of a subset,
            whose place the source's other subsets take.
        damaged: What becomes of a Parquet file that cannot be read: ``refuse``, or ``skip``, which leaves it out.
        seq_len: Tokens predicted in a row, which holds one id more.
        bos: Whether each document begins with the tokenizer's bos id, as LLaMA's own loader encodes.
        eos: Whether it ends with the eos id.
        seed: Of all draws.
        heldout_tokens: Tokens of a held-out set in the same proportions, in ``heldout/``: documents that a hash of
            theirs chooses, and parts of large ones. Training has neither these nor any copy of them. 0, or a row at the
            least.
        shard_rows: Rows of a shard: 65,536 of 2,048 tokens make 268 MB. A worker holds them once, 0.5 GB in all.
        block_tokens: Tokens that are drawn together, where the source is large enough (see pipeline.mix).
        part_tokens: Longer documents are drawn in parts of at most so many tokens, each with a bos of its own, so that
            the shares hold on the way through a shard. A part has at most a 256th of its source, but 8 rows.
        template: The template by which documents with ``meta.messages`` are encoded, as conversations with a loss mask:
            a name in recipes/chat/templates or a YAML file; ``--template`` sets it. None: they are texts as any other.
        tags: What becomes of the template's tags within messages: ``refuse`` the conversation, as Llama 2's code does,
            or ``escape`` them by a space behind their first character.
        packing: How rows are filled: ``concatenate`` documents and cut at the row's end, as Llama 2 does; or keep each
            conversation ``whole`` in one row, the rest of which is filled up without loss, as Alpaca's and Vicuna's
            trainers do with one to a row. Of the latter, ``seq_len`` ids is the most.
        longest: Most ids of a conversation; None: any number, or ``seq_len`` where they stay whole.
        too_long: What becomes of a longer one: ``turn``: it is cut behind its last answer that fits; ``ids``: behind so
            many ids, as in Alpaca's and Vicuna's trainers; ``refuse``. One with nothing left to learn is refused.
    """

    sources: dict[str, SourceShare] = field(default_factory=dict)
    max_epochs: float = 2.5
    missing: Literal["refuse", "renormalise"] = "refuse"
    damaged: Literal["refuse", "skip"] = "refuse"
    seq_len: int = 2048
    bos: bool = True
    eos: bool = True
    seed: int = 0
    heldout_tokens: int = 0
    shard_rows: int = 65_536
    block_tokens: int = 65_536
    part_tokens: int = 32_768
    template: str | None = None
    tags: Literal["refuse", "escape"] = "refuse"
    packing: Literal["concatenate", "whole"] = "concatenate"
    longest: int | None = None
    too_long: Literal["turn", "ids", "refuse"] = "turn"

    def __post_init__(self) -> None:
        if not 0 < len(self.sources) <= MAX_SOURCES:
            raise ValueError(
                f"sources must name 1 to {MAX_SOURCES} sources, it names {len(self.sources)}; such as sources: "
                "{wikipedia: {share: 60}, books: {share: 40}}"
            )
        for name in self.sources:
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
                raise ValueError(f"sources: {name!r} is no name: letters, digits, point, line and underline")
        check_sum({name: exact(source.share) for name, source in self.sources.items()})
        if self.max_epochs <= 0:
            raise ValueError(f"max_epochs must be above 0, it is {self.max_epochs}")
        if not 1 <= self.seq_len <= MAX_SEQ_LEN:
            raise ValueError(f"seq_len must lie between 1 and {MAX_SEQ_LEN}, it is {self.seq_len}")
        at_least(self, 1, "shard_rows", "block_tokens", "part_tokens")
        at_least(self, 0, "heldout_tokens")
        if 0 < self.heldout_tokens < self.seq_len:
            raise ValueError(
                f"heldout_tokens must be 0, or fill a row of seq_len={self.seq_len} tokens, it is {self.heldout_tokens}"
            )
        self._check_chat()

    def _check_chat(self) -> None:
        if self.template is None and (self.packing == "whole" or self.longest is not None):
            raise ValueError(
                "packing: whole and longest are for conversations: give their template, such as --template llama2"
            )
        if self.packing == "whole":
            at_least(self, LEAST_WHOLE, "seq_len")
        if self.longest is None:
            return
        at_least(self, 2, "longest")
        if self.packing == "whole" and self.longest > self.seq_len:
            raise ValueError(
                f"longest={self.longest} does not stay whole in a row: seq_len={self.seq_len} is the most there"
            )

    def limit(self, name: str) -> float:
        """The epoch limit of a source."""
        own = self.sources[name].max_epochs
        return self.max_epochs if own is None else own


CHAT = ("template", "tags", "packing", "longest", "too_long")  # keys that say nothing where there is no template


def exact(share: float) -> Fraction:
    """The decimal number that the recipe has, not the binary one nearest to it."""
    return Fraction(repr(share))


def check_sum(shares: dict[str, Fraction]) -> None:
    """Refuses shares that sum neither to 100 (per cent) nor to 1, but for what rounding may have made of it."""
    total = sum(shares.values(), Fraction(0))
    rounding = sum((_last_digit(share) / 2 for share in shares.values()), Fraction(0))
    if all(total != whole and abs(total - whole) >= rounding for whole in (1, 100)):
        listed = " + ".join(f"{name} {float(share):g}" for name, share in shares.items())
        raise ValueError(f"the shares must sum to 100 (or to 1), they sum to {float(total):.10g}: {listed}")


def _last_digit(share: Fraction) -> Fraction:
    """What one is worth in a share's last decimal place; a whole number is meant as it is."""
    places = next(n for n in range(400) if (share * 10**n).denominator == 1)
    return Fraction(1, 10**places) if places else Fraction(0)


def normalised(recipe: MixRecipe, names: Sequence[str]) -> list[Fraction]:
    """The shares of some of the sources, made to sum to 1."""
    shares = [exact(recipe.sources[name].share) for name in names]
    return [share / sum(shares) for share in shares]


def load_mixture(name_or_path: str, overrides: Sequence[str] = (), template: str | None = None) -> MixRecipe:
    """Builds a mixture's recipe from a name in ``recipes/mix`` or a YAML file, and overrides.

    Args:
        name_or_path: The recipe.
        overrides: ``key=value`` strings.
        template: Its key ``template``, over all others; the recipe's where None.

    Raises:
        RecipeError: There is no such recipe, or a key or value is wrong.
    """
    if not name_or_path.endswith((".yaml", ".yml")):
        if not (RECIPES / FOLDER / f"{name_or_path}.yaml").is_file():
            names = ", ".join(sorted(file.stem for file in (RECIPES / FOLDER).glob("*.yaml")))
            raise RecipeError(f"there are no proportions {name_or_path!r}; built in are {names}, or give a .yaml")
        name_or_path = f"{FOLDER}/{name_or_path}"
    settings = with_overrides(read_settings(name_or_path), overrides)
    return from_mapping(MixRecipe, settings if template is None else {**settings, "template": template}, name_or_path)


def parse_tokens(text: str) -> int | None:
    """Reads a number of tokens: ``1.4T``, ``10B``, ``500M``, ``20K``, ``123456``; None for ``auto``.

    Raises:
        RecipeError: It is none of these.
    """
    if text.strip().lower() == "auto":
        return None
    found = _TOKENS.fullmatch(text.strip())
    try:
        tokens = Fraction(found["number"]) * _UNITS[found["unit"].upper()] if found else Fraction(0)
    except ValueError:
        tokens = Fraction(0)
    if tokens < 1 or tokens.denominator != 1:
        raise RecipeError(f"--tokens must look like 1.4T, 10B, 500M, 123456 or auto, it is {text!r}")
    return int(tokens)
