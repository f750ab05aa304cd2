"""Whole pages: real ones, invented ones, and ones made to hurt."""

import bz2
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.wikitext import Limits, WikiSite, WikitextTooComplex, Work, reference_urls, to_text

EN = WikiSite.builtin("en")
REAL = Path(__file__).parents[4] / "shared" / "real" / "wikipedia"

# Markup, and what its removal can leave, that no page may show.
LEFTOVERS = {
    "link": r"\[\[|\]\]",
    "template": r"\{\{|\}\}",
    "table": r"\{\||\|\}|^\|-|^[|!]",
    "bold or italics": r"''",
    "tag": r"</?(?:ref|br|references|gallery|table|div|span|small|sup|sub|nowiki|center|blockquote|code|math)\b",
    "comment": r"<!--|-->",
    "magic word": r"__[A-Z]+__",
    "entity": r"&(?:nbsp|ndash|mdash|thinsp|minus|amp|lt|gt|quot|#\d+);",
    "picture option": r"\|(?:thumb|mini|miniatur|right|left|\d+px)\b",
    "variant": r"-\{|\}-",
    "title": r"^=+.*=+$",
    "list mark": r"^[*#:;]",
    "bracket": r"\(\)|\([,;]|\(\s+[,;)]|\[\s*\]",
    "comma": r",\s*,|,\s*\)|;\s*;|\s,\s*,",
    "spaces": r"\S  +\S| $|\n{3}",
    "mark": "[\x00-\x08]",
    "category": r"^(?:Category|Kategorie|Catégorie|Categoría|Категория|Категорија|Kategori|Kategoria):",
}
# Contents of these stay to the letter, so they are taken out of the pages before the count.
LITERAL = re.compile(r"(?is)<(math|chem|nowiki|pre|syntaxhighlight|source)\b[^>]*?(?:/>|>.*?</\1\s*>)")
# What authors wrote so, checked by eye in the sources: text, no trace of ours.
AUTHORS_OWN = {
    ("ASCII", "bracket", "()"),  # the characters of a keyboard: "#$%_&'()
    ("Arraignment", "bracket", "[]"),  # "and call[] on him"
    ("Atlantic Ocean", "comma", ";;"),
    ("Agriculture", "comma", ",)"),  # CO<sub>2,</sub>)
}


def real_pages() -> Iterator[tuple[str, str, str]]:
    """Yields language, title and wikitext of each real article."""
    for path in [*sorted((REAL / "minidumps").glob("*.bz2")), *REAL.glob("*.xml.bz2")]:
        with bz2.open(path) as stream:
            for _, page in ElementTree.iterparse(stream):
                if not page.tag.endswith("}page"):
                    continue
                space = page.tag.removesuffix("page")
                if page.findtext(f"{space}ns") == "0" and page.find(f"{space}redirect") is None:
                    text = page.findtext(f"{space}revision/{space}text") or ""
                    yield path.name[:2], page.findtext(f"{space}title") or "", text
                page.clear()


@pytest.mark.skipif(not REAL.exists(), reason="the real pages are not beside this checkout")
def test_no_markup_is_left_in_real_pages():
    found: Counter[tuple[str, str, str]] = Counter()
    pages = 0
    for language, title, wikitext in real_pages():
        text = to_text(LITERAL.sub("X", wikitext), WikiSite.builtin(language))
        pages += 1
        for kind, pattern in LEFTOVERS.items():
            for match in re.finditer(pattern, text, re.MULTILINE):
                found[title, kind, match[0].strip()] += 1
    assert pages == 140
    assert set(found) == AUTHORS_OWN


@pytest.mark.skipif(not REAL.exists(), reason="the real pages are not beside this checkout")
def test_real_pages_keep_their_prose_and_cost_little():
    characters = Counter[str]()
    urls = prose = 0
    for language, title, wikitext in real_pages():
        work = Work(len(wikitext))
        text = to_text(wikitext, WikiSite.builtin(language), work=work)
        assert work.spent <= 20 * len(wikitext), title
        prose += len(text) > 0.3 * len(wikitext)
        characters[language] += len(text)
        urls += len(reference_urls(wikitext))
    assert set(characters) == {"de", "en", "es", "fr", "pl", "ru", "sr", "sv"}
    assert 3_500_000 < sum(characters.values()) < 4_300_000
    assert prose > 110
    assert urls > 5_500


TOKENS = [
    "{{", "}}", "{{{", "}}}", "[[", "]]", "[", "]", "|", "=", "'", "''", "'''", "'''''", "\n", "\n\n", " ",
    "\n*", "\n#", "\n:", "\n;", "\n==", "==\n", "\n{|", "\n|}", "\n|-", "\n|", "\n!", "<ref>", "</ref>",
    "<ref name=a/>", "<!--", "-->", "<nowiki>", "</nowiki>", "<math>", "</math>", "<br>", "<div>", "</div>",
    "<table>", "</table>", "<sup>2</sup>", "&amp;", "&lt;", "&nbsp;", "__TOC__", "-{", "}-", "File:a.jpg",
    "Category:b", "de:c", "http://a.org ", "lang", "nowrap", "#if:", "convert", "a", "b ", "1", ", ", "(",
    ")", "é", "\x01", "\x020\x03",
]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(TOKENS), max_size=60).map("".join))
def test_any_tokens_give_text_without_marks(wikitext):
    work = Work(len(wikitext))
    text = to_text(wikitext, EN, work=work)
    assert not re.search("[\x01-\x06]", text)
    assert work.spent <= 70 * len(wikitext)
    if "<nowiki>" not in wikitext and "<math>" not in wikitext and "&" not in wikitext:
        assert not re.search(r"\[\[|\{\{|\}\}|''|__TOC__|<ref|<!--", text)
    assert isinstance(reference_urls(wikitext), list)


