import pytest

from pipeline.report.mixture import Share, facts_of, shares_of
from pipeline.report.paper import PAPER, in_paper_order, title_of
from pipeline.report.units import bytes_, seconds, share, short

MANIFEST = {
    "rows": 178,
    "seq_len": 256,
    "seed": 0,
    "vocab_size": 32000,
    "share_error": 0.000017,
    "shards": [{"file": "a"}, {"file": "b"}],
    "mixture": {
        "books": {
            "share_asked": 0.25,
            "share_reached": 0.26,
            "unique_tokens": 900,
            "kept_out_tokens": 100,
            "tokens": 1800,
            "epochs": 2.0,
            "corpus": {"text_bytes": 3000},
        },
        "mine": {},
    },
}


def test_the_shares_of_a_manifest():
    books, mine = shares_of(MANIFEST)
    assert books == Share("books", 0.25, 0.26, 900, 1800, 2.0, 3000, 100)
    assert books.bytes_per_token == 3.0
    assert mine == Share("mine", None, None, None, None, None)
    assert mine.bytes_per_token is None
    assert shares_of({}) == []


def test_the_facts_of_a_manifest():
    facts = dict(facts_of(MANIFEST, shares_of(MANIFEST)))
    assert facts["token shards"] == "2"
    assert facts["tokens drawn"] == "1.8\u202fk"
    assert facts["shares off by"] == "0.0017%"
    assert not any("after any row" in name for name in facts)


def test_the_papers_figures():
    assert sum(paper.share for paper in PAPER.values()) == pytest.approx(1)
    implied = {name: round(paper.bytes_per_token, 2) for name, paper in PAPER.items()}
    assert implied == {
        "commoncrawl": 3.87,
        "c4": 3.95,
        "github": 3.33,
        "wikipedia": 3.23,
        "books": 3.01,
        "arxiv": 2.79,
        "stackexchange": 2.87,
    }
    assert in_paper_order(["zebra", "books", "c4", "abc"]) == ["c4", "books", "abc", "zebra"]
    assert (title_of("c4"), title_of("mine")) == ("C4", "mine")


def test_units():
    counts = {
        0: "0",
        999: "999",
        1000: "1\u202fk",
        999_949: "1\u202fM",
        999_400: "999\u202fk",
        1_234_567: "1.23\u202fM",
        1.4e12: "1.4\u202fT",
    }
    assert {value: short(value) for value in counts} == counts
    assert (bytes_(12), bytes_(3.3e12), bytes_(2e9)) == ("12\u202fB", "3.3\u202fTB", "2\u202fGB")
    assert [share(v) for v in (0, 0.005, 0.5, 1)] == ["0.0%", "0.50%", "50.0%", "100.0%"]
    assert [seconds(v) for v in (1, 600, 36000)] == ["1.0\u202fs", "10.0\u202fmin", "10.0\u202fh"]
