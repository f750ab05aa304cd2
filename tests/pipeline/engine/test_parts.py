"""Parts of a run that share an output, in this process, one after the other."""

import argparse
import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.corpus.shard import Layout, plan_shards
from pipeline.engine.cli import run_options
from pipeline.engine.options import RunOptions
from pipeline.engine.parts import AgainError, Part, await_others, parse_part, refuse_missing, share
from pipeline.engine.run import RunResult, run_source
from pipeline.engine.state import held
from pipeline.engine.summary import print_summary
from pipeline.errors import InputError, OutputError
from pipeline.storage.filesystem import InputFile, temporary_name
from pipeline.storage.listing import match
from pipeline.verify.accounts import verify
from tests.pipeline import line_command
from tests.pipeline.engine.test_measure import SurveyedLines
from tests.pipeline.engine.test_rounds import TEXTS, TitledSource
from tests.pipeline.line_source import LineRecipe, LineSource
from tests.pipeline.runs import snapshot, write_input

ALL = LineRecipe(scope="all")
TWO = LineRecipe(scope_files=2)


def run(folder: Path, output: Path, recipe: LineRecipe, kind: type = LineSource, **options) -> RunResult:
    scopes = plan_shards(match([str(folder)]), recipe.scope, recipe.scope_files)
    how = RunOptions(str(output), ["--direct_num_workers=1"], **options)
    return run_source(kind(recipe), scopes, how, Console(file=StringIO()))


def shown(result: RunResult) -> str:
    console = Console(file=StringIO(), width=200)
    print_summary(result, console, [])
    return console.file.getvalue()


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    return write_input(tmp_path_factory.mktemp("raw"))


@pytest.fixture(scope="module")
def titled(tmp_path_factory):
    return write_input(tmp_path_factory.mktemp("titled"), TEXTS)


def parts_until_done(folder: Path, output: Path, recipe: LineRecipe, kind: type, count: int) -> list[str]:
    """Runs all parts, round by round, till none of them has to come again; gives what the others said."""
    said: list[str] = []
    while True:
        before = len(said)
        for number in range(1, count + 1):
            try:
                run(folder, output, recipe, kind, part=Part(number, count))
            except AgainError as error:
                said.append(str(error))
        if len(said) == before:
            return said


def test_a_part_is_named_from_one_on():
    assert parse_part("2/3") == Part(2, 3)
    assert (str(Part(2, 3)), share(Part(2, 3), "abcdefgh"), share(None, "ab")) == ("2/3", list("beh"), list("ab"))
    for text, says in {
        "0/4": r"no part 0 of 4 \(under Slurm give --array=1-4, not 0-3\)",
        "5/4": "no part 5 of 4; to repeat some tasks",
        "0/0": "no part 0 of 0",
        "1": "it must be i/n, such as 1/4",
        "1/2/3": "it must be i/n",
        "-1/2": "it must be i/n",
        "/": "it must be i/n.*SLURM_ARRAY_TASK_ID",
    }.items():
        with pytest.raises(argparse.ArgumentTypeError, match=says):
            parse_part(text)


def test_parts_by_scopes_make_the_bytes_of_one_run(raw, tmp_path):
    """Five shards in three scopes: the first part has a, b and deep/a, the second c and d."""
    run(raw, tmp_path / "whole", TWO)
    second = run(raw, tmp_path / "parts", TWO, part=Part(2, 2))
    assert (second.planned, second.written, second.manifest["shards"], second.manifest["source"]) == (
        2,
        2,
        2,
        "lines, part 2/2",
    )
    assert "Wrote 2 of 2 shards of part 2/2" in shown(second)
    with pytest.raises(
        OutputError, match=r"^3 of 5 shards are missing: a, b, a-\w+\. Run again part 1/2 \(3\)\. Then --f"
    ):
        run(raw, tmp_path / "parts", TWO, finish=True)
    run(raw, tmp_path / "parts", TWO, part=Part(1, 2))
    assert "all 3 shards of part 1/2 were done before" in shown(run(raw, tmp_path / "parts", TWO, part=Part(1, 2)))
    assert (tmp_path / "parts" / "lines" / ".parts" / "1-of-2.part").exists()
    finished = run(raw, tmp_path / "parts", TWO, finish=True)
    assert "All 5 shards are there." in shown(finished)
    assert snapshot(tmp_path / "parts" / "lines") == snapshot(tmp_path / "whole" / "lines")


