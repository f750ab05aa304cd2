import shutil
from pathlib import Path

import pytest

from pipeline.engine import making
from pipeline.engine.run import RunResult
from pipeline.errors import InputError, OutputError
from pipeline.verify import accounts
from tests.pipeline.line_source import LineRecipe
from tests.pipeline.runs import rows, run, snapshot

ALL = LineRecipe(dedup="keep_first", scope="all")
# Lines that stand twice, in one file, in one batch, and in two.
FILES = {
    "a.txt": "one\ntwo\n\nof a\none",
    "b.txt": "two\nthree\n\nof b",
    "c.txt": "three\nfour\n\none\n\nof c",
    "d.txt": "four\nfive\n\nof d\ntwo",
    "e.txt": "five\nfour\n\nof e\nof a",
}


@pytest.fixture
def raw(tmp_path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return folder


def grow(raw: Path, names: str, output: Path, **more: bool) -> RunResult:
    return run([raw / f"{name}.txt" for name in names], output, ALL, grow=True, **more)


def lines(output: Path) -> list[str]:
    """All lines that were kept, sorted."""
    kept = [row["text"] for folder in ("long", "short") for row in rows(output / "lines", folder)]
    return sorted(line for text in kept for line in text.split("\n"))


def texts(output: Path) -> list[str]:
    return sorted(row["text"] for folder in ("long", "short") for row in rows(output / "lines", folder))


def test_batches_hold_what_one_run_holds_and_no_line_twice(raw, tmp_path):
    """Of copies in two batches the earlier stays: with ``keep_first`` that is what one run over all keeps."""
    grow(raw, "ab", tmp_path / "out")
    first = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.parquet")}
    second = grow(raw, "abc", tmp_path / "out")  # what is there may be given again
    third = grow(raw, "de", tmp_path / "out")  # or not
    assert (second.planned, second.written, third.planned, third.written) == (3, 1, 2, 2)
    assert {path: path.stat().st_mtime_ns for path in first} == first
    run(raw, tmp_path / "once", ALL)
    assert texts(tmp_path / "out") == texts(tmp_path / "once")
    assert lines(tmp_path / "out") == sorted({line for text in FILES.values() for line in text.split("\n") if line})
    assert accounts.verify(third.layout.root)[1] == []
    assert len(list((tmp_path / "out" / "lines" / "_seen").iterdir())) == 3


def test_a_first_batch_is_what_a_run_without_growth_makes(raw, tmp_path):
    grow(raw, "abcde", tmp_path / "out")
    run(raw, tmp_path / "once", ALL)
    grown, once = snapshot(tmp_path / "out" / "lines"), snapshot(tmp_path / "once" / "lines")
    assert grown.pop("_seen/all.blocks")
    for found in (grown, once):
        for name in ("_scopes/all.json", ".owner.json"):
            found.pop(name)
    assert grown == once


def test_a_kill_behind_the_last_shard_loses_no_hashes(raw, tmp_path, monkeypatch):
    grow(raw, "abc", tmp_path / "once")
    with monkeypatch.context() as patch:
        patch.setattr(making, "keep_seen", _killed)
        with pytest.raises(KeyboardInterrupt):
            grow(raw, "abc", tmp_path / "out")
    result = grow(raw, "abc", tmp_path / "out")
    assert result.done_before == 3
    assert snapshot(tmp_path / "out" / "lines") == snapshot(tmp_path / "once" / "lines")


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_kill_in_a_batch_that_joins_others(raw, tmp_path):
    grow(raw, "ab", tmp_path / "once")
    shutil.copytree(tmp_path / "once", tmp_path / "out")
    grow(raw, "cde", tmp_path / "once")
    (tmp_path / "out" / "lines" / ".lock").touch()
    before = grow(raw, "cde", tmp_path / "out").layout
    Path(before.stats("d")).unlink()  # as where it was killed before this was written
    assert grow(raw, "cde", tmp_path / "out").written == 1
    assert snapshot(tmp_path / "out" / "lines") == snapshot(tmp_path / "once" / "lines")


def test_a_mended_file_of_an_early_batch_neither_loses_nor_repeats_a_line(raw, tmp_path):
    """The early scope, made again, takes in what later ones dropped for it, and drops what they hold."""
    (raw / "b.txt").rename(tmp_path / "elsewhere")
    (raw / "b.txt").symlink_to(tmp_path / "nowhere")
    grow(raw, "ab", tmp_path / "out")
    grow(raw, "cd", tmp_path / "out")
    (raw / "b.txt").unlink()
    (tmp_path / "elsewhere").rename(raw / "b.txt")
    again = grow(raw, "abcd", tmp_path / "out", retry_failed=True)
    assert (again.done_before, again.written) == (2, 2)
    wanted = {line for name in "abcd" for line in FILES[f"{name}.txt"].split("\n") if line}
    assert lines(tmp_path / "out") == sorted(wanted)
    assert "three\nfour" in texts(tmp_path / "out")  # c kept them, and b comes behind it now
    Path(again.layout.stats("d")).unlink()  # its scope joined one that is gone: all of it is made again
    assert grow(raw, "abcd", tmp_path / "out").written == 2
    assert lines(tmp_path / "out") == sorted(wanted)
    grow(raw, "e", tmp_path / "out")
    assert lines(tmp_path / "out") == sorted(wanted | {"of e"})


def test_what_cannot_grow_is_refused(raw, tmp_path):
    with pytest.raises(InputError, match="--grow is not for what lines is deduplicated by"):
        run(raw, tmp_path / "no", LineRecipe(scope="all"), grow=True)
    run([raw / "a.txt"], tmp_path / "out", ALL)
    for names in ("a", "b", "ab"):
        with pytest.raises(OutputError, match="was made without --grow"):
            grow(raw, names, tmp_path / "out")
    grow(raw, "ab", tmp_path / "grown")
    with pytest.raises(OutputError, match="was made with --grow"):
        run([raw / "a.txt", raw / "b.txt"], tmp_path / "grown", ALL)
    with pytest.raises(OutputError, match="deduplicated with other files"):
        grow(raw, "ac", tmp_path / "grown")
    seen = tmp_path / "grown" / "lines" / "_seen" / "all.blocks"
    seen.rename(tmp_path / "kept")
    with pytest.raises(OutputError, match=r"all\.blocks is lost"):
        grow(raw, "c", tmp_path / "grown")
    (tmp_path / "kept").rename(seen)
    grow(raw, "c", tmp_path / "grown")
    with pytest.raises(OutputError, match="was made with --grow"):
        run(raw, tmp_path / "grown", ALL)
