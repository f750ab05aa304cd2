import json
import os
import re
import subprocess
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.corpus.promised import promise
from pipeline.corpus.shard import Layout, plan_shards
from pipeline.corpus.sink import RejectPolicy
from pipeline.engine.making import SHARDS_AT_ONCE, _at_once
from pipeline.engine.options import RunOptions, is_local
from pipeline.engine.run import RunResult, run_source
from pipeline.errors import OutputError, UserError
from pipeline.storage.filesystem import InputFile
from pipeline.verify import accounts
from tests.pipeline.line_source import LineRecipe, LineSource
from tests.pipeline.runs import FILES, plan, rows, run, snapshot, write_input
from tests.pipeline.small_disk import small_disk
from tests.pipeline.web_server import Server, whole


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    return write_input(tmp_path_factory.mktemp("run") / "raw")


@pytest.fixture(scope="module")
def first(raw) -> RunResult:
    """An undisturbed run, to compare others with; tests only read it."""
    return run(raw, raw.parent / "first")


@pytest.fixture(scope="module")
def expected(first) -> dict[str, bytes]:
    return snapshot(Path(first.layout.root))


def files(raw: Path) -> list[str]:
    return sorted(str(raw / name) for name in FILES)


def test_raw_files_are_read_once(raw, tmp_path, expected, monkeypatch):
    """Dedup and writing are two passes; the second has what the first kept, with the same accounts."""
    opened = []
    read = LineSource.read

    def counted(self, stream, file, counters):
        opened.append(file.path)
        yield from read(self, stream, file, counters)

    monkeypatch.setattr(LineSource, "read", counted)
    result = run(raw, tmp_path / "out")
    assert snapshot(Path(result.layout.root)) == expected
    assert sorted(opened) == files(raw)


class TestFullRun:
    def test_what_is_kept(self, first):
        root = Path(first.layout.root)
        assert {(r["id"], r["text"]) for r in rows(root, "long")} == {("raw/a.txt@0", "only a\nin a and c")}
        assert {(r["id"], r["text"]) for r in rows(root, "short")} == {
            ("raw/a.txt@30", "the second of a"),
            ("raw/b.txt@0", "only b"),
            ("raw/c.txt@0", "in a and c"),
            ("raw/d.txt@0", "caf\ufffd"),
            ("deep/a.txt@0", ""),
        }

    def test_what_is_rejected_and_why(self, first):
        found = {(r["id"], r["step"], r["reason"], r["text"]) for r in rows(Path(first.layout.root), "_rejects")}
        assert found == {
            ("raw/a.txt@47", "words", "bad_word", "here is bad stuff"),
            ("b.txt@26", "read", "damaged", "damaged at 26"),
            ("b.txt@38", "read", "comment", "only a comment"),
            ("raw/c.txt@12", "words", "error_ValueError", "ValueError: cannot judge 'crash it'\n\ncrash it"),
            ("raw/c.txt@22", "dedup", "no_line_left", ""),
            ("raw/d.txt@6", "dedup", "no_line_left", ""),
        }

    def test_the_result_and_the_manifest(self, first, raw):
        assert (first.planned, first.done_before, first.written) == (5, 0, 5)
        manifest = json.loads((Path(first.layout.root) / "manifest.json").read_bytes())
        assert manifest == first.manifest
        assert (manifest["source"], manifest["shards"]) == ("lines", 5)
        assert manifest["configuration"]["recipe"]["scope_files"] == 2
        by_name = [files(raw)[i] for i in (0, 4, 1, 2, 3)]
        assert [entry["path"] for entry in manifest["inputs"]] == by_name
        read = manifest["ledger"]["steps"][0]
        assert (read["entered"]["documents"], read["left"]["documents"]) == (12, 10)

    def test_the_accounts_add_up(self, first):
        assert accounts.verify(first.layout.root) == (6, [])

    def test_what_lies_there(self, first):
        root = Path(first.layout.root)
        folders = {"short", "long", "_rejects", "_stats", "_timing", "_ids", "_scopes"}
        single = {"configuration.json", "manifest.json", ".lock", ".owner.json"}
        assert {path.name for path in root.iterdir()} == folders | single
        assert not list(root.rglob("*.tmp"))


