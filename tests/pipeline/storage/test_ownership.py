import json
from pathlib import Path

import pytest

from pipeline.errors import InputError, OutputError
from pipeline.storage.filesystem import temporary_name
from pipeline.storage.ownership import (
    RECORD,
    Owned,
    check_apart,
    check_file,
    check_folder,
    claim_folder,
    visible_names,
)

COMMAND = "pipeline.mix"


def write(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"this is {name}")


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.name != RECORD)


def claimed(root: Path, *names: str) -> Owned:
    owned = claim_folder(str(root), COMMAND)
    owned.expect(names)
    write(root, *names)
    return owned


class TestClaim:
    def test_a_new_folder_an_empty_one_and_one_with_hidden_files(self, tmp_path):
        write(tmp_path / "hidden", ".DS_Store", ".git/HEAD")
        (tmp_path / "empty").mkdir()
        for name in ("new/deep", "empty", "hidden"):
            assert claim_folder(str(tmp_path / name), COMMAND).names == frozenset()
            assert json.loads((tmp_path / name / RECORD).read_text()) == {"format": 1, "command": COMMAND, "names": []}

    def test_its_own_folder(self, tmp_path):
        claimed(tmp_path / "out", "a", "b/c")
        assert claim_folder(str(tmp_path / "out"), COMMAND).names == {"a", "b/c"}

    def test_a_folder_of_anybody_else_stays_as_it_is(self, tmp_path):
        write(tmp_path / "mine", "state.json", "data-00000-of-00001.arrow", "deep/x")
        with pytest.raises(OutputError, match=r"is not empty \(data-00000-of-00001.arrow, deep, state.json\), and"):
            claim_folder(str(tmp_path / "mine"), COMMAND)
        assert files(tmp_path / "mine") == ["data-00000-of-00001.arrow", "deep", "deep/x", "state.json"]
        assert not (tmp_path / "mine" / RECORD).exists()

    def test_a_folder_of_another_command(self, tmp_path):
        claimed(tmp_path / "out", "a")
        with pytest.raises(OutputError, match=r"is an output of python -m pipeline\.mix, not of python -m tok"):
            check_folder(str(tmp_path / "out"), "tokenizer.train")

    def test_a_folder_of_an_earlier_version(self, tmp_path):
        write(tmp_path / "old", "manifest.json", "a", "stranger")
        earlier = {str(tmp_path / "old"): ["manifest.json", "a"]}.get
        assert check_folder(str(tmp_path / "old"), COMMAND, earlier).names == {"manifest.json", "a"}
        assert not (tmp_path / "old" / RECORD).exists()
        claim_folder(str(tmp_path / "old"), COMMAND, earlier).remove("a", "stranger")
        assert files(tmp_path / "old") == ["manifest.json", "stranger"]
        write(tmp_path / "other", "manifest.json")
        with pytest.raises(OutputError, match="is not empty"):
            claim_folder(str(tmp_path / "other"), COMMAND, earlier)

    def test_a_file_in_its_place(self, tmp_path):
        write(tmp_path, "out")
        with pytest.raises(OutputError, match=r"out is no folder\. Choose another --output"):
            claim_folder(str(tmp_path / "out"), COMMAND)

    @pytest.mark.parametrize(
        ("record", "message"),
        [
            ("", "is damaged"),
            ("[]", "is damaged"),
            ('{"command": "pipeline.mix"}', "is damaged"),
            ('{"command": "pipeline.mix", "names": ["../x"]}', "do not lie in its folder"),
            ('{"command": "pipeline.mix", "names": ["/etc/x"]}', "do not lie in its folder"),
        ],
    )
    def test_a_record_that_cannot_be_believed(self, tmp_path, record, message):
        (tmp_path / RECORD).write_text(record)
        with pytest.raises(OutputError, match=message):
            claim_folder(str(tmp_path), COMMAND)


