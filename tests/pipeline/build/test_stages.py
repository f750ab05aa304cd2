"""The stages of a recipe: their order, what decides them, and units of the user's own files."""

import pytest

from pipeline.build.recipe import load_build
from pipeline.build.sources import own_files
from pipeline.build.stages import stages_of
from pipeline.errors import InputError


def stage(name, *overrides, recipe="llama1"):
    return next(stage for stage in stages_of(load_build(recipe, overrides), "1B") if stage.name == name)


def test_models_are_trained_between_wikipedia_and_commoncrawl():
    names = [stage.name for stage in stages_of(load_build("llama1"), "1B")]
    assert names[:5] == ["wikipedia", "perplexity", "cutoffs", "reference", "commoncrawl"]
    assert names[-6:] == ["tokenizer", "encode", "mixture", "verify", "report", "card"]


def test_a_stage_comes_after_those_that_it_needs():
    for recipe in ("llama1", "sample"):
        seen = set()
        for each in stages_of(load_build(recipe), "auto"):
            assert seen.issuperset(each.needs), each.name
            seen.add(each.name)


def test_a_given_tokenizer_is_not_trained():
    given = ("tokenizer.model=/models/llama.model",)
    names = [stage.name for stage in stages_of(load_build("llama1", given), "1B")]
    assert "tokenizer" not in names
    assert "/models/llama.model" in stage("mixture", *given).commands[0].words


def test_a_mirror_changes_nothing_but_where_files_come_from():
    assert stage("books").keys == stage("books", "sources.books.raw.url=http://mirror/").keys
    assert stage("commoncrawl").keys != stage("commoncrawl", "sources.commoncrawl.raw.scope_files=10").keys
    assert stage("commoncrawl").keys != stage("commoncrawl", "seed=1").keys  # another slice


def test_the_seed_does_not_touch_what_is_taken_whole():
    assert stage("books", recipe="sample").keys == stage("books", "seed=1", recipe="sample").keys


def test_own_files_are_units_in_the_strata_of_their_folders(tmp_path):
    for name in ("a/1.gz", "a/2.gz", "b/1.gz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"123")
    units = own_files({"input": [f"{tmp_path}/*/*.gz"]})
    assert [(unit.name, unit.stratum) for unit in units] == [
        (f"{tmp_path}/{name}", f"{tmp_path}/{name[0]}") for name in ("a/1.gz", "a/2.gz", "b/1.gz")
    ]
    (whole,) = own_files({"input": [f"{tmp_path}/a", f"{tmp_path}/b"], "whole": True})
    assert whole.inputs == [f"{tmp_path}/a", f"{tmp_path}/b"]
    assert whole.size(0) == 9
    (tmp_path / "b" / "2.gz").write_bytes(b"1")
    assert own_files({"input": [f"{tmp_path}/a", f"{tmp_path}/b"], "whole": True}) != [whole]


def test_own_files_that_are_deduplicated_together_are_one_unit(tmp_path):
    """A month of arXiv, a site of StackExchange: what is made of a part of them could not grow."""
    names = ["arXiv_src_2103_001.tar", "arXiv_src_2103_002.tar", "2104.00012.gz", "math0309136.gz", "readme"]
    for name in [*names, "one.example/Posts.xml", "one.example/Tags.xml"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    sources = load_build("llama1").sources
    months = own_files({"input": [f"{tmp_path}/{name}" for name in names]}, sources["arxiv"].together)
    found = {unit.name: len(unit.files) for unit in months}
    assert found == {"2103": 2, "2104": 1, "0309": 1, f"{tmp_path}/readme": 1}
    (site,) = own_files({"input": [f"{tmp_path}/one.example"]}, sources["stackexchange"].together)
    assert (site.name, len(site.inputs)) == ("one.example", 2)


def test_a_unit_of_the_hub_keeps_its_name_when_a_commit_follows(hub):
    names = []
    for content in (b"1", b"2"):
        hub.add("a/c4", {"en/x.json.gz": b"data", "readme": content})
        from pipeline.storage import hub as storage

        storage._commit.cache_clear()
        (unit,) = own_files({"input": "hf://datasets/a/c4/en/*.gz"})
        names.append(unit.name)
    assert names == ["hf://datasets/a/c4/en/x.json.gz"] * 2


@pytest.mark.parametrize("raw", [{}, {"input": []}, {"input": ["/nowhere/*"]}])
def test_files_that_are_not_there_are_named(raw):
    with pytest.raises(InputError):
        own_files(raw)
