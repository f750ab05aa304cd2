"""PPO: draws answers, takes the steps on them, again and again; see ``trainer_bridge.chat.ppo``.

It is written here, on the trainer's own model, as TRL has no PPO any more (its last version with one, 1.12, had it in
trl.experimental: one reward model, whitening after the KL term and without the logit, four passes over a batch).

An iteration begins with answers, whose mean reward and divergence are those of the policy as it is; only when the
divergence is within ``ppo.kl_limit`` is that policy written as a checkpoint, and then come the steps.
"""

import argparse
import json
import math
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trainer_bridge.chat.config import ChatConfig, PPOConfig, plain
from trainer_bridge.chat.dialogue import dialogues_of, draw_hash
from trainer_bridge.chat.judges import load_judges
from trainer_bridge.chat.objective import policy_loss, value_loss
from trainer_bridge.chat.prompts import Prompt, prepare_prompts, prompts_identity
from trainer_bridge.chat.records import Records, check_output, check_same, dtype_name, model_identity
from trainer_bridge.chat.rollouts import (
    HELDOUT,
    TRAINING,
    Answers,
    Rollout,
    answer,
    divergence,
    log_probabilities,
    roll_out,
    tensors,
)
from trainer_bridge.chat.scalar import ScalarModel, read_scalar
from trainer_bridge.checkpoint import (
    FOLDER,
    MODEL,
    checkpoint_name,
    latest_checkpoint,
    list_checkpoints,
    load_model,
    load_tensors,
    step_of,
    stored_model_config,
)
from trainer_bridge.config import OptimizerConfig
from trainer_bridge.errors import TrainerError
from trainer_bridge.metrics import NAME as METRICS
from trainer_bridge.model import Transformer
from trainer_bridge.optimizer import apply_step, build_optimizer, gradient_norm
from trainer_bridge.parallel import compute_dtype
from trainer_bridge.released import read_json
from trainer_bridge.run_folder import RunFolder
from trainer_bridge.signals import STOPPED, StopSignal
from trainer_bridge.single import write_checkpoint
from trainer_bridge.template import NAME as TEMPLATE
from trainer_bridge.vocabulary import NAME

COMMAND = "trainer_bridge.chat.ppo"
RESULT = "result.json"
VALUE = "value."
COMPLETE = "complete"
WHY = {
    COMPLETE: "complete",
    "kl_limit": "ended, as the divergence of the policy passed ppo.kl_limit",
    "patience": "ended, as ppo.patience evaluations brought no better score",
}


@dataclass(frozen=True)
class Learners:
    """What the steps change, and what they are held to.

    Attributes:
        policy: the chat model.
        first: as it was in the beginning; never changed.
        value: the value function.
        optimizers: of policy and value.
    """

    policy: Transformer
    first: Transformer
    value: ScalarModel
    optimizers: tuple[torch.optim.AdamW, torch.optim.AdamW]

    def state(self) -> dict[str, Tensor]:
        """Every tensor that a checkpoint holds, by name: views of the live ones."""
        found: dict[str, Tensor] = {}
        models: tuple[tuple[str, nn.Module], ...] = ((MODEL, self.policy), (VALUE, self.value))
        for (prefix, model), optimizer in zip(models, self.optimizers, strict=True):
            for name, parameter in model.named_parameters():
                found[prefix + name] = parameter.detach()
                for part, tensor in optimizer.state[parameter].items():
                    found[f"optimizer.{prefix}{name}.{part}"] = tensor
        return found


def run(options: argparse.Namespace, config: ChatConfig) -> int:
    """Trains; 0 when it is complete, 143 when a signal stopped it."""
    if config.device.threads:
        torch.set_num_threads(config.device.threads)
    models = (options.model, options.reward, options.safety_reward)
    inputs = check_output(options.output, COMMAND, [*models, *options.prompts, *options.safety_prompts])
    job = Run(options, config)
    target = RunFolder(options.output, COMMAND, inputs)
    try:
        return job.report(target) if job.is_finished(target) else job.train(target)
    finally:
        target.close()