class TestAgain:
    def test_a_second_run_does_nothing(self, raw, tmp_path, expected):
        run(raw, tmp_path)
        times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")}
        result = run(raw, tmp_path)
        assert (result.planned, result.done_before, result.written) == (5, 5, 0)
        assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")} == times
        assert snapshot(tmp_path / "lines") == expected

    def test_the_order_of_the_inputs_changes_nothing(self, raw, tmp_path, expected):
        run([raw / "deep", raw / "d.txt", raw / "c.txt", f"{raw}/[ab].txt", raw], tmp_path)
        assert snapshot(tmp_path / "lines") == expected

    def test_whole_scopes_may_follow(self, raw, tmp_path, expected):
        run([raw / "c.txt", raw / "d.txt"], tmp_path)
        run([raw / "a.txt", raw / "b.txt", raw / "c.txt", raw / "d.txt"], tmp_path)
        result = run(raw, tmp_path)
        assert (result.done_before, result.written) == (4, 1)
        assert snapshot(tmp_path / "lines") == expected

    def test_missing_shards_are_made_again_with_the_same_bytes(self, raw, tmp_path, expected):
        run(raw, tmp_path)
        for name in ("_stats/b.json", "short/b.parquet", "_stats/c.json"):
            (tmp_path / "lines" / name).unlink()
        (tmp_path / "lines" / "_work" / "left" / "over").mkdir(parents=True)
        result = run(raw, tmp_path)
        assert (result.done_before, result.written) == (3, 2)
        assert snapshot(tmp_path / "lines") == expected

    def test_what_a_killed_run_wrote_of_a_shard_goes_where_this_one_has_nothing_for_it(self, raw, tmp_path, expected):
        """As after a kill between a shard's files and its stats, and a change of the recipe."""
        run([raw / "a.txt", raw / "b.txt"], tmp_path)
        (tmp_path / "lines" / "_stats" / "a.json").unlink()
        (tmp_path / "lines" / "_stats" / "b.json").unlink()
        for name in ("long/b.parquet", "medium/b.parquet"):
            (tmp_path / "lines" / name).parent.mkdir(exist_ok=True)
            (tmp_path / "lines" / name).write_bytes(b"other bytes")
        promise(Layout(str(tmp_path / "lines")), "b", ["long/b.parquet", "medium/b.parquet"])
        run(raw, tmp_path)
        assert snapshot(tmp_path / "lines") == expected

    def test_files_that_are_missing_or_cut_are_made_again(self, raw, tmp_path):
        done = tmp_path / "out"
        run(raw, done)
        expected = snapshot(done / "lines")
        next((done / "lines").glob("[!_]*/b.parquet")).unlink()
        rejects = done / "lines" / "_rejects" / "c.parquet"
        rejects.write_bytes(rejects.read_bytes()[:-1])
        result = run(raw, done)
        assert (result.written, list(result.notes)) == (
            2,
            ["Made again, since Parquet files of theirs were missing or cut: b, c"],
        )
        assert snapshot(done / "lines") == expected
        assert list(run(raw, done).notes) == []

    def test_inputs_may_move(self, tmp_path):
        first = write_input(tmp_path / "first")
        recipe = LineRecipe(scope_files=1)
        run(first, tmp_path / "out", recipe)
        moved = first.rename(tmp_path / "moved")
        result = run(moved, tmp_path / "out", recipe)
        assert (result.written, result.done_before) == (0, 5)
        (moved / "e.txt").write_text("one more")
        assert run(moved, tmp_path / "out", recipe).written == 1

    def test_one_file_a_scope_in_many_runs_is_as_good_as_in_one(self, raw, tmp_path):
        recipe = LineRecipe(scope_files=1)
        run(raw, tmp_path / "one", recipe)
        for path in files(raw):
            run([raw / "a.txt", path], tmp_path / "many", recipe)
        assert snapshot(tmp_path / "many" / "lines") == snapshot(tmp_path / "one" / "lines")


