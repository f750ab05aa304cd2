"""Fetching of raw dumps and models over http(s), into a local cache.

A download is streamed to ``<name>.part`` and renamed when it is whole.  A broken one goes on where it stopped, if
the server still has the same file: the part's ``ETag`` or ``Last-Modified`` lies beside it and is sent with the
range (RFC 9110, If-Range).  One process fetches a file at a time; another that wants it waits, and then finds it.
"""

import email.utils
import errno
import fcntl
import hashlib
import http.client
import os
import re
import socket
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

ATTEMPTS = 8  # tries without progress: with the delays below, the last one comes two minutes after the first
UNREACHABLE_ATTEMPTS = 4  # where the connection is refused: seven seconds, in each pass that reads the file
NAME_ATTEMPTS = 3  # where no server of the name is found: that passes soon, or not at all
FIRST_DELAY = 1.0  # seconds; doubles with each failure
LONGEST_DELAY = 60.0
LONGEST_RETRY_AFTER = 300.0  # a server may ask for more patience than this; it gets no more
TIMEOUT = 60.0  # seconds without a byte
PROGRESS_BYTES = 1 << 20  # a try that brought so much is none of those without progress

_NO_WAY = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH})
_COPY_BYTES = 1 << 20
_LONGEST_NAME = 120
_TRY_AGAIN = frozenset({408, 425, 429, *range(500, 600)})
_URL_CHARACTERS = "%/:=&?~#+!$,;'@()*[]"  # what quote() leaves as it is, beside letters, digits and "_.-"
_CONTENT_RANGE = re.compile(r"bytes (?:(\d{1,18})-\d{1,18}|\*)/(\d{1,18}|\*)")
_ADVICE = {
    401: "The server asks for a login, which is not supported: fetch the file yourself and give its path.",
    403: "The server refuses: the address may be wrong, or this network is blocked for a while.",
    404: "There is no such file: check the address.",
    410: "The file is gone from there: look for another place that has it.",
}


class FetchError(Exception):
    """A file could not be fetched; the message says what happened and what to do.

    Attributes:
        url: What was to be fetched.
        status: The server's last answer, or None where there was none.
    """

    def __init__(self, message: str, url: str = "", status: int | None = None) -> None:
        super().__init__(message)
        self.url = url
        self.status = status


class CacheError(FetchError):
    """A file that came could not be written into the cache: the fault is this machine's."""


class _TryAgainError(Exception):
    """A failure that may pass; ``after`` are the seconds that the server asks to wait."""

    attempts = ATTEMPTS
    advice = ""

    def __init__(self, what: str, status: int | None = None, after: float = 0.0) -> None:
        super().__init__(what)
        self.status = status
        self.after = after


class _UnreachableError(_TryAgainError):
    """Nobody listens at the address: a server that starts anew does soon, others never."""

    attempts = UNREACHABLE_ATTEMPTS
    advice = " Check the address, its port, and whether a proxy is needed (https_proxy)."


class _UnknownNameError(_TryAgainError):
    """No server of the address's name is found; without a network that is so for every name."""

    attempts = NAME_ATTEMPTS
    advice = (
        " Check the address and this machine's network (https_proxy, where it needs one), or fetch the file "
        "elsewhere and give its path."
    )


