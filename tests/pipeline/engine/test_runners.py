"""A step done for each item: here where one process does it all, else by Beam, with the same files and errors."""

from pathlib import Path

import pytest

from pipeline.corpus.shard import Layout
from pipeline.engine.here import run_each
from pipeline.engine.options import RunOptions, is_one_process
from pipeline.engine.step import WorkerStep
from pipeline.engine.tasks import Worker
from pipeline.errors import OutputError

HERE = ("--direct_num_workers=1",)
BY_BEAM = ("--direct_num_workers=2", "--direct_running_mode=multi_threading")


class Write(WorkerStep):
    """A name -> itself: writes a file of that name; "bad" is an error of the user's."""

    def process(self, name):
        if name == "bad":
            raise OutputError("no room for bad")
        Path(self._worker.layout.root, name).write_text(name)
        yield name


def run(tmp_path, flags, names):
    worker = Worker(None, Layout(str(tmp_path)), None, flags)
    run_each(Write(worker), names, "Write", RunOptions(str(tmp_path), flags), str(tmp_path))
    return sorted(path.name for path in tmp_path.iterdir())


@pytest.mark.parametrize("flags", [HERE, BY_BEAM])
def test_each_item_is_done(tmp_path, flags):
    assert run(tmp_path, flags, ["a", "b", "c"]) == ["a", "b", "c"]


@pytest.mark.parametrize("flags", [HERE, BY_BEAM])
def test_an_error_for_the_user_arrives_as_itself(tmp_path, flags):
    with pytest.raises(OutputError if flags is HERE else Exception, match="no room for bad"):
        run(tmp_path, flags, ["bad"])


@pytest.mark.parametrize(
    ("flags", "alone"),
    [(HERE, True), (("--runner=FnApiRunner", *HERE), True), (BY_BEAM, False), (("--runner=FlinkRunner", *HERE), False)],
)
def test_one_process_is_one_worker_on_this_machine(flags, alone):
    assert is_one_process(flags) is alone
