import argparse
import subprocess
import sys
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import DirectOptions, GoogleCloudOptions, PipelineOptions, StandardOptions

from pipeline.command_line import _flags_in_source, _Tolerant, parse, warn
from pipeline.engine import cli
from pipeline.errors import OutputError
from pipeline.service_options import ServiceOptions
from tests.pipeline.line_command import main, parser
from tests.pipeline.runs import PATIENCE_SECONDS, REPOSITORY, write_input


@pytest.fixture
def raw(tmp_path) -> Path:
    return write_input(tmp_path / "raw")


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    """The command's default recipe lies in the repository."""
    monkeypatch.chdir(REPOSITORY)


def command(*arguments: object) -> int:
    with pytest.raises(SystemExit) as end:
        main([*map(str, arguments), "--direct_num_workers=1"])
    return int(end.value.code)


def status_of(run) -> int:
    with pytest.raises(SystemExit) as end:
        cli.main(run, lambda result: [], quiet=True)
    return int(end.value.code)


class TestFlags:
    def test_flags_of_the_command_and_flags_of_beam(self):
        ours, beams = ["--input", "a", "b", "--set", "x=1"], ["--runner", "DataflowRunner", "--project=p"]
        args, flags = parse(parser(), [*ours, *beams, "--direct_num_workers", "3"])
        options = cli.run_options(args, flags).beam
        assert (args.input, args.set) == (["a", "b"], ["x=1"])
        assert options.view_as(StandardOptions).runner == "DataflowRunner"
        assert options.view_as(GoogleCloudOptions).project == "p"
        assert options.view_as(DirectOptions).direct_num_workers == 3

    @pytest.mark.parametrize(
        ("flag", "hint"),
        [
            ("--ouput=x", "; did you mean --output?"),
            ("--direct_num_wokers=2", "; did you mean --direct_num_workers?"),
            ("--retry_failed", "; did you mean --retry-failed?"),
            ("--zzzzzz", ""),
            ("--temp_locatoin=gs://b/t", "; did you mean --temp_location?"),
        ],
    )
    def test_an_unknown_flag_ends_the_command_and_names_the_nearest(self, raw, tmp_path, capsys, flag, hint):
        assert command("--input", raw, "--output", tmp_path / "out", flag) == 2
        assert f"error: unknown argument {flag}{hint}\n" in capsys.readouterr().err
        assert not (tmp_path / "out").exists()

    def test_each_flag_of_beam_stands_in_its_source(self):
        """A flag that does not is refused without Beam, so all that Beam takes must be found there."""
        flags = argparse.ArgumentParser(add_help=False)
        for kind in PipelineOptions.__subclasses__():
            if kind.__module__ in ("apache_beam.options.pipeline_options", ServiceOptions.__module__):
                kind._add_argparse_args(_Tolerant(flags))
        taken = {flag for flag in flags._option_string_actions if flag.startswith("--")}
        assert len(taken) > 100
        assert "--patience_minutes" in taken
        assert taken <= _flags_in_source()

    def test_a_wrong_value_of_a_flag_of_beam_shows_the_usage_of_the_command_alone(self, raw, capsys):
        assert command("--input", raw, "--num_workers=many") == 2
        errors = capsys.readouterr().err
        assert errors.startswith("usage: python -m sources.lines [-h]")
        assert errors.endswith("error: argument --num_workers: invalid int value: 'many'\n")
        assert len(errors.splitlines()) < 10

    def test_flags_are_not_abbreviated(self, raw, capsys):
        assert command("--input", raw, "--outp", "x") == 2
        assert "unknown argument --outp; did you mean --output?" in capsys.readouterr().err

    def test_help_shows_examples_and_defaults(self, capsys):
        assert command("--help") == 0
        text = capsys.readouterr().out
        assert "usage: python -m sources.lines [-h]" in text
        assert "examples:\n  python -m sources.lines --input texts/\n" in text
        for part in ("(default: corpus)", "(default: tests/pipeline/line_recipe.yaml)", "--retry-failed", "KEY=VALUE"):
            assert part in " ".join(text.split())

    def test_keys_lists_the_keys_of_the_recipe_and_asks_for_nothing_else(self, capsys):
        assert command("--keys") == 0
        text = capsys.readouterr().out
        assert "scope_files = " in text
        assert "rejects.fraction = 0.01\n    The share that ``sample`` keeps.\n" in text

    def test_keys_are_listed_as_the_flags_before_have_them(self, capsys):
        assert command("--set", "scope_files=7", "--keys") == 0
        assert "scope_files = 7" in capsys.readouterr().out
        assert command("--set", "scop_files=7", "--keys") == 2
        assert "Did you mean scope_files?" in capsys.readouterr().err


