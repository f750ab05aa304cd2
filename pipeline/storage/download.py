"""Downloads over http(s): one request at a time till a part is a whole file, and what its failures mean.

A 403 can mean two things.  It is a refusal for good where its body is S3's word for what may not be read or is not
there (AccessDenied), and it is tried again where it comes with ``Retry-After`` or from CloudFront's firewall, which
stands before Common Crawl and answers so whoever asks too fast, or from a host that gave a file within the last hour.
"""

import email.utils
import errno
import http.client
import os
import re
import socket
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO

from pipeline.storage.fetch_errors import (
    FetchError,
    ThrottledError,
    TryAgainError,
    UnknownNameError,
    UnreachableError,
)
from pipeline.storage.hosts import Host

FORBIDDEN_DELAY = 30.0  # seconds, at the least, after a 403 that may pass: a firewall counts over minutes

_NO_WAY = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH})
_COPY_BYTES = 1 << 20
_BODY_BYTES = 1 << 14  # of an error's body, in which its reason must stand
_TRY_AGAIN = frozenset({408, 425, 429, *range(500, 600)})
_THROTTLED = frozenset({429, 503})
_DENIED = re.compile(rb"<Code>\s*(AccessDenied|AllAccessDisabled|NoSuchKey|NoSuchBucket|InvalidAccessKeyId)\s*</Code>")
_CONTENT_RANGE = re.compile(r"bytes (?:(\d{1,18})-\d{1,18}|\*)/(\d{1,18}|\*)")
_ADVICE = {
    401: "The server asks for a login, which is not supported: fetch the file yourself and give its path.",
    403: "The server refuses: what it has there may not be read by all, or the address is wrong.",
    404: "There is no such file: check the address.",
    410: "The file is gone from there: look for another place that has it.",
}


class Download:
    """A part on its way to be a whole file."""

    def __init__(self, url: str, file: IO[bytes], validator: Path, timeout: float, host: Host) -> None:
        self.url = url
        self.host = host
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
        """One request; returns when the part is whole, raises ``TryAgainError`` or ``FetchError`` if not."""
        noted = self._validator.read_text("utf-8") if self._validator.is_file() else ""
        validator, _, length = noted.partition("\n")
        if not validator:
            self._restart()
        headers = {"User-Agent": "llama-corpus", "Accept-Encoding": "identity"}
        if have := self.size:
            headers |= {"Range": f"bytes={have}-", "If-Range": validator}
        try:
            response = self._opener.open(urllib.request.Request(self.url, headers=headers), timeout=self._timeout)
        except urllib.error.HTTPError as error:
            with error:
                if not self._is_whole(error, have, length):
                    raise self._refusal(error) from error
                return
        except (http.client.InvalidURL, ValueError) as error:
            raise FetchError(f"{self.url!r} is no http or https address: {error}", self.url) from error
        except (http.client.HTTPException, OSError) as error:
            raise self._broken(error) from error
        with response:
            self._receive(response, have, validator, length)

    def _restart(self) -> None:
        self._file.truncate(0)
        self._validator.unlink(missing_ok=True)

    def _is_whole(self, error: urllib.error.HTTPError, have: int, length: str) -> bool:
        """Whether the answer says that nothing is missing: 416 for a range that begins at the file's end."""
        if error.code != 416:
            return False
        found = _CONTENT_RANGE.fullmatch(error.headers.get("Content-Range") or "")
        if found and found[2] == str(have) and length in ("", str(have)):
            return True
        self._restart()
        raise TryAgainError("the file at the source has become shorter than the part that is here", 416)

    def _refusal(self, error: urllib.error.HTTPError) -> Exception:
        what = f"the server answered {error.code} {error.reason}"
        after = _seconds(error.headers.get("Retry-After"))
        if error.code == 403 and self._may_pass(error):
            return ThrottledError(what, error.code, max(after, FORBIDDEN_DELAY))
        if error.code in _TRY_AGAIN:
            return (ThrottledError if error.code in _THROTTLED else TryAgainError)(what, error.code, after)
        advice = _ADVICE.get(error.code, "Trying again would not help.")
        return FetchError(f"Cannot fetch {self.url}: {what}. {advice}", self.url, error.code)

    def _may_pass(self, error: urllib.error.HTTPError) -> bool:
        """Whether a 403 is said of how fast we ask, and not of what we ask for."""
        try:
            body = error.read(_BODY_BYTES)
        except (http.client.HTTPException, OSError):
            body = b""
        if _DENIED.search(body):
            return False
        server = f"{error.headers.get('Server') or ''} {error.headers.get('X-Cache') or ''}".lower()
        return "Retry-After" in error.headers or "cloudfront" in server or self.host.served_lately()

    def _broken(self, error: Exception) -> Exception:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, ssl.SSLCertVerificationError):
            return FetchError(f"Cannot fetch {self.url}: its certificate is not trusted ({reason}).", self.url)
        if isinstance(reason, socket.gaierror):
            return UnknownNameError(f"no server of that name is found ({reason.strerror})")
        if isinstance(reason, ConnectionRefusedError) or getattr(reason, "errno", None) in _NO_WAY:
            return UnreachableError(f"the connection failed ({reason})")
        return TryAgainError(f"the connection failed ({reason or type(error).__name__})")

    def _receive(self, response: http.client.HTTPResponse, have: int, validator: str, length: str) -> None:
        """Write the answer behind what is there, or in its place."""
        total = self._total(response, have, validator, length)
        try:
            while data := self._read(response):
                self._file.write(data)
        finally:
            self._file.flush()
        if total is not None and self.size != total:
            if self.size > total:
                self._restart()
            raise TryAgainError(f"the connection ended after {self.size} of {total} bytes")

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        try:
            return response.read1(_COPY_BYTES)
        except (http.client.HTTPException, OSError) as error:
            raise self._broken(error) from error

    def _total(self, response: http.client.HTTPResponse, have: int, validator: str, known: str) -> int | None:
        """Prepare the part for an answer; returns the size that the whole file must have, if the server says."""
        tag = " ".join((response.headers.get("ETag") or "").split())
        modified = " ".join((response.headers.get("Last-Modified") or "").split())
        if response.status == 206:
            span = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range") or "")
            same_kind = tag if validator.startswith('"') else modified
            if not have or not span or span[1] != str(have) or (same_kind and same_kind != validator):
                self._restart()
                raise TryAgainError("the server sent another range than was asked for", 206)
            if known and span[2] not in ("*", known):
                self._restart()
                raise TryAgainError(f"the file is said to have {span[2]} bytes now, and had {known} before", 206)
            return int(known or span[2]) if known or span[2] != "*" else None
        # RFC 9110: a weak tag may not be sent with a range.
        found = tag if tag.startswith('"') else modified
        length = response.headers.get("Content-Length") or ""
        total = length if re.fullmatch(r"\d{1,18}", length) else ""
        self._restart()
        if found:
            self._validator.write_text(f"{found}\n{total}", "utf-8")
        return int(total) if total else None


def _seconds(retry_after: str | None) -> float:
    """Seconds that a ``Retry-After`` header asks for: a number or a date; 0 for anything else."""
    text = (retry_after or "").strip()
    if re.fullmatch(r"\d{1,9}", text):
        return float(text)
    try:
        return max(email.utils.parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return 0.0
