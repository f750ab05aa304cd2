"""What the command does: evaluates a run as the papers do, and writes down what comes out."""

import argparse
import gzip
import hashlib
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist

from pipeline.storage.filesystem import file_sha256, write_bytes
from trainer_bridge.benchmark.suites import SUITES, Job, Row, select
from trainer_bridge.benchmark.table import Result, markdown
from trainer_bridge.checkpoint import checkpoint_name, latest_checkpoint, load_model, read_info, read_sums, run_of
from trainer_bridge.errors import TrainerError
from trainer_bridge.origin import stored_tokenizer
from trainer_bridge.parallel import World, compute_dtype, start_world
from trainer_bridge.run_folder import RunFolder
from trainer_bridge.vocabulary import check_is, find_tokenizer

if TYPE_CHECKING:
    from trainer_bridge.benchmark.model import TrainedModel

COMMAND = "trainer_bridge.benchmark"
SAMPLES = ".samples.jsonl.gz"
NO_CODE = "not run: --run-code"
NO_JUDGE = "not judged: --judge"
NO_DATA = (
    "{} of {} evaluations had no data. With a network, the same command brings them; without, give a folder with "
    "--data (docs/evaluation.md says how it is laid out)"
)
FAILED = "{} of {} evaluations failed: see above what their files or documents are found wrong with"
EMPTY = "{} of {} rows have no number: their metric is misspelt, or is none for these documents (a larger --limit?)"


@dataclass(frozen=True)
class Settings:
    """What a result depends on, beside the run and the task."""

    limit: int | None
    shots: int | None
    dtype: str
    seed: int
    data: str | None
    judge: str | None
    harness: str


