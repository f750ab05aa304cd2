"""The commands of the chain, one after the other, and what is measured on their outputs: see ``chain``.

It calls them as a user would, in processes of their own, and knows them by their files.
"""

import argparse
import json
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from samples.make_chat import OUTPUT as SAMPLES
from samples.make_chat import courtesy
from trainer_bridge.chat.chain import STEPS, TUNED
from trainer_bridge.errors import TrainerError
from trainer_bridge.run_folder import RunFolder

LAST_LINES = 12
LEAST_ACCURACY = 0.9
TEMPLATE = "llama2"
COMMAND = "trainer_bridge.chat.chain"
MIXED = "best.yaml"
WORK, SAMPLE = "{work}", "{samples}"  # stand for folders
CORPUS = f"{WORK}/corpus"
OUTPUTS = {"instructions": "corpus"}  # where not a step's name
MIXTURE = """\
# The best answers of rejection sampling, once each.
sources:
  rejection_sampling: {share: 100, subsets: [conversations]}
max_epochs: 1.0
seq_len: 128
"""
# A small model takes larger steps, and more passes; the rest is the recipe's for fine-tuning.
TUNE = "--model tiny --recipe sft model.dim=64 model.layers=2 model.heads=4 run.batch_sequences=16 run.micro_batch=16"
QUESTION = "What is the umbrella for?"
SAID = ("--temperature", "1", "--seed", "1")


@dataclass(frozen=True)
class Figure:
    """A figure of the chain.

    Attributes:
        name: what it is.
        value: as it is shown.
        wanted: what it should be.
        holds: whether it is.
    """

    name: str
    value: str
    wanted: str
    holds: bool


def commands(work: Path) -> dict[str, list[str]]:
    """The words behind ``python -m`` of each step."""
    pairs, talks = f"{CORPUS}/instructions/preferences", f"{CORPUS}/instructions/conversations"
    mix = f"pipeline.mix --template {TEMPLATE} --tokens auto --tokenizer {WORK}/tokenizer/tokenizer.model"
    judged = f"--recipe tiny --reward {WORK}/reward --prompts {talks}"
    steps = {
        "instructions": f"sources.instructions --input {SAMPLE}",
        "tokenizer": f"tokenizer.train --corpus {CORPUS} --proportions chat --vocab-size 640 --soft-vocab-limit",
        "shards": f"{mix} --proportions chat --corpus {CORPUS} --set seq_len=128",
        "sft": f"trainer_bridge.train {TUNE} --data {WORK}/shards optimizer.lr=4e-3 run.epochs=13",
        "reward": f"trainer_bridge.chat.reward --recipe tiny --model {WORK}/sft --data {pairs}",
        "rejection": f"trainer_bridge.chat.rejection {judged} --model {WORK}/sft",
        "best-shards": f"{mix} --proportions {WORK}/{MIXED} --corpus {WORK}/rejection/corpus",
        "best": f"trainer_bridge.train {TUNE} --data {WORK}/best-shards optimizer.lr=2e-4 run.init_from={WORK}/sft",
        "ppo": f"trainer_bridge.chat.ppo {judged} --model {WORK}/best",
        "ghost": f"trainer_bridge.chat.ghost --recipe tiny --model {WORK}/ppo --conversations {talks}",
    }
    for name in TUNED:
        words = "rejection.samples=1 rejection.seed=1 rejection.batch=64"
        steps[f"answers-{name}"] = f"trainer_bridge.chat.rejection {judged} --model {WORK}/{name} {words}"
    found = {name: [*words.split(), "--output", f"{WORK}/{OUTPUTS.get(name, name)}"] for name, words in steps.items()}
    for name in TUNED:
        found[f"says-{name}"] = ["trainer_bridge.generate", f"{WORK}/{name}", "--chat", QUESTION, *SAID]
    # The folders' names may hold spaces.
    return {
        name: [word.replace(WORK, str(work)).replace(SAMPLE, str(SAMPLES)) for word in words]
        for name, words in found.items()
    }


