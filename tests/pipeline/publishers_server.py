"""A web server on loopback that plays Common Crawl, Wikimedia, the Internet Archive, Gutenberg and arXiv in small.

Their own listing formats, over the project's samples. ``refuse`` may give a status for a path, which is then the
answer; ``requests`` are the paths asked for.
"""

import gzip
import hashlib
import http.server
import json
import re
import time
from collections.abc import Callable
from pathlib import Path

from tests.loopback import Loopback

SAMPLES = Path(__file__).parents[2] / "samples"
CRAWLS = ("CC-MAIN-2017-04", "CC-MAIN-2019-30")
DATE = "20220701"


class Publishers(Loopback):
    """The server, with all files in memory."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.refuse: Callable[[str], int | None] = lambda path: None
        self.pause = 0.0
        served = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                served.requests.append(self.path)
                time.sleep(served.pause)
                data = served.files.get(self.path)
                status = served.refuse(self.path) or (200 if data is not None else 404)
                body = data if status == 200 and data is not None else b""
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                if status == 429:
                    self.send_header("Retry-After", "1")
                self.end_headers()
                self.wfile.write(body)

        super().__init__(Handler)
        self._common_crawl()
        self._wikimedia()
        self._archive()
        self._gutenberg()
        self._arxiv()

    def _common_crawl(self) -> None:
        wet = [file for folder in ("commoncrawl", "c4") for file in sorted((SAMPLES / folder).glob("*.warc.wet.gz"))]
        for number, crawl in enumerate(CRAWLS):
            paths = []
            for place, file in enumerate(wet[number :: len(CRAWLS)]):  # no record is in two of them
                name = re.sub(r"-\d{5}\.warc", f"-{number}{place:04d}.warc", file.name)
                paths.append(f"crawl-data/{crawl}/segments/1/wet/{name}")
                self.files[f"/{paths[-1]}"] = file.read_bytes()
            listed = "".join(f"{path}\n" for path in paths).encode()
            self.files[f"/crawl-data/{crawl}/wet.paths.gz"] = gzip.compress(listed, mtime=0)

    def _wikimedia(self) -> None:
        """English at the publisher, German in the archive alone."""
        for language in ("en", "de"):
            found = {}
            for file in sorted((SAMPLES / "wikipedia").glob(f"{language}wiki-*.bz2")):
                found[re.sub(r"-20\d{6}-", f"-{DATE}-", file.name)] = file.read_bytes()
            if language == "en":
                about = {name: {"size": len(data), "sha1": _sha1(data)} for name, data in found.items()}
                job = {"articlesmultistreamdump": {"status": "done", "files": about}}
                self._put(f"/dumps/enwiki/{DATE}/", found)
                self.files[f"/dumps/enwiki/{DATE}/dumpstatus.json"] = json.dumps({"jobs": job}).encode()
            else:
                self._item(f"dewiki-{DATE}", found)

    def _archive(self) -> None:
        sites = {file.name: file.read_bytes() for file in sorted((SAMPLES / "stackexchange").glob("*.7z"))}
        self._item("stackexchange", sites)

    def _item(self, item: str, files: dict[str, bytes]) -> None:
        listed = [{"name": name, "size": str(len(data)), "sha1": _sha1(data)} for name, data in files.items()]
        self.files[f"/metadata/{item}"] = json.dumps({"files": listed}).encode()
        self._put(f"/download/{item}/", files)

    def _gutenberg(self) -> None:
        rows = ['"Text#",Type,Issued,Title,Language,Authors,Subjects,LoCC,Bookshelves']
        texts = sorted((SAMPLES / "books" / "gutenberg").rglob("*.txt"))
        for number, file in enumerate(texts, start=1000):
            self.files[f"/epub/{number}/pg{number}.txt"] = file.read_bytes()
            rows.append(f'{number},Text,1999-01-01,"A book, number {number}",en,,,,')
        rows.append("9999,Sound,1999-01-01,Not a text,en,,,,")
        self.files["/pg_catalog.csv.gz"] = gzip.compress("\r\n".join(rows).encode(), mtime=0)

    def _arxiv(self) -> None:
        entries = []
        for file in sorted((SAMPLES / "arxiv" / "bulk").glob("arXiv_src_*.tar")):
            data = file.read_bytes()
            self.files[f"/arxiv/src/{file.name}"] = data
            digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
            entries.append(
                f"<file><filename>src/{file.name}</filename><md5sum>{digest}</md5sum><size>{len(data)}</size></file>"
            )
        manifest = f"<?xml version='1.0' standalone='yes'?>\n<arXivSRC>{''.join(entries)}</arXivSRC>"
        self.files["/arxiv/src/arXiv_src_manifest.xml"] = manifest.encode()

    def _put(self, below: str, files: dict[str, bytes]) -> None:
        self.files.update({f"{below}{name}": data for name, data in files.items()})

    def recipe(self) -> str:
        """A recipe over llama1 that fetches from here, C4 from the hub; GitHub is the embedded sample."""
        return f"""\
base: llama1
min_free_gigabytes: 0.1
sources:
  wikipedia:
    raw: {{publisher: wikimedia, date: '{DATE}', languages: [en, de], dumps: {self.url}/dumps/,
          archive: {self.url}/download/, metadata: {self.url}/metadata/}}
  commoncrawl:
    raw: {{crawls: [{", ".join(CRAWLS)}], url: {self.url}/, scope_files: 1}}
    set: [dedup.scope_files=1, reference.threshold=0.0]
    file_megabytes: 0.1
  github:
    raw: {{whole: true, input: [samples/github/repositories, samples/github/*.gz, samples/github/*.parquet]}}
  books:
    raw: {{catalog: {self.url}/pg_catalog.csv.gz, url: {self.url}/epub/}}
    file_megabytes: 0.01
  arxiv:
    raw: {{url: {self.url}/arxiv/}}
  stackexchange:
    raw: {{url: {self.url}/download/, metadata: {self.url}/metadata/}}
perplexity:
  train: false
mixture:
  set: [seq_len=256, max_epochs=100]
tokenizer:
  arguments: [--vocab-size, '1024', --uneven]
"""


def _sha1(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()
