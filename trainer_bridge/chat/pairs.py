"""Preference pairs as TRL's RewardTrainer takes them: ids of both dialogues, and the margin of the paper's table."""

import hashlib
import json
import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa

from trainer_bridge.chat.config import LEVELS, MARGINS, RewardConfig
from trainer_bridge.chat.corpora import Pair, read_pairs
from trainer_bridge.chat.dialogue import AT_ONCE, Dialogues, is_kept_out, prompt_hash
from trainer_bridge.errors import TrainerError
from trainer_bridge.stored import file_sha256

UNKNOWN = -1  # nobody says whether an answer is safe
SCHEMA = pa.schema(
    {
        "chosen_ids": pa.list_(pa.int32()),
        "rejected_ids": pa.list_(pa.int32()),
        "margin": pa.float32(),
        "chosen_safe": pa.int8(),
        "rejected_safe": pa.int8(),
        "level": pa.int8(),
        "prompt": pa.string(),
    }
)


@dataclass(frozen=True)
class EncodedPair:
    """A pair in ids; the fields are the columns of ``SCHEMA``.

    Attributes:
        chosen_ids: prompt and better answer.
        rejected_ids: prompt and other answer.
        margin: of the loss.
        chosen_safe: 1, 0 or ``UNKNOWN``.
        rejected_safe: likewise.
        level: place in ``LEVELS``.
        prompt: see ``prompt_hash``.
    """

    chosen_ids: list[int]
    rejected_ids: list[int]
    margin: float
    chosen_safe: int
    rejected_safe: int
    level: int
    prompt: str


def level_of(margin: float | None, bounds: Sequence[float]) -> int:
    """How much better an answer is, as a place in ``LEVELS``: the first of the bounds that its margin reaches."""
    if margin is None or math.isnan(margin):
        return len(bounds)
    return next((place for place, bound in enumerate(bounds) if margin >= bound), len(bounds))


def encode_pairs(
    pairs: Iterable[Pair], dialogues: Dialogues, config: RewardConfig, left_out: Counter[str]
) -> Iterator[EncodedPair]:
    """Pairs in ids; those that cannot be used are counted by reason.

    Args:
        pairs: the pairs.
        dialogues: tokenizer, template and context of the model.
        config: margins.
        left_out: counts ``too_long``, ``same_answers``, and the template's reasons.
    """
    rest = iter(pairs)
    while some := list(islice(rest, AT_ONCE)):
        answers = [answer for pair in some for answer in (pair.chosen, pair.rejected)]
        prompts = [pair.messages for pair in some for _ in range(2)]
        turns = [
            (*prompt, {"role": "assistant", "content": answer}) for prompt, answer in zip(prompts, answers, strict=True)
        ]
        refused: Counter[str] = Counter()  # of dialogues: a pair has two
        encoded = list(dialogues.whole(turns, refused))
        for pair, chosen, rejected in zip(some, encoded[::2], encoded[1::2], strict=True):
            if chosen is None or rejected is None:
                left_out[_reason(dialogues, pair)] += 1
            elif max(len(chosen), len(rejected)) > dialogues.context:
                left_out["too_long"] += 1
            elif chosen == rejected:
                left_out["same_answers"] += 1
            else:
                yield _encoded(pair, chosen, rejected, config)


def _reason(dialogues: Dialogues, pair: Pair) -> str:
    refused: Counter[str] = Counter()
    for answer in (pair.chosen, pair.rejected):
        list(dialogues.whole([(*pair.messages, {"role": "assistant", "content": answer})], refused))
    return next(iter(refused))


def _encoded(pair: Pair, chosen: list[int], rejected: list[int], config: RewardConfig) -> EncodedPair:
    level = level_of(pair.margin, config.margin_bounds)
    first, second = (UNKNOWN if label is None else int(label) for label in (pair.chosen_safe, pair.rejected_safe))
    margin = MARGINS[config.margins][level]
    return EncodedPair(chosen, rejected, margin, first, second, level, prompt_hash(pair.messages))


def write_pairs(path: Path, pairs: Iterable[EncodedPair]) -> list[str]:
    """Writes pairs as an Arrow stream, which ``datasets`` maps into memory; gives their prompts."""
    prompts: list[str] = []
    partial = path.with_name(f".{path.name}.tmp")
    rest = iter(pairs)
    with pa.OSFile(str(partial), "wb") as sink, pa.ipc.new_stream(sink, SCHEMA) as writer:
        while some := list(islice(rest, AT_ONCE)):
            writer.write_batch(pa.RecordBatch.from_pylist([vars(pair) for pair in some], SCHEMA))
            prompts += [pair.prompt for pair in some]
    partial.replace(path)
    return prompts


