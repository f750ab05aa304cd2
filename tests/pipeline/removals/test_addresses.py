"""The normal form of addresses: what is the same, and what is not."""

import pytest

from pipeline.removals.addresses import normal_address, normal_host, split_address


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://a.example/x", "https://a.example/x"),
        ("HTTPS://A.Example./x/", "a.example/x"),
        ("http://a.example:80/x", "https://a.example:443/x"),
        ("https://user:secret@a.example/x#part", "https://a.example/x"),
        ("https://a.example", "https://a.example/?"),
        (
            "https://m\u00fcsli.example/gr\u00f6\u00dfe?f=gr\u00fcn",
            "https://xn--msli-0ra.example/gr%C3%B6%c3%9fe?f=gr%C3%BCn",
        ),
        ("https://a.example/%7Eme/a b", "https://a.example/~me/a%20b"),
    ],
)
def test_addresses_that_are_the_same(one, other):
    assert normal_address(one) == normal_address(other)


@pytest.mark.parametrize(
    "other",
    [
        "https://www.a.example/x",
        "https://a.example/X",
        "https://a.example/x//",
        "https://a.example/x/index.html",
        "https://a.example/x?y=1",
        "https://a.example:8080/x",
        "http://a.example:443/x",
        "https://a.example/%2Fx",
        "ftp:a.example/x",
    ],
)
def test_addresses_that_are_not(other):
    assert normal_address("https://a.example/x") != normal_address(other)


def test_what_can_be_no_address_stays_apart_and_breaks_nothing():
    assert normal_address("") == ""
    assert split_address("https:///x") == ("", "", "/x")
    assert normal_address("http://[::1]:80/x") == "[::1]/x"
    assert normal_host("\u2603" * 70 + ".example") == "\u2603" * 70 + ".example"  # longer than a label may be
    assert normal_address("https://a.example/%zz%") == "a.example/%zz%"
    assert normal_address("https://a.example/\ud800") == "a.example/%EF%BF%BD"
