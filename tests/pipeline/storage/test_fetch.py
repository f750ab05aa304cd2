import os
import pickle
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import OutputError
from pipeline.storage import fetch as fetch_module
from pipeline.storage.fetch import fetch, forget
from pipeline.storage.fetch_errors import FetchError
from pipeline.storage.filesystem import open_input
from pipeline.storage.hosts import Host
from tests.pipeline.web_server import DATA, SHA256, Server, head, ranged, status, whole

ROOT = Path(__file__).parents[3]


@pytest.fixture
def slept():
    return []


def cached(cache: Path) -> list[str]:
    """The files in the cache, but for what it knows of hosts."""
    return sorted(path.name for path in cache.iterdir() if path.name != ".hosts")


def about(*seconds: float) -> Any:
    """Waits of so many seconds, and up to a quarter more."""
    return [pytest.approx(s * 1.12, abs=s * 0.13) for s in seconds]


def test_a_file_is_fetched_once(server, tmp_path):
    url = server.url + "crawl-data/x.warc.wet.gz"
    path = fetch(url, tmp_path / "deep" / "cache")
    assert path.read_bytes() == DATA
    assert path.name.endswith("-x.warc.wet.gz")
    assert cached(path.parent) == [path.name]
    assert fetch(url, tmp_path / "deep" / "cache") == path
    assert len(server.requests) == 1


def test_what_is_forgotten_is_fetched_anew(server, tmp_path):
    url = server.url + "file"
    target = fetch(url, tmp_path)
    target.write_bytes(b"<html>login")
    forget(f"{url}#/name", tmp_path)
    forget(url, tmp_path)  # it is not there: nothing to do
    assert fetch(url, tmp_path).read_bytes() == DATA


def test_503_twice_then_200(server, tmp_path, slept):
    server.answers = [status(503), status(503), whole()]
    assert fetch(server.url + "a", tmp_path, sleep=slept.append).read_bytes() == DATA
    assert slept == about(1, 2)


@pytest.mark.parametrize("code", [408, 425, 429, 500, 502, 504])
def test_other_states_that_pass(server, tmp_path, slept, code):
    server.answers = [status(code), whole()]
    assert fetch(server.url + "a", tmp_path, sleep=slept.append).read_bytes() == DATA
    assert slept == about(1)


def test_delays_double_up_to_a_minute_and_then_it_gives_up(server, tmp_path, slept):
    server.answers = [status(503)]
    with pytest.raises(FetchError, match=r"Gave up on http://.*/a after 12 tries: the server answered 503") as caught:
        fetch(server.url + "a", tmp_path, sleep=slept.append)
    assert slept == about(1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60)
    assert (caught.value.status, caught.value.url) == (503, server.url + "a")
    assert cached(tmp_path) == []


@pytest.mark.parametrize(
    ("retry_after", "expected"), [("7", 7.0), ("0", 1.0), ("100000", 300.0), ("soon", 1.0), ("-5", 1.0), ("", 1.0)]
)
def test_retry_after_in_seconds(server, tmp_path, slept, retry_after, expected):
    server.answers = [status(429, **{"Retry-After": retry_after}), whole()]
    fetch(server.url + "a", tmp_path, sleep=slept.append)
    assert slept == about(expected)


def test_retry_after_as_a_date(server, tmp_path, slept):
    server.answers = [status(503, **{"Retry-After": formatdate(time.time() + 100, usegmt=True)}), whole()]
    fetch(server.url + "a", tmp_path, sleep=slept.append)
    assert 50 < slept[0] <= 125


def test_a_cut_connection_is_resumed_with_a_range(server, tmp_path, slept):
    server.answers = [whole(cut=300_000), ranged(cut=100_000), ranged()]
    assert fetch(server.url + "a", tmp_path, checksum=f"sha256:{SHA256}", sleep=slept.append).read_bytes() == DATA
    assert server.requests == [
        ("/a", None, None),
        ("/a", "bytes=300000-", '"one"'),
        ("/a", "bytes=400000-", '"one"'),
    ]
    assert len(cached(tmp_path)) == 1


