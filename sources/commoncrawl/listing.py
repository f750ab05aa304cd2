"""The list of a Common Crawl crawl's files."""

import gzip
import io
import re
import time
import zlib
from collections.abc import Callable
from pathlib import Path

from pipeline.storage.fetch import fetch, forget
from pipeline.storage.fetch_errors import FetchError
from pipeline.storage.filesystem import is_web, read_bytes

COMMON_CRAWL = "https://data.commoncrawl.org/"
MIRRORS = {"https": COMMON_CRAWL, "s3": "s3://commoncrawl/"}
LARGEST_LISTING = 256 << 20  # inflated bytes; the largest crawls' lists have 15 MB

_CRAWL_NAME = re.compile(r"CC-MAIN-\d{4}(-\d{2}|-\d{4})?")
_LISTED_PATH = re.compile(r"[A-Za-z0-9_.=-]+(/[A-Za-z0-9_.=-]+)+")
_KINDS = ("wet", "wat", "warc")


def crawl_files(
    crawl: str,
    first: int = 0,
    last: int | None = None,
    *,
    kind: str = "wet",
    base_url: str = COMMON_CRAWL,
    cache_dir: Path,
    sleep: Callable[[float], object] = time.sleep,
) -> list[str]:
    """Lists the addresses of a Common Crawl crawl's files, or of a range of them, in the order of the crawl's own list.

    Args:
        crawl: Name such as CC-MAIN-2019-30.
        first: Number of the first file, from 0.
        last: Number of the last file, inclusive; None for all from the first.
        kind: Wet, wat or warc.
        base_url: Where ``crawl-data/`` lies.
        cache_dir: Where the list is kept.
        sleep: How to wait, as in ``pipeline.storage.fetch.fetch``.

    Raises:
        FetchError: A malformed or unknown crawl, a range outside the list, or a failure of ``fetch``.
        StoreError: The store cannot be read.
    """
    paths = _listed(crawl, kind, base_url, cache_dir, sleep)
    last = len(paths) - 1 if last is None else last
    if not 0 <= first <= last < len(paths):
        have = f"{crawl} has {len(paths)} {kind} files, with the numbers 0 to {len(paths) - 1}"
        raise FetchError(f"{have}; {first} to {last} is no range of them.", base_url)
    return paths[first : last + 1]


def _listed(crawl: str, kind: str, base_url: str, cache_dir: Path, sleep: Callable[[float], object]) -> list[str]:
    if not _CRAWL_NAME.fullmatch(crawl):
        raise FetchError(f"{crawl!r} is no crawl: names look like CC-MAIN-2019-30.")
    if kind not in _KINDS:
        raise FetchError(f"{kind!r} is no kind of file of a crawl: there are {', '.join(_KINDS)}.")
    base_url = base_url.rstrip("/") + "/"
    url = f"{base_url}crawl-data/{crawl}/{kind}.paths.gz"
    try:
        data = fetch(url, cache_dir, sleep=sleep).read_bytes() if is_web(url) else read_bytes(url)
    except FileNotFoundError as error:
        raise FetchError(f"There is no crawl {crawl} with {kind} files: there is no {url}.", url, 404) from error
    except FetchError as error:
        if error.status not in (403, 404):
            raise
        message = f"There is no crawl {crawl} with {kind} files: the server has no {url}. See {base_url} for the names."
        if error.status == 403:  # what this server says of what it lacks, and of who asks too often
            message = (
                f"The server refuses {url} (403). Either there is no crawl {crawl} with {kind} files (see "
                f"{base_url} for the names), or this network has asked for too much: then the same command works later."
            )
        raise FetchError(message, url, error.status) from error
    return [base_url + path for path in _read_listing(data, url, cache_dir)]


def _read_listing(packed: bytes, url: str, cache_dir: Path) -> list[str]:
    """The paths in a ``*.paths.gz``; a damaged one leaves the cache, so that the next call fetches it again."""
    try:
        with gzip.open(io.BytesIO(packed)) as file:
            data = file.read(LARGEST_LISTING + 1)
        if len(data) > LARGEST_LISTING:
            raise ValueError(f"it inflates to more than {LARGEST_LISTING} bytes")
        paths = data.decode("utf-8").split()
    except (OSError, EOFError, zlib.error, ValueError) as error:
        _remove(url, cache_dir)
        raise FetchError(f"The list {url} is damaged ({error}); it was removed: try again.", url) from error
    wrong = next((path for path in paths if not _LISTED_PATH.fullmatch(path) or ".." in path.split("/")), None)
    if wrong is not None or not paths:
        _remove(url, cache_dir)
        found = "is empty" if wrong is None else f"holds {wrong[:80]!r}"
        raise FetchError(f"{url} is no list of a crawl's files: it {found}. Check the base address.", url)
    return paths


def _remove(url: str, cache_dir: Path) -> None:
    if is_web(url):
        forget(url, cache_dir)
