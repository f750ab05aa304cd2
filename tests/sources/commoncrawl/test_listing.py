"""The list of a crawl's files, from a server on loopback."""

import gzip

import pytest

from pipeline.storage.fetch_errors import FetchError
from sources.commoncrawl.listing import crawl_files
from tests.pipeline.web_server import status, whole

PATHS = [f"crawl-data/CC-MAIN-2019-30/segments/1563195523840.34/wet/CC-MAIN-2019-{n:05}.warc.wet.gz" for n in range(5)]


def zipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


LISTING = zipped("".join(path + "\n" for path in PATHS).encode())


@pytest.mark.parametrize(
    ("first", "last", "expected"), [(0, 4, PATHS), (2, 2, PATHS[2:3]), (1, 3, PATHS[1:4]), (4, 4, PATHS[4:])]
)
def test_crawl_files(server, tmp_path, first, last, expected):
    server.answers = [whole(LISTING)]
    found = crawl_files("CC-MAIN-2019-30", first, last, base_url=server.url, cache_dir=tmp_path)
    assert found == [server.url + path for path in expected]
    assert server.requests[0][0] == "/crawl-data/CC-MAIN-2019-30/wet.paths.gz"


def test_crawl_files_of_another_kind_and_a_base_without_a_slash(server, tmp_path):
    server.answers = [whole(LISTING)]
    base = server.url.rstrip("/")
    assert crawl_files("CC-MAIN-2012", 0, 0, kind="warc", base_url=base, cache_dir=tmp_path) == [server.url + PATHS[0]]
    assert server.requests[0][0] == "/crawl-data/CC-MAIN-2012/warc.paths.gz"


@pytest.mark.parametrize(("first", "last"), [(0, 5), (5, 5), (-1, 2), (3, 2), (100, 200)])
def test_a_range_outside_the_list(server, tmp_path, first, last):
    server.answers = [whole(LISTING)]
    with pytest.raises(FetchError, match=rf"has 5 wet files, with the numbers 0 to 4; {first} to {last} is no range"):
        crawl_files("CC-MAIN-2019-30", first, last, base_url=server.url, cache_dir=tmp_path)


@pytest.mark.parametrize(
    "crawl", ["2019-30", "CC-MAIN-2019-30/..", "CC-MAIN-19-30", "../CC-MAIN-2019-30", "", "CC-MAIN"]
)
def test_a_malformed_name(tmp_path, crawl):
    with pytest.raises(FetchError, match=r"is no crawl: names look like CC-MAIN-2019-30"):
        crawl_files(crawl, 0, 0, base_url="http://127.0.0.1:9/", cache_dir=tmp_path)


def test_an_unknown_kind(tmp_path):
    with pytest.raises(FetchError, match=r"'wett' is no kind of file of a crawl: there are wet, wat, warc"):
        crawl_files("CC-MAIN-2019-30", 0, 0, kind="wett", cache_dir=tmp_path)


@pytest.mark.parametrize("code", [403, 404])
def test_an_unknown_crawl(server, tmp_path, code):
    server.answers = [status(code)]
    with pytest.raises(FetchError, match=r"[Tt]here is no crawl CC-MAIN-2019-99 with wet files") as caught:
        crawl_files("CC-MAIN-2019-99", 0, 0, base_url=server.url, cache_dir=tmp_path)
    assert caught.value.status == code


@pytest.mark.parametrize(
    "listing",
    [
        b"<html>not gzip</html>",
        LISTING[:-9],
        zipped(b"<html> a page </html>"),
        zipped(b"crawl-data/../../x\n"),
        zipped(b"https://elsewhere.example/x\n"),
        zipped(b"\xff\xfe"),
        zipped(b""),
    ],
    ids=["html", "cut", "zipped_html", "parent_folder", "address", "not_utf8", "nothing"],
)
def test_a_bad_listing_is_not_kept(server, tmp_path, listing):
    server.answers = [whole(listing), whole(LISTING)]
    with pytest.raises(FetchError, match=r"is damaged|is no list of a crawl's files"):
        crawl_files("CC-MAIN-2019-30", 0, 0, base_url=server.url, cache_dir=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".hosts"]
    assert len(crawl_files("CC-MAIN-2019-30", 0, 4, base_url=server.url, cache_dir=tmp_path)) == 5
