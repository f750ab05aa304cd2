"""What the inputs are, and in which shards they are read."""

import pytest

from pipeline.errors import InputError
from pipeline.recipe import load_recipe
from samples.make_github import OUTPUT
from sources.github.plan import kind_of, plan_inputs
from sources.github.raw_file import FileReader
from sources.github.recipe import GitHubRecipe
from tests.tables import results

MIT = (OUTPUT / "repositories" / "lantern-clock" / "LICENSE").read_bytes()


def make(root, *files):
    for name in files:
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(MIT if place.name == "LICENSE" else b"x = 1\n")


def plan(*patterns, avoid=None, **recipe):
    reader = FileReader(GitHubRecipe(**recipe), avoid)
    return plan_inputs([str(pattern) for pattern in patterns], reader, lambda sentence: None)


def names(root, planned):
    return [f.path.removeprefix(str(root)) for s in planned.scopes[0].shards for f in s.inputs]


test_kinds = results(
    kind_of,
    {
        "bq-000000000000.json.gz": "json",
        "a.jsonl": "json",
        "a.ndjson.gz": "json",
        "a.json": "json",
        "gs://b/bq-000000000012": "json",
        "a.parquet": "parquet",
        "a.tar": "tar",
        "a.tar.gz": "tar",
        "a.tgz": "tar",
        "repos/./a/": None,
        "a.tar/": None,
        "a.zip": None,
        "a.py": None,
    },
)


def test_each_folder_is_a_repository(tmp_path):
    make(tmp_path, "b/LICENSE", "b/x.py", "a/LICENSE", "c/x.py", "notes.txt")
    (tmp_path / "d").symlink_to(tmp_path / "a")
    planned = plan(tmp_path)
    assert names(tmp_path, planned) == ["/./a/", "/./b/", "/./c/"]
    assert planned.sentences == [
        "3 repositories: 2 MIT",
        "dropped for their licence: 1 no licence (c)",
        f"not followed: 1 link ({tmp_path}/d)",
        f"in no repository, and not read: 1 file ({tmp_path}/notes.txt)",
    ]


def test_the_commonest_reason_comes_first(tmp_path):
    make(tmp_path, "a/LICENSE", "b/x.py", "c/x.py", "d/x.py")
    (tmp_path / "d" / "package.json").write_text('{"license": "GPL-3.0-only"}')
    assert plan(tmp_path).sentences[1:] == ["dropped for their licence: 2 no licence (b, c), 1 GPL-3.0-only (d)"]


def test_a_link_beside_the_repositories_of_an_owner_is_no_file_of_theirs(tmp_path):
    make(tmp_path, "owner/a/LICENSE", "owner/b/LICENSE", "tars/x.tar.gz")
    (tmp_path / "owner" / "latest").symlink_to("a")
    planned = plan(tmp_path)
    assert names(tmp_path, planned) == ["/tars/x.tar.gz", "/./owner/a/", "/./owner/b/"]
    assert planned.sentences[-1] == f"not followed: 1 link ({tmp_path}/owner/latest)"


def test_the_output_is_no_repository_and_in_none(tmp_path):
    make(tmp_path, "a/LICENSE", "a/x.py", "a/corpus/y.py", "corpus/z.py")
    assert names(tmp_path, plan(tmp_path, avoid=str(tmp_path / "corpus"))) == ["/./a/"]
    planned = plan(tmp_path / "a", avoid=str(tmp_path / "a" / "corpus"))
    assert [file.size for shard in planned.scopes[0].shards for file in shard.inputs] == [6]


def test_a_folder_can_be_one_repository(tmp_path):
    make(tmp_path, "a/LICENSE", "a/src/x.py", "a/lib/LICENSE")
    assert names(tmp_path, plan(tmp_path / "a")) == ["/./a/"]
    make(tmp_path, "n/x.py", "n/y.py")
    assert names(tmp_path, plan(tmp_path / "n")) == ["/n/"]


def test_owners_hold_repositories(tmp_path):
    make(tmp_path, "o/a/LICENSE", "o/b/x.py", "p/c/LICENSE", "q/LICENSE", "q/r/LICENSE")
    assert names(tmp_path, plan(tmp_path)) == ["/./o/a/", "/./o/b/", "/./p/c/", "/./q/"]


def test_dumps_in_folders_and_by_globs(tmp_path):
    make(tmp_path, "bq/1.json.gz", "bq/2.json.gz", "stack/data/go/t.parquet", "tars/a.tar.gz", "more/LICENSE")
    planned = plan(tmp_path)
    paths = ["/bq/1.json.gz", "/bq/2.json.gz", "/stack/data/go/t.parquet", "/tars/a.tar.gz", "/./more/"]
    assert names(tmp_path, planned) == paths
    assert names(tmp_path, plan(tmp_path / "bq" / "*.json.gz")) == paths[:2]
    assert names(tmp_path, plan(tmp_path / "bq", tmp_path / "bq" / "1.json.gz")) == paths[:2]
    assert planned.sentences == [
        "3 dumps of rows, 1 tar (licences in tars are told while they are read)",
        "1 repository: 1 MIT",
    ]
    assert plan(tmp_path / "bq").sentences == ["2 dumps of rows"]


def test_repositories_share_a_shard_up_to_a_size(tmp_path):
    for name in ("a", "b", "c", "d"):
        make(tmp_path, f"{name}/LICENSE")
        (tmp_path / name / "x.py").write_bytes(b"x" * 400_000)
        (tmp_path / name / "x.csv").write_bytes(b"x" * 900_000)  # not read, so it does not count
    planned = plan(tmp_path, shard_megabytes=1.0)
    assert [len(shard.inputs) for shard in planned.scopes[0].shards] == [2, 2]
    assert [shard.name for shard in planned.scopes[0].shards] == ["repositories-00000", "repositories-00001"]
    assert {file.size for shard in planned.scopes[0].shards for file in shard.inputs} == {400_000}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere", "matches nothing"),
        ("a.zip", "unpack it first"),
        ("a.csv", "is no input of this source"),
        ("empty", "neither repositories nor dumps"),
    ],
)
def test_what_is_no_input_is_refused(tmp_path, name, message):
    make(tmp_path, "a.zip", "a.csv")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=message):
        plan(tmp_path / name)


def test_the_recipe_file_holds_the_defaults():
    assert load_recipe(GitHubRecipe, "github") == GitHubRecipe()