def balanced(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Wraps wikitext in markup that is closed."""
    pairs = ["{{%s}}", "{{nowrap|%s}}", "[[a|%s]]", "[[File:a|%s]]", "''%s''", "'''%s'''", "<ref>%s</ref>", "<b>%s</b>"]
    blocks = ["\n{|\n|%s\n|}\n", "\n== %s ==\n", "\n* %s\n", "<div>%s</div>", "[http://a.org %s]", "{{lang|de|%s}}"]
    wrap = st.sampled_from(pairs + blocks)
    return st.one_of(st.tuples(wrap, inner).map(lambda pair: pair[0] % pair[1]), st.tuples(inner, inner).map(" ".join))


@settings(max_examples=300, deadline=None)
@given(st.recursive(st.sampled_from(["word", "some words", "x, y", "é"]), balanced, max_leaves=12))
def test_balanced_markup_leaves_nothing_and_a_second_pass_changes_nothing(wikitext):
    text = to_text(wikitext, EN)
    assert not re.search(r"\[\[|\]\]|\{\{|\}\}|''|</?\w|\{\||\|\}", text)
    plain = re.sub(r"^( *)(?:- |1\. )", "", text, flags=re.MULTILINE)
    assert to_text(plain, EN) == plain


SIZE = 50_000
HURTFUL = {
    "open templates": "{{" * SIZE,
    "open kept templates": "{{lang|de|" * SIZE,
    "closed kept templates": "{{nowrap|" * SIZE + "a" + "}}" * SIZE,
    "closed templates": "{{a|" * SIZE + "}}" * SIZE,
    "open parameters": "{{{" * SIZE,
    "open links": "[[" * SIZE,
    "open labelled links": "[[a|" * SIZE,
    "closed links": "[[" * SIZE + "a" + "]]" * SIZE,
    "pictures": "[[File:a|" * SIZE + "]]" * SIZE,
    "single brackets": "[[a|[x] " * SIZE,
    "open references": "<ref>" * SIZE,
    "broken references": "<ref name=" * SIZE,
    "broken ends": ("<ref>" + "</ref ") * SIZE,
    "comments": "<!--" * SIZE,
    "open HTML tables": "<table>" * SIZE,
    "closed HTML tables": "<table>" * SIZE + "</table>" * SIZE,
    "open tables": "\n{|" * SIZE,
    "closed tables": "\n{|" * SIZE + "\n|}" * SIZE,
    "apostrophes": "'''a'' " * SIZE,
    "only apostrophes": "'" * SIZE,
    "titles": "\n=" * SIZE,
    "title of equals": "=" + "= " * SIZE,
    "deep list": "*" * SIZE + "a",
    "gaps": "(" + "{{x}}, " * SIZE,
    "brackets and gaps": "(" * SIZE + "{{x}})" * SIZE,
    "spaces": " " * SIZE + "\n" + "\t" * SIZE,
    "external links": "[http://a " * SIZE,
    "external link with spaces": "[http://a" + " " * SIZE,
    "pipe trick": "[[Help:" + " " * SIZE + "x|]]",
    "name of an argument": "{{lang|" + " " * SIZE + "x=}}",
    "many arguments": "{{hlist" + "|a" * SIZE + "}}",
    "variants": "-{" * SIZE + "a" + "}-" * SIZE,
    "ampersands": "&" * SIZE + "#1;",
    "magic words": "__A" + "_A" * SIZE,
    "ranges": "{{convert|1" + "|to|1" * SIZE + "}}",
    "holes in brackets": "(" * SIZE + "{{CURRENTYEAR}}" + ")" * SIZE,
    "holes in sentences": "two words {{CURRENTYEAR}}. " * SIZE,
    "sections of books": "\n== Literature ==\n* A, 1990: B\n" * SIZE,
    "links in an argument": "{{nowrap|" + "[[a|" * SIZE + "]]" * SIZE + "}}",
    "rows inside links": "[[a\n|b\n" * SIZE,
    "variants in variants": "-{a-{" * SIZE + "}-" * SIZE,
    "archive of archives": "<ref>" + "https://web.archive.org/web/1234/" * SIZE + "</ref>",
    "closing brackets": "<ref>http://a.b/" + ")" * SIZE + "</ref>",
}


@pytest.mark.parametrize("name", HURTFUL)
def test_hurtful_pages_end_in_linear_work(name):
    wikitext = HURTFUL[name]
    work = Work(len(wikitext))
    text = to_text(wikitext, EN, work=work)
    assert work.spent <= 60 * len(wikitext)
    assert len(text) <= 2 * len(wikitext)
    reference_urls(wikitext)


def test_text_that_grows_with_each_level_of_nesting_is_stopped():
    page = "{" * 9000 + "|".join("a" * 3000) + "}" * 9000
    with pytest.raises(WikitextTooComplex, match="characters of work"):
        to_text(page, EN, Limits(max_work_per_character=20))


def test_a_page_that_is_too_long_is_an_error_of_its_own():
    with pytest.raises(WikitextTooComplex, match="page of 101 characters, more than max_characters=100"):
        to_text("a" * 101, EN, Limits(max_characters=100))


def test_a_hundred_megabytes_are_refused_at_once():
    with pytest.raises(WikitextTooComplex, match="page of 104857600 characters"):
        to_text("a" * (100 * 1024 * 1024), EN)
