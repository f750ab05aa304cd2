"""Tasks by name or file, with their data from the hub or from a folder."""

import contextlib
import difflib
import io
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import lm_eval.tasks
from lm_eval.tasks import TaskManager
from lm_eval.tasks._factory import TaskFactory

from trainer_bridge.errors import TrainerError

TASKS = Path(__file__).parent / "tasks"
HARNESS = Path(lm_eval.tasks.__file__).parent
SEED = 1234  # of the examples that are drawn: the harness's own
SPLITS = ("training_split", "validation_split", "test_split", "fewshot_split")
BESIDE = re.compile(r"^include:\s*[\"']?([^\"'\n]+)|!function\s+(\w+)\.\w+", re.M)  # files that a task's file names
KINDS = {".jsonl": "json", ".json": "json", ".parquet": "parquet"}


class Unavailable(Exception):
    """A task that cannot be evaluated, in one line: ``no data: ...`` or ``failed: ...``."""


class LocalFactory(TaskFactory):  # the one place through which the harness's own tasks, too, come by their settings
    """Builds tasks with some keys changed, and with data from a folder wherever they are there."""

    def __init__(self, data: Path | None, changes: Mapping[str, Any]) -> None:
        super().__init__()
        self._data, self._changes = data, changes
        self.read: set[Path] = set()

    def _load_full_config(self, entry: Any, overrides: dict[str, Any] | None = None) -> dict[str, Any]:
        config: dict[str, Any] = super()._load_full_config(entry, overrides)
        if "group" in config:
            return config
        config = {**config, **deepcopy(dict(self._changes))}
        config = {**config, **local_data(config, self._data)}
        self.read |= set(_data_files(config))
        return config


def _data_files(config: Mapping[str, Any]) -> Iterator[Path]:
    """The files of this machine that a task's data come from."""
    kwargs: Any = config.get("dataset_kwargs")
    kwargs = kwargs if isinstance(kwargs, Mapping) else {}
    named = [config.get("dataset_path"), kwargs.get("data_dir"), kwargs.get("data_files")]
    while named:
        found = named.pop()
        if isinstance(found, Mapping):
            named += found.values()
        elif isinstance(found, list):
            named += found
        elif isinstance(found, str) and Path(found).is_dir():
            hidden = (path for path in Path(found).rglob("*") if not path.relative_to(found).as_posix().startswith("."))
            yield from (path for path in hidden if path.is_file())
        elif isinstance(found, str) and Path(found).is_file():
            yield Path(found)


def _task_files(path: Path, known: set[Path]) -> set[Path]:
    """A task's file with those that it names: what it includes, modules with its functions."""
    if path in known or not path.is_file():
        return known
    known.add(path)
    if path.suffix == ".yaml":
        for included, module in BESIDE.findall(path.read_text(encoding="utf-8", errors="replace")):
            _task_files(path.parent / (included.strip() or f"{module}.py"), known)
    return known


def local_data(config: Mapping[str, Any], data: Path | None) -> dict[str, Any]:
    """What a task's configuration says instead, where a folder has its data.

    Args:
        config: of the task: ``dataset_path``, ``dataset_name``, splits and ``num_fewshot`` are looked at.
        data: the folder. In it, ``dataset_path[/dataset_name]/SPLIT.jsonl`` (or ``.parquet``), or as
            ``dataset_path`` a copy of the hub's repository. A split that is there in files and is not needed for
            examples may be missing.

    Raises:
        Unavailable: the split that examples come from is missing.
    """
    name = config.get("dataset_path")
    if data is None or not name or name in KINDS.values():
        return {}
    folder = data / name
    inner = folder / (config.get("dataset_name") or ".")
    files = {path.stem: path for path in sorted(inner.glob("*")) if path.suffix in KINDS} if inner.is_dir() else {}
    if files and not (folder / "README.md").is_file():
        kinds = {KINDS[path.suffix] for path in files.values()}
        if len(kinds) > 1:
            raise Unavailable(f"no data: {inner} has files of more than one kind")
        kwargs = {"data_files": {split: str(path) for split, path in files.items()}}
        missing = {key: config[key] for key in SPLITS if config.get(key) and config[key] not in files}
        examples = config.get("fewshot_split") or config.get("training_split")
        if config.get("num_fewshot") and examples in missing.values() and "samples" not in _fewshot(config):
            raise Unavailable(
                f"no data: {inner} lacks {examples}.jsonl, from which the examples in the prompt are drawn"
            )
        return {
            **{"dataset_path": kinds.pop(), "dataset_name": None, "dataset_kwargs": kwargs},
            **dict.fromkeys(missing),
        }
    return {"dataset_path": str(folder)} if folder.is_dir() else {}


