"""Fetching of raw dumps and models over http(s), into a local cache.

A download is streamed to ``<name>.part`` and renamed when it is whole.  A broken one goes on where it stopped, if
the server still has the same file: the part's ``ETag`` or ``Last-Modified`` lies beside it and is sent with the
range (RFC 9110, If-Range).  One process fetches a file at a time; another that wants it waits, and then finds it.

Servers are asked politely: see ``pipeline.storage.hosts``; what is tried again: ``pipeline.storage.download``.
"""

import hashlib
import os
import re
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pipeline.storage.fetch_errors import FetchError, ThrottledError, TryAgainError
from pipeline.storage.hosts import LONGEST_RETRY_AFTER, Host, backoff
from pipeline.storage.locks import hold

if TYPE_CHECKING:
    from pipeline.storage.download import Download

TIMEOUT = 60.0  # seconds without a byte
PROGRESS_BYTES = 1 << 20  # a try that brought so much is none of those without progress

_COPY_BYTES = 1 << 20
_LONGEST_NAME = 120
_URL_CHARACTERS = "%/:=&?~#+!$,;'@()*[]"  # what quote() leaves as it is, beside letters, digits and "_.-"


class CacheError(FetchError):
    """A file that came could not be written into the cache: the fault is this machine's."""


def fetch(
    url: str,
    cache_dir: Path,
    *,
    checksum: str | None = None,
    attempts: int | None = None,
    timeout: float = TIMEOUT,
    sleep: Callable[[float], object] = time.sleep,
) -> Path:
    """Fetches a file into a cache, unless it is there.

    Statuses 408, 425, 429 and 5xx, some 403, broken connections and timeouts are tried again after 1, 2, 4, ... 60
    seconds, or after what ``Retry-After`` says if that is longer (300 seconds at most), and up to a quarter more.
    After 429, 503 and 403 all processes wait that share the cache.  A server whose name is not found is tried three
    times.

    Args:
        url: Http or https address.
        cache_dir: Folder of the cache, made if missing; must be on a file system with locks.
        checksum: What the file must have, as the algorithm and hexadecimal digits: ``sha256:...``, ``sha1:...``. A
            cached file with another one is fetched again.
        attempts: Tries without progress (1 MiB) before giving up; by default as many as the failure deserves.
        timeout: Seconds without a byte after which a try has failed.
        sleep: How to wait.

    Returns:
        The file in the cache. Its name holds a hash of the address, so equal base names do not meet.

    Raises:
        CacheError: The cache cannot be written.
        FetchError: The file cannot be had. What has come of it stays and is used by the next call, except after a
            wrong check sum.
    """
    url = _quoted(url)
    target = cache_dir / _cache_name(url)
    if _is_wanted(target, checksum):
        return target
    part = target.with_name(target.name + ".part")
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with _locked(part) as file:
            if not _is_wanted(target, checksum):  # another process may have fetched it meanwhile
                host = Host(cache_dir, urllib.parse.urlsplit(url).netloc.rpartition("@")[2], sleep)
                from pipeline.storage.download import Download  # noqa: PLC0415 - most runs fetch nothing

                download = Download(url, file, target.with_name(target.name + ".validator"), timeout, host)
                _persist(download, attempts, sleep)
                download.forget()
                _check_sum(url, file, checksum, target)
                os.fsync(file.fileno())
                os.replace(part, target)
    except OSError as error:
        raise CacheError(f"Cannot write {url} into the cache {cache_dir}: {error.strerror or error}", url) from error
    return target


def cached(url: str, cache_dir: Path) -> Path | None:
    """The file that :func:`fetch` would find in the cache, without asking the server; None where there is none."""
    target = cache_dir / _cache_name(_quoted(url))
    return target if _is_wanted(target, None) else None


def forget(url: str, cache_dir: Path) -> None:
    """Removes a fetched file from the cache, so that it is fetched anew: it was not what the source reads.

    Raises:
        FetchError: It cannot be removed.
    """
    target = cache_dir / _cache_name(_quoted(url))
    try:
        target.unlink(missing_ok=True)
    except OSError as error:
        raise FetchError(f"Cannot remove {target} from the cache: {error}", url) from error


