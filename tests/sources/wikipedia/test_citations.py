import bz2

import pytest

from pipeline.errors import InputError
from sources.wikipedia.citations import distinct_references
from tests.sources.wikipedia.dumps import page, run, xml


def cited(*urls: str) -> str:
    return "Text of it. " + "".join(f"<ref>{url}</ref>" for url in urls)


def test_each_once_in_the_order_of_the_files(tmp_path):
    (tmp_path / "enwiki.xml").write_bytes(
        xml(page(1, "1 " + cited("http://b.example/", "http://a.example/")), page(2, "2 " + cited()))
    )
    (tmp_path / "dewiki.xml.bz2").write_bytes(
        bz2.compress(xml(page(1, "3 " + cited("http://c.example/ä", "http://a.example/"))))
    )
    found = run(tmp_path / "out", tmp_path / "*wiki*")
    urls = ["http://c.example/ä", "http://a.example/", "http://b.example/"]
    assert list(distinct_references(str(found.root))) == urls
    assert found.root.name == "wikipedia"
    (found.root.parent / "books" / "gutenberg").mkdir(parents=True)
    (found.root.parent / "books" / "gutenberg" / "x.parquet").write_bytes(b"another source's")
    assert list(distinct_references(str(found.root.parent))) == urls


def test_what_was_dropped_cites_nothing(tmp_path):
    (tmp_path / "enwiki.xml").write_bytes(xml(page(1, cited("http://a.example/")), page(2, "Long enough. " * 9)))
    found = run(tmp_path / "out", tmp_path / "enwiki.xml", min_characters=50)
    assert list(distinct_references(str(found.root))) == []


def test_no_articles(tmp_path):
    with pytest.raises(InputError, match="there are no articles in"):
        distinct_references(str(tmp_path))


def test_files_that_are_none(tmp_path):
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "x.parquet").write_bytes(b"no Parquet")
    with pytest.raises(InputError, match=r"x\.parquet cannot be read as articles of Wikipedia"):
        distinct_references(str(tmp_path))
