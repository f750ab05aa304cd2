import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.html import DeepHtmlError
from filters.instructions.markdown import HtmlToMarkdown
from tests.tables import results

CONVERT = HtmlToMarkdown()
CODE = (
    '<pre><div class="bg-black"><div><span>{}</span><button><svg><path d="M1"></path></svg>Copy code</button></div>'
    '<div><code class="{}"><span class="hljs-keyword">if</span> a &lt; b:\n    a__b = "*"\n</code></div></div></pre>'
)
FORMULA = (
    '<span class="katex"><span class="katex-mathml"><math><mi>x</mi><annotation encoding="application/x-tex">x^2'
    '</annotation></math></span><span class="katex-html" aria-hidden="true">x2</span></span>'
)

test_blocks = results(
    CONVERT,
    {
        "": "",
        "plain": "plain",
        "<p>One</p><p>two\n  lines</p>": "One\n\ntwo lines",
        "<div>a</div><div>b<br>c</div>": "a\n\nb\nc",
        "<h1>Top</h1><h3>Low</h3>text": "# Top\n\n### Low\n\ntext",
        "<ul><li>a</li><li>b<ol><li>c</li><li>d</li></ol></li></ul>": "- a\n- b\n  1. c\n  2. d",
        "<ol start='3'><li><p>a</p></li><li><p>b</p><p>c</p></li></ol>": "3. a\n\n4. b\n\n   c",
        "<p>before</p><ul><li>a</li></ul><p>behind</p>": "before\n\n- a\n\nbehind",
        "<blockquote><p>a</p><p>b</p></blockquote><p>c</p>": "> a\n>\n> b\n\nc",
        "a<hr>b": "a\n\n---\n\nb",
        "<table><tr><th>a</th><th>b|c</th></tr><tr><td>1</td></tr></table>": "| a | b\\|c |\n| --- | --- |\n| 1 |  |",
        "<table><caption>c</caption><td><ul><li>a</li></ul>b</td>d</table>": "| c | a b | d |\n| --- | --- | --- |",
        "<ul><li>see<pre><code>x</code></pre></li></ul>": "- see\n\n  ```\n  x\n  ```",
    },
)

test_inline = results(
    CONVERT,
    {
        "a <strong>b</strong> <em>c</em> <del>d</del>": "a **b** *c* ~~d~~",
        "<b> spaces </b>kept": "**spaces** kept",
        "<b></b><em> </em>x": "x",
        'a <a href="https://a.example/">link</a>': "a [link](https://a.example/)",
        "<a>none</a>": "none",
        "<code>a_b*c</code> and <code>`</code>": "`a_b*c` and `` ` ``",
        '<img src="/a.png" alt="a boat"><img src="data:image/png;base64,AA" alt="b">': "![a boat](/a.png)b",
        "a_b * c &amp; &lt;d&gt;": "a_b * c & <d>",
        f"<p>It is {FORMULA}.</p>": "It is $x^2$.",
        "<style>p {}</style><script>1</script>x<button>Copy</button>": "x",
    },
)

test_code = results(
    CONVERT,
    {
        CODE.format("python", "hljs language-python"): '```python\nif a < b:\n    a__b = "*"\n```',
        CODE.format("c++", "hljs"): '```c++\nif a < b:\n    a__b = "*"\n```',
        CODE.format("two words", "hljs"): '```\ntwo words\nif a < b:\n    a__b = "*"\n```',
        "<pre>no code\n  element</pre>": "```\nno code\n  element\n```",
        "<pre><code>```\nx\n```</code></pre>": "````\n```\nx\n```\n````",
        "<pre><code> \n</code></pre>x": "x",
        "<pre><code>open": "```\nopen\n```",
    },
)


TAGS = [
    "p",
    "ul",
    "li",
    "/li",
    "/ul",
    "b",
    "/b",
    "pre",
    "code",
    "/code",
    "/pre",
    "table",
    "tr",
    "td",
    "/table",
    "blockquote",
    "/blockquote",
    "/a",
]


@given(st.lists(st.sampled_from([*(f"<{tag}>" for tag in TAGS), "</p>", "<a href=x>", "word ", "\n"])))
def test_any_tags_give_all_words_and_leave_nothing_behind(parts):
    html = "".join(parts)
    assert CONVERT(html).count("word") == html.count("word")
    assert CONVERT("<p>next</p>") == "next"


def test_empty_lines_within_code_are_passed_once():
    assert len(CONVERT(f"<pre><code>x{chr(10) * 1_000_000}y</code></pre>")) == 1_000_010


def test_the_square_of_depth_is_refused(monkeypatch):
    monkeypatch.setattr("filters.html.MOST_LOOKED_AT", 50_000_000)
    with pytest.raises(DeepHtmlError, match="elements are open at character"):
        CONVERT("<i>x</p>" * 40_000)
    assert CONVERT("<p>next</p>") == "next"


def test_depth_is_no_matter():
    for tag in ("<div>a", "<ul><li>a", "<blockquote>a", "<b>x", "<table><tr><td>a", "<pre>a", "<a href=y>z"):
        assert CONVERT(tag * 20_000)
