"""Items to documents: their turns are judged, cleaned and split, and what was found of them goes with the document.

The steps behind read it off: ``verdict`` in ``meta``, which is not written, is the step that drops a document, and why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import xxhash

from filters.html import DeepHtmlError
from filters.instructions.markdown import HtmlToMarkdown
from filters.instructions.shared_chats import blocked_word, fault_of, is_html, is_html_text, without_buttons
from filters.instructions.split import Piece, split_turns
from filters.instructions.turns import ASSISTANT, Turn, in_order, is_empty, joined, prompt_fault, with_text
from pipeline.corpus.document import Document, Refused
from pipeline.text import encodable
from sources.instructions.formats.items import Conversation, Fault, Item, Pair
from sources.instructions.recipe import InstructionsRecipe

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string()), ("train", pa.bool_())]))
PREFERENCE = [("messages", MESSAGES), ("chosen", pa.string()), ("rejected", pa.string()), ("margin", pa.float64())]
META = pa.struct(
    [
        *PREFERENCE,
        ("dataset", pa.string()),
        ("part", pa.string()),
        ("split", pa.string()),
        ("model", pa.string()),
        ("input", pa.string()),
        ("tree", pa.string()),
        ("chosen_rank", pa.int32()),
        ("rejected_rank", pa.int32()),
        ("bad_answers", pa.int32()),
        ("html", pa.bool_()),
        ("piece", pa.int32()),
        ("pieces", pa.int32()),
        ("tokens", pa.int32()),
        ("language_score", pa.float32()),
    ]
)
VERDICT = "verdict"
TURNS, CLEAN, SPLIT = "turns", "clean", "split"  # the steps that a verdict names
KEY_CHARACTERS = 200  # of an id of its own that is taken as it is
SHAREGPT = "sharegpt"
NUL = "\0"


@dataclass
class DocumentMaker:
    """Makes the documents of one file.

    Attributes:
        recipe: The source's choices.
        source: Its name.
        path: The file's path.
        count: Counts the tokens of a text.
        counters: The read step's counters.
    """

    recipe: InstructionsRecipe
    source: str
    path: str
    count: Callable[[str], int]
    counters: Counter[str]

    def __post_init__(self) -> None:
        self._convert = HtmlToMarkdown()
        self._refused: Counter[int] = Counter()  # by offset, of the last one alone

    def documents(self, dataset: str, offset: int, item: Item) -> Iterator[Document | Refused]:
        """What becomes of an item; of a long conversation its pieces.

        Args:
            dataset: The name of its format.
            offset: Where its record begins.
            item: The item.
        """
        place = offset if item.offset is None else item.offset
        if isinstance(item, Fault):
            number = self._refused[place]
            self._refused = Counter({place: number + 1})
            yield Refused(item.reason, item.message, self.path, place, item.failed, number)
        elif isinstance(item, Pair):
            yield self._pair(dataset, place, item)
        else:
            yield from self._conversation(dataset, place, item)

    def _conversation(self, dataset: str, offset: int, item: Conversation) -> Iterator[Document]:
        raw = [turn._replace(content=self._sound(turn.content)) for turn in item.turns]
        own = self._id(dataset, item.key, [part for turn in raw for part in (turn.role, turn.content)])
        facts = {**item.facts}
        step, reason, turns, before = self._judged(dataset, raw, facts)
        if reason is not None:
            yield self._document(own, dataset, offset, item, raw, raw, facts, (step, reason))
            return
        head = len(turns) % 2
        pieces = [Piece(head, len(turns), 0)]
        limit = self.recipe.split.max_tokens
        if limit is not None:
            pieces = split_turns(turns, limit, self.count)
        self.counters["split_conversations"] += len(pieces) > 1
        for number, piece in enumerate(pieces):
            chosen, shown = ([*all_[:head], *all_[piece.start : piece.end]] for all_ in (turns, before))
            too_long = limit is not None and piece.tokens > limit
            self.counters["longer_than_a_piece"] += too_long
            verdict = (SPLIT, "too_long") if too_long and self.recipe.split.longer_round == "drop" else None
            facts |= {"piece": number, "pieces": len(pieces), "tokens": piece.tokens or None}
            name = own if len(pieces) == 1 else f"{own}#{number}"
            yield self._document(name, dataset, offset, item, chosen, shown, {**facts}, verdict)

    def _judged(
        self, dataset: str, raw: Sequence[Turn], facts: dict[str, Any]
    ) -> tuple[str, str | None, list[Turn], list[Turn]]:
        """The step and the reason why a conversation goes, if it does; its turns clean, and those as they were."""
        recipe = self.recipe
        shared = recipe.sharegpt if dataset == SHAREGPT else None
        ordered = in_order(raw, recipe.turns)
        if ordered.reason:
            return TURNS, ordered.reason, [], []
        before = ordered.turns
        if shared and shared.drop_plugins and facts.get("plugins"):
            return CLEAN, "plugins", [], []
        if shared and blocked_word(before, shared.blocked_words):
            return CLEAN, "blocked_word", [], []
        try:
            turns = self._cleaned(before, facts) if shared else [_stripped(turn) for turn in before]
        except DeepHtmlError:
            return CLEAN, "deep_html", [], []
        judged = with_text(turns, recipe.turns)
        if judged.reason:
            return TURNS, judged.reason, [], []
        if shared:
            reason = fault_of(
                judged.turns,
                blocked_answers=shared.blocked_answers,
                min_characters=shared.min_characters,
                drop_wrong_numbers=shared.drop_wrong_numbers,
                drop_repeated_digits=shared.drop_repeated_digits,
            )
            if reason:
                return CLEAN, reason, [], []
        self.counters["turns_cut"] += len(raw) - len(judged.turns)
        return CLEAN, None, judged.turns, before[len(before) % 2 - len(judged.turns) % 2 :]

    def _cleaned(self, turns: Sequence[Turn], facts: dict[str, Any]) -> list[Turn]:
        """The turns of a shared chat: HTML as Markdown, and without what the page's buttons wrote."""
        mode = self.recipe.sharegpt.html
        html = mode == "always" or (mode == "auto" and is_html(turns))
        facts["html"] = html
        clean = []
        for turn in turns:
            text = turn.content
            if html and (mode == "always" or turn.role == ASSISTANT or is_html_text(text)):
                text = self._convert(text)
            clean.append(turn._replace(content=without_buttons(text)))
        return clean

    def _pair(self, dataset: str, offset: int, item: Pair) -> Document:
        prompt = [turn._replace(content=self._sound(turn.content).strip()) for turn in item.prompt]
        chosen, rejected = self._sound(item.chosen).strip(), self._sound(item.rejected).strip()
        contents = [part for turn in prompt for part in (turn.role, turn.content)]
        own = self._id(dataset, item.key, [*contents, "chosen", chosen, "rejected", rejected])
        reason = prompt_fault(prompt)
        if not reason and (is_empty(chosen) or is_empty(rejected)):
            reason = "empty_answer"
        if not reason and chosen == rejected:
            reason = "same_answers"
        facts = {**item.facts, "chosen": chosen, "rejected": rejected, "margin": item.margin}
        verdict = (TURNS, reason) if reason else None
        return self._document(own, dataset, offset, item, prompt, prompt, facts, verdict)

    def _document(
        self,
        name: str,
        dataset: str,
        offset: int,
        item: Conversation | Pair,
        turns: Sequence[Turn],
        before: Sequence[Turn],
        facts: dict[str, Any],
        verdict: tuple[str, str] | None,
    ) -> Document:
        answers = [facts["chosen"], facts["rejected"]] if isinstance(item, Pair) else []
        messages = [turn._asdict() for turn in turns]
        return Document(
            name,
            joined([*(turn.content for turn in before), *answers]),
            self.source,
            self.path,
            offset,
            language=item.language,
            created=item.created,
            meta={**facts, "messages": messages, "dataset": dataset, VERDICT: verdict},
        )

    def _sound(self, text: str) -> str:
        """A text that every file can hold: without zero characters, and with U+FFFD for halves of surrogate pairs."""
        if NUL in text:
            self.counters["zero_characters"] += text.count(NUL)
            text = text.replace(NUL, "")
        sound = encodable(text)
        self.counters["lone_surrogates"] += sound != text
        return sound

    def _id(self, dataset: str, key: str | None, contents: Sequence[str]) -> str:
        """By the record's own id; else, or where that is no name, by a hash of what it says."""
        if key is not None and len(key) <= KEY_CHARACTERS and key.isprintable():
            return f"{dataset}/{key}"
        parts = [key] if key is not None else contents
        return f"{dataset}/{xxhash.xxh3_128_hexdigest(chr(0).join(parts).encode('utf-8', 'surrogatepass'))}"


def _stripped(turn: Turn) -> Turn:
    return turn._replace(content=turn.content.strip())
