"""A stand-in for the Hugging Face hub on loopback: what its library calls to list, read, create and commit data sets.

Files whose names end in .parquet, .arrow or .gz are large ones, as they are there. Commits are kept, so that a revision
names what it named before. The token "writer" may do all, "reader" may read, others nothing.
"""

import base64
import functools
import hashlib
import http.server
import json
import re
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.loopback import Loopback

LARGE = (".parquet", ".arrow", ".gz")


@dataclass
class Repository:
    private: bool = False
    branches: dict[str, str] = field(default_factory=dict)
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)

    def commit(self, branch: str, files: dict[str, bytes]) -> str:
        number = len(self.commits)
        oid = hashlib.sha1(f"{branch} {number}".encode()).hexdigest()
        self.commits[oid] = files
        self.branches[branch] = oid
        return oid

    def files(self, revision: str) -> dict[str, bytes]:
        return self.commits[self.branches.get(revision, revision)]

    def knows(self, revision: str) -> bool:
        return revision in self.branches or revision in self.commits


@functools.cache
def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Hub(Loopback):
    """The server; ``refuse`` may give a status for a method and a path, which is then the answer."""

    def __init__(self):
        self.repositories: dict[str, Repository] = {}
        self.blobs: dict[str, bytes] = {}
        self.requests: list[tuple[str, str]] = []
        self.ranges: list[str] = []
        self.refuse: Callable[[str, str], int | None] = lambda method, path: None
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 20  # an answer in one piece: in two it waits for an acknowledgement in between
            disable_nagle_algorithm = True

            def _any(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
                hub.requests.append((self.command, path))
                status = hub.refuse(self.command, path)
                answer = (
                    (status, {"error": "refused"}, {}) if status else hub.answer(self.command, path, body, self.headers)
                )
                hub.send(self, *answer)

            do_GET = do_HEAD = do_POST = do_PUT = _any

        super().__init__(Handler)

    def add(self, name: str, files: dict[str, bytes], private: bool = False) -> str:
        """Makes a commit of exactly these files."""
        repository = self.repositories.setdefault(name, Repository(private))
        return repository.commit("main", files)

    def send(self, handler, status: int, content, headers: dict[str, str]):
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        handler.send_response(status)
        for key, value in {"Content-Length": str(len(data)), **headers}.items():
            handler.send_header(key, value)
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(data)

    def answer(self, method: str, path: str, body: bytes, headers):
        token = (headers.get("Authorization") or "").removeprefix("Bearer ")
        if found := re.fullmatch(r"/blobs/(\w+)", path):
            self.blobs[found[1]] = body
            return 200, {}, {}
        if path == "/api/validate-yaml":
            return 200, {"errors": [], "warnings": []}, {}
        writes = path == "/api/repos/create" or re.search(r"/(preupload|commit|branch)/|/info/lfs/", path)
        if writes and token != "writer":
            return (403 if token else 401), {"error": "You don't have the rights."}, {}
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        found = re.match(r"/(?:api/)?datasets/([^/]+/[^/]+?)(?:\.git)?(?:/(.*))?$", path)
        repository = self.repositories.get(found[1]) if found else None
        if repository is None or (repository.private and token not in ("writer", "reader")):
            return (404 if token else 401), {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"}
        return self._in(repository, found[1], found[2] or "revision/main", method, body, headers)

    def _create(self, asked):
        name = f"{asked['organization']}/{asked['name']}"
        if name in self.repositories:
            return 409, {"error": "You already created this dataset repo"}, {}
        private = asked.get("visibility") == "private" or bool(asked.get("private"))
        self.add(name, {".gitattributes": b"*.parquet filter=lfs\n"}, private)
        return 200, {"url": f"{self.url}/datasets/{name}", "name": name}, {}

    def _in(self, repository, name, rest, method, body, headers):
        what, _, after = rest.partition("/")
        if what == "info":
            return self._large(json.loads(body))
        revision, _, below = after.partition("/")
        if after.startswith("refs/"):
            revision, below = after, ""
        if what == "branch":
            if after in repository.branches:
                return 409, {"error": "Reference already exists"}, {}
            repository.branches[after] = repository.branches["main"]
            return 200, {}, {}
        if not repository.knows(revision):
            return 404, {"error": "Invalid rev id"}, {"X-Error-Code": "RevisionNotFound"}
        files = repository.files(revision)
        oid = repository.branches.get(revision, revision)
        if what == "revision":
            return 200, {"id": name, "sha": oid, "private": repository.private, "tags": [], "siblings": []}, {}
        if what == "tree":
            return self._tree(files, below)
        if what == "paths-info":
            paths = urllib.parse.parse_qs(body.decode())["paths"]
            return 200, [_entry(path, files[path]) for path in paths if path in files], {}
        if what == "preupload":
            return self._modes(files, json.loads(body))
        if what == "commit":
            return self._commit(repository, name, revision, body)
        assert what == "resolve", rest
        if below not in files:
            return 404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound"}
        return self._content(files[below], oid, headers)

    def _content(self, data, oid, headers):
        about = {"ETag": f'"{sha256(data)}"', "X-Repo-Commit": oid, "Accept-Ranges": "bytes"}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", headers.get("Range") or "")
        if asked is None:
            return 200, data, about
        self.ranges.append(headers["Range"])
        start, end = int(asked[1]), min(int(asked[2] or len(data) - 1), len(data) - 1)
        return 206, data[start : end + 1], {**about, "Content-Range": f"bytes {start}-{end}/{len(data)}"}

    def _tree(self, files, below):
        inside = {path: data for path, data in files.items() if not below or path.startswith(f"{below}/")}
        if below and not inside:
            return 404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound"}
        folders = {"/".join(path.split("/")[:n]) for path in inside for n in range(1, path.count("/") + 1)}
        listed = [{"type": "directory", "oid": "0" * 40, "size": 0, "path": folder} for folder in sorted(folders)]
        return 200, [*listed, *(_entry(path, data) for path, data in sorted(inside.items()))], {}

    def _modes(self, files, asked):
        answers = []
        for file in asked["files"]:
            path = file["path"]
            known = _entry(path, files[path]) if path in files else {}
            oid = known.get("lfs", known).get("oid")
            mode = "lfs" if path.endswith(LARGE) else "regular"
            answers.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        return 200, {"files": answers}, {}

    def _large(self, asked):
        objects = []
        for entry in asked["objects"]:
            up = (
                {}
                if entry["oid"] in self.blobs
                else {"actions": {"upload": {"href": f"{self.url}/blobs/{entry['oid']}"}}}
            )
            objects.append({**entry, **up})
        return 200, {"transfer": "basic", "objects": objects}, {}

    def _commit(self, repository, name, branch, body):
        files = dict(repository.files(branch))
        for line in body.decode().splitlines():
            operation = json.loads(line)
            key, value = operation["key"], operation["value"]
            if key == "header" and value.get("parentCommit") not in (None, repository.branches[branch]):
                return 412, {"error": "A commit has happened since."}, {}
            if key == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif key == "lfsFile":
                files[value["path"]] = self.blobs[value["oid"]]
            elif key == "deletedFile":
                del files[value["path"]]
        oid = repository.commit(branch, files)
        return 200, {"commitUrl": f"{self.url}/datasets/{name}/commit/{oid}", "commitOid": oid}, {}


def _entry(path: str, data: bytes) -> dict:
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    entry = {"type": "file", "oid": blob, "size": len(data), "path": path}
    if path.endswith(LARGE):
        entry["lfs"] = {"oid": sha256(data), "size": len(data), "pointerSize": 130}
    return entry
