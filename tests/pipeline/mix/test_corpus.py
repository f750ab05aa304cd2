"""The corpus: what its manifests list, and what is refused."""

import pytest

from pipeline.errors import InputError
from pipeline.mix.corpus import corpus_files
from pipeline.mix.recipe import MixRecipe, SourceShare
from tests.pipeline import runs
from tests.pipeline.mix.corpora import recipe, write_corpus

MANY = [["harbour", "lantern"], ["winter"]]


@pytest.fixture
def made(tmp_path):
    """A corpus whose source was made by its command."""
    runs.run(runs.write_input(tmp_path / "input"), tmp_path / "corpus")
    return tmp_path / "corpus"


def source_of(made):
    return next(path.name for path in made.iterdir())


def listed(made, **keys):
    name = source_of(made)
    return corpus_files(str(made), MixRecipe({name: SourceShare(100, **keys)}))[name]


def test_the_files_of_a_manifest(made):
    files = listed(made)
    assert files == sorted(files, key=lambda file: file.path)
    on_disk = {str(path.relative_to(made)) for path in made.rglob("*.parquet") if "_rejects" not in path.parts}
    assert {file.path for file in files} == on_disk
    assert all(len(file.sha256) == 64 and (made / file.path).stat().st_size == file.bytes for file in files)


def test_subsets(made):
    subsets = sorted({file.path.split("/")[1] for file in listed(made)})
    assert {file.path.split("/")[1] for file in listed(made, subsets=(subsets[0],))} == {subsets[0]}
    with pytest.raises(InputError, match=f"has no subset none; it has {subsets[0]}.* Correct subsets of"):
        listed(made, subsets=(subsets[0], "none"))


def test_a_corpus_cut_short_is_refused(made):
    path = made / listed(made)[0].path
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    with pytest.raises(InputError, match=f"{path.name} is of another size than its manifest says"):
        listed(made)
    path.unlink()
    with pytest.raises(InputError, match=f"is not whole: .*{path.name} is missing. Bring it back"):
        listed(made)


def test_a_file_added_by_hand_is_refused(made):
    path = made / listed(made)[0].path
    (path.parent / "by-hand.parquet").write_bytes(path.read_bytes())
    with pytest.raises(InputError, match=r"holds \w+/by-hand\.parquet, which its manifest does not list"):
        listed(made)


def test_a_run_that_has_not_ended_is_refused(made):
    root = made / source_of(made)
    next((root / "_stats").iterdir()).unlink()
    with pytest.raises(InputError, match="holds 4 shards, its manifest counts 5: a run of it has not ended"):
        listed(made)
    (root / "manifest.json").unlink()
    with pytest.raises(InputError, match="has no manifest: no run of"):
        listed(made)


def test_parquet_that_no_command_made(tmp_path):
    write_corpus(tmp_path / "corpus", {"a": MANY, "b": MANY})
    (tmp_path / "corpus/a/_rejects").mkdir()
    (tmp_path / "corpus/a/all/part-0.parquet").rename(tmp_path / "corpus/a/_rejects/part-0.parquet")
    found = corpus_files(str(tmp_path / "corpus"), recipe({"a": 50, "b": 25, "c": 25}))
    assert [file.path for file in found["a"]] == ["a/all/part-1.parquet"]
    assert [file.path for file in found["b"]] == ["b/all/part-0.parquet", "b/all/part-1.parquet"]
    assert found["c"] == []
    assert found["b"][0].sha256 is None


def test_a_folder_of_another_name(tmp_path):
    write_corpus(tmp_path / "corpus", {"a": MANY})
    found = corpus_files(str(tmp_path / "corpus"), MixRecipe({"z": SourceShare(100, folder="a")}))
    assert next((file.source, file.path) for file in found["z"]) == ("z", "a/all/part-0.parquet")


def test_no_corpus(tmp_path):
    with pytest.raises(InputError, match="there is no corpus folder"):
        corpus_files(str(tmp_path / "nowhere"), recipe({"a": 100}))
