"""A corpus and shards to publish."""

from pathlib import Path

import pytest

from tests.pipeline.publish.contents import make_corpus, make_shards


@pytest.fixture(scope="package")
def made(tmp_path_factory) -> Path:
    """One for all tests: they only read it."""
    root = tmp_path_factory.mktemp("made")
    make_corpus(root)
    make_shards(root)
    return root