@pytest.mark.parametrize(
    ("kind", "recipe", "count", "waits"),
    [
        (LineSource, LineRecipe(dedup="off"), 4, 0),  # no pass but the last
        (LineSource, LineRecipe(dedup="keep_smallest", scope="all"), 2, 3),
        (TitledSource, ALL, 4, 14),  # two rounds of dedup, and a part more than there are shards
        (SurveyedLines, ALL, 2, 4),
    ],
)
def test_parts_that_share_scopes_make_the_bytes_of_one_run(titled, tmp_path, kind, recipe, count, waits):
    run(titled, tmp_path / "whole", recipe, kind)
    said = parts_until_done(titled, tmp_path / "parts", recipe, kind, count)
    assert len(said) == waits
    run(titled, tmp_path / "parts", recipe, kind, finish=True)
    assert snapshot(tmp_path / "parts" / "lines") == snapshot(tmp_path / "whole" / "lines")
    assert verify(str(tmp_path / "parts" / "lines"))[1] == []


def test_a_run_without_a_part_ends_what_parts_began(titled, tmp_path):
    run(titled, tmp_path / "whole", ALL, TitledSource)
    with pytest.raises(AgainError, match=r"part 2/2 did its share of the hashes of titles; .*: part 1/2 owes 2\. Run"):
        run(titled, tmp_path / "parts", ALL, TitledSource, part=Part(2, 2))
    run(titled, tmp_path / "parts", ALL, TitledSource)
    assert snapshot(tmp_path / "parts" / "lines") == snapshot(tmp_path / "whole" / "lines")


def test_a_shard_that_is_lost_is_made_by_its_part_with_the_help_of_the_others(titled, tmp_path):
    run(titled, tmp_path / "out", ALL)
    root = tmp_path / "out" / "lines"
    before = snapshot(root)
    next((root / "long").glob("*.parquet")).unlink()
    assert parts_until_done(titled, tmp_path / "out", ALL, LineSource, 2)
    assert run(titled, tmp_path / "out", ALL, finish=True).written == 0
    assert snapshot(root) == before


def test_what_is_missing_is_named_with_its_part():
    scopes = plan_shards([InputFile(f"{name}.txt", 1) for name in "abcdef"], "all", 1)
    with pytest.raises(OutputError) as caught:
        refuse_missing(scopes, {"a", "c", "d", "f"}, [2, 3])
    assert str(caught.value) == (
        "2 of 6 shards are missing: b, e. Of 2 parts run again part 1/2 (1), part 2/2 (1). "
        "Of 3 parts run again part 2/3 (2). Then --finish."
    )
    with pytest.raises(OutputError, match="No part was at work there: give --part i/n, or neither that nor --finish"):
        refuse_missing(scopes, {"a"}, [])
    refuse_missing(scopes, set("abcdef"), [])


def test_a_part_waits_as_long_as_it_is_told_to_and_says_for_whom():
    there, told, slept = {"a"}, [], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        there.add("b")

    await_others(Part(1, 2, 600.0), "hashes", {"a": 0, "b": 1}, lambda: there, told.append, sleep)
    assert (told, slept) == (
        ["part 1/2 waits for the hashes of others: part 2/2 owes 1; for 10 min more at the most"],
        [0.5],
    )
    with pytest.raises(AgainError, match=r"those of others are missing, after 0\.001 min: part 1/2 owes 1\. Run all"):
        await_others(Part(2, 2, 0.06), "hashes", {"c": 0, "b": 1}, lambda: there, told.append)