class TestCommand:
    def test_a_run_and_a_run_with_nothing_to_do(self, raw, tmp_path, capsys):
        assert command("--input", raw, "--output", tmp_path) == 0
        first = capsys.readouterr()
        assert "│kept  │ in all" in first.out
        assert "Wrote 5 of 5 shards, in " in first.out
        assert first.out.endswith(f"Output: {tmp_path}/lines\nNext:\n  python -m pipeline.verify {tmp_path}/lines\n")
        assert first.err == ""
        assert command("--input", raw, "--output", tmp_path) == 0
        assert "Nothing to do: all 5 shards were done before." in capsys.readouterr().out

    def test_the_recipe_and_overrides(self, raw, tmp_path, capsys):
        (tmp_path / "my.yaml").write_text("bad_word: second\nscope_files: 9\n")
        flags = ("--recipe", tmp_path / "my.yaml", "--set", "scope_files=3", "--set", "rejects.keep=none")
        assert command("--input", raw, "--output", tmp_path / "out", *flags) == 0
        configuration = (tmp_path / "out" / "lines" / "configuration.json").read_text()
        assert '"bad_word": "second"' in configuration
        assert '"scope_files": 3' in configuration
        assert '"keep": "none"' in configuration

    def test_errors_for_the_user_are_one_line_without_a_traceback(self, raw, tmp_path, capsys):
        assert command("--input", f"{raw}/none*", "--output", tmp_path / "out") == 1
        assert capsys.readouterr().err == (
            f"error: --input '{raw}/none*' matches no file. Give a file, a folder, a glob in quotes, or a URL.\n"
        )
        assert command("--input", raw, "--output", tmp_path / "out", "--set", "bad_wrd=x") == 1
        assert capsys.readouterr().err.startswith(
            "error: tests/pipeline/line_recipe.yaml: there is no key bad_wrd. Did you mean bad_word? Known:"
        )
        assert not (tmp_path / "out").exists()

    def test_where_every_record_failed_that_is_said_and_the_status_tells(self, tmp_path, capsys):
        (tmp_path / "raw").mkdir()
        (tmp_path / "raw" / "a.txt").write_text("#damaged\n\n#damaged")
        (tmp_path / "raw" / "b.txt").symlink_to(tmp_path / "nowhere")
        flags = ("--input", tmp_path / "raw", "--output", tmp_path / "out")
        for _ in range(2):
            assert command(*flags) == 1
            shown = capsys.readouterr()
            assert "\n3 records failed (2 files could not be read: a.txt, b.txt)\n  read: " in shown.out
            assert f"\n  read: unreadable_file: {tmp_path}/raw/b.txt: [Errno 2] No such file or directory" in shown.out
            assert f"\n  see them: python -m pipeline.inspect {tmp_path}/out/lines --dropped-by read\n" in shown.out
            assert "mended or fetched anew: the same command with --retry-failed\n" in shown.out
            assert shown.err == "error: nothing was kept: every record failed\n"
        (tmp_path / "raw" / "c.txt").write_text("sound")
        assert command(*flags, "--retry-failed") == 0
        assert "3 records failed" in capsys.readouterr().out

    def test_a_warning_is_told_to_the_letter(self, capsys):
        warn("a [bold]name[/bold]")
        assert capsys.readouterr().err == "warning: a [bold]name[/bold]\n"

    def test_an_error_may_hold_what_looks_like_markup(self, capsys):
        def fails(_):
            raise OutputError("cannot write [bold]/x[/bold] [red")

        assert status_of(fails) == 1
        assert capsys.readouterr().err == "error: cannot write [bold]/x[/bold] [red\n"

    def test_an_interrupt(self, capsys):
        def interrupted(_):
            raise KeyboardInterrupt

        assert status_of(interrupted) == 130
        message = "stopped. Finished shards are kept: the same command goes on from here.\n"
        assert capsys.readouterr().err == message

    def test_a_bug_is_not_hidden(self):
        def fails(_):
            raise KeyError("a bug")

        with pytest.raises(KeyError):
            cli.main(fails, lambda result: [], quiet=True)


def test_a_command_is_quiet_while_it_starts():
    """Beam warns through the root logger while it is imported."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.pipeline.lines", "--help"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=True,
    )
    assert ended.stdout.startswith("usage: python -m sources.lines")
    assert ended.stderr == ""


def test_flags_for_job_services_are_known_without_a_job_service():
    """In a process of its own: in this one, other tests have imported what adds them."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.pipeline.lines", "--input", "nowhere", "--patience_minutes", "0"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert ended.stderr.splitlines()[-1].endswith("--patience_minutes: it takes minutes, more than 0; it is '0'")
