"""HTML to text: literal posts, as the sites make them and as they should not be."""

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filters.html import FED, DeepHtmlError, HtmlToText, html_to_text

LITERAL = {
    "paragraphs": ("<p>One\nand  the\tsame.</p>\n\n<p>Two.</p>\n", "One and the same.\n\nTwo."),
    "text_without_tags": ("  no   tags\nat all ", "no tags at all"),
    "code_block": (
        "<p>Try:</p>\n\n<pre><code>def f(x):\n    if x &lt; 1:\n\n\treturn  x\n</code></pre>\n\n<p>Done.</p>",
        "Try:\n\ndef f(x):\n    if x < 1:\n\n\treturn  x\n\nDone.",
    ),
    "first_line_keeps_its_indentation": ("<pre><code>\n\n    a\n  b  \n\n</code></pre>", "    a\n  b"),
    "code_with_tags": ("<pre><code>a<br>b <b>c</b>\r\nd</code></pre>", "a\nb c\nd"),
    "nested_pre": ("<pre>a<pre>\n  b</pre></pre>", "a\n  b"),
    "inline_code": ("<p>Use <code>x &amp;&amp; y</code>, not <code>z</code>.</p>", "Use x && y, not z."),
    "bullets": ("<ul>\n<li>one</li>\n<li>two\nlines</li>\n</ul>", "* one\n* two lines"),
    "numbers": ("<ol>\n<li>one</li>\n<li>two</li>\n</ol>", "1. one\n2. two"),
    "numbers_from": ('<ol start="9"><li>i</li><li>j</li></ol>', "9. i\n10. j"),
    "numbers_from_nonsense": ('<ol start="1e99"><li>i</li></ol>', "1. i"),
    "nested_lists": (
        "<p>a</p><ul><li>b<ol><li>c</li><li>d</li></ol></li><li>e</li></ul><p>f</p>",
        "a\n\n* b\n  1. c\n  2. d\n* e\n\nf",
    ),
    "paragraphs_in_an_item": ("<ul><li><p>a</p>\n<p>b</p></li><li><p>c</p></li></ul>", "* a\nb\n* c"),
    "code_in_an_item": ("<ol><li>run<pre><code>  ls\n</code></pre></li><li>stop</li></ol>", "1. run\n  ls\n2. stop"),
    "code_alone_in_an_item": ("<ol><li><pre><code>  ls</code></pre></li></ol>", "1.\n  ls"),
    "empty_item": ("<ul><li></li><li> </li><li>a</li></ul>", "* a"),
    "item_without_list": ("<li>a</li><li>b</li>", "* a\n* b"),
    "unclosed_items": ("<ul><li>a<li>b</ul>c", "* a\n* b\n\nc"),
    "quote": ("<p>He said</p><blockquote>\n<p>yes</p>\n<p>no</p>\n</blockquote>", "He said\n\nyes\n\nno"),
    "heading_and_rule": ("<h2>Title</h2>text<hr>more", "Title\n\ntext\n\nmore"),
    "link": ('<a href="https://a.example/?a=1&amp;b=2" title="t">label</a>', "label"),
    "image": ('<p>See <img src="a.png" alt="a graph"/>.</p>', "See a graph."),
    "image_in_link": ('<p><a href="x"><img src="a.png" alt="a &lt; b"></a></p>', "a < b"),
    "image_with_the_editors_text": ('<p><img src="a.png" alt="enter image description here"></p>', ""),
    "image_with_the_older_editors_text": ('<p><img src="a.png" alt="alt text"></p>', ""),
    "cells_are_one_line": (
        "<table><tr><td>a<br>b</td><td><p>c</p><p>d</p></td></tr><tr><td>e</td></tr></table>f<br>g",
        "a b | c d\ne\n\nf\ng",
    ),
    "image_without_text": ('a <img src="a.png"> b', "a b"),
    "line_breaks": ("<p>a<br>b<br/>\n c<br></p>", "a\nb\nc"),
    "entities_are_decoded_once": (
        "<p>&lt;b&gt; &amp;lt; &amp;amp;nbsp; &quot;&#39;&hellip;</p>",
        "<b> &lt; &amp;nbsp; \"'…",
    ),
    "no_break_space_stays": ("<p>5&nbsp;kg</p>", "5\xa0kg"),
    "table": (
        "<table>\n<thead>\n<tr><th>a</th>\n<th>b</th></tr></thead>\n<tbody><tr><td>1</td><td><b>2</b></td></tr>"
        "<tr><td>3</td></tr></tbody></table>",
        "a | b\n1 | 2\n3",
    ),
    "keys_and_small_letters": ("<kbd>Ctrl</kbd>+<kbd>C</kbd> H<sub>2</sub>O", "Ctrl+C H2O"),
    "powers": (
        "2<sup>256</sup> x<sup>n</sup> (a+b)<sup>-1</sup> 10<sup><b>3</b></sup> m<sup>2<sup>3</sup></sup>",
        "2^256 x^n (a+b)^-1 10^3 m2^3",
    ),
    "small_print": (
        "<p><sup>1</sup> the 1<sup>st</sup>, 2<sup>nd</sup> of May <sup>[1]</sup></p><sup>a note</sup>",
        "1 the 1st, 2nd of May [1]\n\na note",
    ),
    "comments_go": ("<!-- language: lang-py -->\n<p>a<!-- b --></p>", "a"),
    "scripts_and_styles_go": ("a<script>alert('<p>x</p>')</script><style>p{}</style>b", "ab"),
    "definition_list": ("<dl><dt>term</dt><dd>meaning</dd></dl>", "term\nmeaning"),
    "unknown_tags": ("<p><blink>a</blink><x-y>b</x-y></p>", "ab"),
    "no_tag_at_all": ("if a < b and c > d & e", "if a < b and c > d & e"),
    "cut_in_a_tag": ("<p>whole</p><p>cut <a hre", "whole\n\ncut"),
    "never_closed": ("<blockquote><p><b>a<p>b", "a\n\nb"),
    "page": ("<!DOCTYPE html><html><head><title>t</title></head><body><p>a</p></body></html>", "a"),
    "nothing": ("", ""),
    "white_space": (" \n\t ", ""),
    "empty_tags": ("<p></p><ul></ul><pre></pre>", ""),
    "zero_byte": ("<p>a\0b</p>", "a\ufffdb"),
    "half_a_surrogate_pair": ("<p>a\ud800b</p>", "a?b"),
    "forbidden_references": ("<p>a&#xD800;&#x110000;b</p>", "a\ufffd\ufffdb"),
    "mathematics": ('<p><span class="math-container">$a_{i}\n+ b$</span></p>', "$a_{i} + b$"),
}


