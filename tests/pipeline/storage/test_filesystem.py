import hashlib
from pathlib import Path

import pytest

from pipeline.errors import InputError, ModelError, OutputError
from pipeline.storage.filesystem import (
    atomic_output,
    delete_tree,
    file_sha256,
    is_remote,
    is_web,
    join,
    list_names,
    local_model,
    open_input,
    read_bytes,
    remove_temporaries,
    require,
    temporary_name,
    write_bytes,
)
from tests.pipeline.small_disk import small_disk, small_files


def everything_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def write_and_fail(path: str) -> None:
    with atomic_output(path) as handle:
        handle.write(b"half")
        raise ZeroDivisionError


class TestAtomicOutput:
    def test_the_file_appears_only_at_the_end(self, tmp_path):
        path = tmp_path / "new" / "folder" / "out.bin"
        with atomic_output(str(path)) as handle:
            handle.write(b"123")
            assert handle.tell() == 3
            assert not path.exists()
        assert path.read_bytes() == b"123"
        assert everything_below(tmp_path) == ["new", "new/folder", "new/folder/out.bin"]

    def test_an_error_inside_leaves_nothing(self, tmp_path):
        with pytest.raises(ZeroDivisionError):
            write_and_fail(f"{tmp_path}/out.bin")
        assert everything_below(tmp_path) == []

    def test_an_error_inside_leaves_the_file_of_before(self, tmp_path):
        write_bytes(f"{tmp_path}/out.bin", b"before")
        with pytest.raises(ZeroDivisionError):
            write_and_fail(f"{tmp_path}/out.bin")
        assert read_bytes(f"{tmp_path}/out.bin") == b"before"
        assert everything_below(tmp_path) == ["out.bin"]

    def test_an_input_that_fails_inside_is_no_output_error(self, tmp_path):
        with pytest.raises(FileNotFoundError), atomic_output(f"{tmp_path}/out.bin"):
            open_input(f"{tmp_path}/none")

    def test_it_may_be_closed_inside(self, tmp_path):
        with atomic_output(f"{tmp_path}/out.bin") as handle:
            handle.write(b"123")
            handle.close()
        assert read_bytes(f"{tmp_path}/out.bin") == b"123"

    def test_the_permissions_are_those_of_any_new_file(self, tmp_path):
        write_bytes(f"{tmp_path}/ours", b"")
        (tmp_path / "plain").write_bytes(b"")
        assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode

    @pytest.mark.parametrize("name", ["file/out.bin", "file/deep/out.bin", "folder"])
    def test_a_place_that_is_taken(self, tmp_path, name):
        (tmp_path / "file").write_text("in the way")
        (tmp_path / "folder").mkdir()
        with pytest.raises(OutputError, match=r"cannot write .*\. Free space or choose another --output"):
            write_bytes(f"{tmp_path}/{name}", b"x")
        assert everything_below(tmp_path) == ["file", "folder"]

    def test_a_full_disk(self, tmp_path):
        with small_disk(tmp_path / "disk", 64) as disk:
            with pytest.raises(OutputError, match=r"out\.bin: No space left on device\. Free space"):
                write_bytes(f"{disk}/out.bin", bytes(100_000))
            assert everything_below(disk) == []
            write_bytes(f"{disk}/out.bin", bytes(50_000))
            assert (disk / "out.bin").stat().st_size == 50_000

    def test_a_file_beyond_the_allowed_size(self, tmp_path):
        with small_files(10_000), pytest.raises(OutputError, match=r"out\.bin: File too large"):
            write_bytes(f"{tmp_path}/out.bin", bytes(10_001))
        assert everything_below(tmp_path) == []


def test_remove_temporaries_removes_only_what_a_killed_run_left(tmp_path):
    write_bytes(f"{tmp_path}/head/a.parquet", b"x")
    (tmp_path / "head" / temporary_name()).write_bytes(b"half")
    (tmp_path / ".hidden").mkdir()
    for name in (temporary_name(), f".hidden/{temporary_name()}", "kept.tmp", ".kept", ".mine.tmp"):
        (tmp_path / name).write_text("x")
    assert len(everything_below(tmp_path)) == 9
    remove_temporaries(str(tmp_path))
    assert everything_below(tmp_path) == [".hidden", ".kept", ".mine.tmp", "head", "head/a.parquet", "kept.tmp"]
    remove_temporaries(f"{tmp_path}/none")