def test_a_later_call_resumes_too(server, tmp_path, slept):
    server.answers = [whole(cut=300_000)]
    with pytest.raises(FetchError, match="the connection ended after 300000 of 1024000 bytes"):
        fetch(server.url + "a", tmp_path, attempts=1, sleep=slept.append)
    assert [name.split(".")[-1] for name in cached(tmp_path)] == ["part", "validator"]
    server.answers = [ranged()]
    assert fetch(server.url + "a", tmp_path).read_bytes() == DATA
    assert server.ranges == [None, "bytes=300000-"]


def test_last_modified_serves_where_there_is_no_strong_tag(server, tmp_path, slept):
    date = "Mon, 15 Jul 2019 00:02:11 GMT"
    server.answers = [whole(tag='W/"weak"', cut=10, **{"Last-Modified": date}), ranged(tag=date, sent_tag='W/"weak"')]
    assert fetch(server.url + "a", tmp_path, sleep=slept.append).read_bytes() == DATA
    assert server.requests[1] == ("/a", "bytes=10-", date)


def test_without_a_validator_nothing_is_resumed(server, tmp_path, slept):
    server.answers = [whole(tag=None, cut=300_000), whole(tag='W/"weak"')]
    assert fetch(server.url + "a", tmp_path, sleep=slept.append).read_bytes() == DATA
    assert server.ranges == [None, None]


def test_a_server_that_ignores_ranges(server, tmp_path, slept):
    server.answers = [whole(cut=300_000), whole()]
    assert fetch(server.url + "a", tmp_path, sleep=slept.append).read_bytes() == DATA
    assert server.ranges == [None, "bytes=300000-"]


def test_the_file_changes_between_tries(server, tmp_path, slept):
    new = DATA[::-1]
    server.answers = [whole(cut=300_000), ranged(new, tag='"two"')]
    assert fetch(server.url + "a", tmp_path, sleep=slept.append).read_bytes() == new


def test_a_range_of_another_file_is_not_joined(server, tmp_path, slept):
    new = DATA[::-1]
    server.answers = [whole(cut=300_000), ranged(new, tag='"one"', sent_tag='"two"'), whole(new, tag='"two"')]
    assert fetch(server.url + "a", tmp_path, sleep=slept.append).read_bytes() == new
    assert server.ranges == [None, "bytes=300000-", None]


def test_a_part_that_is_whole_already(server, tmp_path, slept):
    fetch(server.url + "a", tmp_path)
    target = tmp_path / cached(tmp_path)[0]
    target.rename(target.with_name(target.name + ".part"))
    target.with_name(target.name + ".validator").write_text('"one"')
    server.answers = [ranged()]
    assert fetch(server.url + "a", tmp_path).read_bytes() == DATA
    assert server.ranges == [None, f"bytes={len(DATA)}-"]


def test_the_file_became_shorter_than_the_part(server, tmp_path, slept):
    server.answers = [whole(cut=300_000), status(416, **{"Content-Range": "bytes */10"}), whole(DATA[:10], tag='"two"')]
    assert fetch(server.url + "a", tmp_path, sleep=slept.append).read_bytes() == DATA[:10]
    assert server.ranges == [None, "bytes=300000-", None]


def test_tries_that_bring_something_do_not_count(server, tmp_path, slept, monkeypatch):
    monkeypatch.setattr(fetch_module, "PROGRESS_BYTES", 100_000)
    server.answers = [whole(cut=100_000), *[ranged(cut=100_000)] * 20]
    assert fetch(server.url + "a", tmp_path, attempts=2, sleep=slept.append).read_bytes() == DATA
    assert slept == about(*[1] * 10)


