"""Makers write over the files of a sample, and over nobody else's."""

import pytest

from samples.written import write_files


def test_a_folder_of_somebody_else_is_refused(tmp_path):
    (tmp_path / "theirs.txt").write_text("theirs")
    with pytest.raises(SystemExit, match=r"^error: .* is not empty \(theirs\.txt\)"):
        write_files("samples.make_x", tmp_path / "own", tmp_path, [("a", b"1")])
    assert [path.name for path in tmp_path.iterdir()] == ["theirs.txt"]


def test_the_samples_own_folder_and_a_claimed_one_are_written_again(tmp_path, capsys):
    for output in (tmp_path / "own", tmp_path / "other"):
        for data in (b"1", b"22"):
            write_files("samples.make_x", tmp_path / "own", output, [("deep/a", data)])
        assert (output / "deep" / "a").read_bytes() == b"22"
        assert capsys.readouterr().out == f"{output}/deep/a (1 bytes)\n{output}/deep/a (2 bytes)\n"
