"""Changes of several files that become real together, or not at all."""

import pytest

from pipeline.errors import OutputError
from pipeline.optout.journal import Journal, finish_pending
from pipeline.removals.records import is_pending


def test_what_cannot_be_moved_is_told_and_moved_once_it_can_be(tmp_path):
    (tmp_path / "sub").write_text("in the way")
    journal = Journal(str(tmp_path), "change")
    for name in ("first", "sub/second"):
        with journal.file(name) as handle:
            handle.write(name.encode())
    with pytest.raises(OutputError, match=r"sub cannot be changed: .* run the same command again: it ends"):
        journal.commit()
    assert is_pending(str(tmp_path))
    (tmp_path / "sub").unlink()
    assert finish_pending(str(tmp_path)) == 1
    assert ((tmp_path / "first").read_text(), (tmp_path / "sub/second").read_text()) == ("first", "sub/second")
    assert not (tmp_path / "_optout").exists()
