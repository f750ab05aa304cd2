"""A small corpus of two sources, and token shards, to be published."""

from pathlib import Path

from tests.pipeline.mix import corpora
from tests.pipeline.report.corpora import Made, make_source, scored


def make_corpus(root: Path) -> None:
    make_source(
        root / "corpus",
        {"a": [Made("x", subset="train"), Made("y", subset="validation")], "b": [Made("z", subset="train")]},
        "c4",
    )
    make_source(
        root / "corpus", {"a": [scored("first", 50.0), scored("third", 900.0)], "b": [scored("p", 60.0)]}, "wikipedia"
    )


def make_shards(root: Path) -> None:
    """A mixture of a corpus of its own."""
    corpora.write_model(root)
    other = root / "other"
    corpora.write_model(other)
    corpora.write_corpus(other / "corpus", {"books": [corpora.prose(20, 1)], "arxiv": [corpora.prose(20, 2)]})
    corpora.mix(other, corpora.recipe({"books": 60, "arxiv": 40}, heldout_tokens=40), 360)
    (other / "shards").rename(root / "shards")
