"""Links, external links, pictures, categories, tables and language variants."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.wikitext import WikiSite, to_text
from filters.wikitext.links import PLAIN_LINK
from filters.wikitext.variants import resolve_variants
from tests.filters.wikitext.pages import EN, english
from tests.tables import results

test_links = results(
    english,
    {
        "[[a]] [[b|c]] [[d]]s [[e#f|g]] [[h|i [j] k]]": "a c ds g i [j] k",
        "[[a|b|c]] [[a|'''b''']]": "b|c b",
        "[[Help:Foo (bar)|]] [[Boston, Massachusetts|]] [[Foo (bar)|]]": "Foo Boston Foo",
        "[[:Category:X]] [[:Category:X|y]] [[:File:a.jpg]] [[:de:X]] [[Wikipedia:X]]": (
            "Category:X y File:a.jpg de:X Wikipedia:X"
        ),
        "a[[Category:X]][[category : Y|z]] [[de:A]] [[zh-min-nan:B|c]]b": "a b",
        "[[wikt:a|b]] [[s:c]] [[Alien: Covenant]]": "b s:c Alien: Covenant",
        "[[File:a.jpg|thumb|left|cap [[b]] and [[c|d]] [http://e f]]]text": "text",
        "[[Image:a.jpg|thumb|x [[File:b.png|20px]] {{lang|de|y}} [[z]]]] text": "text",
        "[[File:a.jpg|thumb|never closed [[b]]\ntext": "text",
        "[[a\nb]] [[c d]] [[e": "a\nb c d e",
        "see [[Media:Buzz.ogg|the sound]] [[media:a.ogg]] [[Image:b.ogg|x]]!": "see the sound a.ogg!",
        'the so-called "[[target\n|label]]", goes on': 'the so-called "label", goes on',
        "a [[b|c]]\n| d\ne [[File:f.jpg\n|thumb\n|g [[h\n|i]] j]] k": "a c\n\ne k",
        "a ]] b [c [d]] e": "a b [c [d]] e",
    },
)


test_external_links = results(
    english,
    {
        "a [http://x.org b c] d [//x.org e] [mailto:a@b.c f]": "a b c d e f",
        "a [http://x.org] b [http://x.org ], c": "a b, c",
        "see http://x.org/a_b, or": "see http://x.org/a_b, or",
        "[http://x.org [[a|b]] ''c''] [not a link]": "b c [not a link]",
    },
)


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        ("a\n{| class=x\n! b\n|-\n| c || d\n|}\ne", "a\n\ne"),
        ("a\n{|\n| b\n{|\n| c\n|}\n| d\n|}\ne", "a\n\ne"),
        ("a\n:{|\n|b\n|}c", "a\nc"),
        ("a\n{|\n! b\n| c\nd", "a\n\nd"),
        ("a\n|-\n| b\n|}\nc | d", "a\n\nc | d"),
        ("{{Table start}}\n|-\n| a || b\n{{Table end}}\nc", "c"),
    ],
)
def test_tables(wikitext, text):
    assert "\n".join(line for line in to_text(wikitext, EN).split("\n") if line) == text.replace("\n\n", "\n")


test_variants = results(
    resolve_variants,
    {
        "-{sr-ec:а; sr-el:a}- -{Berlin}- -{T|x}-y": "а Berlin y",
        "-{R|x}- -{zh-hans:a;zh-hant:b;}- -{H|zh-cn:c}-d": "x a d",
        "a -{ b": "a -{ b",
        "-{ijekav:bijelo; ekav:belo}-": "-{ijekav:bijelo; ekav:belo}-"[2:-2],
        "http://x.org/a-b": "http://x.org/a-b",
        "-{zh-hans:外-{内}-面;zh-hant:外-{內}-面}-。-{a-{b-{c}-}-}-": "外内面。abc",
    },
)


def test_the_media_namespace_has_its_name_in_each_language():
    for language, name in (("de", "Medium"), ("ru", "Медиа"), ("fr", "Média")):
        assert to_text(f"[[{name}:A.ogg|ein Ton]]", WikiSite.builtin(language)) == "ein Ton"
    site = WikiSite.from_siteinfo("xx", {-2: ["Meedia"]})
    assert to_text("[[Meedia:A.ogg|heli]]", site) == "heli"


@given(st.text("[]|:a\n", max_size=30))
def test_plain_links_are_those_without_a_colon_in_the_target(text):
    plainly = re.compile(r"\[\[(?![^\[\]|]*:)(?:[^\[\]|\n]*\|)?([^\[\]|]+)\]\]")
    assert PLAIN_LINK.sub(lambda link: link[2], text) == plainly.sub(lambda link: link[1], text)
