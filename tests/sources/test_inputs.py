"""The flags for inputs, of every source."""

from importlib import import_module

import pytest


@pytest.mark.parametrize("source", ["commoncrawl", "c4", "github", "wikipedia", "books", "arxiv", "stackexchange"])
def test_a_flag_that_is_given_twice_adds_to_the_inputs(source):
    flag = "--gutenberg" if source == "books" else "--input"
    args, _ = (
        import_module(f"sources.{source}.command")
        .parser()
        .parse_known_args([flag, "a", "b", flag, "c", *(["--from", "wet"] if source == "c4" else [])])
    )
    assert getattr(args, flag[2:]) == ["a", "b", "c"]
