"""What is measured while a run trains: held-out loss of each source, and small tasks (paper, section 3.7 and figure 2).

Nothing of it reaches the training: weights, data and random numbers are as they would be without.
"""

import gc
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from torch import nn

from trainer_bridge.attention import attention_backends
from trainer_bridge.checkpoint import random_state, set_random_state
from trainer_bridge.config import TrainConfig
from trainer_bridge.errors import TrainerError
from trainer_bridge.evaluation import IN_ORDER, check_fits, evaluate
from trainer_bridge.loader import Samples
from trainer_bridge.model import Transformer
from trainer_bridge.parallel import World
from trainer_bridge.remote import local_shards
from trainer_bridge.shards import ShardReader
from trainer_bridge.vocabulary import Vocabulary

if TYPE_CHECKING:
    from torch.distributed.fsdp import FSDPModule

HELDOUT = "heldout"
NOTHING = (
    "evaluation.every is set, and there is nothing to evaluate: give held-out shards (evaluation.heldout=DIR; beside "
    "the shards there is no folder 'heldout') or tasks (evaluation.tasks=[hellaswag])"
)


class Watch:
    """The evaluations of a run: opened before it begins, so that what is wrong with them is told then."""

    def __init__(self, config: TrainConfig, world: World, reader: ShardReader, tokenizer: Path | None) -> None:
        """Opens held-out shards and tasks.

        Args:
            config: of the run.
            world: this process among the others.
            reader: the training shards.
            tokenizer: their SentencePiece model; None where it is not known.

        Raises:
            TrainerError: nothing to evaluate, shards of another kind, tasks that cannot be had.
        """
        self.config, self.world = config, world
        self._samples = self._open_heldout(reader)
        self._vocabulary = Vocabulary(tokenizer) if tokenizer is not None else None
        self._tasks = self._open_tasks(tokenizer) if config.evaluation.tasks else None
        if self._samples is None and self._tasks is None:
            raise TrainerError(NOTHING)

    def describe(self) -> str:
        """What is measured, in a sentence."""
        rows = self._samples.reader.manifest.rows if self._samples else 0
        rows = min(rows, self.config.evaluation.rows or rows)
        parts = [f"the loss of {rows:,} held-out rows"] if rows else []
        parts += [f"the tasks {', '.join(self.config.evaluation.tasks)}"] if self._tasks else []
        return f"every {self.config.evaluation.every} steps is measured: {' and '.join(parts)}"

    def look(self, model: Transformer) -> dict[str, Any]:
        """Measures a model.

        Args:
            model: in training, perhaps cut, sharded and compiled.

        Returns:
            ``heldout``: loss and bits per byte of each source; ``tasks``: metrics of each task, with standard errors.
        """
        found: dict[str, Any] = {}
        with _left_as_it_is(model, self.world):
            if self._samples is not None:
                data, batch, rows = self.config.data, self.config.run.micro_batch, self.config.evaluation.rows
                scores = evaluate(model, self._samples, data, self._vocabulary, batch, rows, self.world)
                found["heldout"] = {name: score.report() for name, score in scores.items()}
            if self._tasks is not None:
                found["tasks"] = self._tasks.measure(model)
        gc.collect()
        return found

    def _open_heldout(self, reader: ShardReader) -> Samples | None:
        given = self.config.evaluation.heldout
        if given is None:
            beside = reader.folder / HELDOUT
            if not beside.is_dir():
                return None
            given = str(beside)
        samples = Samples(IN_ORDER, local_shards(given, self.config.data.cache))
        try:
            check_fits(samples.reader.manifest, self.config.model, reader.manifest.tokenizer_sha256)
        except TrainerError as error:
            raise TrainerError(f"evaluation.heldout {given}: {error}") from error
        return samples

    def _open_tasks(self, tokenizer: Path | None) -> Any:
        if tokenizer is None:
            raise TrainerError("evaluation.tasks needs the shards' tokenizer: give it with --tokenizer FILE")
        if self.config.efficiency.tensor_parallel > 1:
            raise TrainerError(
                "evaluation.tasks needs efficiency.tensor_parallel = 1; held-out loss is measured with any"
            )
        try:
            from trainer_bridge.benchmark.watched import WatchedTasks  # noqa: PLC0415 - the harness is an extra
        except ModuleNotFoundError as error:
            if error.name != "lm_eval":
                raise
            raise TrainerError(
                "evaluation.tasks, but lm-evaluation-harness is not installed: pip install '.[evaluation]'"
            ) from error
        with _same_random_numbers(self.world):
            return WatchedTasks(self.config.evaluation, self.world, tokenizer)


@contextmanager
def _left_as_it_is(model: Transformer, world: World) -> Iterator[None]:
    """Evaluation mode, any attention kernel, no compiled blocks: these are compiled for one shape alone."""
    model.eval()
    try:
        with _same_random_numbers(world), attention_backends("auto"), _plain(model.layers):
            yield
    finally:
        model.train()
        if hasattr(model, "reshard"):  # FSDP: what was gathered for these passes
            cast("FSDPModule", model).reshard()


@contextmanager
def _plain(layers: nn.ModuleList) -> Iterator[None]:
    """Blocks as their class has them: nothing is compiled, nothing is computed again."""
    kept = [layer.__dict__.pop("forward", None) for layer in layers]
    try:
        yield
    finally:
        for layer, forward in zip(layers, kept, strict=True):
            if forward is not None:
                layer.forward = forward


@contextmanager
def _same_random_numbers(world: World) -> Iterator[None]:
    """Whatever is drawn meanwhile, the numbers drawn afterwards are those that would have been drawn without."""
    python, numpy, own = random.getstate(), np.random.get_state(), random_state(world.rank, world.device)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        set_random_state(own, world.device)