class Benchmark:
    """A run's evaluations, and where their results lie."""

    def __init__(self, options: argparse.Namespace, world: World) -> None:
        """Looks at the run, the tasks and the output; loads nothing yet."""
        self.options, self.world = options, world
        self.rows = select(options.tasks, options.leave)
        self.checkpoint = latest_checkpoint(options.run)
        self.info = read_info(self.checkpoint)
        tokenizer = find_tokenizer(options.tokenizer, self.checkpoint, run_of(self.checkpoint))
        if tokenizer is None or not tokenizer.is_file():
            raise TrainerError(f"{options.run} has no tokenizer.model; give one with --tokenizer FILE")
        check_is(tokenizer, stored_tokenizer(self.info), str(options.run))
        self.tokenizer = tokenizer
        self.settings = Settings(
            options.limit,
            options.shots,
            str(compute_dtype(options.dtype, world.device)).removeprefix("torch."),
            options.seed,
            None if options.data is None else str(options.data),
            options.judge,
            version("lm_eval"),
        )
        if options.data is not None and not options.data.is_dir():
            raise TrainerError(f"--data {options.data} is no folder")
        step = checkpoint_name(self.info["step"])
        self.output: Path = options.output or run_of(self.checkpoint) / "benchmark" / step
        self.folder: RunFolder | None = None

    def check(self) -> None:
        """Refuses, before anything is loaded, what cannot be done."""
        from trainer_bridge.benchmark.loading import Tasks  # noqa: PLC0415
        from trainer_bridge.benchmark.sandbox import Sandbox  # noqa: PLC0415

        self.tasks = Tasks(self.options.data)
        self.tasks.check(sorted({row.task for row in self.rows}))
        self.sandbox = Sandbox() if self.options.run_code else None
        if self.sandbox is not None and self.world.rank == 0 and any(row.needs == "code" for row in self.rows):
            self.sandbox.check()

    def run(self) -> int:
        """Evaluates what is not yet evaluated; 1 where some task's data could not be had, or it failed."""
        self.world.from_first(self.check)
        if self.world.rank:
            self.check()
        self.world.from_first(self._take_folder)
        jobs: dict[Job, list[Row]] = {}
        for row in self.rows:
            jobs.setdefault(self._job(row), []).append(row)
        found: dict[Job, dict[str, Any]] = {}
        model: TrainedModel | None = None
        for number, job in enumerate(jobs, 1):
            known = self.world.from_first(lambda job=job: self._known(job))  # type: ignore[misc]
            if known is None:
                model = model or self._model()
                self._say(f"[{number}/{len(jobs)}] {job.name} ...")
                known = self._evaluate(model, job)
            found[job] = known
            self._say(f"[{number}/{len(jobs)}] {job.name}: {_short(known, jobs[job])}")
        results = [_result(row, found[self._job(row)]) for row in self.rows]
        if self.world.rank == 0:
            self._write(results)
        reasons = [known["note"] for known in found.values() if "unavailable" in known]
        missing = sum(reason.startswith("no data") for reason in reasons)
        empty = sum(not result.values and not found[self._job(result.row)]["note"] for result in results)
        for count, of, told in (
            (missing, len(jobs), NO_DATA),
            (len(reasons) - missing, len(jobs), FAILED),
            (empty, len(results), EMPTY),
        ):
            if count:
                self._say(told.format(count, of))
        return int(bool(reasons) or bool(empty))

    def _job(self, row: Row) -> Job:
        job = row.job
        return job if self.options.shots is None else Job(job.task, self.options.shots, job.changes, job.needs)

    def _name(self, job: Job) -> str:
        """What a result is called: one of a few documents does not take the place of one of all."""
        return job.name if self.options.limit is None else f"{job.name}-limit{self.options.limit}"

    def _take_folder(self) -> None:
        self.folder = RunFolder(self.output, COMMAND)
        self.folder.expect("results.md", "results.json")

    def _identity(self, job: Job) -> str:
        """What a stored result must have been made from."""
        files = [*SUITES.parent.glob("tasks/*.yaml"), *SUITES.parent.glob("*.py")]
        own = [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)]
        tokenizer = hashlib.sha256(self.tokenizer.read_bytes()).hexdigest()
        weights = read_sums(self.checkpoint) or {"step": self.info["step"]}
        settings = asdict(self.settings)
        if job.needs != "judge":
            del settings["judge"]
        parts = [asdict(job), settings, own, tokenizer, weights]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def _known(self, job: Job) -> dict[str, Any] | None:
        """A stored result, if it was made with these settings."""
        if reason := self._not_now(job):
            return {"note": reason, "scores": {}}
        try:
            stored: dict[str, Any] = json.loads((self.output / f"{self._name(job)}.json").read_bytes())
        except (OSError, ValueError, RecursionError):
            return None
        fine = isinstance(stored, dict) and stored.get("made_from") == self._identity(job)
        if self.options.samples and not (self.output / f"{self._name(job)}{SAMPLES}").is_file():
            return None
        return stored if fine and _unchanged(stored.get("read")) else None

    def _judge_files(self, job: Job) -> list[Path]:
        """The judge's program, as far as its command names files."""
        words = shlex.split(self.options.judge) if job.needs == "judge" and self.options.judge else []
        return [Path(word) for word in words if Path(word).is_file()]

    def _not_now(self, job: Job) -> str | None:
        return NO_CODE if job.needs == "code" and not self.options.run_code else None

    def _model(self) -> "TrainedModel":
        from tokenizer.encode import Encoder  # noqa: PLC0415
        from trainer_bridge.benchmark.model import TrainedModel, quiet_harness  # noqa: PLC0415

        quiet_harness()
        device = self.world.device
        if threads := self.info["config"].get("run", {}).get("threads"):
            torch.set_num_threads(threads)
        model = load_model(self.checkpoint, device, compute_dtype(self.options.dtype, device))
        return TrainedModel(
            model, Encoder(self.tokenizer), self.world, self.options.batch_tokens, seed=self.options.seed
        )

    def _evaluate(self, model: "TrainedModel", job: Job) -> dict[str, Any]:
        from trainer_bridge.benchmark.evaluation import measure  # noqa: PLC0415
        from trainer_bridge.benchmark.judge import Judge  # noqa: PLC0415
        from trainer_bridge.benchmark.loading import Unavailable  # noqa: PLC0415
        from trainer_bridge.benchmark.protocols import Means, NeedsMeans  # noqa: PLC0415

        loaded, reason = self._load(job)
        if loaded is None:
            return {"note": reason, "unavailable": True, "scores": {}}
        wanted = job.needs == "judge" and self.options.judge is not None and self.world.rank == 0
        judge = Judge(self.options.judge) if wanted else None
        try:
            for task in loaded["tasks"].values():
                if isinstance(task, NeedsMeans):
                    task.means = Means(self.world, self.sandbox, judge, self.options.judge is not None)
            scores, samples = measure(model, loaded, self.options.limit, job.needs == "code")
        except Unavailable as error:
            return {"note": str(error), "unavailable": True, "scores": {}}
        finally:
            if judge is not None:
                judge.close()
        note = NO_JUDGE if job.needs == "judge" and self.options.judge is None else ""
        known = {"made_from": self._identity(job), "note": note, "scores": scores}
        if self.world.rank == 0:
            known["read"] = {str(path): _digest(path) for path in [*self.tasks.read, *self._judge_files(job)]}
            if self.options.samples or job.needs == "judge":
                self._put(f"{self._name(job)}{SAMPLES}", _samples(samples))
            else:  # those of another evaluation
                (self.output / f"{self._name(job)}{SAMPLES}").unlink(missing_ok=True)
            self._put(f"{self._name(job)}.json", json.dumps(known, indent=1).encode())
        return known

    def _load(self, job: Job) -> tuple[dict[str, Any] | None, str]:
        """A job's tasks; the first rank has their data brought, the others find them."""
        from trainer_bridge.benchmark.loading import Unavailable  # noqa: PLC0415

        changes = json.loads(job.changes)
        loaded: list[dict[str, Any]] = []

        def bring() -> str | None:
            try:
                loaded.append(self.tasks.load(job.task, changes, job.shots))
            except Unavailable as error:
                return str(error)
            return None

        reason = self.world.from_first(bring)
        if reason is not None:
            return None, reason
        return (loaded[0] if loaded else self.tasks.load(job.task, changes, job.shots)), ""

    def _write(self, results: list[Result]) -> None:
        sizes = self.options.beside.split(",")
        table = markdown(results, sizes)
        report = {
            "run": str(self.options.run),
            "step": self.info["step"],
            "settings": asdict(self.settings),
            "rows": [result.report() for result in results],
        }
        self._put("results.json", json.dumps(report, indent=1).encode())
        self._put("results.md", table.encode())
        sys.stdout.write(f"{table}\nwrote {self.output / 'results.md'} and results.json\n")

    def _put(self, name: str, content: bytes) -> None:
        assert self.folder is not None
        self.folder.expect(name)
        write_bytes(str(self.output / name), content)

    def _say(self, text: str) -> None:
        if self.world.rank == 0:
            sys.stderr.write(text + "\n")