def test_parts_share_a_folder_and_a_run_of_the_whole_does_not(raw, tmp_path):
    run(raw, tmp_path / "out", TWO, part=Part(1, 3))
    root = tmp_path / "out" / "lines"
    half = root / "short" / temporary_name()
    with held(Layout(str(root)), Part(2, 3)):
        half.write_bytes(b"of part 2, which lives")
        with pytest.raises(OutputError, match="another run is writing to"):
            run(raw, tmp_path / "out", TWO)
        with pytest.raises(OutputError, match="another run is writing to"):
            run(raw, tmp_path / "out", TWO, finish=True)
        with pytest.raises(OutputError, match="part 2/3 is at work in"):
            run(raw, tmp_path / "out", TWO, part=Part(2, 3))
        with pytest.raises(
            OutputError, match=r"part 2/3 is at work in .*, and this is part 1/2: all parts that are at"
        ):
            run(raw, tmp_path / "out", TWO, part=Part(1, 2))
        run(raw, tmp_path / "out", TWO, part=Part(3, 3))
        assert half.exists()
    with held(Layout(str(root))), pytest.raises(OutputError, match="another run is writing to"):
        run(raw, tmp_path / "out", TWO, part=Part(2, 3))
    run(raw, tmp_path / "out", TWO)
    assert not half.exists()


def test_a_part_forgets_nothing_of_others(raw, titled, tmp_path):
    """Another recipe, other files, and a scope to be made again: the last run of all may, where nobody is at work."""
    out = tmp_path / "out"
    with pytest.raises(AgainError):
        run(raw, out, ALL, part=Part(1, 2))
    began = {path: path.read_bytes() for path in (out / "lines").rglob("*") if path.is_file()}
    other = replace(ALL, min_characters=3)
    with pytest.raises(OutputError, match=r"begun with another configuration[\s\S]*min_characters[\s\S]*--finish in p"):
        run(raw, out, other, part=Part(2, 2))
    with pytest.raises(OutputError, match=r"scope all in .* was begun with other files"):
        run(titled, out, ALL, part=Part(2, 2))
    redo = out / "lines" / "_scopes" / "all.redo"
    redo.touch()
    with pytest.raises(OutputError, match=r"scope all in .* must be made again"):
        run(raw, out, ALL, part=Part(2, 2))
    redo.unlink()
    assert {path: path.read_bytes() for path in began} == began
    with pytest.raises(OutputError, match=r"5 of 5 shards are missing"):
        run(raw, out, other, finish=True)
    assert json.loads((out / "lines" / "configuration.json").read_text())["recipe"]["min_characters"] == 3
    assert not (out / "lines" / "_work").exists()


def test_more_parts_than_shards(raw, tmp_path):
    result = run(raw, tmp_path / "out", LineRecipe(dedup="off", scope_files=9), part=Part(7, 9))
    assert shown(result) == "Part 7/9 has nothing to do: there are fewer shards than parts.\n"


def test_files_that_failed_are_taken_again_by_the_last_run_of_all_and_then_by_parts(tmp_path):
    folder = write_input(tmp_path / "raw")
    (folder / "d.txt").rename(tmp_path / "d.txt")
    (folder / "d.txt").symlink_to("nowhere")
    for number in (1, 2):
        run(folder, tmp_path / "out", TWO, part=Part(number, 2))
    (folder / "d.txt").unlink()
    (tmp_path / "d.txt").rename(folder / "d.txt")
    with pytest.raises(OutputError, match=r"^2 of 5 shards are missing: c, d\. Run again part 2/2 \(2\)"):
        run(folder, tmp_path / "out", TWO, finish=True, retry_failed=True)
    run(folder, tmp_path / "out", TWO, part=Part(2, 2))
    run(folder, tmp_path / "out", TWO, finish=True)
    run(folder, tmp_path / "whole", TWO)
    assert snapshot(tmp_path / "out" / "lines") == snapshot(tmp_path / "whole" / "lines")


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--part", "1/2", "--retry-failed"], "--retry-failed goes with --finish"),
        (["--wait", "3"], "--wait goes with --part"),
        (["--part", "1/2", "--wait", "-1"], "takes minutes, 0 or more; it is -1"),
        (["--part", "1/2", "--wait", "nan"], "it is nan"),
    ],
)
def test_flags_that_do_not_go_together(flags, says, tmp_path):
    args = line_command.parser().parse_args(["--input", "x", "--output", str(tmp_path), *flags])
    with pytest.raises(InputError, match=says):
        run_options(args, [])


def test_part_and_finish_do_not_go_together(capsys):
    with pytest.raises(SystemExit):
        line_command.parser().parse_args(["--input", "x", "--part", "1/2", "--finish"])
    assert "not allowed with" in capsys.readouterr().err