class TestRefusals:
    @pytest.fixture
    def done(self, raw, tmp_path) -> Path:
        """A folder in which a and b are done."""
        run([raw / "a.txt", raw / "b.txt"], tmp_path / "out")
        return tmp_path / "out"

    def refused(self, message: str, *arguments, **options) -> None:
        with pytest.raises(OutputError, match=message):
            run(*arguments, **options)

    def test_another_recipe(self, raw, done):
        before = snapshot(done / "lines")
        message = (
            r"out/lines was made by another configuration\. What differs \(there -> here\):\n"
            r"  recipe\.bad_word: 'bad' -> 'good'\n  recipe\.dedup: 'drop_all' -> 'keep_first'\nChoose another --output"
        )
        self.refused(message, raw, done, LineRecipe(bad_word="good", dedup="keep_first"))
        assert snapshot(done / "lines") == before

    def test_an_output_whose_configuration_is_lost(self, raw, done):
        (done / "lines" / "configuration.json").unlink()
        self.refused("was made by another configuration", raw, done)

    def test_an_unfinished_output_takes_another_recipe(self, raw, done):
        for name in "ab":
            (done / "lines" / "_stats" / f"{name}.json").unlink()
        result = run(raw, done, LineRecipe(bad_word="second"))
        assert result.written == 5
        assert accounts.verify(result.layout.root) == (6, [])

    @pytest.mark.parametrize("keep_b", [True, False])
    def test_an_input_of_another_size(self, done, tmp_path, keep_b):
        """Whether or not shards of its scope are missing."""
        copy = write_input(tmp_path / "raw")
        out = tmp_path / "copy"
        run([copy / "a.txt", copy / "b.txt"], out)
        if not keep_b:
            (out / "lines" / "_stats" / "b.json").unlink()
        (copy / "b.txt").write_text("other")
        self.refused(
            r"shard a in .*/copy/lines was deduplicated with other files than now \((2 shards there, 2 here, or files "
            r"of other names or sizes|.*/raw/b\.txt had \d+ bytes, and has 5)\)\. Give the same --input as before, "
            r"wherever they lie now \(more files may",
            [copy / "a.txt", copy / "b.txt"],
            out,
        )

    @pytest.mark.parametrize("patterns", [["a.txt"], ["b.txt"], ["a.txt", "c.txt"], ["b.txt", "c.txt"]])
    def test_another_company(self, raw, done, patterns):
        before = snapshot(done / "lines")
        self.refused("was deduplicated with other files than now", [raw / name for name in patterns], done)
        assert snapshot(done / "lines") == before

    def test_a_file_of_the_same_name_from_elsewhere(self, raw, tmp_path):
        """It must not be taken for the one that is done."""
        recipe = LineRecipe(scope_files=1)
        run([raw / "a.txt"], tmp_path, recipe)
        self.refused("shard a in .* was deduplicated with other files than now", [raw / "deep"], tmp_path, recipe)

    def test_a_file_of_the_same_name_and_size_from_elsewhere(self, raw, tmp_path):
        recipe = LineRecipe(scope_files=1)
        run([raw / "a.txt"], tmp_path, recipe)
        other = tmp_path / "elsewhere" / "a.txt"
        other.parent.mkdir()
        other.write_bytes((raw / "a.txt").read_bytes().replace(b"only", b"lone"))
        self.refused("a.txt is not the file of which shard a in .* was made", [other], tmp_path, recipe)

    def test_a_file_before_a_lone_scope_that_is_done(self, raw, tmp_path):
        run([raw / "d.txt"], tmp_path)
        self.refused(r"shard d in .* \(other shards there, 2 here", [raw / "c.txt", raw / "d.txt"], tmp_path)

    @pytest.mark.parametrize("place", ["file", "file/below", "/dev/null"])
    def test_an_output_that_cannot_be_written(self, raw, tmp_path, place):
        (tmp_path / "file").write_text("in the way")
        output = tmp_path / place
        self.refused(rf"cannot write to {re.escape(str(output))}/lines: Not a directory\. Choose another", raw, output)

    def test_a_full_disk_and_then_a_larger_one(self, tmp_path):
        (tmp_path / "raw").mkdir()
        for name in "abc":
            (tmp_path / "raw" / f"{name}.txt").write_text(os.urandom(60_000).hex())
        with small_disk(tmp_path / "disk", 192) as disk:
            self.refused(r"cannot write .*\.parquet: No space left on device\. Free space", tmp_path / "raw", disk)
            assert not list(disk.rglob("*.tmp"))
            done = len(list((disk / "lines" / "_stats").glob("*.json")))
            assert 0 < done < 3
            subprocess.run(["mount", "-o", "remount,size=1m", str(disk)], check=True)
            result = run(tmp_path / "raw", disk)
            assert (result.done_before, result.written) == (done, 3 - done)
            assert accounts.verify(result.layout.root) == (3, [])