class TestOwned:
    def test_names_are_recorded_before_they_are_written(self, tmp_path):
        owned = claim_folder(str(tmp_path), COMMAND)
        owned.expect(["a", "b/c"])
        assert claim_folder(str(tmp_path), COMMAND).names == {"a", "b/c"}
        assert files(tmp_path) == []

    def test_a_name_that_is_taken_is_not_written_over(self, tmp_path):
        owned = claimed(tmp_path, "a")
        write(tmp_path, "b", "d/e")
        (tmp_path / "link").symlink_to("nowhere")
        with pytest.raises(OutputError, match=r"holds b, d/e, link, which python -m pipeline.mix did not write"):
            owned.expect(["a", "b", "c", "d/e", "link"])
        assert owned.names == {"a"}

    def test_only_what_the_record_lists_is_removed(self, tmp_path):
        owned = claimed(tmp_path, "a", "step-1/weights", "step-1/deep/x", "step-10/weights", "step-2/weights")
        write(tmp_path, "stranger", "step-2/notes", "step-1-best/weights")
        owned.remove("a", "stranger", "step-1", "step-2", "none")
        assert files(tmp_path) == [
            *("step-1-best", "step-1-best/weights", "step-10", "step-10/weights", "step-2", "step-2/notes", "stranger")
        ]
        assert claim_folder(str(tmp_path), COMMAND).names == {"step-10/weights"}

    def test_a_folder_that_took_the_place_of_a_file_stays(self, tmp_path):
        owned = claimed(tmp_path, "a")
        (tmp_path / "a").unlink()
        write(tmp_path, "a/mine")
        owned.remove("a")
        assert files(tmp_path) == ["a", "a/mine"]

    def test_what_a_link_leads_to_stays(self, tmp_path):
        owned = claimed(tmp_path / "out", "a", "b/c")
        write(tmp_path, "elsewhere/a")
        (tmp_path / "out" / "a").unlink()
        (tmp_path / "out" / "a").symlink_to(tmp_path / "elsewhere" / "a")
        owned.remove("a", "b")
        assert files(tmp_path) == ["elsewhere", "elsewhere/a", "out"]

    def test_temporaries_are_known_by_their_names(self, tmp_path):
        owned = claimed(tmp_path, "a")
        write(tmp_path, f"deep/{temporary_name()}", ".mine.tmp", "x.tmp")
        owned.remove_temporaries()
        assert files(tmp_path) == [".mine.tmp", "a", "deep", "x.tmp"]


class TestApart:
    @pytest.mark.parametrize("inner", ["data/c4", "data/c4/en/a.parquet"])
    def test_an_input_in_the_output(self, tmp_path, inner):
        write(tmp_path, "data/c4/en/a.parquet")
        with pytest.raises(InputError, match=r"--input .* lies in .*data/c4, where the command writes"):
            check_apart(str(tmp_path / "data/c4"), [str(tmp_path / inner)])

    def test_an_output_in_a_folder_that_is_read(self, tmp_path):
        (tmp_path / "link").symlink_to(".")
        with pytest.raises(InputError, match=r"the output .*out lies in --corpus .*, all of which is read"):
            check_apart(str(tmp_path / "link" / "out"), [str(tmp_path)], "--corpus")

    def test_neighbours(self, tmp_path):
        check_apart(f"{tmp_path}/c4", [f"{tmp_path}/c4-raw", f"{tmp_path}/c", "s3://bucket/c4"])
        check_apart("s3://bucket/c4", ["s3://bucket/c4-raw/", "s3://other/c4", f"{tmp_path}/c4"])

    def test_on_a_store(self):
        with pytest.raises(InputError, match="lies in s3://bucket/c4, where"):
            check_apart("s3://bucket/c4", ["s3://bucket/c4/en/a.parquet"])
        with pytest.raises(InputError, match="the output s3://bucket/c4 lies in"):
            check_apart("s3://bucket/c4", ["s3://bucket/"])


class TestFile:
    def test_a_new_one_and_its_own(self, tmp_path):
        check_file(f"{tmp_path}/new", "pipeline.card", "<!-- mark -->", False)
        (tmp_path / "own").write_text("---\ntitle: x\n---\n<!-- mark -->\n")
        check_file(f"{tmp_path}/own", "pipeline.card", "<!-- mark -->", False)

    def test_one_of_anybody_else(self, tmp_path):
        (tmp_path / "README.md").write_text("# Mine")
        (tmp_path / "folder").mkdir()
        for name in ("README.md", "folder"):
            with pytest.raises(OutputError, match=f"{name} is there, and python -m pipeline.card did not write it"):
                check_file(f"{tmp_path}/{name}", "pipeline.card", "<!-- mark -->", False)
        check_file(f"{tmp_path}/README.md", "pipeline.card", "<!-- mark -->", True)


def test_names_that_show(tmp_path):
    write(tmp_path, ".hidden/x", "b/c", "a")
    (tmp_path / "lost+found").mkdir()
    assert visible_names(str(tmp_path)) == ["a", "b"]
    assert visible_names(f"{tmp_path}/none") == []
