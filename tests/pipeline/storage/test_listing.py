"""Which files are listed, and under which names."""

import os
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.storage.filesystem import InputFile, open_input
from pipeline.storage.listing import match


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    (folder / "deep").mkdir(parents=True)
    (folder / "b.txt").write_text("bb")
    (folder / "a.txt").write_text("a")
    (folder / "deep" / "c.txt").write_text("ccc")
    (folder / "odd[1].txt").write_text("odd!")
    return folder


class TestMatch:
    def test_a_file_is_listed_with_its_size(self, raw):
        assert match([f"{raw}/b.txt"]) == [InputFile(f"{raw}/b.txt", 2)]

    def test_a_folder_gives_all_files_below_it_in_the_order_of_their_paths(self, raw):
        expected = [
            InputFile(f"{raw}/a.txt", 1),
            InputFile(f"{raw}/b.txt", 2),
            InputFile(f"{raw}/deep/c.txt", 3),
            InputFile(f"{raw}/odd[1].txt", 4),
        ]
        assert match([str(raw)]) == expected
        assert match([f"{raw}/"]) == expected

    def test_a_folder_with_glob_characters_in_its_name(self, tmp_path):
        (tmp_path / "x[12]").mkdir()
        (tmp_path / "x[12]" / "a.txt").write_text("a")
        assert match([str(tmp_path / "x[12]")]) == [InputFile(f"{tmp_path}/x[12]/a.txt", 1)]

    def test_globs(self, raw):
        assert [f.path for f in match([f"{raw}/*.txt"])] == [f"{raw}/{n}.txt" for n in ("a", "b", "odd[1]")]
        assert [f.path for f in match([f"{raw}/**/c.*"])] == [f"{raw}/deep/c.txt"]

    def test_a_name_with_glob_characters_is_a_name_first(self, raw):
        assert match([f"{raw}/odd[1].txt"]) == [InputFile(f"{raw}/odd[1].txt", 4)]

    def test_a_file_that_two_patterns_name_is_listed_once(self, raw):
        assert len(match([f"{raw}/*.txt", f"{raw}/a.txt", str(raw)])) == 4

    def test_urls_have_no_size(self):
        url = "https://example.org/x.gz"
        assert match([url]) == [InputFile(url, -1)]

    def test_nothing_there_is_an_error_that_names_the_pattern(self, raw):
        with pytest.raises(InputError, match=r"--input '.*/none/\*\.gz' matches no file\. Give a file, a folder"):
            match([f"{raw}/a.txt", f"{raw}/none/*.gz"])

    def test_an_empty_folder_is_an_error(self, tmp_path):
        with pytest.raises(InputError, match="matches no file"):
            match([str(tmp_path)])

    def test_a_link_to_nowhere_is_listed(self, raw):
        (raw / "gone.txt").symlink_to(raw / "nowhere")
        assert InputFile(f"{raw}/gone.txt", -1) in match([str(raw)])
        assert match([f"{raw}/gone.txt"]) == [InputFile(f"{raw}/gone.txt", -1)]

    def test_a_name_that_is_no_utf8(self, tmp_path):
        path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt")
        Path(path).write_text("x")
        assert match([str(tmp_path)]) == [InputFile(path, 1)]
        with open_input(path) as handle:
            assert handle.read() == b"x"


class TestOneFileUnderManyNames:
    def listed(self, root: Path, *patterns: str) -> tuple[list[str], list[str]]:
        told: list[str] = []
        files = match([str(root / pattern) for pattern in patterns], told.append)
        return [os.path.relpath(file.path, root) for file in files], told

    def test_spellings_of_a_path(self, raw, monkeypatch):
        monkeypatch.chdir(raw)
        told: list[str] = []
        files = match(["a.txt", "./a.txt", str(raw / "a.txt"), "deep/../a.txt"], told.append)
        assert len(files) == 1
        assert len(told) == 1
        assert told[0].startswith("3 inputs are others under another name, and are passed over: ")

    def test_links_to_files_and_hard_links(self, raw):
        (raw / "0-link.txt").symlink_to("a.txt")
        os.link(raw / "b.txt", raw / "z-hard.txt")
        paths, (told,) = self.listed(raw, "")
        assert paths == ["a.txt", "b.txt", "deep/c.txt", "odd[1].txt"]
        assert "0-link.txt" in told
        assert "z-hard.txt" in told

    def test_a_link_to_a_folder_beside_it(self, raw):
        (raw / "0-latest").symlink_to("deep")
        paths, _ = self.listed(raw, "")
        assert paths == ["a.txt", "b.txt", "deep/c.txt", "odd[1].txt"]
        assert self.listed(raw, "*/*.txt")[0] == ["deep/c.txt"]

    @pytest.mark.parametrize("target", [".", "..", "deep"])
    def test_links_that_go_round_end(self, raw, target):
        (raw.parent / "beside.txt").write_text("not below the folder")
        (raw / "deep" / "round").symlink_to(raw if target == "." else raw.parent if target == ".." else raw / "deep")
        paths, _ = self.listed(raw, "")
        assert sorted(os.path.basename(path) for path in paths) == ["a.txt", "b.txt", "c.txt", "odd[1].txt"]

    def test_a_folder_that_is_only_a_link_is_followed(self, raw, tmp_path):
        (tmp_path / "alias").symlink_to(raw)
        assert len(match([str(tmp_path / "alias")])) == 4

    def test_what_an_earlier_call_listed(self, raw):
        known, told = {}, []
        match([str(raw / "a.txt")], known=known)
        assert [Path(file.path).name for file in match([str(raw / "*.txt")], told.append, known)] == [
            "b.txt",
            "odd[1].txt",
        ]
        assert told == []

    def test_a_folder_that_cannot_be_read_is_listed_and_fails_by_itself(self, raw, monkeypatch):
        real = os.scandir

        def refuse(place):
            if Path(place) == raw / "deep":
                raise PermissionError(13, "Permission denied", place)
            return real(place)

        monkeypatch.setattr(os, "scandir", refuse)
        assert f"{raw}/deep" in [file.path for file in match([str(raw)])]
        with pytest.raises(OSError, match="deep"):
            open_input(f"{raw}/deep")


def test_an_address_with_a_query_ends_in_the_name_of_the_file():
    paths = [file.path for file in match(["https://x.org/f/pg84.zip?download=true", "https://x.org/a?b=/c"])]
    assert paths == ["https://x.org/a?b=/c#/a", "https://x.org/f/pg84.zip?download=true#/pg84.zip"]
    for plain in ("https://x.org/f/pg84.zip", "https://x.org/?q=1", "https://x.org/a?b#c"):
        assert [file.path for file in match([plain])] == [plain]


def test_a_home_folder_that_the_shell_left(raw, monkeypatch):
    monkeypatch.setenv("HOME", str(raw.parent))
    assert match(["~/raw/[ab].txt"]) == match([f"{raw}/[ab].txt"])
    (raw.parent / "~").mkdir()
    (raw.parent / "~" / "x").write_text("x")
    monkeypatch.chdir(raw.parent)
    assert match(["~/x"]) == [InputFile("~/x", 1)]
