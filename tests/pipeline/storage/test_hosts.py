"""Manners towards a host, shared through the cache folder; nobody really sleeps."""

import json
import time
from contextlib import ExitStack

import pytest

from pipeline.storage.hosts import CONNECTIONS, VARIABLE, Host, backoff, connections

JUST_NOW = 0.5  # seconds that a test may take on a busy machine


def quiet_for(host: Host) -> float:
    """Seconds that another process would wait before it asks, without what chance adds."""
    slept: list[float] = []
    other = Host(host._folder.parents[1], host.name, slept.append)
    with other.connection():
        pass
    assert len(slept) <= 1
    return slept[0] / 1.125 if slept else 0.0


def about(seconds: float) -> object:
    return pytest.approx(seconds, rel=0.12, abs=JUST_NOW)


def test_delays_double_up_to_a_minute():
    assert [backoff(failures) for failures in (1, 2, 3, 6, 7, 100_000)] == [1.0, 2.0, 4.0, 32.0, 60.0, 60.0]


@pytest.mark.parametrize(("chosen", "number"), [("2", 2), ("0", CONNECTIONS), ("many", CONNECTIONS), ("", CONNECTIONS)])
def test_the_number_of_connections(monkeypatch, chosen, number):
    monkeypatch.setenv(VARIABLE, chosen)
    assert connections() == number


def test_a_connection_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "2")
    with ExitStack() as first, Host(tmp_path, "a.example:443").connection():
        first.enter_context(Host(tmp_path, "a.example:443").connection())
        with Host(tmp_path, "b.example").connection():  # another host has connections of its own
            pass
        slept = []

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            if len(slept) == 3:
                first.close()

        with Host(tmp_path, "A.example:443", sleep).connection():
            assert len(slept) == 3


def test_refusals_of_requests_under_way_count_once(tmp_path):
    host = Host(tmp_path, "h")
    began = time.time()
    assert host.refused(began, 0.0) == 1.0
    assert [host.refused(began - 5, 0.0) for _ in range(8)] == [0.0] * 8
    assert quiet_for(host) == about(1)
    assert [host.refused(time.time(), 0.0) for _ in range(5)] == [2.0, 4.0, 8.0, 16.0, 32.0]
    assert quiet_for(host) == about(32)
    host.served()
    host.served()
    assert host.refused(time.time(), 0.0) == 16.0
    assert host.served_lately()


def test_a_host_that_asks_for_more_patience_gets_it_up_to_five_minutes(tmp_path):
    host = Host(tmp_path, "h")
    began = time.time()
    assert host.refused(began, 40.0) == 40.0
    assert host.refused(began - 1, 90.0) == 90.0  # told by another request: later than was known
    assert quiet_for(host) == about(90)
    assert host.refused(time.time(), 1e9) == 300.0
    assert quiet_for(host) == about(300)


def test_what_is_known_is_forgotten_and_a_file_that_is_damaged_says_nothing(tmp_path):
    host = Host(tmp_path, "h")
    host.refused(time.time(), 0.0)
    host.refused(time.time(), 0.0)
    state = host._folder / "state.json"
    old = {"until": time.time() + 1e6, "refused": time.time() - 700, "strikes": 9, "served": time.time() - 4000}
    state.write_text(json.dumps(old))
    assert quiet_for(host) == about(300)  # whatever a clock says
    assert not host.served_lately()
    assert host.refused(time.time(), 0.0) == 1.0
    for damaged in (b"", b"{", b"[1]", b'{"until": "soon"}', b"\xff"):
        state.write_bytes(damaged)
        assert quiet_for(host) == 0.0
    assert host.refused(time.time(), 0.0) == 1.0


def test_a_name_stays_in_the_folder(tmp_path):
    with Host(tmp_path, "../../x/[::1]:80").connection():
        pass
    assert [path.name for path in (tmp_path / ".hosts").iterdir()] == ["_x_1_80"]
