"""URLs of references."""

import pytest

from filters.wikitext import reference_urls


@pytest.mark.parametrize(
    ("wikitext", "urls"),
    [
        ("<ref>http://a.org/x</ref> http://not.in.ref/", ["http://a.org/x"]),
        (
            "<ref name=a>[http://a.org/ label], see https://b.org/y.</ref><ref name=a />",
            ["http://a.org/", "https://b.org/y"],
        ),
        (
            "<ref name='a'>\n{{cite web\n| url = http://a.org/?x=1&y=2\n| title = T\n}}\n</ref>",
            ["http://a.org/?x=1&y=2"],
        ),
        ("<REF>{{Internetquelle|url=http://a.de|titel=x}}</REF>", ["http://a.de"]),
        ("<ref>{{Lien web|url=http://a.fr/b|archive-url=https://archive.today/x}}</ref>", ["http://a.fr/b"]),
        (
            "<ref>{{cite web|url=http://a.org/|archiveurl=https://web.archive.org/web/2007/http://a.org/}}</ref>",
            ["http://a.org/"],
        ),
        ("<ref>https://web.archive.org/web/20070101000000/http://a.org/b</ref>", ["http://a.org/b"]),
        ("<ref>http://a.org/b_(c) and (http://d.org/e)</ref>", ["http://a.org/b_(c)", "http://d.org/e"]),
        ("<ref>http://a.org/?b=1&amp;c=2</ref><ref>http://a.org/?b=1&c=2</ref>", ["http://a.org/?b=1&c=2"]),
        ("<ref>[http://a.org ''x''] http://b.org''y''</ref>", ["http://a.org", "http://b.org"]),
        (
            "<references><ref name=b>http://b.org</ref><ref>http://a.org</ref></references>",
            ["http://b.org", "http://a.org"],
        ),
        ("<ref>http://b.org</ref><ref>http://a.org</ref><ref>http://b.org</ref>", ["http://b.org", "http://a.org"]),
        (
            "<ref>http://a.org<!-- http://b.org --> http://c.org <!-- http://d.org</ref>",
            ["http://a.org", "http://c.org"],
        ),
        ("<ref>never closed http://a.org", []),
        ("<ref name=x/>http://a.org<ref>b</ref>", []),
        ("<ref>http://</ref><ref>ftp://a.org</ref>", []),
    ],
)
def test_reference_urls(wikitext, urls):
    assert reference_urls(wikitext) == urls