def run(options: argparse.Namespace) -> int:
    """Runs the steps, and prints the table; 0 when all figures are as they should be."""
    work = Path(options.output)
    target = RunFolder(work, COMMAND)
    target.expect(MIXED, *(f"logs/{name}.log" for name in STEPS))
    (work / "logs").mkdir(exist_ok=True)
    (work / MIXED).write_text(MIXTURE, encoding="utf-8")
    words = commands(work)
    last = len(STEPS) if options.until is None else STEPS.index(options.until) + 1
    for number, name in enumerate(STEPS[:last], 1):
        step(name, words[name], work, f"[{number}/{last}] ")
    if last < len(STEPS):
        return 0
    found = figures(work)
    sys.stdout.write(f"{table(found)}\n{QUESTION}\n")
    for name in TUNED:
        said = (work / "logs" / f"says-{name}.log").read_text(encoding="utf-8", errors="replace").splitlines()[-1]
        sys.stdout.write(f"  {name:<6}{said}\n")
    return 0 if all(figure.holds for figure in found) else 1


def step(name: str, words: list[str], work: Path, mark: str) -> None:
    """Runs a command, what it says going to its log.

    Raises:
        TrainerError: it failed; the message has what it said last.
    """
    log = work / "logs" / f"{name}.log"
    sys.stderr.write(f"{mark}python -m {shlex.join(words)}\n")
    sys.stderr.flush()
    with log.open("w", encoding="utf-8") as file:
        file.write(f"$ python -m {shlex.join(words)}\n")
        file.flush()
        done = subprocess.run([sys.executable, "-m", *words], stdout=file, stderr=file, check=False)
    if done.returncode:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
        raise TrainerError(f"{name} ended with status {done.returncode}; {log} ends:\n" + "\n".join(lines))


def figures(work: Path) -> list[Figure]:
    """What the chain is judged by."""
    reward, rejection, ppo = (
        read(work / name) for name in ("reward/reward.json", "rejection/result.json", "ppo/result.json")
    )
    accuracy = reward["heldout"]["all"]["accuracy"]
    first, best, last = (answers(work / f"answers-{name}") for name in ("sft", "best", "ppo"))
    limit, kl = read(work / "ppo" / "configuration.json")["ppo"]["kl_limit"], ppo["last"]["kl"]
    return [
        Figure("reward model: held-out accuracy", f"{accuracy:.1%}", "above 90.0%", accuracy > LEAST_ACCURACY),
        more("score of the best of 8 answers", rejection["best_score"], rejection["mean_score"], "the mean of all"),
        more("score, tuned on the best", best["score"], first["score"], "fine-tuned"),
        more("score, after PPO", last["score"], best["score"], "before"),
        Figure("KL after PPO, nats an answer", f"{kl:.3f}", f"at most {limit:.3f}", kl <= limit),
        more("courtesies, tuned on the best", best["courtesies"], first["courtesies"], "fine-tuned"),
        more("courtesies, after PPO", last["courtesies"], best["courtesies"], "before"),
    ]


def more(name: str, value: float, than: float, what: str) -> Figure:
    """A figure that should be larger than another."""
    return Figure(name, f"{value:.3f}", f"above {than:.3f}, {what}", value > than)


def answers(folder: Path) -> dict[str, float]:
    """Of a model's answers to all prompts: the mean score, and how many courtesies one has: what is planted."""
    samples = pq.read_table(folder / "samples.parquet", columns=["answer", "score"]).to_pylist()
    courtesies = sum(courtesy(sample["answer"]) for sample in samples) / len(samples)
    return {"score": sum(sample["score"] for sample in samples) / len(samples), "courtesies": courtesies}


def read(path: Path) -> dict[str, Any]:
    """A JSON object."""
    values: dict[str, Any] = json.loads(path.read_bytes())
    return values


def table(found: list[Figure]) -> str:
    """The figures for a terminal."""
    width = max(len(figure.name) for figure in found)
    lines = [
        f"{'ok' if figure.holds else 'FAILED':<8}{figure.name:<{width}}  {figure.value:>8}  ({figure.wanted})"
        for figure in found
    ]
    return "\n".join(lines) + "\n"