class TestUnreadable:
    def test_it_is_one_failed_record_until_it_is_mended_and_asked_for(self, tmp_path):
        raw = write_input(tmp_path / "raw")
        missing = raw / "b.txt"
        missing.rename(tmp_path / "elsewhere")
        missing.symlink_to(tmp_path / "nowhere")
        result = run(raw, tmp_path / "out")
        root = Path(result.layout.root)
        assert result.manifest["ledger"]["steps"][0]["failed"] == {"unreadable_file": {"documents": 1, "characters": 0}}
        (reject,) = [row for row in rows(root, "_rejects") if row["reason"] == "unreadable_file"]
        assert reject["text"].startswith(f"{missing}: [Errno 2] No such file or directory")
        assert [row["text"] for row in rows(root, "long")] == ["only a\nin a and b\nin a and c"]
        assert accounts.verify(str(root)) == (5, [])

        missing.unlink()
        (tmp_path / "elsewhere").rename(missing)
        with pytest.raises(OutputError, match="--retry-failed takes in a file that could not be read then"):
            run(raw, tmp_path / "out")
        again = run(raw, tmp_path / "out", retry_failed=True)
        assert (again.done_before, again.written) == (3, 2)
        run(raw, tmp_path / "fresh")
        assert snapshot(root) == snapshot(tmp_path / "fresh" / "lines")

    def test_what_is_still_unreadable_is_tried_again_and_fails_again(self, tmp_path):
        raw = write_input(tmp_path / "raw")
        (raw / "b.txt").unlink()
        (raw / "b.txt").symlink_to(tmp_path / "nowhere")
        before = snapshot(Path(run(raw, tmp_path / "out").layout.root))
        again = run(raw, tmp_path / "out", retry_failed=True)
        assert (again.done_before, again.written) == (3, 2)
        assert snapshot(Path(again.layout.root)) == before

    def test_a_copy_in_the_cache_that_was_no_such_file_is_fetched_anew(self, tmp_path, monkeypatch):
        monkeypatch.setenv("no_proxy", "*")
        monkeypatch.setenv("LLAMA_CORPUS_CACHE", str(tmp_path / "cache"))
        server = Server()
        server.answers = [whole(b"only here\n\ngood"), whole(b"#damaged page"), whole(b"whole again")]
        urls = [server.url + name for name in ("a.txt", "b.txt")]
        try:
            first = run(urls, tmp_path / "out")
            assert first.manifest["ledger"]["steps"][0]["failed"]
            run(urls, tmp_path / "out", retry_failed=True)
        finally:
            server.close()
        assert [path for path, *_ in server.requests] == ["/a.txt", "/b.txt", "/b.txt"]
        assert "whole again" in {row["text"] for row in rows(tmp_path / "out" / "lines", "short")}

    def test_a_kill_in_the_middle_of_retrying_changes_nothing(self, tmp_path):
        """The scope is marked first; whatever of it was forgotten by then, all of it is made again."""
        raw = write_input(tmp_path / "raw")
        run(raw, tmp_path / "fresh")
        (raw / "b.txt").rename(tmp_path / "elsewhere")
        (raw / "b.txt").symlink_to(tmp_path / "nowhere")
        run(raw, tmp_path / "out")
        (raw / "b.txt").unlink()
        (tmp_path / "elsewhere").rename(raw / "b.txt")
        (tmp_path / "out" / "lines" / "_scopes" / "a.redo").touch()
        (tmp_path / "out" / "lines" / "_stats" / "b.json").unlink()
        run(raw, tmp_path / "out")
        assert snapshot(tmp_path / "out" / "lines") == snapshot(tmp_path / "fresh" / "lines")


class TestOddNames:
    def test_a_name_that_is_no_utf8(self, tmp_path):
        (tmp_path / "raw").mkdir()
        path = os.fsdecode(os.fsencode(tmp_path / "raw") + b"/caf\xe9 \n.txt")
        Path(path).write_text("one\n\ntwo")
        result = run(tmp_path / "raw", tmp_path / "out")
        assert result.manifest["inputs"][0]["path"] == path
        assert [row["origin"]["file"] for row in rows(Path(result.layout.root), "short")] == [
            path.replace("\udce9", "\ufffd")
        ] * 2
        assert run(tmp_path / "raw", tmp_path / "out").written == 0
        assert accounts.verify(result.layout.root) == (2, [])

    def test_an_output_with_spaces_and_glob_characters(self, raw, tmp_path, expected):
        run(raw, tmp_path / "my [odd] folder*")
        assert snapshot(tmp_path / "my [odd] folder*" / "lines") == expected


