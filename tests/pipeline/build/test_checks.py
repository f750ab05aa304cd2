"""What is wrong with a recipe is said before anything is fetched or made; and the command line."""

import pytest

from pipeline.build.checks import check_recipe
from pipeline.build.command import main
from pipeline.build.recipe import load_build
from pipeline.errors import UserError


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("sources.c4.module=nowhere.c4", "there is no command nowhere.c4"),
        ("sources.c4.module=sources.nowhere", "there is no command sources.nowhere"),
        ("sources.c4.raw.input=[/nowhere/*.gz]", r"^sources\.c4\.raw\.input: '/nowhere/\*\.gz' matches no file"),
        ("sources.c4.raw={publisher: nobody}", r"raw\.publisher: there is no 'nobody', but files, commoncrawl"),
        ("sources.c4.raw={publisher: files, input: [samples/*]}", "also matches folders, and does not look into them"),
        ("tokenizer.model=/nowhere/model", "tokenizer.model: there is no /nowhere/model"),
        ("train.model=70T", "train.model: there is no model 70T; built in are"),
    ],
)
def test_what_is_not_there_is_named(override, said):
    with pytest.raises(UserError, match=said):
        check_recipe(load_build("sample", [override]))


def test_the_built_in_recipes_are_sound():
    check_recipe(load_build("sample"))
    check_recipe(load_build("llama1"))


def ended(capsys, *words):
    with pytest.raises(SystemExit) as end:
        main([*words])
    return end.value.code, capsys.readouterr()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--until", "nosuch"], "--until nosuch: there is no such stage, but commoncrawl"),
        (["--set", "tokens=0"], "it is '0'"),
        (["--tokens", "1e30"], "must look like"),
        (["--output", "gs://b/c"], "a build needs a folder on a disk"),
        (["lama1"], "there is no recipe 'lama1'"),
        (["llama1", "--tokens", "1B", "--without", "c4,github,wikipedia"], "wikipedia is not there"),
        (["status", "/nowhere"], "there is no build in /nowhere"),
    ],
)
def test_a_wrong_command_line_ends_with_one_line_and_leaves_nothing(tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    status, printed = ended(capsys, *words)
    assert status == 1
    assert said in printed.err
    assert len(printed.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_the_recipe_comes_first(capsys):
    status, printed = ended(capsys, "--tokens", "1B", "llama1")
    assert (status, "llama1: the recipe comes first" in printed.err) == (2, True)


def test_a_value_that_ends_as_a_recipe_does_is_none(capsys):
    status, printed = ended(capsys, "--set", "mixture.proportions=recipes/mix/redpajama.yaml", "--dry-run")
    assert (status, printed.err) == (0, "")
    assert "Stages: commoncrawl, c4" in printed.out


def test_a_dry_run_says_from_where_and_what_it_takes(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    status, printed = ended(capsys, "llama1", "--tokens", "1.4T", "--without", "github", "--dry-run")
    assert status == 0
    assert "https://data.commoncrawl.org/ CC-MAIN-2017-04" in printed.out
    assert "arXiv's bucket bills who reads it" in printed.out
    assert "github is left out, and its share divided" in printed.out
    assert "TB fetched" in printed.out
    assert list(tmp_path.iterdir()) == []
