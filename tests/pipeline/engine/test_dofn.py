import sys

import pytest
from apache_beam.internal import pickler

from pipeline.engine.dofn import Do
from pipeline.errors import OutputError


class Counts:
    """A step that says what was done to it."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def connect(self) -> None:
        self.done.append("connect")

    def setup(self) -> None:
        self.done.append("setup")

    def process(self, item: str) -> list[str]:
        return [*self.done, item]


class Blind(Counts):
    def connect(self) -> None:
        raise OutputError("this worker does not see it")


def sent(step: Counts) -> Do:
    """As it comes to a worker, which begins it."""
    do = pickler.loads(pickler.dumps(Do(step)))
    do.setup()
    return do


def test_a_worker_makes_itself_ready_at_the_first_item_and_once():
    do = sent(Counts())
    assert list(do.process("a")) == ["connect", "setup", "a"]
    assert list(do.process("b")) == ["connect", "setup", "b"]
    assert list(pickler.loads(pickler.dumps(do)).process("c")) == ["connect", "setup", "c"]


def test_what_keeps_a_worker_from_working_is_an_error_of_the_item():
    """The engine would wait minutes for the data channel of a worker that fails before it."""
    do = sent(Blind())
    for _ in range(2):
        with pytest.raises(OutputError, match="does not see it"):
            do.process("a")


def test_a_module_that_a_worker_lacks_is_told_at_the_item(tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text("class Step:\n    def process(self, item):\n        return [item]\n")
    monkeypatch.syspath_prepend(tmp_path)
    import only_here

    packed = pickler.dumps(Do(only_here.Step()))
    monkeypatch.undo()
    del sys.modules["only_here"]
    with pytest.raises(ModuleNotFoundError, match="only_here"):
        pickler.loads(packed).process("a")