class TestDedup:
    def test_off(self, raw, tmp_path):
        result = run(raw, tmp_path, LineRecipe(dedup="off"))
        assert [step["step"] for step in result.manifest["ledger"]["steps"]] == ["read", "length", "words"]
        assert len(rows(Path(result.layout.root), "long")) == 2
        assert accounts.verify(result.layout.root) == (8, [])

    @pytest.mark.parametrize(
        ("policy", "texts"),
        [
            ("drop_all", {"only a", "the second of a", "only b", "caf\ufffd", ""}),
            (
                "keep_first",
                {"only a\nin a and b\nin a and c", "the second of a", "only b", "in c and d", "caf\ufffd", ""},
            ),
            # The document with fewer characters keeps the line.
            (
                "keep_smallest",
                {"only a", "the second of a", "in a and b\nonly b", "in a and c", "in c and d", "caf\ufffd", ""},
            ),
        ],
    )
    def test_policies_over_everything(self, raw, tmp_path, policy, texts):
        result = run(raw, tmp_path, LineRecipe(dedup=policy, scope="all"))
        root = Path(result.layout.root)
        assert {row["text"] for row in (*rows(root, "long"), *rows(root, "short"))} == texts


def test_rejects_may_be_left_out(raw, tmp_path):
    result = run(raw, tmp_path, LineRecipe(rejects=RejectPolicy("none")))
    assert not (Path(result.layout.root) / "_rejects").exists()
    assert result.manifest["ledger"]["steps"][-1]["dropped"]["bad_word"]["documents"] == 1
    assert accounts.verify(result.layout.root) == (6, [])


def test_scopes_run_together_up_to_so_many_shards():
    inputs = [InputFile(f"{n:04d}", 1) for n in range(120)]
    groups = [[len(s.shards) for s in group] for group in _at_once(plan_shards(inputs, "files", 20))]
    assert groups == [[20, 20], [20, 20], [20, 20]]
    groups = [[len(s.shards) for s in group] for group in _at_once(plan_shards(inputs, "files", 80))]
    assert groups == [[80], [40]]
    assert [len(group) for group in _at_once(plan_shards(inputs, "files", 1))] == [SHARDS_AT_ONCE, SHARDS_AT_ONCE, 20]


@pytest.mark.parametrize(
    ("flags", "local"),
    [
        ([], True),
        (["--runner=DirectRunner"], True),
        (["--runner=FnApiRunner"], True),
        (["--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner"], True),
        (["--runner=DataflowRunner"], False),
        (["--runner=FlinkRunner"], False),
    ],
)
def test_is_local(flags, local):
    assert is_local(flags) is local


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--direct_num_workers=-3"], "--direct_num_workers must be 0 (all cores) or more, it is -3"),
        (["--runner=NoSuchRunner"], "Unexpected pipeline runner: NoSuchRunner. Valid values are "),
        (["--runner=DataflowRunner"], "Missing required option: project."),
    ],
)
def test_a_runner_that_cannot_be_used_is_the_users_error(raw, tmp_path, flags, message):
    options = RunOptions(str(tmp_path), flags)
    with pytest.raises(UserError, match=re.escape(message)):
        run_source(LineSource(), plan([raw], LineRecipe()), options, Console(file=StringIO()))


def test_run_and_verify_agree_on_ids_that_two_scopes_have(tmp_path):
    for folder, text in (("one/raw", "the text of one"), ("two/raw", "of two another")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "x.txt").write_text(text)
    one = run([tmp_path / "one"], tmp_path / "out", LineRecipe(scope_files=1))
    assert one.notes == []
    both = run([tmp_path / "one", tmp_path / "two"], tmp_path / "out", LineRecipe(scope_files=1))
    (note,) = both.notes  # the id of the earlier run's scope is compared, too
    assert note.startswith("1 id occurs more than once: are inputs given twice, or do they overlap? See ")
    (fault,) = accounts.verify(both.layout.root)[1]
    assert fault.startswith("1 document has the id of another one, in short/x.parquet, short/x-")
