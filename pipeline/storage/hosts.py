"""Manners towards a server: few connections at a time, and patience of all workers where it asks one of them for it.

What the processes of a machine know of a host lies in the cache folder, in ``.hosts/<host>``: a file with a lock for
each connection, and ``state.json``, which says until when nobody is to ask. So all workers of all runs that share a
cache slow down together. Nothing of it decides what is fetched, so no output depends on it.

The host is asked again after 1, 2, 4, ... 60 seconds, doubling with each refusal of a request that began after the
refusal before it (those that were under way do not count), and a step back with each file that comes. To that each
process adds up to a quarter by chance, so that they do not all come back at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline.storage.locks import hold

CONNECTIONS = 4  # to a host, at a time
VARIABLE = "LLAMA_CORPUS_CONNECTIONS"
FIRST_DELAY = 1.0  # seconds
LONGEST_DELAY = 60.0
LONGEST_RETRY_AFTER = 300.0  # a server may ask for more patience than this; it gets no more
FORGOTTEN_AFTER = 600.0  # seconds without a refusal, after which the next one counts as the first
LATELY = 3600.0  # seconds since the last file came from a host that serves this network
JITTER = 0.25
_FOLDER = ".hosts"
_FIRST_LOOK = 0.05
_LONGEST_LOOK = 1.0


def connections() -> int:
    """How many connections a host gets: ``$LLAMA_CORPUS_CONNECTIONS``, where that is a number above 0."""
    chosen = os.environ.get(VARIABLE, "")
    return int(chosen) if chosen.isdecimal() and int(chosen) > 0 else CONNECTIONS


def backoff(failures: int) -> float:
    """Seconds to wait after so many failures, without jitter."""
    return float(min(FIRST_DELAY * 2.0 ** min(failures - 1, 10), LONGEST_DELAY))


class Host:
    """A host, as the processes see it that share a cache.

    Args:
        cache: The cache folder.
        name: The host, with its port.
        sleep: How to wait.
    """

    def __init__(self, cache: Path, name: str, sleep: Callable[[float], object] = time.sleep) -> None:
        self.name = name
        self._folder = cache / _FOLDER / re.sub(r"[^a-z0-9-]+", "_", name.lower())[:100]
        self._sleep = sleep
        self._chance = random.Random(f"{os.getpid()} {time.time_ns()}")

    @contextlib.contextmanager
    def connection(self) -> Iterator[None]:
        """Has one of the host's connections, waiting for it, and till the host may be asked."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._slot():
            waited_for = 0.0
            while (until := self._read()["until"]) > waited_for:
                waited_for = until
                left = min(until - time.time(), LONGEST_RETRY_AFTER)  # a clock may have been set back
                if left > 0:
                    self._sleep(self.jittered(left))
            yield

    def jittered(self, seconds: float) -> float:
        """Somewhat more than so many seconds."""
        return seconds * (1 + JITTER * self._chance.random())

    @contextlib.contextmanager
    def _slot(self) -> Iterator[None]:
        pause = _FIRST_LOOK
        while True:
            for number in range(connections()):
                with (self._folder / f"{number}.connection").open("a+b") as slot:
                    if hold(slot):
                        yield
                        return
            self._sleep(self.jittered(pause))
            pause = min(2 * pause, _LONGEST_LOOK)

    def refused(self, began: float, after: float) -> float:
        """Takes note that the host asks to slow down.

        Args:
            began: When the refused request began (``time.time()``).
            after: Seconds that the host asks to wait.

        Returns:
            Seconds till the next try; 0 where another process took note of it before.
        """
        with self._state() as state:
            now = time.time()
            is_news = began >= state["refused"] or now - state["refused"] > FORGOTTEN_AFTER
            if is_news:
                state["strikes"] = 1 if now - state["refused"] > FORGOTTEN_AFTER else state["strikes"] + 1
                state["refused"] = now
            delay = max(backoff(max(1, int(state["strikes"]))), min(after, LONGEST_RETRY_AFTER))
            is_later = now + delay > state["until"] + 1
            state["until"] = max(min(state["until"], now + LONGEST_RETRY_AFTER), now + delay)
        return delay if is_news or is_later else 0.0

    def served(self) -> None:
        """Takes note that a file came."""
        with self._state() as state:
            state["served"], state["strikes"] = time.time(), max(0.0, state["strikes"] - 1)

    def served_lately(self) -> bool:
        """Whether a file came from the host within the last hour."""
        return 0 <= time.time() - self._read()["served"] < LATELY

    def _read(self) -> dict[str, float]:
        try:
            return _parsed((self._folder / "state.json").read_bytes())
        except FileNotFoundError:
            return _parsed(b"")

    @contextlib.contextmanager
    def _state(self) -> Iterator[dict[str, float]]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "state.json").open("a+b") as file:
            hold(file, wait=True)
            file.seek(0)
            state = _parsed(file.read())
            yield state
            file.truncate(0)
            file.write(json.dumps(state).encode())


def _parsed(data: bytes) -> dict[str, float]:
    """The state of a host; that of one that nothing is known of, where it was read while another wrote it."""
    names = ("until", "refused", "strikes", "served")
    try:
        found = json.loads(data)
        return {name: float(found[name]) for name in names}
    except (ValueError, TypeError, KeyError):
        return dict.fromkeys(names, 0.0)