def fetch(
    url: str,
    cache_dir: Path,
    *,
    sha256: str | None = None,
    attempts: int = ATTEMPTS,
    timeout: float = TIMEOUT,
    sleep: Callable[[float], object] = time.sleep,
) -> Path:
    """Fetches a file into a cache, unless it is there.

    Statuses 408, 425, 429 and 5xx, broken connections and timeouts are tried again after 1, 2, 4, ... 60 seconds, or
    after what ``Retry-After`` says if that is longer (300 seconds at most).  There is no jitter.  A server whose name
    is not found is tried three times.

    Args:
        url: Http or https address.
        cache_dir: Folder of the cache, made if missing; must be on a file system with locks.
        sha256: Hexadecimal check sum that the file must have. A cached file with another one is fetched again.
        attempts: Tries without progress (1 MiB) before giving up.
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
    if _is_wanted(target, sha256):
        return target
    part = target.with_name(target.name + ".part")
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with _locked(part) as file:
            if not _is_wanted(target, sha256):  # another process may have fetched it meanwhile
                download = _Download(url, file, target.with_name(target.name + ".validator"), timeout)
                _persist(download, attempts, sleep)
                download.forget()
                _check_sum(url, file, sha256, target)
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


def _is_wanted(target: Path, sha256: str | None) -> bool:
    if not target.is_file():
        return False
    if sha256 is None:
        return True
    with target.open("rb") as file:
        return _sum(file) == sha256.lower()


def _sum(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while data := file.read(_COPY_BYTES):
        digest.update(data)
    return digest.hexdigest()


def _check_sum(url: str, file: IO[bytes], sha256: str | None, target: Path) -> None:
    if sha256 is None or (found := _sum(file)) == sha256.lower():
        return
    file.truncate(0)
    target.unlink(missing_ok=True)
    raise FetchError(
        f"{url} has the SHA-256 {found}, not {sha256.lower()}: it was removed. The file at the source has changed, or "
        f"something on the way answers in its place.",
        url,
    )


@contextmanager
def _locked(part: Path) -> Iterator[IO[bytes]]:
    """Open a part for this process alone, waiting for another that has it.

    The lock dies with its process. It is on the part itself, so after waiting the part may have become the file.
    """
    while True:
        with part.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
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


def _persist(download: "_Download", attempts: int, sleep: Callable[[float], object]) -> None:
    """Try until the part is whole."""
    failures = 0
    while True:
        before = download.size
        try:
            download.attempt()
        except _TryAgainError as error:
            failures = 1 if download.size - before >= PROGRESS_BYTES else failures + 1
            if failures >= min(attempts, error.attempts):
                message = f"Gave up on {download.url} after {failures} {'tries' if failures > 1 else 'try'}: {error}."
                message += error.advice
                if download.size:
                    message += " What has come is kept: the same command later goes on from there."
                raise FetchError(message, download.url, error.status) from error
            delay = max(min(FIRST_DELAY * 2 ** (failures - 1), LONGEST_DELAY), min(error.after, LONGEST_RETRY_AFTER))
            last = min(attempts, error.attempts)
            tell(f"{download.url}: {error}; try {failures + 1} of {last} follows in {delay:.0f} s")
            sleep(delay)
        else:
            return


class _Download:
    """A part on its way to be a whole file."""

    def __init__(self, url: str, file: IO[bytes], validator: Path, timeout: float) -> None:
        self.url = url
        self._file = file
        self._validator = validator
        self._timeout = timeout
        # Only http and https: a redirect must not lead to ftp or to a local file.
        self._opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            urllib.request.UnknownHandler(),
            urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(),
            urllib.request.HTTPRedirectHandler(),
            urllib.request.HTTPErrorProcessor(),
            urllib.request.HTTPDefaultErrorHandler(),
        ):
            self._opener.add_handler(handler)

    @property
    def size(self) -> int:
        """Bytes of the part."""
        return os.fstat(self._file.fileno()).st_size

    def forget(self) -> None:
        """Remove what only a part needs."""
        self._validator.unlink(missing_ok=True)

    def attempt(self) -> None:
        """One request; returns when the part is whole, raises ``_TryAgainError`` or ``FetchError`` if not."""
        validator = self._validator.read_text("utf-8") if self._validator.is_file() else ""
        if not validator:
            self._restart()
        headers = {"User-Agent": "llama-corpus", "Accept-Encoding": "identity"}
        if have := self.size:
            headers |= {"Range": f"bytes={have}-", "If-Range": validator}
        try:
            response = self._opener.open(urllib.request.Request(self.url, headers=headers), timeout=self._timeout)
        except urllib.error.HTTPError as error:
            with error:
                if not self._is_whole(error, have):
                    raise self._refusal(error) from error
                return
        except (http.client.InvalidURL, ValueError) as error:
            raise FetchError(f"{self.url!r} is no http or https address: {error}", self.url) from error
        except (http.client.HTTPException, OSError) as error:
            raise self._broken(error) from error
        with response:
            self._receive(response, have, validator)

    def _restart(self) -> None:
        self._file.truncate(0)
        self._validator.unlink(missing_ok=True)

    def _is_whole(self, error: urllib.error.HTTPError, have: int) -> bool:
        """Whether the answer says that nothing is missing: 416 for a range that begins at the file's end."""
        if error.code != 416:
            return False
        found = _CONTENT_RANGE.fullmatch(error.headers.get("Content-Range") or "")
        if found and found[2] == str(have):
            return True
        self._restart()
        raise _TryAgainError("the file at the source has become shorter than the part that is here", 416)

    def _refusal(self, error: urllib.error.HTTPError) -> Exception:
        what = f"the server answered {error.code} {error.reason}"
        if error.code in _TRY_AGAIN:
            return _TryAgainError(what, error.code, _seconds(error.headers.get("Retry-After")))
        advice = _ADVICE.get(error.code, "Trying again would not help.")
        return FetchError(f"Cannot fetch {self.url}: {what}. {advice}", self.url, error.code)

    def _broken(self, error: Exception) -> Exception:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, ssl.SSLCertVerificationError):
            return FetchError(f"Cannot fetch {self.url}: its certificate is not trusted ({reason}).", self.url)
        if isinstance(reason, socket.gaierror):
            return _UnknownNameError(f"no server of that name is found ({reason.strerror})")
        if isinstance(reason, ConnectionRefusedError) or getattr(reason, "errno", None) in _NO_WAY:
            return _UnreachableError(f"the connection failed ({reason})")
        return _TryAgainError(f"the connection failed ({reason or type(error).__name__})")

    def _receive(self, response: http.client.HTTPResponse, have: int, validator: str) -> None:
        """Write the answer behind what is there, or in its place."""
        total = self._total(response, have, validator)
        try:
            while data := self._read(response):
                self._file.write(data)
        finally:
            self._file.flush()
        if total is not None and self.size != total:
            if self.size > total:
                self._restart()
            raise _TryAgainError(f"the connection ended after {self.size} of {total} bytes")

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        try:
            return response.read1(_COPY_BYTES)
        except (http.client.HTTPException, OSError) as error:
            raise self._broken(error) from error

    def _total(self, response: http.client.HTTPResponse, have: int, validator: str) -> int | None:
        """Prepare the part for an answer; returns the size that the whole file must have, if the server says."""
        tag = " ".join((response.headers.get("ETag") or "").split())
        modified = " ".join((response.headers.get("Last-Modified") or "").split())
        if response.status == 206:
            span = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range") or "")
            same_kind = tag if validator.startswith('"') else modified
            if not have or not span or span[1] != str(have) or (same_kind and same_kind != validator):
                self._restart()
                raise _TryAgainError("the server sent another range than was asked for", 206)
            return None if span[2] == "*" else int(span[2])
        # RFC 9110: a weak tag may not be sent with a range.
        found = tag if tag.startswith('"') else modified
        self._restart()
        if found:
            self._validator.write_text(found, "utf-8")
        length = response.headers.get("Content-Length") or ""
        return int(length) if re.fullmatch(r"\d{1,18}", length) else None


def _seconds(retry_after: str | None) -> float:
    """Seconds that a ``Retry-After`` header asks for: a number or a date; 0 for anything else."""
    text = (retry_after or "").strip()
    if re.fullmatch(r"\d{1,9}", text):
        return float(text)
    try:
        return max(email.utils.parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return 0.0
