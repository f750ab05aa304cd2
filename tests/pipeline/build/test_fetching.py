"""Raw files that come ahead: what is gone is told apart from what cannot be had for now."""

import hashlib

import pytest

from pipeline.build.fetching import Fetcher, GoneError
from pipeline.build.process import StoppedError
from pipeline.build.units import RawFile, Unit
from pipeline.storage.fetch import cached
from pipeline.storage.fetch_errors import FetchError
from tests.pipeline.web_server import DATA, status, whole

MD5 = f"md5:{hashlib.md5(DATA, usedforsecurity=False).hexdigest()}"


@pytest.fixture
def fetcher(tmp_path):
    made = Fetcher(tmp_path)
    yield made
    made.close()


def unit(server, *names, **more):
    return Unit("u", "s", tuple(RawFile(server.url + name, **more) for name in names))


def never():
    return None


def test_files_come_once_and_go_when_they_are_not_needed(server, fetcher, tmp_path):
    one = unit(server, "a", "b", checksum=MD5)
    assert len(fetcher.wanting([one])) == 2
    fetcher.take(one, never)
    fetcher.take(one, never)
    assert len(server.requests) == 2
    assert fetcher.wanting([one]) == []
    assert fetcher.size(one, 7.0) == 2 * len(DATA)
    fetcher.remove([one])
    assert cached(server.url + "a", tmp_path) is None
    assert fetcher.size(one, 7.0) == 14.0


def test_a_file_that_is_gone_is_told_apart(server, fetcher):
    server.answers = [status(404)]
    with pytest.raises(GoneError, match="There is no such file"):
        fetcher.take(unit(server, "a"), never)
    server.answers = [whole()]
    fetcher.take(unit(server, "a"), never)  # tried again


def test_what_a_source_finds_beside_may_be_gone(server, fetcher):
    server.answers = [status(404)]
    fetcher.take(unit(server, "index", beside=True), never)


def test_a_wrong_checksum_is_no_file_that_is_gone(server, fetcher):
    with pytest.raises(FetchError, match="has the check sum md5:"):
        fetcher.take(unit(server, "a", checksum=f"md5:{'0' * 32}"), never)


def test_waiting_ends_for_a_reason(server, fetcher):
    server.answers = [whole(pause=1.0)]
    with pytest.raises(StoppedError, match="full"):
        fetcher.take(unit(server, "a"), lambda: "full")


def test_what_is_no_web_address_is_read_where_it_is(fetcher):
    local = Unit("u", "s", (RawFile("/data/a", 3), RawFile("s3://b/c", -1)))
    fetcher.take(local, never)
    assert fetcher.wanting([local]) == []
    assert fetcher.size(local, 5.0) == 8.0
