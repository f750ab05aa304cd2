"""Tasks that are evaluated again and again while a run trains."""

import sys
from pathlib import Path
from typing import Any

from tokenizer.encode import Encoder
from trainer_bridge.benchmark.evaluation import measure
from trainer_bridge.benchmark.loading import SEED, Tasks, Unavailable
from trainer_bridge.benchmark.model import TrainedModel, quiet_harness
from trainer_bridge.benchmark.suites import select
from trainer_bridge.config import EvaluationConfig
from trainer_bridge.errors import TrainerError
from trainer_bridge.model import Transformer
from trainer_bridge.parallel import World


class WatchedTasks:
    """Loaded tasks, with their data."""

    def __init__(self, config: EvaluationConfig, world: World, tokenizer: Path) -> None:
        """Loads them: the first rank brings the data, the others find them.

        Raises:
            TrainerError: a task is not known, runs code or wants a judge, or its data cannot be had.
        """
        quiet_harness()
        self._config, self._world, self._encoder = config, world, Encoder(tokenizer)
        data = None if config.data is None else Path(config.data)
        if data is not None and not data.is_dir():
            raise TrainerError(f"evaluation.data {data} is no folder")
        self._tasks: dict[str, dict[str, Any]] = {}
        self._rows = select(config.tasks, [])
        world.from_first(lambda: self._load(data))
        if world.rank:
            self._load(data)

    def _load(self, data: Path | None) -> None:
        known = Tasks(data)
        for row in self._rows:
            if row.needs is not None:
                raise TrainerError(f"evaluation.tasks: {row.name} is not for training: it needs --run-code or --judge")
            shots = row.shots if self._config.shots is None else self._config.shots
            try:
                self._tasks[row.name] = known.load(row.task, row.changes, shots)
            except Unavailable as error:
                raise TrainerError(
                    f"evaluation.tasks: {row.name}: {error}\nWithout a network, give a "
                    "folder with evaluation.data=DIR (docs/evaluation.md says how it is laid out), or leave it out"
                ) from error

    def measure(self, model: Transformer) -> dict[str, dict[str, float]]:
        """Metrics of each task, and ``METRIC_stderr`` where there is one; on every rank.

        A task that fails on this model (a perplexity that is too large) is told, and has none.
        """
        together = self._world.ranks > 1  # the ranks share the weights
        asked = TrainedModel(model, self._encoder, self._world, self._config.batch_tokens, together)
        found: dict[str, dict[str, float]] = {}
        for row in self._rows:
            loaded = self._tasks[row.name]
            for task in loaded["tasks"].values():
                task.set_fewshot_seed(seed=SEED)  # the same examples each time
            try:
                scores, _ = measure(asked, loaded, self._config.limit)
            except Unavailable as failure:  # the training goes on
                if self._world.rank == 0:
                    sys.stderr.write(f"evaluation.tasks: {row.name}: {failure}\n")
                continue
            part = row.part or (row.task if row.task in scores else next(iter(scores)))
            found[row.name] = {}
            for metric, (value, error) in scores[part].items():
                if row.metric in (None, metric):
                    found[row.name][metric] = value
                    if error is not None:
                        found[row.name][f"{metric}_stderr"] = error
        return found
