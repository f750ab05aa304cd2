"""A stand-in of Google's store and of Dataflow on loopback: it keeps objects and jobs, and runs nothing.

It knows as much of the store's JSON interface as Google's client and Beam ask for here: one bucket, objects with a
generation, uploads by parts and at once. A job that is posted is done at once.
"""

import base64
import email
import email.policy
import http.server
import json
import re
import urllib.parse
from typing import Any

from tests.loopback import Loopback

BUCKET = "bucket"
JOB = {"id": "job-1", "projectId": "project", "location": "region"}
Handler = http.server.BaseHTTPRequestHandler


class Google(Loopback):
    """The stand-in.

    Attributes:
        objects: The bytes of each object of the bucket.
        jobs: The jobs that were posted.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.jobs: list[dict[str, Any]] = []
        self._generation: dict[str, int] = {}
        self._uploads: dict[str, tuple[str, bytearray]] = {}
        google = self

        class Asked(Handler):
            def answer(self) -> None:
                google._answer(self)

            do_GET = do_POST = do_PUT = do_DELETE = answer

        super().__init__(Asked)
        self.url = self.url.replace("127.0.0.1", "localhost")  # what Beam takes for a stand-in of Dataflow

    def __enter__(self) -> "Google":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answer(self, handler: Handler) -> None:
        address = urllib.parse.urlsplit(handler.path)
        query = dict(urllib.parse.parse_qsl(address.query))
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        path = address.path
        if path.startswith("/v1b3/"):
            self._dataflow(handler, path, body)
        elif path.startswith("/upload/"):
            self._upload(handler, query, body)
        elif name := re.fullmatch(rf"(?:/download)?/storage/v1/b/{BUCKET}/o/(.+)", path):
            self._object(handler, urllib.parse.unquote(name[1]), query)
        elif path == f"/storage/v1/b/{BUCKET}/o":
            found = sorted(name for name in self.objects if name.startswith(query.get("prefix", "")))
            _reply(handler, 200, {"items": [self._entry(name) for name in found]})
        elif path == f"/storage/v1/b/{BUCKET}":
            _reply(handler, 200, {"kind": "storage#bucket", "id": BUCKET, "name": BUCKET})
        else:
            _reply(handler, 404, {"error": {"code": 404, "message": f"no {path}"}})

    def _dataflow(self, handler: Handler, path: str, body: bytes) -> None:
        if handler.command == "POST":
            self.jobs.append(json.loads(body))
            _reply(handler, 200, {**JOB, "currentState": "JOB_STATE_QUEUED"})
        elif path.endswith("/messages"):
            _reply(handler, 200, {"jobMessages": []})
        else:
            _reply(handler, 200, {**JOB, "currentState": "JOB_STATE_DONE"})

    def _object(self, handler: Handler, name: str, query: dict[str, str]) -> None:
        if name not in self.objects:
            _reply(handler, 404, {"error": {"code": 404, "message": f"no {name}"}})
        elif handler.command == "DELETE":
            del self.objects[name]
            _reply(handler, 204, None)
        elif query.get("alt") == "media":
            _reply(handler, 200, self.objects[name])
        else:
            _reply(handler, 200, self._entry(name))

    def _upload(self, handler: Handler, query: dict[str, str], body: bytes) -> None:
        if handler.command == "PUT":
            name, data = self._uploads[query["upload_id"]]
            data += body
            self._store(handler, name, bytes(data), {})
        elif query["uploadType"] == "resumable":
            name = query.get("name") or json.loads(body)["name"]
            number = str(len(self._uploads))
            self._uploads[number] = name, bytearray()
            _reply(handler, 200, {}, {"Location": f"{self.url}/upload/x?upload_id={number}"})
        else:
            head = f"Content-Type: {handler.headers['Content-Type']}\r\n\r\n".encode()
            about, content = email.message_from_bytes(head + body, policy=email.policy.HTTP).iter_parts()
            about_it = json.loads(about.get_payload(decode=True))
            self._store(handler, about_it["name"], content.get_payload(decode=True), query)

    def _store(self, handler: Handler, name: str, data: bytes, query: dict[str, str]) -> None:
        if query.get("ifGenerationMatch") == "0" and name in self.objects:
            _reply(handler, 412, {"error": {"code": 412, "message": "it is there"}})
            return
        self.objects[name] = data
        self._generation[name] = self._generation.get(name, 0) + 1
        _reply(handler, 200, self._entry(name))

    def _entry(self, name: str) -> dict[str, str]:
        size, generation = str(len(self.objects[name])), str(self._generation[name])
        sum_ = base64.b64encode(crc32c(self.objects[name]).to_bytes(4, "big")).decode()
        about = {"name": name, "size": size, "generation": generation, "crc32c": sum_}
        return {"kind": "storage#object", "bucket": BUCKET, **about}


def crc32c(data: bytes) -> int:
    """The CRC-32C of some bytes (RFC 3720), bit by bit."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def _reply(handler: Handler, status: int, body: Any, headers: Any = None) -> None:
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    handler.send_response(status)
    for name, value in {"Content-Type": "application/json", "Content-Length": len(data), **(headers or {})}.items():
        handler.send_header(name, str(value))
    handler.end_headers()
    handler.wfile.write(data)