def test_delete_tree_removes_folders_files_and_nothing(tmp_path):
    write_bytes(f"{tmp_path}/a/b/c", b"x")
    write_bytes(f"{tmp_path}/d", b"x")
    for name in ("a", "d", "none"):
        delete_tree(f"{tmp_path}/{name}")
    assert everything_below(tmp_path) == []


def test_list_names(tmp_path):
    for name in ("a.json", "b.c.json", ".hidden.json", "d.txt", "e/f.json"):
        write_bytes(f"{tmp_path}/{name}", b"")
    assert list_names(str(tmp_path), ".json") == {"a", "b.c"}
    assert list_names(f"{tmp_path}/none", ".json") == set()


def test_kinds_of_paths():
    assert [is_remote(p) for p in ("a/b", "/a", "C:\\a", "gs://b/o", "S3://b/o", "https://h/p")] == [False] * 3 + [
        True
    ] * 3
    assert [is_web(p) for p in ("http://h", "HTTPS://h", "gs://b", "httpx://h")] == [True, True, False, False]
    assert join("gs://bucket/a/", "b", "c") == "gs://bucket/a/b/c"
    assert join("a", "b", "c") == "a/b/c"


class TestLocalModel:
    def test_a_path_is_itself(self, tmp_path):
        write_bytes(f"{tmp_path}/m.bin", b"model")
        assert local_model(f"{tmp_path}/m.bin") == f"{tmp_path}/m.bin"

    def test_the_checksum_is_checked(self, tmp_path):
        write_bytes(f"{tmp_path}/m.bin", b"model")
        right = hashlib.sha256(b"model").hexdigest()
        assert file_sha256(f"{tmp_path}/m.bin") == right
        assert local_model(f"{tmp_path}/m.bin", right) == f"{tmp_path}/m.bin"
        with pytest.raises(ModelError, match=rf"m\.bin has sha256 {right}, the recipe asks for 0000\. Fetch it again"):
            local_model(f"{tmp_path}/m.bin", "0000")

    def test_missing(self, tmp_path):
        with pytest.raises(ModelError, match=r"there is no model at .*none\.bin\. Check the path in the recipe"):
            local_model(f"{tmp_path}/none.bin")

    def test_what_is_no_model_is_called_by_its_name(self, tmp_path):
        with pytest.raises(ModelError, match=r"there is no list of words at .*none\. Check the path in the recipe\.$"):
            local_model(f"{tmp_path}/none", what="list of words")

    def test_a_missing_tokenizer_names_its_flag_and_the_command_that_trains_one(self, tmp_path):
        with pytest.raises(
            ModelError, match=r"there is no tokenizer at .*none\. Check --tokenizer, or train one: python"
        ):
            local_model(f"{tmp_path}/none", what="tokenizer")

    def test_a_folder_is_no_model(self, tmp_path):
        with pytest.raises(ModelError, match="there is no model at"):
            local_model(str(tmp_path))

    def test_embedded_models_are_found_from_anywhere(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        found = local_model("samples/models/lid.176.ftz")
        assert Path(found) == Path(__file__).parents[3] / "samples" / "models" / "lid.176.ftz"

    def test_the_working_directory_comes_first(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        write_bytes("samples/models/lid.176.ftz", b"mine")
        assert local_model("samples/models/lid.176.ftz") == "samples/models/lid.176.ftz"


def test_a_store_that_is_none_is_told_with_what_there_is():
    with pytest.raises(
        InputError, match=r"store://b/x cannot be reached: paths are local, gs://, hf://, s3://, or https://"
    ):
        require("store://b/x")
    require("some/folder")
    require("https://example.org/x")


def test_remove_temporaries_leaves_what_is_being_written(tmp_path):
    with atomic_output(str(tmp_path / "a")) as handle:
        handle.write(b"a")
        remove_temporaries(str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
