"""The training loop: a step is micro-batches, one sum over ranks, one optimiser step, and no wait for the device."""

import gc
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainer_bridge.attention import Mask, attention_backends, chosen_backend, document_mask
from trainer_bridge.checkpoint import (
    FOLDER,
    checkpoint_name,
    latest_checkpoint,
    list_checkpoints,
    load_tensors,
    random_state,
    read_info,
    set_random_state,
    training_state,
)
from trainer_bridge.checkpointer import Checkpointer
from trainer_bridge.config import TrainConfig
from trainer_bridge.cost import Cost, PowerMeter, run_cost
from trainer_bridge.errors import SaidElsewhere, TrainerError
from trainer_bridge.flops import flops_per_token_causal, flops_per_token_full, peak_flops
from trainer_bridge.guard import SkipWatch, StepGuard
from trainer_bridge.loader import DeviceBatch, Feeder, Samples, Share
from trainer_bridge.loss import source_totals
from trainer_bridge.metrics import PLOT, Metrics, finite
from trainer_bridge.optimizer import apply_step, build_optimizer, gradient_norm, learning_rate
from trainer_bridge.origin import check_origin, config_changes, resume_advice, take_weights
from trainer_bridge.parallel import World, build_model, check_layout, initialise, initialise_adapters
from trainer_bridge.profiling import StepProfiler, trace_name
from trainer_bridge.recipe import to_dict
from trainer_bridge.run_folder import RunFolder
from trainer_bridge.signals import StopSignal
from trainer_bridge.stored import Damaged
from trainer_bridge.watch import Watch

NORM_EPS = 1e-6  # torch.nn.utils.clip_grad_norm_


