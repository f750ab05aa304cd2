import re
from io import StringIO

from rich.console import Console

from pipeline.mix.watch import FileWatcher


def test_files_are_counted_once_and_others_not():
    there: set[str] = set()
    console = Console(file=StringIO())
    sizes, measure = {"a": 3, "b": 5}, ("M", 1)
    watcher = FileWatcher("write", "shards", {"a", "b"}, lambda: there, sizes.__getitem__, measure, console, False)

    def shown() -> str:
        return re.sub(r"[\d,.]+ (M/s|s)\b", r"N \1", watcher.line())

    assert shown() == "write: 0/2 shards, N M/s, N s, time left unknown"
    there |= {"a", "other"}
    watcher.look()
    watcher.look()
    assert shown() == "write: 1/2 shards, N M/s, N s, N s left"
    assert watcher._total == 3
    there.add("b")
    watcher.look()
    assert [(bar.done, bar.total, bar.unit) for bar in watcher.bars()] == [(2, 2, "shards")]