def file_name(url: str) -> str:
    """What an address ends in, without its query: the name of the file, empty where it names none."""
    return urllib.parse.unquote(urllib.parse.urlsplit(url).path.rpartition("/")[2])


def _quoted(url: str) -> str:
    return urllib.parse.quote(urllib.parse.urldefrag(url).url, safe=_URL_CHARACTERS)


def _cache_name(url: str) -> str:
    """A file name of the URL's own base name, made harmless, and a hash of the whole URL."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme.lower() not in ("http", "https") or not parts.netloc:
        raise FetchError(f"{url!r} is no http or https address.", url)
    base = re.sub(r"[^A-Za-z0-9._-]", "_", parts.path.rstrip("/").rpartition("/")[2]).lstrip(".")
    return f"{hashlib.sha256(url.encode()).hexdigest()[:16]}-{base[-_LONGEST_NAME:] or 'index'}"


def _is_wanted(target: Path, checksum: str | None) -> bool:
    if not target.is_file():
        return False
    if checksum is None:
        return True
    with target.open("rb") as file:
        return _sum(file, checksum) == checksum.lower()


def _sum(file: IO[bytes], like: str) -> str:
    """The check sum of a file by the algorithm of another one."""
    name = like.partition(":")[0].lower()
    file.seek(0)
    digest = hashlib.new(name, usedforsecurity=False)
    while data := file.read(_COPY_BYTES):
        digest.update(data)
    return f"{name}:{digest.hexdigest()}"


def _check_sum(url: str, file: IO[bytes], checksum: str | None, target: Path) -> None:
    if checksum is None or (found := _sum(file, checksum)) == checksum.lower():
        return
    file.truncate(0)
    target.unlink(missing_ok=True)
    raise FetchError(
        f"{url} has the check sum {found}, not {checksum.lower()}: it was removed. The file at the source has changed, "
        f"or something on the way answers in its place.",
        url,
    )


@contextmanager
def _locked(part: Path) -> Iterator[IO[bytes]]:
    """Open a part for this process alone, waiting for another that has it.

    The lock dies with its process. It is on the part itself, so after waiting the part may have become the file.
    """
    while True:
        with part.open("a+b") as file:
            hold(file, wait=True)
            try:
                is_current = os.path.samestat(os.fstat(file.fileno()), part.stat())
            except FileNotFoundError:
                is_current = False
            if is_current:
                try:
                    yield file
                finally:
                    if os.fstat(file.fileno()).st_size == 0:  # nothing to go on from
                        part.unlink(missing_ok=True)
                return


def tell(sentence: str) -> None:
    """Tells who waits for what; on the process's own standard error, since workers give none to what they run."""
    if sys.__stderr__ is not None:
        sys.__stderr__.write(f"{sentence}\n")
        sys.__stderr__.flush()


def _persist(download: "Download", attempts: int | None, sleep: Callable[[float], object]) -> None:
    """Try until the part is whole."""
    failures, most, host = 0, download.size, download.host
    while True:
        try:
            with host.connection():
                began = time.time()
                download.attempt()
            host.served()
        except TryAgainError as error:
            failures = 1 if download.size - most >= PROGRESS_BYTES else failures + 1
            most = max(most, download.size)  # a server that begins anew each time makes no progress
            last = min(attempts or error.attempts, error.attempts)
            if failures >= last:
                message = f"Gave up on {download.url} after {failures} {'tries' if failures > 1 else 'try'}: {error}."
                message += error.advice
                if download.size:
                    message += " What has come is kept: the same command later goes on from there."
                raise FetchError(message, download.url, error.status) from error
            if isinstance(error, ThrottledError):
                if delay := host.refused(began, error.after):
                    tell(f"{host.name} asks to slow down ({error}): next try in {delay:.0f} s")
            else:
                delay = host.jittered(max(backoff(failures), min(error.after, LONGEST_RETRY_AFTER)))
                tell(f"{download.url}: {error}; try {failures + 1} of {last} follows in {delay:.0f} s")
                sleep(delay)
        else:
            return