class Trainer:
    """A run: model, optimiser, data and records, resumed from the newest checkpoint if there is one."""

    def __init__(
        self,
        config: TrainConfig,
        samples: Samples,
        run: Path,
        world: World,
        resume_from: int | None = None,
        names: Sequence[str] = (),
        tokenizer: Path | None = None,
    ) -> None:
        """Builds everything; ``config`` has its vocabulary size filled in. Nothing is removed before all is accepted.

        Args:
            config: the whole of it.
            samples: to train on.
            run: the run's directory.
            world: this process among the others.
            resume_from: step of the checkpoint to go on from; None: the newest.
            names: files that the caller will write into the run's directory.
            tokenizer: the SentencePiece model of the shards, for what is evaluated on the way.

        Raises:
            TrainerError: a batch that cannot be divided, a directory that is not the run's own, other data or another
                model than the run's checkpoint has, a damaged checkpoint.
        """
        self.config, self.samples, self.run, self.world = config, samples, run, world
        self.batch = config.run.batch(samples.seq_len)
        share = Share(self.batch, config.run.micro_batch, world.data_rank, world.data_ranks)
        self.accumulation = share.accumulation
        self.batch_tokens = self.batch * samples.seq_len
        self.steps = config.run.length(samples.reader.manifest.rows, samples.seq_len)
        self.sources = samples.reader.manifest.sources
        check_layout(config.efficiency, world, samples.seq_len)
        self.folder: RunFolder | None = None
        world.from_first(self._take_folder)
        try:
            self._build(share, resume_from, names, tokenizer)
        except BaseException:
            self._release()
            raise

    def _take_folder(self) -> None:
        inputs = [str(self.samples.reader.folder), *filter(None, [self.config.run.init_from])]
        self.folder = RunFolder(self.run, inputs=inputs)

    def _begin(self, names: Sequence[str]) -> list[str]:
        """Records what the run will write; once nothing is in its way, clears up. Gives what is to be told."""
        assert self.folder is not None
        traces = [trace_name(self.step, self.config.run.profile)] if self.config.run.profile else []
        self.folder.expect("metrics.jsonl", "metrics.tmp", "loss.svg", *self._more_names(), *traces, *names)
        return self.checkpointer.begin(self.step)

    def _more_names(self) -> list[str]:
        return [PLOT] if self.config.evaluation.every else []

    def _release(self) -> None:
        if self.folder is not None:
            self.folder.close()
            self.folder = None

    def _build(self, share: Share, resume_from: int | None, names: Sequence[str], tokenizer: Path | None) -> None:
        config, world, run = self.config, self.world, self.run
        torch.manual_seed(config.run.seed)  # nothing draws from it, but checkpoints hold its state
        self.model = build_model(config.model, config.efficiency, world, config.lora)
        self.optimizer = build_optimizer(self.model, config.optimizer)
        self.guard = StepGuard(config.optimizer.skip_sigma, config.optimizer.skip_window, world.device)
        self.parameters = sum(parameter.numel() for parameter in self.model.parameters())
        self.trained = sum(parameter.numel() for parameter in self.model.parameters() if parameter.requires_grad)
        self.checkpointer = Checkpointer(run, self.folder, config.run.keep, world.ranks)
        self._saved = -1
        events = [self._describe(), *self._advice()]
        self.step = self._restore(events, resume_from)
        self.watch: Watch | None = None
        if config.evaluation.every:
            self.watch = Watch(config, world, self.samples.reader, tokenizer)
            events.append(self.watch.describe())
        events += world.from_first(lambda: self._begin(names))
        self.feeder = Feeder(self.samples, share, self.step * self.batch, config.data, world.device)
        self.metrics = Metrics(run, self.steps, self.step, to_dict(config), world.rank == 0)
        for event in events:
            self.metrics.event(event)
        self.profiler: StepProfiler | None = None
        if config.run.profile and self.folder is not None:
            self.profiler = StepProfiler(run, self.step, config.run.profile)
        self.meter = PowerMeter(world.rank == 0 and world.device.type == "cuda" and config.cost.watts is None)
        self._waiting: list[tuple[int, float, Tensor]] = []  # statistics that are still on the device
        self._skips = SkipWatch(config.optimizer.skip_limit, self.steps)
        self._marked = time.perf_counter()

    def train(self, stop: StopSignal) -> bool:
        """Trains until the last step, or until a signal asks to stop.

        Returns:
            Whether the run is complete. Either way everything is saved.

        Raises:
            TrainerError: too many steps in a row were skipped, or a checkpoint could not be written.
        """
        self._pause_collector()
        try:
            with attention_backends(self.config.efficiency.attention):
                self._loop(stop)
            if self.step <= self.steps:
                self.save()
            self.checkpointer.wait()
        finally:
            self.close()
        return self.step >= self.steps

    def _loop(self, stop: StopSignal) -> None:
        while self.step < self.steps:
            statistics = self.train_step()
            self._waiting.append((self.step, self._rate(self.step - 1), statistics))
            if self.profiler is not None:
                self.profiler.step()
            if self.step % self.config.run.log_every == 0 or self.step == self.steps:
                self._log()
            if self._is_evaluated():
                self._evaluate()
            self.checkpointer.poll()
            if self.step % self.config.run.save_every == 0 and self.step < self.steps:
                self.save()
            if self.step % self.config.run.gc_every == 0:
                gc.collect(1)
            if stop.asked():
                break

    def _is_evaluated(self) -> bool:
        return self.watch is not None and (self.step % self.config.evaluation.every == 0 or self.step == self.steps)

    def _evaluate(self) -> None:
        """Evaluates the model as it is; neither it, nor the data, nor any random number comes out otherwise."""
        assert self.watch is not None
        self._log()
        found = self.watch.look(self.model)
        self.metrics.evaluation({"step": self.step, "tokens": self.step * self.batch_tokens, "evaluation": found})
        self._marked = time.perf_counter()

    def close(self) -> None:
        """Ends the reading thread and the records, and lets others write to the run's directory."""
        self.feeder.close()
        self.meter.close()
        if self.profiler is not None:
            self.profiler.close()
            if not self.profiler.written:
                self.metrics.event("no trace was written: the run ended before the steps to be recorded")
            self.profiler = None
        self.metrics.close()
        self._release()
        gc.unfreeze()
        gc.enable()

    def train_step(self) -> Tensor:
        """One optimiser step.

        Returns:
            On the device, fp64: loss and count of each source, then gradient norm, then 1 if the step was skipped.
        """
        totals = torch.zeros(2, len(self.sources), dtype=torch.float64, device=self.world.device)
        # FSDP takes the mean over ranks; the wanted thing is the sum over all tokens of the step.
        scale = self.world.data_ranks / self.batch_tokens
        for _ in range(self.accumulation):
            batch = next(self.feeder)
            targets, sources = self.world.own_positions(batch.targets), self.world.own_positions(batch.sources)
            total, losses = self.model(batch.inputs, targets, self._mask(batch))
            (total * scale).backward()
            totals += source_totals(losses, targets, sources, len(self.sources))
        totals = self.world.sum(totals)
        valid = totals[1].sum().clamp_min(1)
        # From the sum over batch_tokens to the mean over the valid targets of all ranks and micro-batches.
        ratio = (self.batch_tokens / valid).float()
        norm = gradient_norm(self.model) * ratio
        skip = self.guard.judge(totals[0].sum() / valid, norm)
        clip = (self.config.optimizer.clip / (norm + NORM_EPS)).clamp(max=1.0)
        apply_step(self.optimizer, self._rate(self.step), ratio * clip, skip)
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        return torch.cat((totals.flatten(), norm.double().view(1), skip.double().view(1)))

    def _mask(self, batch: DeviceBatch) -> Mask:
        return None if batch.documents is None else document_mask(batch.documents)

    def _rate(self, step: int) -> float:
        return learning_rate(self.config.optimizer, step, self.steps)

    def save(self) -> None:
        """Starts a checkpoint of this moment, unless there is one already; its steps are on record before it is."""
        info = {
            "step": self.step,
            "loader": self.samples.state(self.step * self.batch),
            "config": to_dict(self.config),
            "ranks": self.world.ranks,
            "device": self.world.device.type,
            "torch": torch.__version__,
        }
        self._log()
        if self.step != self._saved:
            self.metrics.to_disk()
            state = training_state(self.model, self.optimizer, self.guard.tensors())
            self.checkpointer.save({**state, **random_state(self.world.rank, self.world.device)}, info)
            self._saved = self.step

    def _restore(self, events: list[str], resume_from: int | None) -> int:
        """Sets weights and state: from the run's checkpoint, from another run's weights, or anew. Gives the step."""
        checkpoint = self.world.from_first(lambda: self._resume_point(resume_from))
        if checkpoint is None:
            origin = self.config.run.init_from
            if origin:
                events += self._take_weights(Path(origin))
                initialise_adapters(self.model, self.config.run.seed)
            else:
                initialise(self.model, self.config.run.seed)
            return 0
        try:
            return self._resume(checkpoint, events)
        except Damaged as error:
            if self.world.rank:
                raise SaidElsewhere from error
            raise TrainerError(f"{error}\n{resume_advice(self.run, checkpoint)}") from error

    def _resume_point(self, step: int | None) -> Path | None:
        """The checkpoint to go on from; None in a new run."""
        found = list_checkpoints(self.run)
        if step is None:
            return found[-1] if found else None
        wanted = self.run / FOLDER / checkpoint_name(step)
        if wanted not in found:
            there = ", ".join(str(int(path.name.removeprefix("step-"))) for path in found) or "none"
            raise TrainerError(f"--resume-from {step}: {self.run} has no checkpoint of that step; it has {there}")
        return wanted

    def _resume(self, checkpoint: Path, events: list[str]) -> int:
        info = read_info(checkpoint)
        changes = config_changes(info["config"], to_dict(self.config))
        refused = [line for line in changes if line.startswith(("  model.", "  lora."))]
        if refused:
            raise TrainerError("the model is not that of the run's checkpoint:\n" + "\n".join(refused))
        consumed = self.samples.resume(info["loader"], events)
        if consumed != info["step"] * self.batch:
            before = consumed / max(1, info["step"])
            raise TrainerError(
                f"a step had {before:g} rows, and has {self.batch} now: neither run.batch_tokens nor "
                "run.batch_sequences can change within a run"
            )
        state = training_state(self.model, self.optimizer, self.guard.tensors())
        load_tensors(checkpoint, state)
        if (info["ranks"], info["device"]) == (self.world.ranks, self.world.device.type):
            own = random_state(self.world.rank, self.world.device)
            load_tensors(checkpoint, own)
            set_random_state(own, self.world.device)
        events.append(f"resumed at step {info['step']}" + "".join("\nchanged" + line[1:] for line in changes))
        self._saved = int(info["step"])
        return self._saved

    def _take_weights(self, run: Path) -> list[str]:
        """Another run's weights, of the same model and tokenizer; says what differs with leave."""
        checkpoint = latest_checkpoint(run)
        allowed = self.config.run.init_changes
        sha256 = self.samples.reader.manifest.tokenizer_sha256
        notes = check_origin(checkpoint, self.config.model, sha256, allowed)
        take_weights(checkpoint, self.model)
        return ["\n".join([f"weights from {run}", *notes])]

    def _advice(self) -> list[str]:
        evaluation = self.config.evaluation
        advice = ["evaluation.tasks is set, but evaluation.every is 0: nothing is evaluated"]
        advice = advice if evaluation.tasks and not evaluation.every else []
        warmup = self.config.optimizer.warmup(self.steps)
        if warmup < self.steps:
            return advice
        last = self._rate(self.steps - 1)
        return [
            *advice,
            f"the warm-up of {warmup} steps is not shorter than the run of {self.steps} steps: "
            f"the learning rate rises to the end, to {last:.2e}, and never falls",
        ]

    def _describe(self) -> str:
        model, data = self.config.model, self.samples.seq_len
        like = torch.empty(0, device=self.world.device, dtype=self.model.dtype)
        with attention_backends(self.config.efficiency.attention):
            kernel = chosen_backend(model.heads, model.key_value_heads, model.head_dim, data, like)
        if kernel == "error":
            choice, device = self.config.efficiency.attention, self.world.device.type
            raise TrainerError(f"efficiency.attention = {choice!r} has no kernel for this model on {device}; use auto")
        trained = f", {self.trained:,} of them trained (LoRA)" if self.config.lora.rank else ""
        return (
            f"{self.parameters:,} parameters{trained}, {self.world.ranks} rank(s) on {self.world.device.type}, "
            f"{str(self.model.dtype).removeprefix('torch.')}, attention {kernel}; {self.steps} steps of "
            f"{self.batch} x {data} tokens in {self.accumulation} micro-batch(es) a rank"
        )

    def _log(self) -> None:
        """Reads the statistics of the steps since the last time, the only wait for the device, and records them."""
        if not self._waiting:
            return
        table = torch.stack([statistics for _, _, statistics in self._waiting]).tolist()
        now = time.perf_counter()
        rate = len(table) * self.batch_tokens / (now - self._marked)
        self._marked = now
        speed = {**self._speed(rate), **self._power()}
        records = []
        for (step, lr, _), row in zip(self._waiting, table, strict=True):
            records.append({**self._record(step, lr, row), **speed})
        self._waiting.clear()
        self.metrics.steps(records)
        self._look_at_skips(records)

    def _look_at_skips(self, records: list[dict[str, Any]]) -> None:
        if words := self._skips.look(records):
            self.metrics.say(words)
        try:
            self._skips.check()
        except TrainerError as error:
            self.checkpointer.wait()
            if self.world.rank:
                raise SaidElsewhere from error
            raise

    @property
    def skipped(self) -> int:
        """Steps of the whole run that were skipped; waits for the device."""
        return int(self.guard.skipped.item())

    def _record(self, step: int, lr: float, row: list[float]) -> dict[str, Any]:
        """One step's line; a skipped step names its samples, so that they can be looked at."""
        count = len(self.sources)
        sums, counts, (norm, skipped) = row[:count], row[count : 2 * count], row[2 * count :]
        by_source = {
            name: finite(total / number)
            for name, total, number in zip(self.sources, sums, counts, strict=True)
            if number
        }
        record: dict[str, Any] = {
            "step": step,
            "tokens": step * self.batch_tokens,
            "loss": finite(sum(sums) / sum(counts)) if sum(counts) else None,
            "loss_by_source": by_source,
            "grad_norm": finite(norm),
            "lr": lr,
        }
        if skipped:
            record["skipped_samples"] = [(step - 1) * self.batch, step * self.batch]
        return record

    def _speed(self, rate: float) -> dict[str, float | None]:
        device, cuda = self.world.device, self.world.device.type == "cuda"
        peak = peak_flops(torch.cuda.get_device_name(device)) if cuda else None
        trained = self.trained if self.config.lora.rank else None
        shape = (self.config.model, self.parameters, self.samples.seq_len, trained)
        share = rate / self.world.ranks / peak if peak else None
        return {
            "tokens_per_second": rate,
            "mfu_full": share and share * flops_per_token_full(*shape),
            "mfu_causal": share and share * flops_per_token_causal(*shape),
            "memory_gb": torch.cuda.max_memory_allocated(device) / 1e9 if cuda else None,
        }

    def _power(self) -> dict[str, float]:
        watts = self.meter.take()
        return {} if watts is None else {"watts": watts}

    def cost(self) -> Cost:
        """What the run cost so far, over all its starts; on the first rank."""
        return run_cost(self.metrics.records, self.world.ranks, self.world.device.type, self.config.cost)

    def _pause_collector(self) -> None:
        """Python's collector stops every rank at another moment; it runs at chosen steps instead (nanochat)."""
        gc.collect()
        gc.freeze()
        gc.disable()