@pytest.mark.parametrize("name", LITERAL)
def test_literal_posts(name):
    html, text = LITERAL[name]
    assert html_to_text(html) == text


def test_one_converter_keeps_nothing_of_the_post_before():
    convert = HtmlToText()
    for html in ("<ul><li>open", "<pre>open", "<script>open", "<table><tr><td>a<td>", "<ol start=7><li>"):
        convert(html)
        assert convert("<p>a</p><td>b</td>") == html_to_text("<p>a</p><td>b</td>")


@pytest.mark.parametrize("tag", ["blockquote", "ul><li", "b", "pre", "table><tr><td", "script"])
def test_depth_costs_nothing(tag):
    text = html_to_text(f"<{tag}>" * 20_000 + "deep")
    assert text.removesuffix("deep") in {"", "* ", "              * "} if tag != "script" else text == ""


def test_lists_in_lists_grow_no_further_than_their_words():
    assert len(html_to_text("<ul><li>a" * 50_000)) < 50_000 * 20


WORDS = st.text(string.ascii_letters + " \n<>&;é", max_size=20)
TAGS = st.sampled_from(
    [
        end + tag
        for tag in ("p", "sup", "pre", "code", "ul", "ol", "li", "td", "tr", "table", "script", "b")
        for end in ("", "/")
    ]
    + ["br", "hr"]
)


@given(st.lists(st.one_of(WORDS, TAGS.map(lambda tag: f"<{tag}>")), max_size=30).map("".join))
@example("<script><pre></script></pre>")
@example("</li></ul></pre>a")
def test_any_html_gives_text_without_loose_ends(html):
    text = html_to_text(html)
    assert text == text.rstrip()
    assert "\0" not in text
    assert html_to_text(html) == text


@given(st.text(string.ascii_letters + string.punctuation + " \n\té€", max_size=200))
def test_code_comes_back_to_the_letter(code):
    escaped = code.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    lines = code.rstrip().split("\n")
    while lines and not lines[0].strip():
        lines.pop(0)
    assert html_to_text(f"<pre><code>{escaped}</code></pre>") == "\n".join(lines)


@given(st.lists(st.text(string.ascii_letters, min_size=1, max_size=8), min_size=1, max_size=20))
def test_words_of_paragraphs_come_back_in_order(words):
    html = "".join(f"<p>{word}</p>\n" for word in words)
    assert html_to_text(html) == "\n\n".join(words)


def test_the_square_of_depth_is_refused(monkeypatch):
    monkeypatch.setattr("filters.html.MOST_LOOKED_AT", 50_000_000)
    convert = HtmlToText()
    with pytest.raises(DeepHtmlError, match="elements are open at character"):
        convert("<i>x</p>" * 40_000)
    assert convert("<p>next</p>") == "next"


@pytest.mark.parametrize(
    "part", ["<p>One <i>and</i> &amp; a\u00e9</p>", "<ul><li>x<pre>  y\n</pre></ul>", "<td>a<td>b</tr>", "\ud800<br>"]
)
def test_long_posts_are_read_in_parts_as_they_are_whole(part, monkeypatch):
    post = part * (3 * FED // len(part))
    long = html_to_text(post)
    monkeypatch.setattr("filters.html.FED", len(post))
    assert html_to_text(post) == long