@dataclass(frozen=True)
class PairFiles:
    """Encoded pairs on the disk.

    Attributes:
        train: Arrow file of the pairs of ``--data`` that are trained on.
        more: of those of ``--more``; None where none.
        more_rows: which rows of it are mixed in.
        heldout: of those that the model is judged on.
        counts: how many there are, and how many were left out, by reason.
    """

    train: Path
    more: Path | None
    more_rows: list[int]
    heldout: Path
    counts: dict[str, int]

    @property
    def identity(self) -> str:
        """SHA-256 of all that is trained on and judged by."""
        files = [self.train, self.heldout, *([self.more] if self.more else [])]
        return hashlib.sha256("".join([*map(file_sha256, files), str(self.more_rows)]).encode()).hexdigest()


def prepare_pairs(
    folder: Path,
    data: Sequence[str],
    more: Sequence[str],
    heldout: Sequence[str],
    dialogues: Dialogues,
    config: RewardConfig,
) -> PairFiles:
    """Encodes all pairs into a folder.

    A prompt's pairs are all trained on, or all held out. Of ``more`` the pairs with the lowest hashes of their prompts
    are mixed in, and none of a prompt that is held out.

    Raises:
        TrainerError: nothing is left to train on, or to judge by.
    """
    left_out: Counter[str] = Counter()
    kept_out: set[str] = set()
    held: list[EncodedPair] = list(encode_pairs(read_pairs(heldout), dialogues, config, left_out)) if heldout else []
    kept_out.update(pair.prompt for pair in held)

    def training() -> Iterator[EncodedPair]:
        for pair in encode_pairs(read_pairs(data), dialogues, config, left_out):
            if pair.prompt in kept_out:
                continue
            if not heldout and is_kept_out(pair.prompt, config.heldout, config.seed):
                held.append(pair)
            else:
                yield pair

    prompts = write_pairs(folder / "train.arrow", training())
    counts = {"train": len(prompts), "heldout": len(held)}
    _check(counts, left_out, data, heldout)
    write_pairs(folder / "heldout.arrow", held)
    kept_out.update(pair.prompt for pair in held)
    rows: list[int] = []
    if more and config.more_share:
        encoded = encode_pairs(read_pairs(more), dialogues, config, left_out)
        others = write_pairs(folder / "more.arrow", (pair for pair in encoded if pair.prompt not in kept_out))
        wanted = round(len(prompts) * config.more_share / (1 - config.more_share))
        rows = sorted(sorted(range(len(others)), key=lambda row: (others[row], row))[:wanted])
        counts["more"] = len(rows)
        if len(rows) < wanted:
            sys.stderr.write(f"--more has {len(rows):,} pairs, reward.more_share asks for {wanted:,}: all are taken\n")
    for reason, number in sorted(left_out.items()):
        sys.stderr.write(f"left out {number:,} pairs: {reason}\n")
    counts |= {f"left out: {reason}": number for reason, number in sorted(left_out.items())}
    more_file = folder / "more.arrow" if rows else None
    return PairFiles(folder / "train.arrow", more_file, rows, folder / "heldout.arrow", counts)


def _check(counts: dict[str, int], left_out: Counter[str], data: Sequence[str], heldout: Sequence[str]) -> None:
    why = f" ({json.dumps(dict(left_out))} were left out)" if left_out else ""
    if not counts["train"]:
        raise TrainerError(f"{' '.join(data)} holds no pairs to train on{why}")
    if not counts["heldout"]:
        where = f"{' '.join(heldout)} holds" if heldout else "reward.heldout leaves"
        raise TrainerError(f"{where} no pairs to judge by{why}: give more pairs, or a larger reward.heldout")


def accuracies(
    chosen: Sequence[float], rejected: Sequence[float], levels: Sequence[int]
) -> dict[str, dict[str, float]]:
    """Of each level, and of all: how many pairs, and the share in which the chosen answer has the higher score."""
    right = [first > second for first, second in zip(chosen, rejected, strict=True)]
    found: dict[str, dict[str, float]] = {}
    for place, name in enumerate(LEVELS):
        of_level = [hit for hit, level in zip(right, levels, strict=True) if level == place]
        if of_level:
            found[name] = {"pairs": len(of_level), "accuracy": sum(of_level) / len(of_level)}
    return {**found, "all": {"pairs": len(right), "accuracy": sum(right) / len(right)}}
