"""One form for all addresses of a page: literal cases, no effect on its own result, and nothing that makes it fail."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.commoncrawl.reference_url import ARCHIVES, TRACKING, normalize_url
from tests.tables import results

REAL = Path(__file__).parents[3].parent / "shared" / "real" / "wikirefs" / "wikipedia_reference_urls.txt"


test_literal = results(
    normalize_url,
    {
        "http://Example.COM/Path": "example.com/Path",
        "https://www.example.com": "example.com",
        "https://www.example.com/": "example.com",
        "HTTPS://example.com:443//": "example.com",
        "http://example.com:80/a/": "example.com/a",
        "http://example.com:8080/a": "example.com:8080/a",
        "http://user:secret@example.com./a": "example.com/a",
        "//example.com/a": "example.com/a",
        "example.com/a": "example.com/a",
        "http://http://example.com/a": "example.com/a",
        "http:/example.com/a": "example.com/a",
        "ftp://ftp.example.com/a": "ftp.example.com/a",
        "  http://example.com/a\n b ": "example.com/a%20b",
        "http://www.www.example.com": "example.com",
        "http://www.com": "www.com",
        "http://example.com/a#b?c": "example.com/a",
        "http://example.com/a/./b/../c/": "example.com/a/c",
        "http://example.com/../../a": "example.com/a",
        "http://example.com/%7euser/%c3%a4": "example.com/~user/%C3%A4",
        "http://example.com/~user/ä": "example.com/~user/%C3%A4",
        "http://example.com/100%": "example.com/100%25",
        "http://example.com/a%2Fb%2f": "example.com/a%2Fb%2F",
        "http://example.com/(a),b;c": "example.com/(a),b;c",
        "http://example.com/\ud800": "example.com/%ED%A0%80",
        "http://münchen.de/": "xn--mnchen-3ya.de",
        "http://xn--mnchen-3ya.de/": "xn--mnchen-3ya.de",
        "http://example.com?q=1": "example.com?q=1",
        "http://example.com/?q=1": "example.com?q=1",
        "http://example.com/a?": "example.com/a",
        "http://example.com/a?b=1&&c=2&": "example.com/a?b=1&c=2",
        "http://example.com/a?b=1&amp;c=2": "example.com/a?b=1&c=2",
        "http://books.google.com/books?id=x&amp": "books.google.com/books?id=x",
        "http://example.com/a?utm_source=x&id=7&UTM_Medium=y": "example.com/a?id=7",
        "http://example.com/a?fbclid=x#y": "example.com/a",
        "http://example.com/a;jsessionid=1F?x=1": "example.com/a?x=1",
        "http://example.com/a;jsessionid=1F/b": "example.com/a/b",
        "http://example.com/a?b=2&a=1": "example.com/a?b=2&a=1",
    },
)


@pytest.mark.parametrize(
    "url",
    [
        "https://web.archive.org/web/20120102030405/http://www.example.com/a?b=1",
        "http://web.archive.org/web/20120102030405id_/https://example.com/a?b=1",
        "https://web.archive.org/web/*/http://example.com/a?b=1",
        "https://web.archive.org/web/2012/example.com/a?b=1",
        "web.archive.org/web/2012/http:/example.com/a?b=1#c",
        "https://web.archive.org/web/2012/https://web.archive.org/web/2011/http://example.com/a?b=1",
        "https://archive.today/2012.12.18-073443/http://example.com/a?b=1",
        "https://archive.is/20121218073443/http://example.com/a?b=1",
        "https://ghostarchive.org/archive/20221009/http://example.com/a?b=1",
        "http://www.webcitation.org/5abc?url=http%3A%2F%2Fexample.com%2Fa%3Fb%3D1",
        "https://wayback.archive-it.org/all/2012/http://example.com/a?b=1",
        "http://webarchive.loc.gov/all/20020914/http://example.com/a?b=1",
        "http://webarchive.nationalarchives.gov.uk/20120102/http://example.com/a?b=1&utm_source=x",
    ],
)
def test_archives_are_unwrapped(url):
    assert normalize_url(url) == "example.com/a?b=1"


@pytest.mark.parametrize(
    "url",
    [
        "https://archive.org/details/a.book_2012/page/4",
        "https://archive.today/abcde",
        "https://web.archive.org/web/2012/x",
    ],
)
def test_what_an_archive_holds_itself_stays(url):
    assert normalize_url(url) == url.removeprefix("https://")


@pytest.mark.parametrize(
    "url",
    [
        "", " ", "#", "/a/b", "?q", "http://", "http:///a", "localhost/a", "mailto:a@example.com",
        "javascript:alert(1.2)", "data:text/html,a.b", "urn:isbn:1.2", "doi:10.1/a", "gopher://example.com/",
        "http://a.b:port/", "http://[::1]:80/",
        "http://example.com/" + "a" * 9000, "http://example.com/" + "é" * 3000,
    ],
)  # fmt: skip
def test_no_address_of_a_page(url):
    assert normalize_url(url) == ""


PIECES = [
    "http://", "HTTPS:", "//", "www.", "web.archive.org", "/web/", "2012", "id_", "*", "example.com", "a.b", "/", "..",
    ".", "?", "#", "&", "amp;", "=", ":", "80", "443", "@", "%", "%41", "%2f", "%2E", "%3A", "ä", "İ", "\ud800", "[",
    "]", " ", "\t", "url=http%3A%2F%2F", ";jsessionid=", *sorted(ARCHIVES)[:4], *sorted(TRACKING)[:4],
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=14).map("".join))
@settings(max_examples=1500, deadline=None)
def test_no_effect_on_its_result(url):
    once = normalize_url(url)
    assert normalize_url(once) == once
    assert once.isascii()
    assert not set(once) & set(' \t\n#"<>')


def test_nested_archives_take_no_time():
    nested = "http://web.archive.org/web/2012/" * 250
    assert normalize_url(nested + "http://example.com/a") == "example.com/a"
    assert normalize_url(nested * 1000) == ""


def test_real_references():
    if not REAL.exists():
        pytest.skip("the real references are not there")
    urls = REAL.read_text(encoding="utf-8").split()
    normalized = [normalize_url(url) for url in urls]
    assert all(normalized)
    assert [normalize_url(url) for url in normalized] == normalized
    assert len(urls) == 2000
    assert len(set(normalized)) == 1310
    assert not any(url.startswith("web.archive.org/") for url in normalized)
