"""Settings of all tests: property tests draw the same examples in every run, however slow the machine is; every test
has the same name in every run."""

import pytest
from hypothesis import settings

from pipeline.storage import hub as storage
from tests.pipeline.hub_server import Hub
from tests.pipeline.publishers_server import Publishers
from tests.pipeline.web_server import Server

# So that an assertion of theirs that fails says what came instead.
pytest.register_assert_rewrite("tests.tables", "tests.pipeline.storage.contract", "tests.samples.made")

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

LONGEST_NAME = 40


def pytest_make_parametrize_id(val, argname):
    """Bytes that are no short words do not name a test: a gzip header holds the time at which it was written."""
    is_word = isinstance(val, bytes) and len(val) <= LONGEST_NAME and val.isascii() and val.decode().isprintable()
    return argname if isinstance(val, bytes) and not is_word else None


@pytest.fixture
def server(monkeypatch):
    """A web server on loopback."""
    monkeypatch.setenv("no_proxy", "*")
    running = Server()
    yield running
    running.close()


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A stand-in for the Hugging Face hub, whose token is that of a reader."""
    served = Hub()
    monkeypatch.setenv("HF_ENDPOINT", served.url)
    monkeypatch.setenv("HF_TOKEN", "reader")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("LLAMA_CORPUS_CACHE", str(tmp_path / "cache"))
    storage._commit.cache_clear()
    yield served
    served.close()


@pytest.fixture(scope="module")
def publishers():
    """A web server on loopback that plays the publishers of raw data, one for the tests of a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("no_proxy", "*")
        running = Publishers()
        yield running
        running.close()
