import re
from io import StringIO

from rich.console import Console

from pipeline.corpus.shard import Layout, plan_shards, write_json
from pipeline.engine.exchange.files import tasks_done
from pipeline.engine.exchange.grid import Grid
from pipeline.engine.progress import POLL_SECONDS, ProgressReporter
from pipeline.storage.filesystem import InputFile, delete_tree, write_bytes
from tests.pipeline.corpus.test_manifest import stats

SCOPES = plan_shards([InputFile(f"{name}.txt", 10) for name in "abcd"], "files", 2)


def finish(layout: Layout, *names: str) -> None:
    """Leaves what a written shard, or with ``.hash`` a hashed one, leaves."""
    for name in names:
        if not name.endswith(".hash"):
            write_json(layout.stats(name), stats(name, 8, 2))
        write_bytes(layout.timing(name), b"{}")


def reporter(layout: Layout, console: Console, done: set[str] | None = None, hashes: bool = True) -> ProgressReporter:
    return ProgressReporter(layout, SCOPES, done or set(), console, False, hashes)


def line(shown: ProgressReporter) -> str:
    """The line as it is when the run is looked at again, its times and rates as ``N``."""
    shown.look()
    return re.sub(r"[\d,]+ s\b", "N s", re.sub(r"[\d,]+ documents/s", "N documents/s", shown.line()))


def console() -> Console:
    return Console(file=StringIO(), width=100)


def test_the_line_of_a_log(tmp_path):
    layout = Layout(str(tmp_path))
    shown = reporter(layout, console())
    assert line(shown) == "hashed 0/4, written 0/4 shards, reading, N s, time left unknown"
    finish(layout, "a.hash", "b.hash", "a")
    assert line(shown) == "hashed 2/4, written 1/4 shards, N documents/s, 25.0% kept, N s, N s left"
    finish(layout, "c.hash", "d.hash", "b", "c", "d")
    assert line(shown) == "hashed 4/4, written 4/4 shards, N documents/s, 25.0% kept, N s, N s left"


def test_a_survey_is_a_pass_of_its_own(tmp_path):
    layout = Layout(str(tmp_path))
    shown = ProgressReporter(layout, SCOPES, {"a"}, console(), False, True, [], True)
    for name in ("a.hash", "b.hash", "a.survey"):
        write_bytes(layout.timing(name), b"{}")
    assert line(shown) == "hashed 2/4, surveyed 1/4, written 0/3 shards, reading, N s, N s left"
    assert [(bar.name, bar.done, bar.total) for bar in shown.bars()] == [
        ("hash", 2, 4),
        ("survey", 1, 4),
        ("filter", 0, 3),
    ]


def test_the_exchange_of_large_scopes_shows_and_is_not_forgotten_when_its_files_are_gone(tmp_path):
    layout, grid = Layout(str(tmp_path)), Grid(shards=4, partitions=1, group_shards=2)
    files = tasks_done(layout, "scope", grid, ["a", "b", "c", "d"])
    assert files == [layout.group("scope", 0), layout.group("scope", 1), layout.decisions("scope", 0)] + [
        layout.drops("scope", shard) for shard in "bd"
    ]
    assert tasks_done(layout, "scope", Grid(shards=4, partitions=1), ["a", "b", "c", "d"]) == []
    shown = ProgressReporter(layout, SCOPES, set(), console(), False, True, exchange=files)
    assert line(shown) == "hashed 0/4, dedup 0/5 tasks, written 0/4 shards, reading, N s, time left unknown"
    for path in (files[0], files[3], layout.drops("scope", "a")):
        write_bytes(path, b"")
    assert line(shown).startswith("hashed 0/4, dedup 2/5 tasks, written 0/4 shards")
    delete_tree(layout.work)
    assert line(shown).startswith("hashed 0/4, dedup 2/5 tasks, written 0/4 shards")
    assert [(bar.name, bar.done, bar.total) for bar in shown.bars()] == [
        ("hash", 0, 4),
        ("dedup", 2, 5),
        ("filter", 0, 4),
    ]


def test_without_a_hashing_pass(tmp_path):
    layout = Layout(str(tmp_path))
    shown = reporter(layout, console(), hashes=False)
    finish(layout, "a")
    assert line(shown) == "written 1/4 shards, N documents/s, 25.0% kept, N s, N s left"


def test_what_was_done_before_is_no_progress_of_this_run(tmp_path):
    layout = Layout(str(tmp_path))
    finish(layout, "a.hash", "b.hash", "a")
    shown = reporter(layout, console(), done={"a"})
    assert line(shown) == "hashed 2/4, written 0/3 shards, reading, N s, time left unknown"
    finish(layout, "c.hash")
    assert line(shown) == "hashed 3/4, written 0/3 shards, reading, N s, N s left"


def test_shards_of_other_runs_do_not_count(tmp_path):
    layout = Layout(str(tmp_path))
    shown = reporter(layout, console())
    finish(layout, "other", "other.hash")
    assert line(shown) == "hashed 0/4, written 0/4 shards, reading, N s, time left unknown"


def test_a_terminal_shows_bars_that_end_full(tmp_path):
    layout = Layout(str(tmp_path))
    terminal = Console(file=StringIO(), width=120, force_terminal=True, color_system=None)
    with reporter(layout, terminal):
        finish(layout, *(f"{name}.hash" for name in "abcd"), *"abcd")
    last = terminal.file.getvalue()
    assert re.search(r"hash .*4/4 shards", last)
    assert re.search(r"filter .*4/4 shards .* documents/s, 25\.0% kept", last)


def test_a_log_stays_silent_where_a_run_takes_less_than_a_minute(tmp_path):
    silent = console()
    with reporter(Layout(str(tmp_path)), silent):
        pass
    assert silent.file.getvalue() == ""


def test_looks_that_take_long_are_taken_more_seldom(tmp_path):
    """Of many thousand shards a look takes a quarter of a second, which every half second would cost half a core."""
    watcher = reporter(Layout(str(tmp_path)), console())
    assert watcher._pause() == POLL_SECONDS
    watcher._looked = 0.25
    assert watcher._pause() == 5.0