def _fewshot(config: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Any = config.get("fewshot_config") or {}
    return found if isinstance(found, Mapping) else {}


class Tasks:
    """The harness's tasks, and those of this project."""

    def __init__(self, data: Path | None = None) -> None:
        """Reads the project's tasks; the harness's own thousands are read where one is asked for."""
        self._data = data
        self._managers: dict[tuple[Path, ...] | None, Any] = {}
        self.read: list[Path] = []  # files of this machine behind the last task that was loaded, but for the harness's

    def _manager(self, folders: tuple[Path, ...] | None) -> Any:
        """The project's tasks with some folders of the harness's, or with all of them."""
        if folders not in self._managers:
            paths = [str(TASKS), *map(str, folders or ())]
            self._managers[folders] = TaskManager(include_path=paths, include_defaults=folders is None)
        return self._managers[folders]

    def _for(self, name: str) -> Any:
        """A manager that knows a task; a refusal where none does.

        To read all of the harness's files takes many seconds; most tasks lie in a folder that their name begins with.
        """
        if Path(name).suffix == ".yaml":
            return self._manager(())
        near = tuple(path for path in sorted(HARNESS.iterdir()) if path.is_dir() and name.startswith(path.name))
        for folders in ((), near, None):
            if name in self._manager(folders).task_index:
                return self._manager(folders)
        likely = difflib.get_close_matches(name, self._manager(None).all_tasks, n=1)
        raise TrainerError(
            f"no task {name!r}{f' (did you mean {likely[0]}?)' if likely else ''}; lm-evaluation-harness has a list: "
            "lm_eval ls tasks. A task of your own is a .yaml file in its format"
        )

    def check(self, names: Sequence[str]) -> None:
        """Raises TrainerError for a name that is no task, and for a file that is not there."""
        for name in names:
            if Path(name).suffix == ".yaml" and not Path(name).is_file():
                raise TrainerError(f"no task file {name}")
            self._for(name)

    def load(self, name: str, changes: Mapping[str, Any] | None = None, shots: int | None = None) -> dict[str, Any]:
        """Loads a task or a group, and its data.

        Args:
            name: of the task, or the path of a .yaml file.
            changes: keys of the task's file that are to be otherwise.
            shots: examples in the prompt; None: what the task says.

        Returns:
            What ``lm_eval.evaluator.evaluate`` takes.

        Raises:
            TrainerError: no such task.
            Unavailable: its data cannot be had.
        """
        self.check([name])
        manager = self._for(name)
        examples = {} if shots is None else {"num_fewshot": shots}
        manager._factory = factory = LocalFactory(self._data, {**(changes or {}), **examples})
        try:
            with _silence():
                loaded: dict[str, Any] = manager.load([name])
        except (TrainerError, Unavailable):
            raise
        except Exception as error:  # the harness and datasets pass on whatever their readers meet
            raise Unavailable(_reason(error)) from error
        own = _task_files(Path(name), set()) if name.endswith(".yaml") else set()
        self.read = sorted(factory.read | own)
        for task in loaded["tasks"].values():
            if task.get_config("num_fewshot") is None:
                task.set_config(key="num_fewshot", value=0)
            _check_examples(task)
            task.set_fewshot_seed(seed=SEED)
        return loaded


def _check_examples(task: Any) -> None:
    """Raises Unavailable where fewer examples are there than the prompt shows."""
    shots, sampler = task.get_config("num_fewshot"), getattr(task, "sampler", None)
    split = task.get_config("fewshot_split")
    own = split is not None and split == task.get_config("test_split")  # a document is no example of its own
    if shots and sampler is not None and len(sampler.df) < shots + own:
        raise Unavailable(f"no data: the prompt shows {shots} examples, and there are {len(sampler.df)}")


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Readers of data sets draw bars and warn; what matters comes as an error."""
    import datasets  # noqa: PLC0415

    shown, level = datasets.is_progress_bar_enabled(), logging.root.manager.disable
    datasets.disable_progress_bars()
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(level)
        if shown:
            datasets.enable_progress_bars()


def _reason(error: BaseException) -> str:
    """Data that are not there, or cannot be read; else a task's file, or documents of another kind than it asks for."""
    from datasets.exceptions import DatasetsError  # noqa: PLC0415

    if isinstance(error, StopIteration):
        return "failed: there are no documents"
    missing = isinstance(error, OSError | DatasetsError)
    told = error.__cause__ if isinstance(error, DatasetsError) and error.__cause__ is not None else error
    return f"{'no data' if missing else 'failed'}: {in_one_line(told)}"


def in_one_line(error: BaseException) -> str:
    """An error's kind and the beginning of its text."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__
