"""The recipe of the instructions source: every choice, with those of the data's own programs as defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from filters.instructions.shared_chats import BLOCKED_ANSWERS, BLOCKED_WORDS
from filters.instructions.turns import TurnRules
from pipeline.corpus.sink import RejectPolicy
from pipeline.recipe import at_least, shares

BEFORE_INPUT = "\n\n### Input:\n"
FORMATS = ("alpaca", "sharegpt", "koala", "gpt4all", "wizardlm", "oasst", "hh-rlhf", "messages")


@dataclass(frozen=True)
class ShareGptRecipe:
    """FastChat's cleaning, of ShareGPT's conversations alone.

    Attributes:
        html: Which turns are turned from HTML into Markdown: ``auto`` those of conversations whose answers all are
            HTML, ``always`` all, as FastChat does (plain text suffers: "a<b" loses its end), or ``never``.
        blocked_words: Conversations with one of these go, whatever their case; FastChat's.
        blocked_answers: Conversations with an answer that begins with one of these go; FastChat's.
        min_characters: Shorter conversations go; FastChat's.
        drop_wrong_numbers: Whether conversations go in which each item of a list has the number 1: what is left of
            lists that a browser numbered (``filter_wrong_format.py``).
        drop_repeated_digits: Whether those go in which a digit stands nine times in a row; off in FastChat, too, since
            it hits good ones (``optional_clean.py``).
        drop_plugins: Whether conversations with ChatGPT's plugins go; FastChat's.
    """

    html: Literal["auto", "always", "never"] = "auto"
    blocked_words: tuple[str, ...] = BLOCKED_WORDS
    blocked_answers: tuple[str, ...] = BLOCKED_ANSWERS
    min_characters: int = 16
    drop_wrong_numbers: bool = True
    drop_repeated_digits: bool = False
    drop_plugins: bool = True

    def __post_init__(self) -> None:
        at_least(self, 0, "min_characters")
        if wrong := [word for word in self.blocked_words if not word or word != word.lower()]:
            raise ValueError(f"blocked_words must be in small letters and not empty, one is {wrong[0]!r}")


@dataclass(frozen=True)
class AlpacaRecipe:
    """Alpaca's records.

    Attributes:
        before_input: What stands in the user's turn between an instruction and its input. The template ``alpaca`` knows
            its prompt with an input by this; other templates show it as it is.
    """

    before_input: str = BEFORE_INPUT


@dataclass(frozen=True)
class KoalaRecipe:
    """Koala's mix.

    Attributes:
        bad_answers: Answers behind the marker of bad ones: ``untrained`` they stay, without loss; ``drop``:
            conversations with one go. Koala itself learned them, behind a prompt that asks for a bad answer, which no
            template here writes.
    """

    bad_answers: Literal["untrained", "drop"] = "untrained"


@dataclass(frozen=True)
class OasstRecipe:
    """OpenAssistant's trees.

    Attributes:
        best: Of the answers to one prompt so many are followed, by their rank, where there are ranks; null for all.
            OpenAssistant's later models took 1 (``top_k``).
        states: The states of trees that are taken.
        keep_synthetic: Whether messages that a model wrote take part; OpenAssistant left them out.
        most_answers: Of the answers to one prompt so many are compared, the best ranked ones (``max_replies``).
        pairs: Which of them make pairs: ``all`` two of unlike ranks, ``adjacent`` ones, or the best and the ``worst``.
        max_depth: Messages above one another; deeper ones are left out, so that no tree gives threads without end.
    """

    best: int | None = 1
    states: tuple[str, ...] = ("ready_for_export",)
    keep_synthetic: bool = False
    most_answers: int = 5
    pairs: Literal["all", "adjacent", "worst"] = "all"
    max_depth: int = 64

    def __post_init__(self) -> None:
        at_least(self, 2, "most_answers", "max_depth")
        if self.best is not None:
            at_least(self, 1, "best")


@dataclass(frozen=True)
class SplitRecipe:
    """Splitting of long conversations, between rounds of question and answer.

    Attributes:
        max_tokens: The most tokens of a piece, six for each turn's template counted, as FastChat does (2,048); null
            leaves conversations whole.
        tokenizer: The SentencePiece model that counts them: path, gs://, s3://, hf:// or https:// address. null, the
            default, estimates them: a corpus is made before its tokenizer is, and for many of them.
        tokenizer_sha256: The model's checksum, checked where given.
        bytes_per_token: What the estimate divides UTF-8 bytes by. Table 1 of LLaMA's paper implies 3.9 bytes a token
            for CommonCrawl, 3.3 for GitHub, and 2.9 for StackExchange, which is most like chats.
        longer_round: A round that is longer by itself: ``keep`` it as a piece, as FastChat does, or ``drop`` it.
    """

    max_tokens: int | None = 2048
    tokenizer: str | None = None
    tokenizer_sha256: str | None = None
    bytes_per_token: float = 3.0
    longer_round: Literal["keep", "drop"] = "keep"

    def __post_init__(self) -> None:
        if self.max_tokens is not None:
            at_least(self, 16, "max_tokens")
        at_least(self, 0.1, "bytes_per_token")


@dataclass(frozen=True)
class LanguageRecipe:
    """Languages. A record's own says more than a model's guess, and is taken where there is one.

    Attributes:
        keep: The languages kept; empty for all. Vicuna left out Korean alone, OpenAssistant took some twenty.
        drop: The languages dropped.
        model: The fastText model for records that do not say: path, gs://, s3://, hf:// or https:// address; null
            leaves their language open, and all of them stay.
        sha256: Its checksum, checked where given.
        threshold: Where the model is less certain, the language counts as unknown: it is not written, and with ``keep``
            the conversation goes.
    """

    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    model: str | None = "samples/models/lid.176.ftz"
    sha256: str | None = None
    threshold: float = 0.5

    def __post_init__(self) -> None:
        shares(self, "threshold")
        if both := sorted({*self.keep} & {*self.drop}):
            raise ValueError(f"keep and drop both name {both[0]!r}")
        if self.keep and self.drop:
            raise ValueError("give keep or drop, not both: what is not kept is dropped")


@dataclass(frozen=True)
class DedupRecipe:
    """Exact dedup, over all files of a run.

    Attributes:
        texts: Whether of conversations, or pairs, that say the same one stays.
        ids: Whether of those with one id of their own one stays, as FastChat has it.
    """

    texts: bool = True
    ids: bool = True


@dataclass(frozen=True)
class InstructionsRecipe:
    """All of the source's choices.

    Attributes:
        max_record_megabytes: A larger record fails by itself, so that none can fill the memory.
        optout: A list of removals: documents that it means are left out as they are read, and those with a listed text
            at the end; null for none. A path or address that every worker reaches (docs/optout.md).
    """

    max_record_megabytes: int = 16
    turns: TurnRules = field(default_factory=TurnRules)
    alpaca: AlpacaRecipe = AlpacaRecipe()
    sharegpt: ShareGptRecipe = ShareGptRecipe()
    koala: KoalaRecipe = KoalaRecipe()
    oasst: OasstRecipe = OasstRecipe()
    split: SplitRecipe = SplitRecipe()
    language: LanguageRecipe = LanguageRecipe()
    dedup: DedupRecipe = DedupRecipe()
    rejects: RejectPolicy = field(default_factory=RejectPolicy)
    optout: str | None = None

    def __post_init__(self) -> None:
        at_least(self, 1, "max_record_megabytes")
