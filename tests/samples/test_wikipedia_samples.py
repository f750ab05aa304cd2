"""The Wikipedia sample: it is what its sources say, and it has the form of Wikimedia's dumps."""

import bz2
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest

from filters.wikitext import reference_urls
from samples import make_wikipedia
from samples.make_wikipedia import EDITIONS, dump_files, read_pages

SAMPLE = Path(make_wikipedia.__file__).parent / "wikipedia"
CITED = Path(make_wikipedia.__file__).parent / "commoncrawl" / "wikipedia_reference_urls.txt"
editions = pytest.mark.parametrize("edition", EDITIONS, ids=lambda edition: edition.language)


def pages_of(edition):
    return list(read_pages((SAMPLE / "pages" / f"{edition.language}.txt").read_text()))


def streams_of(data: bytes) -> list[tuple[int, bytes]]:
    """The bzip2 streams of a dump: where each begins, and what it holds."""
    found, rest = [], data
    while rest:
        inflate = bz2.BZ2Decompressor()
        found.append((len(data) - len(rest), inflate.decompress(rest)))
        rest = inflate.unused_data
    return found


@editions
def test_the_files_are_those_of_the_sources(edition):
    for name, data in dump_files(edition).items():
        assert (SAMPLE / name).read_bytes() == data


def test_the_command_writes_them(tmp_path, capsys):
    make_wikipedia.main(["--output", str(tmp_path)])
    assert sorted(path.name for path in tmp_path.glob("[!.]*")) == sorted(path.name for path in SAMPLE.glob("*.bz2"))
    assert capsys.readouterr().out.count(" bytes)\n") == 4


@editions
def test_the_index_names_the_stream_of_each_page(edition):
    streams = dict(streams_of((SAMPLE / f"{edition.name}.xml.bz2").read_bytes()))
    lines = bz2.decompress((SAMPLE / f"{edition.name}-index.txt.bz2").read_bytes()).decode().splitlines()
    pages = pages_of(edition)
    assert [line.split(":", 2)[1:] for line in lines] == [[str(page.page_id), page.title] for page in pages]
    for line in lines:
        offset, number, _ = line.split(":", 2)
        assert f"<id>{number}</id>" in streams[int(offset)].decode()
    header, *groups, end = streams.values()
    assert header.startswith(b"<mediawiki ")
    assert header.endswith(b"</siteinfo>\n")
    assert all(group.startswith(b"  <page>\n") and group.endswith(b"  </page>\n") for group in groups)
    assert max(group.count(b"<page>") for group in groups) == edition.per_stream
    assert end == b"</mediawiki>\n"


@editions
def test_the_xml_is_that_of_the_pages(edition):
    root = ElementTree.fromstring(bz2.decompress((SAMPLE / f"{edition.name}.xml.bz2").read_bytes()))
    space = f"{{http://www.mediawiki.org/xml/export-{edition.version}/}}"
    assert root.tag == f"{space}mediawiki"
    assert root.findtext(f"{space}siteinfo/{space}dbname") == f"{edition.language}wiki"
    found = [
        (page.findtext(f"{space}title"), page.findtext(f"{space}revision/{space}text"))
        for page in root.iter(f"{space}page")
    ]
    assert found == [(page.title, page.text) for page in pages_of(edition)]


def test_what_the_pages_are_for():
    english, german = (pages_of(edition) for edition in EDITIONS)
    assert Counter(page.namespace for page in english) == {0: 19, 1: 1, 4: 1, 6: 1, 10: 1, 14: 1, 118: 1, 828: 1}
    assert Counter(page.namespace for page in german) == {0: 8, 1: 1, 4: 1, 10: 1, 14: 1}
    assert [page.redirect for page in english if page.redirect] == ["Harwick", "Comet Aldous", "Carrow National Park"]
    assert [page.redirect for page in german if page.redirect] == ["Bergstedt an der Lohe"]
    deepest = max(page.text.count("{{small|" * 45) for page in english)
    assert deepest == 1


def test_english_articles_cite_what_the_crawl_sample_has():
    # The list holds the forms that a Wikipedia has: with an anchor, or as a copy in an archive.
    listed = {
        url.partition("#")[0].removeprefix("https://web.archive.org/web/20260401120000/")
        for url in CITED.read_text().split()
    }
    urls = {url for page in pages_of(EDITIONS[0]) for url in reference_urls(page.text)}
    assert len(urls) == 17
    assert {url for url in urls if url not in listed and f"{url.rstrip('/')}" not in listed} == set()
