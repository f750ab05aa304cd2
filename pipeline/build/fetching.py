"""Raw files over http(s) that come ahead of the command that reads them, into the cache that it is given.

What lies elsewhere (local files, object stores, the hub) is read where it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from pipeline.build.process import LOOK_SECONDS, StoppedError
from pipeline.build.units import RawFile, Unit
from pipeline.storage.fetch import cached, fetch, forget
from pipeline.storage.fetch_errors import FetchError
from pipeline.storage.filesystem import is_web
from pipeline.storage.hosts import CONNECTIONS

GONE = (404, 410)


class GoneError(Exception):
    """A file is not at its publisher any more; says which."""


class Fetcher:
    """Fetches files ahead; those of one host a few at a time, as ``pipeline.storage.hosts`` has it."""

    def __init__(self, cache: Path) -> None:
        """Takes the cache folder."""
        self._cache = cache
        self._pool = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="fetch")
        self._coming: dict[str, Future[Path]] = {}

    def ahead(self, units: Iterable[Unit]) -> None:
        """Has the files of some units fetched; what is asked for first comes first."""
        for unit in units:
            for file in unit.files:
                if is_web(file.url) and file.url not in self._coming:
                    self._coming[file.url] = self._pool.submit(fetch, file.url, self._cache, checksum=file.checksum)

    @property
    def coming(self) -> int:
        """How many files are on their way, or wait for their turn."""
        return sum(not future.done() for future in self._coming.values())

    def wanting(self, units: Iterable[Unit]) -> list[RawFile]:
        """The files of some units that are not there yet."""
        files = (file for unit in units for file in unit.files if is_web(file.url))
        return [file for file in files if not self._is_there(file)]

    def _is_there(self, file: RawFile) -> bool:
        coming = self._coming.get(file.url)
        return coming.done() if coming else cached(file.url, self._cache) is not None

    def take(self, unit: Unit, watch: Callable[[], str | None]) -> None:
        """Waits for the files of a unit.

        Args:
            unit: The unit.
            watch: Called now and then; where it gives a reason, waiting ends.

        Raises:
            GoneError: One is not at its publisher any more.
            FetchError: One cannot be had for now.
            StoppedError: ``watch`` gave a reason.
        """
        self.ahead([unit])
        for file in unit.files:
            future = self._coming.get(file.url)
            if future is None:
                continue
            while not wait([future], LOOK_SECONDS).done:
                if reason := watch():
                    raise StoppedError(reason)
            try:
                future.result()
            except FetchError as error:
                del self._coming[file.url]  # the next call tries again
                if error.status in GONE and not file.beside:
                    raise GoneError(str(error)) from error
                if error.status in GONE:  # such as the index of a dump: it can be read without
                    continue
                raise

    def size(self, unit: Unit, default: float) -> float:
        """The bytes of a unit's files: as they lie in the cache, else as listed, else a default for each."""
        sizes = [0.0]
        for file in unit.files:
            there = cached(file.url, self._cache) if is_web(file.url) else None
            sizes.append(there.stat().st_size if there else default if file.bytes < 0 else file.bytes)
        return sum(sizes)

    def came(self, unit: Unit) -> bool:
        """Whether files of a unit were fetched, or are, by this one."""
        return any(file.url in self._coming for file in unit.files)

    def remove(self, units: Iterable[Unit]) -> None:
        """Removes fetched files of units from the cache: they are made."""
        for unit in units:
            for file in unit.files:
                if is_web(file.url):
                    self._coming.pop(file.url, None)
                    forget(file.url, self._cache)

    def close(self) -> None:
        """Ends: what has not begun to come is not fetched; what has, goes on from there another time."""
        self._pool.shutdown(wait=False, cancel_futures=True)
