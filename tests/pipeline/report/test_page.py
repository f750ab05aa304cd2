import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pipeline.errors import InputError, OutputError
from pipeline.report.budget import Budget
from pipeline.report.page import inline, json_in_html, policy
from pipeline.report.run import report
from tests.pipeline.report.corpora import HOSTILE, Made, make_source, scored


class Page(HTMLParser):
    """What a page holds: its elements with their attributes, its scripts, its text."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self._script = False
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._script = tag == "script"
        if self._script:
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._script = False

    def handle_data(self, data):
        if self._script:
            self.scripts[-1] += data
        else:
            self.text += data


def make_page(tmp_path, name: str = "report", title: str = "Report") -> str:
    folders = [str(tmp_path / "corpus"), *(str(f) for f in [tmp_path / "shards"] if f.exists())]
    path = report(folders, str(tmp_path / name), title, Budget(), Console(file=StringIO()))
    return Path(path).read_text(encoding="utf-8")


@pytest.fixture
def hostile(tmp_path) -> str:
    """A page of which every name and text that comes from data is an attack."""
    meta = {"title": HOSTILE, "perplexity": 50.0}
    shard = [
        Made(HOSTILE * 3, subset="head", fields={"url": f"javascript:{HOSTILE}", "language": HOSTILE, "meta": meta}),
        Made(HOSTILE, subset="head", fields={"id": HOSTILE, "language": "</script>", "license": "<b>x</b>"}),
        Made(HOSTILE, "length", f"reason {HOSTILE}"),
    ]
    recipe = {"key <img src=x>": HOSTILE, "rejects": {"keep": "all"}}
    make_source(tmp_path / "corpus", {"a": shard}, "evil<img src=x onerror=alert(1)>", recipe=recipe)
    (tmp_path / "shards").mkdir()
    entry = {"share_asked": 1.0, "share_reached": 1.0, "unique_tokens": 10, "tokens": 20, "epochs": 2.0}
    (tmp_path / "shards" / "manifest.json").write_text(json.dumps({"mixture": {HOSTILE: entry}}))
    return make_page(tmp_path, title=f"Title {HOSTILE}")


def test_everything_from_data_is_text(hostile):
    page = Page(hostile)
    assert {tag for tag, _ in page.elements} <= {
        *("html", "head", "meta", "title", "link", "style", "body", "a", "header", "div", "h1", "h2", "h3", "h4", "p"),
        *("dl", "dt", "dd", "nav", "main", "section", "table", "caption", "thead", "tbody", "tr", "th", "td", "figure"),
        *(
            "figcaption",
            "ul",
            "li",
            "details",
            "summary",
            "span",
            "article",
            "bdi",
            "pre",
            "footer",
            "code",
            "noscript",
        ),
        "script",
    }
    assert len(page.scripts) == 3
    attributes = {name for _, attrs in page.elements for name in attrs}
    assert not {name for name in attributes if name.startswith("on")}
    assert {attrs["href"] for tag, attrs in page.elements if "href" in attrs} == {
        *("data:,", "#main", "#overview", "#mixture", "#source-1"),
    }
    assert not {"src", "srcset", "action", "formaction", "background"} & attributes
    assert "<script>document.title = 'gone'</script>" in page.text
    assert "\x1b" not in hostile
    assert "\u202e" not in hostile
    assert "49" not in page.text.replace("{{ 7 * 7 }}", "")


def test_only_its_own_scripts_may_run(hostile):
    page = Page(hostile)
    allowed = next(a["content"] for t, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    kinds = [attrs.get("type") for tag, attrs in page.elements if tag == "script"]
    assert kinds == ["application/json", None, None]
    for script in page.scripts[1:]:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in allowed
    directives = dict(part.strip().split(" ", 1) for part in allowed.split(";"))
    assert directives["default-src"] == "'none'"
    assert "unsafe" not in directives["script-src"]
    assert set(directives) == {"default-src", "script-src", "style-src", "img-src", "base-uri", "form-action"}


def test_each_plot_has_a_place_a_summary_and_a_table(hostile):
    page = Page(hostile)
    figures = json.loads(page.scripts[0])["figures"]
    places = [attrs for _, attrs in page.elements if attrs.get("class") == "plot"]
    assert [place["id"] for place in places] == list(figures)
    assert all(place["role"] == "img" and place["aria-label"] for place in places)
    assert sum(tag == "figure" for tag, _ in page.elements) == len(figures)


def test_the_same_corpus_gives_the_same_page(tmp_path):
    make_source(tmp_path / "corpus", {"a": [scored(f"text {n}", 20.0 * n + 1) for n in range(30)]})
    assert make_page(tmp_path, "one") == make_page(tmp_path, "two")


def test_what_is_missing_or_damaged_is_said_on_the_page(tmp_path):
    root = make_source(tmp_path / "corpus", {"a": [scored("text", 50.0)], "b": [scored("text", 60.0)]}, finished=False)
    (root / "head" / "a.parquet").write_bytes(b"no Parquet")
    text = Page(make_page(tmp_path)).text
    assert "No run has ended here yet; done so far: 2 shards." in text
    assert "1 sampled file could not be read, for example head/a.parquet" in text


def test_how_much_was_looked_at_is_said(tmp_path):
    shards = {f"s{n}": [scored(f"t{n}{d}", 50.0 + 300 * (d % 2)) for d in range(10)] for n in range(5)}
    make_source(tmp_path / "corpus", shards)
    assert "from all 25 kept documents and all 25 rejects." in Page(make_page(tmp_path)).text
    budget = Budget(files=2, documents=8)
    path = report([str(tmp_path / "corpus")], str(tmp_path / "r"), "T", budget, Console(file=StringIO()))
    assert re.search(
        r"from 8 of 25 kept documents \(in 2 of 5 files\) and 8 of 25 rejects \(in 2 of 5 files\); the counts in them",
        Page(Path(path).read_text(encoding="utf-8")).text,
    )


def test_errors_of_the_command(tmp_path):
    with pytest.raises(InputError, match=r"holds no manifest\.json"):
        report([str(tmp_path)], str(tmp_path / "r"), "T", Budget(), Console(file=StringIO()))
    make_source(tmp_path / "corpus", {"a": []})
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        report([str(tmp_path / "corpus")], str(tmp_path / "file" / "r"), "T", Budget(), Console(file=StringIO()))


@pytest.mark.parametrize("script", ["a</script>b", "a</SCRIPT >", "<!-- x", "line\r\nline"])
def test_a_script_that_html_reads_otherwise_is_refused(script):
    with pytest.raises(ValueError, match="HTML reads otherwise"):
        inline(script)


def test_the_policy():
    assert policy(["x"]).startswith(
        "default-src 'none'; script-src 'sha256-LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE='; style-src"
    )


@given(
    st.recursive(
        st.text() | st.floats(allow_nan=False) | st.none(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)
    )
)
def test_json_in_a_script_comes_back_and_holds_no_tag(value):
    written = json_in_html({"v": value})
    assert json.loads(written) == {"v": value}
    assert not set(written) & set("<>&\u2028\u2029")