def _digest(path: Path) -> str | None:
    """SHA-256 of a file; None where it cannot be read."""
    try:
        return file_sha256(str(path))
    except OSError:
        return None


def _unchanged(read: Any) -> bool:
    """Whether the files that a result was made from are as they were, as far as they are still there."""
    return isinstance(read, dict) and all(_digest(Path(name)) in (digest, None) for name, digest in read.items())


def _result(row: Row, known: dict[str, Any]) -> Result:
    """A row's numbers out of an evaluation's."""
    scores: dict[str, Any] = known["scores"]
    part = row.part or (row.task if row.task in scores else next(iter(scores), row.task))
    metrics = {name: (value, error) for name, (value, error) in scores.get(part, {}).items()}
    if row.metric is not None:
        metrics = {name: value for name, value in metrics.items() if name == row.metric}
    return Result(row, metrics, known["note"] or ("" if metrics else f"no finite {row.metric or 'number'}"))


def _short(known: dict[str, Any], rows: Sequence[Row]) -> str:
    """An evaluation's first numbers, in a line."""
    parts = []
    for row in rows[:3]:
        result = _result(row, known)
        parts += [f"{metric} {value:.4g}" for metric, (value, _) in list(result.values.items())[:3]]
    return ", ".join(parts) or known["note"]


def _samples(samples: dict[str, list[dict[str, Any]]]) -> bytes:
    """Questions and answers, a JSON object a line."""
    lines = (json.dumps({"task": name, **s}, default=str) for name, asked in samples.items() for s in asked)
    return gzip.compress("".join(line + "\n" for line in lines).encode(), mtime=0)


def run(options: argparse.Namespace) -> int:
    """Evaluates; 1 where some task's data could not be had, or it failed."""
    world = start_world(1)
    benchmark = Benchmark(options, world)
    try:
        return benchmark.run()
    finally:
        if benchmark.folder is not None:
            benchmark.folder.close()
        if dist.is_initialized():
            dist.destroy_process_group()
