from pipeline.storage.locks import hold, is_abandoned


def test_a_file_is_held_as_long_as_it_is_open(tmp_path):
    path = tmp_path / "file"
    with path.open("wb") as mine:
        assert hold(mine)
        with path.open("rb") as other:
            assert not hold(other)
            assert not hold(other, shared=True)
            assert not is_abandoned(other)
    with path.open("rb") as other:
        assert is_abandoned(other)


def test_some_share_a_file(tmp_path):
    path = tmp_path / "file"
    with path.open("a+b") as one, path.open("a+b") as two:
        assert hold(one, shared=True)
        assert hold(two, shared=True, wait=True)
        assert not hold(one)
        assert not is_abandoned(one)