@dataclass(frozen=True)
class Prompts:
    """What is answered: in training, and to see how far it has come."""

    training: list[Prompt]
    heldout: list[Prompt]

    def batch(self, step: int, config: PPOConfig) -> list[Prompt]:
        """The prompts of an iteration: all, in an order that is drawn anew for each pass over them."""
        count, first = len(self.training), step * config.batch
        places = np.arange(first, first + config.batch)
        orders = {
            epoch: np.random.default_rng([config.seed, epoch]).permutation(count)
            for epoch in np.unique(places // count).tolist()
        }
        return [self.training[orders[place // count][place % count]] for place in places.tolist()]


def split(prompts: Sequence[Prompt], config: PPOConfig) -> Prompts:
    """Keeps the prompts with the lowest hashes out of training, but not more than half of all."""
    count = min(config.heldout_prompts, len(prompts) // 2)
    kept = {prompt.id for prompt in sorted(prompts, key=lambda prompt: draw_hash(prompt.id, config.seed))[:count]}
    return Prompts([p for p in prompts if p.id not in kept], [p for p in prompts if p.id in kept])


def begin(model: Path, reward: Path, device: torch.device, dtype: torch.dtype, config: PPOConfig) -> Learners:
    """Policy, first policy and value function as they are before the first step."""
    first = load_model(model, device, dtype)
    policy = load_model(model, device).requires_grad_(True)
    policy.dtype = dtype
    value = read_scalar(reward, dtype).to(device).eval()
    rates = (config.lr, config.lr if config.value_lr is None else config.value_lr)
    shared = {"betas": config.betas, "eps": config.eps, "weight_decay": config.weight_decay}
    optimizers = [
        build_optimizer(learner, OptimizerConfig(lr=rate, **shared))  # type: ignore[arg-type]
        for learner, rate in zip((policy, value), rates, strict=True)
    ]
    return Learners(policy, first, value, (optimizers[0], optimizers[1]))


class Run:
    """A run of PPO, at the beginning or where its newest checkpoint is."""

    target: RunFolder
    learners: Learners
    records: Records

    def __init__(self, options: argparse.Namespace, config: ChatConfig) -> None:
        """Reads the reward models and the prompts; writes nothing."""
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.config, self.model, self.reward = config.ppo, options.model, options.reward
        self.device, self.dtype = device, compute_dtype(config.device.dtype, device)
        own, shape = config.ppo, stored_model_config(latest_checkpoint(options.model))
        self.dialogues = dialogues_of(options.model, options.template, shape.context)
        judges = (options.reward, options.safety_reward, self.dialogues, device, self.dtype)
        self.judges = load_judges(*judges, own.safety_threshold, own.micro_batch)
        prompts = prepare_prompts(options.prompts, options.safety_prompts, self.dialogues, own.tokens)
        self.prompts = split(prompts, own)
        self.said = {
            "model": model_identity(options.model),
            "template": self.dialogues.template.sha256,
            "reward": self.judges.identities,
            "prompts": prompts_identity(prompts),
            "ppo": {key: value for key, value in plain(own).items() if key not in ("iterations", "keep")},
            "dtype": dtype_name(self.dtype),
        }
        self.step = 0
        self.stop = StopSignal(1)

    def is_finished(self, target: RunFolder) -> bool:
        """Whether a run of these choices has come to its end; not where it was asked for fewer iterations than now.

        Raises:
            TrainerError: the folder was begun with other choices.
        """
        target.expect(METRICS, TEMPLATE, NAME, RESULT)
        check_same(target, self.said)
        if not (target.path / RESULT).is_file():
            return False
        result = read_json(target.path / RESULT)
        return result.get("ended") != COMPLETE or int(result["iteration"]) >= self.config.iterations

    def report(self, target: RunFolder) -> int:
        """Says how a finished run ended."""
        sys.stdout.write(table(read_json(target.path / RESULT)))
        sys.stderr.write(f"{target.path} is finished: nothing to do\n")
        return 0

    def train(self, target: RunFolder) -> int:
        """Goes on to the last iteration, or until the divergence, the evaluations or a signal end it."""
        self._begin(target)
        self.stop.listen()
        while True:
            record, rollout = self._roll_out()
            why = self._why_end(record)
            stopped = self.stop.asked()
            if why in (None, COMPLETE) and (stopped or self._is_due(record)):
                self._save()
            if why is not None:
                self._tell(record)
                return self._end(why)
            if stopped:
                sys.stderr.write(f"stopped at iteration {self.step}: the same command goes on\n")
                return STOPPED
            self._tell(record | self._learn(rollout))
            self.step += 1

    def _begin(self, target: RunFolder) -> None:
        """Reads the models, as they were at first or in the newest checkpoint."""
        self.target = target
        shutil.copyfile(self.dialogues.tokenizer, target.path / NAME)
        (target.path / TEMPLATE).write_text(self.dialogues.template.text, encoding="utf-8")
        self.learners = begin(self.model, self.reward, self.device, self.dtype, self.config)
        if found := list_checkpoints(target.path):
            load_tensors(found[-1], self.learners.state())
            self.step = step_of(found[-1])
            sys.stderr.write(f"goes on from iteration {self.step}\n")
        self.records = Records(target.path / METRICS, lambda record: record.get("step") in range(self.step))
        if [record["step"] for record in self.records.records] != list(range(self.step)):
            raise TrainerError(
                f"{target.path / METRICS} lacks iterations before {self.step}, from which this run goes on: put back "
                "the file as it was, or begin in another --output"
            )

    def _info(self) -> dict[str, Any]:
        """What ``run.json`` of a checkpoint says."""
        encoder = self.dialogues.encoder
        special = {"bos": encoder.bos_id, "eos": encoder.eos_id}
        known = {key: None if number < 0 else number for key, number in special.items()}
        model = {"model": asdict(self.learners.policy.config)}
        more = {"weights_only": True, **known, "tokenizer_sha256": encoder.sha256}
        return {"step": self.step, "loader": None, "config": model, **more}

    def _roll_out(self) -> tuple[dict[str, Any], Rollout]:
        """Answers of the policy as it is, and what is measured on them."""
        own, learners = self.config, self.learners
        prompts = self.prompts.batch(self.step, own)
        answers = answer(learners.policy, self.judges, self.dialogues, prompts, own, TRAINING, self.step)
        rollout = roll_out(answers, learners.policy, learners.first, learners.value, own)
        tokens = rollout.mask.sum()
        record: dict[str, Any] = {"step": self.step, **measured(answers), "kl": float(rollout.kl.mean())}
        record |= {"kl_per_token": float(rollout.kl.sum() / tokens), "entropy": rollout.entropy}
        is_last = self.step >= own.iterations
        if self.prompts.heldout and (self.step % own.evaluate_every == 0 or is_last):
            record["heldout"] = self._evaluate()
        return record, rollout

    def _evaluate(self) -> dict[str, float]:
        """Answers to the prompts that are kept out, always by the same random numbers."""
        own, learners = self.config, self.learners
        answers = answer(learners.policy, self.judges, self.dialogues, self.prompts.heldout, own, HELDOUT)
        ids, mask = tensors(answers, learners.policy.output.weight.device)
        _, differences, _ = divergence(learners.policy, learners.first, ids, mask, own)
        return {**measured(answers), "kl": float(differences.sum(1).mean())}

    def _why_end(self, record: dict[str, Any]) -> str | None:
        """Why the run ends before the steps of this iteration; None where it does not."""
        own = self.config
        if own.kl_limit is not None and record["kl"] > own.kl_limit:
            return "kl_limit"
        if own.patience is not None and "heldout" in record and self._evaluations_since_best(record) >= own.patience:
            return "patience"
        return COMPLETE if self.step >= own.iterations else None

    def _evaluated(self) -> list[dict[str, Any]]:
        return [record for record in self.records.records if "heldout" in record]

    def _evaluations_since_best(self, record: dict[str, Any]) -> int:
        scores = [known["heldout"]["score"] for known in (*self._evaluated(), record)]
        return len(scores) - 1 - int(np.argmax(scores))

    def _is_due(self, record: dict[str, Any]) -> bool:
        is_best = self.config.patience is not None and "heldout" in record and not self._evaluations_since_best(record)
        return is_best or self.step % self.config.save_every == 0 or self.step >= self.config.iterations

    def _save(self) -> None:
        """Writes a checkpoint; removes those that are not kept, but never the best where evaluations count."""
        path = self.target.path
        if (path / FOLDER / checkpoint_name(self.step)).is_dir():
            return
        self.records.to_disk()
        write_checkpoint(self.target, self.step, self.learners.state(), self._info())
        best = self._best()
        for old in list_checkpoints(path)[: -self.config.keep]:
            if step_of(old) != best:
                self.target.remove(f"{FOLDER}/{old.name}")

    def _best(self) -> int | None:
        """The iteration with the best evaluation so far, where evaluations end the run."""
        if self.config.patience is None or not (known := self._evaluated()):
            return None
        return int(max(known, key=lambda record: (record["heldout"]["score"], -record["step"]))["step"])

    def _learn(self, rollout: Rollout) -> dict[str, float]:
        """The steps of an iteration: one for each mini-batch and pass; gives their means."""
        own = self.config
        found: list[dict[str, float]] = []
        for epoch in range(own.epochs):
            order = np.random.default_rng([own.seed, self.step, epoch]).permutation(own.batch)
            for start in range(0, own.batch, own.mini_batch):
                found.append(take_step(self.learners, rollout, order[start : start + own.mini_batch], own))
                if broken := [name for name, value in found[-1].items() if not math.isfinite(value)]:
                    raise TrainerError(
                        f"iteration {self.step}: {', '.join(broken)} not finite. The newest checkpoint is from before; "
                        "try a lower ppo.lr in another --output"
                    )
        return {key: float(np.mean([step[key] for step in found])) for key in found[0]}

    def _tell(self, record: dict[str, Any]) -> None:
        self.records.write(record)
        parts = [f"iteration {record['step']}/{self.config.iterations}", f"score {record['score']:.3f}"]
        parts += [f"reward {record['reward']:.3f}", f"KL {record['kl']:.3f}", f"entropy {record['entropy']:.3f}"]
        if "clipped" in record:
            parts.append(f"clipped {record['clipped']:.1%}")
        if "heldout" in record:
            parts.append(f"held-out score {record['heldout']['score']:.3f}")
        sys.stderr.write("  ".join(parts) + "\n")

    def _end(self, why: str) -> int:
        """Writes how the run ended, and says it."""
        if why == "patience":
            best = self._best()
            for newer in list_checkpoints(self.target.path):
                if best is not None and step_of(newer) > best:
                    self.target.remove(f"{FOLDER}/{newer.name}")
        kept = step_of(list_checkpoints(self.target.path)[-1])
        known = {record["step"]: record for record in self.records.records}
        result = {"ended": why, "iteration": kept, "first": known[0], "last": known[kept]}
        partial = self.target.path / f".{RESULT}.tmp"
        partial.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        partial.replace(self.target.path / RESULT)
        self.records.close()
        sys.stdout.write(table(result))
        sys.stderr.write(f"{WHY[why]}: {self.target.path} holds the policy of iteration {kept}\n")
        return 0


def take_step(learners: Learners, rollout: Rollout, rows: NDArray[np.int64], config: PPOConfig) -> dict[str, float]:
    """One step of policy and value function on a mini-batch, a micro-batch at a time; gives what was measured."""
    device = rollout.ids.device
    tokens = float(rollout.mask[torch.from_numpy(rows).to(device)].sum())
    sums = torch.zeros(4, device=device)
    for optimizer in learners.optimizers:
        optimizer.zero_grad()
    for start in range(0, len(rows), config.micro_batch):
        some = torch.from_numpy(rows[start : start + config.micro_batch]).to(device)
        places = int(rollout.mask[some].any(0).nonzero().max()) + 1
        ids, mask = rollout.ids[some, : places + 1], rollout.mask[some, :places]
        old, returns = rollout.old[some, :places], rollout.returns[some, :places]
        new, _ = log_probabilities(learners.policy, ids, mask, config.temperature)
        loss, clipped, moved = policy_loss(new, old, rollout.advantages[some, :places], mask, config.clip)
        error = value_loss(learners.value(ids[:, :-1]), rollout.values[some, :places], returns, mask, config.value_clip)
        torch.autograd.backward((loss + error) / tokens)  # of models that share no weights
        sums += torch.stack((loss.detach(), error.detach(), clipped, moved))
    norms = [_apply(*pair, config) for pair in zip((learners.policy, learners.value), learners.optimizers, strict=True)]
    names = ("policy_loss", "value_loss", "clipped", "moved")
    values = {name: float(total) / tokens for name, total in zip(names, sums, strict=True)}
    return values | {"grad_norm": norms[0], "value_grad_norm": norms[1]}


def _apply(model: nn.Module, optimizer: torch.optim.AdamW, config: PPOConfig) -> float:
    """An AdamW step on the clipped gradient, or none where it is not finite; gives its norm."""
    norm = gradient_norm(model)
    skip = 1.0 - norm.isfinite().float()
    apply_step(optimizer, float(optimizer.param_groups[0]["lr"]), (config.clip_norm / norm).clamp(max=1.0), skip)
    return float(norm)


def measured(answers: Answers) -> dict[str, float]:
    """Means over some answers: score, its sigmoid, which is the paper's reward, length, and the share that ended."""
    reward = 1 / (1 + np.exp(-answers.scores))
    tokens = np.array([len(ids) for ids in answers.ids])
    values = {"score": answers.scores, "reward": reward, "tokens": tokens, "ended": answers.ended}
    return {name: float(some.mean()) for name, some in values.items()}


def table(result: dict[str, Any]) -> str:
    """The first policy beside the last, for a terminal."""
    first, last = result["first"], result["last"]
    rows = {key: (first[key], last[key]) for key in ("score", "reward", "kl", "entropy", "tokens", "ended")}
    if "heldout" in first and "heldout" in last:
        rows |= {f"held-out {key}": (first["heldout"][key], last["heldout"][key]) for key in ("score", "kl")}
    lines = [f"{'iteration':<20}{first['step']:>10}{last['step']:>10}"]
    return "\n".join(lines + [f"{name:<20}{a:>10.3f}{b:>10.3f}" for name, (a, b) in rows.items()]) + "\n"