def test_an_answer_without_a_length(server, tmp_path):
    def chunked(handler):
        handler.protocol_version = "HTTP/1.1"
        head(handler, 200, {"Transfer-Encoding": "chunked", "Connection": "close"})
        handler.wfile.write(b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")

    server.answers = [chunked]
    assert fetch(server.url + "a", tmp_path).read_bytes() == b"abcdefg"


def test_a_cut_answer_without_a_length(server, tmp_path, slept):
    def cut(handler):
        handler.protocol_version = "HTTP/1.1"
        head(handler, 200, {"Transfer-Encoding": "chunked", "Connection": "close"})
        handler.wfile.write(b"3\r\nabc\r\n400\r\ndefg")
        handler.close_connection = True

    server.answers = [cut, whole()]
    assert fetch(server.url + "a", tmp_path, sleep=slept.append).read_bytes() == DATA
    assert slept == about(1)


def test_an_empty_file(server, tmp_path):
    server.answers = [whole(b"")]
    assert fetch(server.url + "a", tmp_path).read_bytes() == b""


def test_the_server_hangs(server, tmp_path, slept):
    server.answers = [whole(pause=1.0), whole()]
    assert fetch(server.url + "a", tmp_path, timeout=0.2, sleep=slept.append).read_bytes() == DATA
    assert slept == about(1)


def test_nobody_listens(tmp_path, slept):
    running = Server()
    running.close()
    with pytest.raises(FetchError, match=r"after 3 tries: the connection failed .*refused"):
        fetch(running.url + "a", tmp_path, attempts=3, sleep=slept.append)
    assert slept == about(1, 2)


def test_a_server_that_has_no_address_is_given_up_soon(tmp_path, slept):
    """RFC 6761: names in .invalid are never known."""
    with pytest.raises(FetchError) as caught:
        fetch("http://dumps.invalid/a", tmp_path, sleep=slept.append)
    assert re.fullmatch(
        r"Gave up on http://dumps\.invalid/a after 3 tries: no server of that name is found \(.*\)\. Check the "
        r"address and this machine's network \(https_proxy, where it needs one\), or fetch the file elsewhere and give "
        r"its path\.",
        str(caught.value),
    )
    assert (caught.value.status, slept, cached(tmp_path)) == (None, about(1, 2), [])


def test_what_has_come_is_promised_to_be_kept_only_where_something_has(server, tmp_path, slept):
    server.answers = [status(503)]
    with pytest.raises(
        FetchError, match=r"answered 503 .* \(LLAMA_CORPUS_CONNECTIONS, which is 4 where it is not set\)\.$"
    ):
        fetch(server.url + "a", tmp_path, attempts=1, sleep=slept.append)
    server.answers = [*[status(503)] * 1, whole(cut=1000), status(503)]
    with pytest.raises(FetchError, match=r"503 .*\. What has come is kept: the same command later goes on from there"):
        fetch(server.url + "a", tmp_path, attempts=2, sleep=slept.append)


@pytest.mark.parametrize(
    ("code", "advice"),
    [(404, "There is no such file"), (403, "The server refuses"), (410, "gone"), (401, "login"), (400, "not help")],
)
def test_refusals_are_not_tried_again(server, tmp_path, slept, code, advice):
    server.answers = [status(code)]
    with pytest.raises(
        FetchError, match=rf"Cannot fetch http://\S+/a: the server answered {code} .*{advice}"
    ) as caught:
        fetch(server.url + "a", tmp_path, sleep=slept.append)
    assert (caught.value.status, slept, len(server.requests)) == (code, [], 1)
    assert cached(tmp_path) == []


DENIED = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"


def forbidden(body: bytes = b"", **headers: str) -> Callable[[Any], None]:
    def answer(handler: Any) -> None:
        head(handler, 403, {"Content-Length": len(body), **{k.replace("_", "-"): v for k, v in headers.items()}})
        handler.wfile.write(body)

    return answer


@pytest.mark.parametrize(
    ("refusal", "delay"),
    [
        (forbidden(b"<html>Request blocked.", Server="CloudFront", X_Cache="Error from cloudfront"), 30),
        (forbidden(Retry_After="77"), 77),
    ],
)
def test_a_firewall_that_says_403_to_who_asks_too_fast(server, tmp_path, slept, refusal, delay, capfd):
    server.answers = [refusal, refusal, whole()]
    assert fetch(server.url + "a", tmp_path, sleep=slept.append).read_bytes() == DATA
    assert slept == about(delay, delay)
    said = f"{server.url[7:-1]} asks to slow down (the server answered 403 Forbidden): next try in {delay} s\n"
    assert capfd.readouterr().err == said * 2


def test_a_host_that_served_lately_and_now_says_403_is_given_some_minutes(server, tmp_path, slept):
    fetch(server.url + "a", tmp_path)
    server.answers = [forbidden()]
    with pytest.raises(FetchError, match=r"Gave up on .*/b after 12 tries: .* 403 .* give it an hour, and fewer conn"):
        fetch(server.url + "b", tmp_path, sleep=slept.append)
    assert 5 < sum(slept) / 60 < 10


def test_what_may_not_be_read_or_is_not_there_is_told_at_once(server, tmp_path, slept):
    """S3 says so in its body; CloudFront hands it on, under its own name."""
    fetch(server.url + "a", tmp_path)
    server.answers = [forbidden(DENIED, Server="AmazonS3", X_Cache="Error from cloudfront", Retry_After="9")]
    with pytest.raises(FetchError, match=r"403 Forbidden\. The server refuses: what it has there may"):
        fetch(server.url + "b", tmp_path, sleep=slept.append)
    assert slept == []


def test_all_that_share_a_cache_slow_down_when_one_is_told_to(server, tmp_path, slept):
    server.answers = [status(503, **{"Retry-After": "40"}), whole()]
    with pytest.raises(FetchError):
        fetch(server.url + "a", tmp_path, attempts=1, sleep=slept.append)
    Host(tmp_path, server.url[7:-1]).refused(time.time(), 40.0)
    fetch(server.url + "b", tmp_path, sleep=slept.append)
    assert slept == about(40)


def test_the_length_changes_between_tries(server, tmp_path, slept):
    """The same tag, but another length: what is here is not the beginning of that file."""
    server.answers = [whole(cut=300_000), ranged(DATA + b"more"), whole(DATA + b"more")]
    assert fetch(server.url + "a", tmp_path, sleep=slept.append).read_bytes() == DATA + b"more"
    assert server.ranges == [None, "bytes=300000-", None]
    server.answers = [*[status(503)] * 3, whole(cut=300_000), ranged(DATA[:300_000])]
    with pytest.raises(FetchError, match=r"has become shorter"):
        fetch(server.url + "b", tmp_path, attempts=2, sleep=slept.append)


def test_no_more_is_taken_than_the_length_says(server, tmp_path, slept):
    server.answers = [whole(DATA + b"more", **{"Content-Length": len(DATA)})]
    assert fetch(server.url + "a", tmp_path, checksum=f"sha256:{SHA256}", sleep=slept.append).read_bytes() == DATA


def test_a_server_that_begins_anew_each_time_is_given_up(server, tmp_path, slept, monkeypatch):
    monkeypatch.setattr(fetch_module, "PROGRESS_BYTES", 100_000)
    server.answers = [whole(cut=cut) for cut in (100_000, 300_000) * 6]
    with pytest.raises(FetchError, match=r"after 3 tries: the connection ended after 300000 of 1024000 bytes"):
        fetch(server.url + "a", tmp_path, attempts=3, sleep=slept.append)
    assert len(server.requests) == 4


def test_redirects_are_followed(server, tmp_path):
    server.answers = [status(302, Location="/b"), whole()]
    assert fetch(server.url + "a", tmp_path).read_bytes() == DATA
    assert [path for path, _, _ in server.requests] == ["/a", "/b"]


def test_a_redirect_to_a_local_file_is_refused(server, tmp_path, slept):
    server.answers = [status(302, Location="file:///etc/hostname")]
    with pytest.raises(FetchError, match="302"):
        fetch(server.url + "a", tmp_path, sleep=slept.append)


def test_a_wrong_check_sum_removes_the_file_and_tells_both(server, tmp_path):
    with pytest.raises(FetchError, match=rf"has the check sum sha256:{SHA256}, not sha256:{'0' * 64}: it was removed"):
        fetch(server.url + "a", tmp_path, checksum=f"sha256:{'0' * 64}")
    assert cached(tmp_path) == []


def test_a_cached_file_with_another_check_sum_is_fetched_again(server, tmp_path):
    server.answers = [whole(b"old"), whole()]
    assert fetch(server.url + "a", tmp_path).read_bytes() == b"old"
    assert fetch(server.url + "a", tmp_path, checksum=f"sha256:{SHA256}".upper()).read_bytes() == DATA
    assert fetch(server.url + "a", tmp_path, checksum=f"sha256:{SHA256}").read_bytes() == DATA
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "path",
    [
        "x/data.gz",
        "y/data.gz",
        "y/data.gz?version=2",
        "..",
        "a/..",
        "%2e%2e%2fetc",
        "..%2f..%2fx",
        ".hidden",
        "",
        "日本",
    ],
)
def test_names_stay_in_the_cache_and_do_not_meet(server, tmp_path, path):
    cache = tmp_path / "cache"
    other = fetch(server.url + "other/data.gz", cache)
    found = fetch(server.url + path, cache)
    assert found.parent == cache
    assert found != other
    assert re.fullmatch(r"[0-9a-f]{16}-[A-Za-z0-9_-][A-Za-z0-9._-]*", found.name)
    assert [entry.name for entry in tmp_path.iterdir()] == ["cache"]


