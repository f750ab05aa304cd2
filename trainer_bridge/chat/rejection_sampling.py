"""Draws, scores and keeps answers: see ``trainer_bridge.chat.rejection``."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch

from trainer_bridge.chat.config import ChatConfig, RejectionConfig, plain
from trainer_bridge.chat.corpora import write_conversations
from trainer_bridge.chat.dialogue import Dialogues, dialogues_of, number_of
from trainer_bridge.chat.judges import Judges, load_judges
from trainer_bridge.chat.prompts import Prompt, prepare_prompts, prompts_identity
from trainer_bridge.chat.records import check_output, check_same, dtype_name, json_line, model_identity, resume_lines
from trainer_bridge.chat.sampling import sample_answers, uniform
from trainer_bridge.checkpoint import load_model
from trainer_bridge.errors import TrainerError
from trainer_bridge.model import Transformer
from trainer_bridge.parallel import compute_dtype
from trainer_bridge.run_folder import RunFolder
from trainer_bridge.stored import file_sha256

COMMAND = "trainer_bridge.chat.rejection"
LINES, TABLE, RESULT = "samples.jsonl", "samples.parquet", "result.json"
SOURCE = "rejection_sampling"
CORPUS = f"corpus/{SOURCE}/conversations/best.parquet"
LOG_SECONDS = 10.0
SCHEMA = pa.schema(
    {
        "prompt": pa.string(),
        "iteration": pa.int32(),
        "k": pa.int32(),
        "answer": pa.string(),
        "ids": pa.list_(pa.int32()),
        "score": pa.float64(),
        "ended": pa.bool_(),
    }
)


@dataclass(frozen=True)
class Sample:
    """An answer that was drawn; the fields are the columns of ``SCHEMA``.

    Attributes:
        prompt: see ``prompt_hash``.
        iteration: in which it was drawn.
        k: its number among those of the prompt.
        answer: its text.
        ids: its ids, the end mark last where it was drawn.
        score: the reward model's.
        ended: whether it has its end mark.
    """

    prompt: str
    iteration: int
    k: int
    answer: str
    ids: list[int]
    score: float
    ended: bool


def run(options: argparse.Namespace, config: ChatConfig) -> None:
    """Draws the samples that a command line asks for, and writes the best."""
    if config.device.threads:
        torch.set_num_threads(config.device.threads)
    models = (options.model, options.reward, options.safety_reward, *options.earlier)
    inputs = check_output(options.output, COMMAND, [*models, *options.prompts, *options.safety_prompts])
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype, own = compute_dtype(config.device.dtype, device), config.rejection
    model = load_model(options.model, device, dtype)
    dialogues = dialogues_of(options.model, options.template, model.config.context)
    judges = load_judges(
        options.reward, options.safety_reward, dialogues, device, dtype, own.safety_threshold, own.samples
    )
    prompts = prepare_prompts(options.prompts, options.safety_prompts, dialogues, own.tokens)
    said = {
        "model": model_identity(options.model),
        "template": dialogues.template.sha256,
        "tokenizer": dialogues.encoder.sha256,
        "reward": judges.identities,
        "prompts": prompts_identity(prompts),
        "earlier": [earlier_identity(path) for path in options.earlier],
        "rejection": plain(config.rejection),
        "dtype": dtype_name(dtype),
    }
    found = [(path, read_earlier(path, prompts, said, own.iteration)) for path in options.earlier]
    target = RunFolder(options.output, COMMAND, inputs)
    try:
        target.expect(LINES, TABLE, RESULT, CORPUS)
        check_same(target, said)
        earlier = [sample for path, table in found for sample in judged(path, table, prompts, judges)]
        samples = draw(model, judges, dialogues, prompts, own, target.path / LINES)
        write_table(target.path / TABLE, samples, said)
        _finish(target, prompts, samples, earlier, own)
    finally:
        target.close()


def _finish(
    target: RunFolder,
    prompts: Sequence[Prompt],
    samples: Sequence[Sample],
    earlier: Sequence[Sample],
    config: RejectionConfig,
) -> None:
    by_prompt: dict[str, list[Sample]] = {prompt.id: [] for prompt in prompts}
    for sample in (*samples, *earlier):
        by_prompt[sample.prompt].append(sample)
    best = {name: choose(some, config.ended_only) for name, some in by_prompt.items()}
    rows = (
        (
            f"{prompt.id[:16]}-{best[prompt.id].iteration}-{best[prompt.id].k}",
            [*prompt.messages, {"role": "assistant", "content": best[prompt.id].answer, "train": True}],
            {"score": best[prompt.id].score, "iteration": best[prompt.id].iteration},
        )
        for prompt in prompts
        if best[prompt.id].answer
    )
    count = write_conversations(target.path / CORPUS, SOURCE, rows)
    if count < len(prompts):
        sys.stderr.write(f"left out {len(prompts) - count:,} prompts: the best answer says nothing\n")
    scores = np.array([sample.score for sample in samples])
    result = {
        "prompts": len(prompts),
        "conversations": count,
        "samples": len(samples),
        "mean_score": float(scores.mean()),
        "best_score": float(np.mean([sample.score for sample in best.values()])),
        "from_earlier": sum(sample.iteration != config.iteration for sample in best.values()),
        "ended": float(np.mean([sample.ended for sample in samples])),
    }
    partial = target.path / f".{RESULT}.tmp"
    partial.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    partial.replace(target.path / RESULT)
    sys.stdout.write(
        f"{'prompts':<28}{result['prompts']:>10,}\n{'samples':<28}{result['samples']:>10,}\n"
        f"{'mean score of all samples':<28}{result['mean_score']:>10.3f}\n"
        f"{'mean score of the best':<28}{result['best_score']:>10.3f}\n"
        f"{'best ones of earlier ones':<28}{result['from_earlier']:>10,}\n"
        f"{'answers that ended':<28}{result['ended']:>10.1%}\n"
    )
    sys.stderr.write(f"wrote {target.path / CORPUS}\n")


def choose(samples: Sequence[Sample], ended_only: bool) -> Sample:
    """The sample with the highest score; of equal ones the earliest.

    Args:
        samples: of one prompt, at least one.
        ended_only: whether those without an end mark count only where there are no others.
    """
    ended = [sample for sample in samples if sample.ended] if ended_only else []
    return min(ended or samples, key=lambda sample: (-sample.score, sample.iteration, sample.k))


def draw(
    model: Transformer,
    judges: Judges,
    dialogues: Dialogues,
    prompts: Sequence[Prompt],
    config: RejectionConfig,
    path: Path,
) -> list[Sample]:
    """Draws and scores all samples; those that a file has already are read.

    A sample is a function of seed, iteration, prompt and k, and of the prompts that are drawn with it, which are always
    the
    same: a run that was stopped goes on at the first batch that is not whole.

    Args:
        model: answers.
        judges: score.
        dialogues: of the model.
        prompts: in their order.
        config: the recipe.
        path: a JSON object a sample.
    """
    known = resume_lines(path, config.batch * config.samples, len(prompts) * config.samples)
    done = [Sample(**record) for record in known]
    if done:
        sys.stderr.write(f"{len(done) // config.samples:,} of {len(prompts):,} prompts were answered before\n")
    told = time.monotonic()
    with path.open("a", encoding="utf-8") as file:
        for start in range(len(done) // config.samples, len(prompts), config.batch):
            some = _batch(model, judges, dialogues, prompts[start : start + config.batch], config)
            file.writelines(json_line(vars(sample)) for sample in some)
            file.flush()
            done += some
            if time.monotonic() - told > LOG_SECONDS:
                told = time.monotonic()
                sys.stderr.write(f"{start + config.batch:,} of {len(prompts):,} prompts\n")
    return done


def _batch(
    model: Transformer, judges: Judges, dialogues: Dialogues, prompts: Sequence[Prompt], config: RejectionConfig
) -> list[Sample]:
    each = [(prompt, k) for prompt in prompts for k in range(config.samples)]
    keys = [(config.seed, config.iteration, number_of(prompt.id), k) for prompt, k in each]
    numbers = np.stack([uniform(config.tokens, *key) for key in keys])
    answers = sample_answers(
        model, [prompt.ids for prompt, _ in each], numbers, dialogues.stop, config.temperature, config.top_p
    )
    scores = judges.scores([prompt for prompt, _ in each], answers)
    return [
        Sample(prompt.id, config.iteration, k, dialogues.text(ids), ids, score, dialogues.ended(ids))
        for (prompt, k), ids, score in zip(each, answers, scores, strict=True)
    ]


def write_table(path: Path, samples: Sequence[Sample], said: dict[str, Any]) -> None:
    """Writes the samples as Parquet, with what they were drawn and scored by in the metadata of its schema."""
    schema = SCHEMA.with_metadata({"chat": json.dumps({key: said[key] for key in ("tokenizer", "template", "reward")})})
    partial = path.with_name(f".{path.name}.tmp")
    pq.write_table(pa.Table.from_pylist([vars(sample) for sample in samples], schema), partial, compression="zstd")
    partial.replace(path)


def earlier_identity(folder: Path) -> str:
    """What tells an earlier iteration: what it was made by."""
    if not (folder / RESULT).is_file() or not (folder / TABLE).is_file():
        raise TrainerError(f"{folder} holds no finished rejection sampling: give outputs of python -m {COMMAND}")
    return file_sha256(folder / TABLE)


def read_earlier(folder: Path, prompts: Sequence[Prompt], said: dict[str, Any], iteration: int) -> pa.Table:
    """The samples of an earlier iteration for these prompts.

    Raises:
        TrainerError: they are of another tokenizer or template, or of the same iteration.
    """
    try:
        table = pq.read_table(folder / TABLE)
        by = scored_by(table)
    except (OSError, ValueError) as error:  # pyarrow's and json's are among them
        raise TrainerError(f"{folder / TABLE} cannot be read: {error}") from error
    if not table.schema.equals(SCHEMA):
        raise TrainerError(f"{folder / TABLE} has not the columns of samples: give outputs of python -m {COMMAND}")
    for key in ("tokenizer", "template"):
        if by.get(key) != said[key]:
            raise TrainerError(f"the samples of {folder} are of another {key}: {by.get(key)}, not {said[key]}")
    table = table.filter(pc.is_in(table["prompt"], pa.array([prompt.id for prompt in prompts])))
    if iteration in table["iteration"].to_pylist():
        raise TrainerError(
            f"the samples of {folder} are of iteration {iteration}, as these would be: they would be drawn by the same "
            f"random numbers. Give another rejection.iteration, such as {iteration + 1}"
        )
    return table


def scored_by(table: pa.Table) -> dict[str, Any]:
    """Tokenizer, template and reward models of a table of samples."""
    values: dict[str, Any] = json.loads((table.schema.metadata or {}).get(b"chat", b"{}"))
    return values


def judged(folder: Path, table: pa.Table, prompts: Sequence[Prompt], judges: Judges) -> list[Sample]:
    """Earlier samples, with the scores of this iteration's reward models."""
    known = {prompt.id: prompt for prompt in prompts}
    some = [Sample(**row) for row in table.to_pylist()]
    if not some or scored_by(table).get("reward") == judges.identities:
        return some
    sys.stderr.write(f"{folder}: {len(some):,} samples are scored anew, by this iteration's reward model\n")
    scores = judges.scores([known[sample.prompt] for sample in some], [sample.ids for sample in some])
    return [Sample(**{**vars(sample), "score": score}) for sample, score in zip(some, scores, strict=True)]
