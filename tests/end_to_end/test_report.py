"""The report in a real browser: it draws all plots, asks the network for nothing, and runs nothing that it shows."""

import json
import re
import shutil
from pathlib import Path

import pytest

from pipeline.report.command import main
from tests.end_to_end.commands import ROOT, commoncrawl, run
from tests.pipeline.report.corpora import HOSTILE, Made, make_source, scored

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
PATIENCE = 60_000  # milliseconds


def found_browser() -> str | None:
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium."""
    executable = found_browser()
    if executable is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is on PATH")
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright drives the browser")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=executable)
        yield opened
        opened.close()


class Visit:
    """A page that was opened: what it said, asked for, and is."""

    def __init__(self, browser, path: Path, size: str = "desktop", scheme: str = "light") -> None:
        width, height = SIZES[size]
        phone = size == "phone"
        self.context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, has_touch=phone, is_mobile=phone
        )
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.refused: dict[str, str] = {}
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.said.append(dialog.message), dialog.dismiss()))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("requestfailed", lambda request: self.refused.update({request.url: request.failure}))
        self.url = path.as_uri()
        self.page.goto(self.url)
        self.page.wait_for_selector("html[data-plots=drawn]", state="attached", timeout=PATIENCE)

    def count(self, selector: str) -> int:
        return self.page.locator(selector).count()

    def __enter__(self) -> "Visit":
        return self

    def __exit__(self, *_) -> None:
        self.context.close()


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Path:
    """The report of the embedded sample, and of a mixture."""
    folder = tmp_path_factory.mktemp("report")
    commoncrawl(folder / "corpus", "--input", ROOT / "samples" / "commoncrawl")
    entry = {"share_asked": 1.0, "share_reached": 1.0, "unique_tokens": 10_000, "tokens": 20_000, "epochs": 2.0}
    (folder / "shards").mkdir()
    (folder / "shards" / "manifest.json").write_text(json.dumps({"mixture": {"commoncrawl": entry}}))
    done = run("pipeline.report", folder / "corpus", folder / "shards", "--output", folder / "report")
    assert done.stdout.strip() == str(folder / "report" / "index.html")
    assert [p.name for p in (folder / "report").iterdir()] == ["index.html"]
    return folder / "report" / "index.html"


def flow_names(path: Path) -> list[str]:
    """The nodes of the page's flow diagram."""
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', path.read_text(encoding="utf-8"))
    figures = json.loads(found[1])["figures"].values()
    (flow,) = [trace for figure in figures for trace in figure["data"] if trace["type"] == "sankey"]
    return flow["node"]["label"]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_plots_are_drawn_and_nothing_is_fetched(browser, sample, size, scheme):
    with Visit(browser, sample, size, scheme) as visit:
        assert visit.said == []
        assert visit.asked == [visit.url]
        plots = visit.count(".plot")
        assert plots >= 10
        assert visit.count(".plot[data-drawn=yes] svg.main-svg") >= plots
        empty = "nodes => nodes.filter(n => !n.querySelector('.trace, .sankey-node')).map(n => n.id)"
        assert visit.page.eval_on_selector_all(".plot", empty) == []
        assert visit.count(".sankey-node") == len(flow_names(sample))
        wide = visit.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert wide[0] <= wide[1]  # no page that scrolls to the side


def test_the_plots_take_the_readers_theme(browser, sample):
    colour = "getComputedStyle(document.querySelector('.sankey-node rect.node-rect')).fill"
    with Visit(browser, sample) as visit:
        light = visit.page.evaluate(colour)
        visit.page.emulate_media(color_scheme="dark")
        for _ in range(200):  # the page's policy forbids what would wait for it in the page
            if visit.page.evaluate(colour) != light:
                break
            visit.page.wait_for_timeout(50)
        assert (light, visit.page.evaluate(colour)) == ("rgb(43, 108, 176)", "rgb(99, 164, 228)")
        assert visit.said == []


def test_the_cutoffs_are_drawn(browser, sample):
    with Visit(browser, sample) as visit:
        drawn = "document.querySelector('[aria-label^=\"Perplexity\"]').querySelectorAll('.shapelayer path').length"
        assert visit.page.evaluate(drawn) == 2


def test_numbers_and_texts_open(browser, sample):
    with Visit(browser, sample) as visit:
        visit.page.locator("figure details summary").first.click()
        assert visit.page.locator("figure table").first.is_visible()
        visit.page.locator("details.dropped summary", has_text="Dropped by perplexity: bucket_tail").click()
        assert visit.page.locator("details.dropped[open] pre").first.is_visible()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    attack = f"{HOSTILE}<svg onload=alert(1)></svg><a href='https://evil.example/'>link</a>"
    shard = [scored(f"text {n}", 20.0 * n + 1.0, language=attack if n % 2 else "en") for n in range(30)]
    shard += [Made(attack * 2, fields={"id": attack, "url": f"javascript:alert(1)//{attack}"})]
    shard += [Made("</pre></article><script>document.title = 'gone'</script>", "length", attack) for _ in range(3)]
    make_source(folder / "corpus", {"a": shard}, "<img src=x onerror=alert(1)>")
    run("pipeline.report", folder / "corpus", "--output", folder / "report", "--title", f"A {attack}")
    return folder / "report" / "index.html"


def test_nothing_in_a_document_runs(browser, hostile):
    with Visit(browser, hostile) as visit:
        assert visit.said == []
        assert visit.asked == [visit.url]
        assert visit.page.title().startswith("A <script>document.title = 'gone'</script>")
        assert visit.count("img, iframe, object, embed, form") == 0
        assert visit.count("a[href*=evil], a[href^=javascript]") == 0
        assert visit.count(".plot[data-drawn=yes]") == visit.count(".plot")
        shown = visit.page.locator("details.dropped pre").first.text_content()
        assert shown == "</pre></article><script>document.title = 'gone'</script>"
        assert visit.count("script") == 3


def test_the_policy_stops_what_an_escape_would_have_missed(browser, hostile, tmp_path):
    """Were a tag to reach the page after all, the browser would not run it."""
    page = hostile.read_text(encoding="utf-8")
    attack = (
        "<img src=https://evil.example/x.png onerror=\"document.title='gone'\"><script>document.title='gone'</script>"
    )
    broken = tmp_path / "broken.html"
    broken.write_text(page.replace("<main ", f"{attack}<main ", 1), encoding="utf-8")
    with Visit(browser, broken) as visit:
        assert visit.page.title() != "gone"
        assert any("Content Security Policy" in message for message in visit.said)
        assert visit.refused == {"https://evil.example/x.png": "csp"}


def test_without_scripts_the_numbers_are_there(browser, sample):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(sample.as_uri())
    assert "the numbers of each are in its table" in page.locator("noscript").inner_text()
    page.locator("figure details summary").first.click()
    assert page.locator("figure table").first.is_visible()
    context.close()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "holds no manifest.json"),
        ([".", "--documents", "0"], "must be at least 1"),
    ],
)
def test_errors_are_one_message(capsys, arguments, message):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 1
    assert message in capsys.readouterr().err
