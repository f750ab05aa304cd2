import functools
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from filters.wikitext.languages import LANGUAGES
from pipeline.errors import InputError
from sources.wikipedia.dumps import fetch_dumps, languages_of
from tests.sources.wikipedia.dumps import page, write_multistream


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path):
    """The address of a server that shows the folder ``tmp_path/web``."""
    (tmp_path / "web").mkdir()
    handler = functools.partial(QuietHandler, directory=str(tmp_path / "web"))
    found = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=found.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{found.server_port}"
    found.shutdown()
    found.server_close()


def put(folder, language: str = "en", *, index: bool = True):
    folder.mkdir(parents=True)
    name = f"{language}wiki-20220701-pages-articles-multistream"
    path = write_multistream(folder, page(1, f"Text in {language}."), page(2, f"More in {language}."), name=name)
    if not index:
        path.with_name(f"{name}-index.txt.bz2").unlink()
    return path


def fetch(server, tmp_path, *languages, date="20220701", said=None):
    say = ([] if said is None else said).append
    places = {"dumps": f"{server}/dumps/", "archive": f"{server}/archive"}
    return [f.path for f in fetch_dumps(languages, date, tmp_path / "cache", say, **places)]


def test_at_the_publisher(server, tmp_path):
    put(tmp_path / "web" / "dumps" / "enwiki" / "20220701")
    said = []
    url = f"{server}/dumps/enwiki/20220701/enwiki-20220701-pages-articles-multistream.xml.bz2"
    assert fetch(server, tmp_path, "en", said=said) == [url]
    assert said == [f"fetching {url} into {tmp_path / 'cache'}"]
    assert fetch(server, tmp_path, "en", said=said) == [url]
    assert len(said) == 1  # it is in the cache


def test_in_the_archive(server, tmp_path):
    put(tmp_path / "web" / "archive" / "zh_min_nanwiki-20220701", "zh_min_nan")
    name = "zh_min_nanwiki-20220701-pages-articles-multistream.xml.bz2"
    url = f"{server}/archive/zh_min_nanwiki-20220701/{name}"
    assert fetch(server, tmp_path, "zh-min-nan") == [url]
    put(tmp_path / "web" / "dumps" / "zh_min_nanwiki" / "20220701", "zh_min_nan")
    assert fetch(server, tmp_path, "zh-min-nan") == [url]  # the address of a dump does not change while it is cached


def test_nowhere(server, tmp_path):
    with pytest.raises(InputError, match=r"there is no dump of xhwiki of 20220701 to be had\. Dumps.*404.*404"):
        fetch(server, tmp_path, "xh")


def test_no_server(tmp_path):
    said = []
    message = (
        r"no server that has dumps answers\. Mend the network, or fetch xhwiki-20220701-pages-articles-multistream\.xml"
        r"\.bz2 and its index elsewhere and give the dump as --input"
    )
    with pytest.raises(InputError, match=message):
        fetch_dumps(["xh"], "20220701", tmp_path, said.append, dumps="http://a:x", archive="http://a:x")


@pytest.mark.parametrize("date", ["2022-07-01", "latest", "", "20220701/.."])
def test_no_date(server, tmp_path, date):
    with pytest.raises(InputError, match="--date must be a dump's date, such as 20220701"):
        fetch(server, tmp_path, "en", date=date)


def test_lists_of_languages():
    assert languages_of("en, de,en") == ["en", "de"]
    assert languages_of("llama20") == list(LANGUAGES)
    assert len(languages_of("llama20")) == 20
    assert languages_of("als,llama20")[:2] == ["als", "bg"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "''"),
        ("EN", "'EN' (near ones: en"),
        ("en,", "''"),
        ("en/../..", "'en/../..'"),
        ("english", "'english' (near ones: en"),
        ("de,ger", "'ger' (near ones: de, "),
        ("en-US", "'en-US' (near ones: en, "),
        ("xx", "'xx' (near ones: xh)"),
        ("zh_min_nan", "'zh_min_nan' (near ones: zh-min-nan, zh, "),
    ],
)
def test_no_language(text, fault):
    with pytest.raises(InputError) as caught:
        languages_of(text)
    assert str(caught.value).startswith(f"--lang: no Wikipedia has the code {fault}")
    assert str(caught.value).endswith("; give codes of Wikipedias, such as en,de,fr, or llama20")