def test_a_very_long_name(server, tmp_path):
    assert fetch(server.url + "n" * 3000 + ".gz", tmp_path).name.endswith("nnn.gz")


@pytest.mark.parametrize(
    "url", ["ftp://a.example/x", "file:///etc/passwd", "/etc/passwd", "http:///x", "http://h:port/"]
)
def test_other_addresses_are_refused(tmp_path, url):
    with pytest.raises(FetchError, match="is no http or https address"):
        fetch(url, tmp_path)


def test_a_cache_that_cannot_be_written(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FetchError, match=r"Cannot write .* into the cache"):
        fetch(server.url + "a", tmp_path / "file")
    with pytest.raises(OutputError, match=r"into the cache .*\. Free space there or choose another folder \(--cache"):
        open_input(server.url + "a", tmp_path / "file")


def test_the_error_survives_pickling():
    error = pickle.loads(pickle.dumps(FetchError("what happened", "http://a.example/", 503)))
    assert (str(error), error.url, error.status) == ("what happened", "http://a.example/", 503)


def start_fetcher(url: str, cache: Path) -> subprocess.Popen:
    load = "from pipeline.storage.fetch import fetch"
    code = f"import sys, pathlib; {load}; print(fetch(sys.argv[1], pathlib.Path(sys.argv[2])))"
    command = [sys.executable, "-c", code, url, str(cache)]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "no_proxy": "*"}, stdout=subprocess.PIPE, text=True)


def test_two_processes_fetch_a_file_once(server, tmp_path):
    server.answers = [whole(pause=1.0)]
    processes = [start_fetcher(server.url + "a", tmp_path) for _ in range(2)]
    paths = {process.communicate(timeout=60)[0].strip() for process in processes}
    assert [process.returncode for process in processes] == [0, 0]
    (path,) = paths
    assert Path(path).read_bytes() == DATA
    assert len(server.requests) == 1
    assert cached(tmp_path) == [Path(path).name]


def test_a_process_goes_on_where_a_killed_one_stopped(server, tmp_path):
    arrived = threading.Event()

    def stall(handler):
        head(handler, 200, {"Content-Length": len(DATA), "ETag": '"one"'})
        handler.wfile.write(DATA[:500_000])
        arrived.wait(60)
        handler.close_connection = True

    server.answers = [stall, ranged()]
    process = start_fetcher(server.url + "a", tmp_path)
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size > 100_000 for path in tmp_path.glob("*.part")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    size = next(tmp_path.glob("*.part")).stat().st_size
    arrived.set()
    assert fetch(server.url + "a", tmp_path).read_bytes() == DATA
    assert server.ranges == [None, f"bytes={size}-"]
