"""As much of Google Cloud Storage on loopback as reading a bucket needs (its JSON interface)."""

import json
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def bucket_server(objects: dict[str, bytes]) -> Iterator[str]:
    """Serves objects by name, in a bucket called ``bucket``; gives host and port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            path, _, query = self.path.partition("?")
            name = urllib.parse.unquote(path.partition("/o/")[2]) if "/b/bucket/o/" in path else None
            if name is None or name not in objects:
                self.answer(404, b'{"error": {"code": 404, "message": "not found"}}')
            elif "alt=media" in query:
                first = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").partition("-")[0])
                self.answer(206 if first else 200, objects[name][first:])
            else:
                facts = {"kind": "storage#object", "name": name, "bucket": "bucket", "size": str(len(objects[name]))}
                self.answer(200, json.dumps({**facts, "generation": "1"}).encode())

        def answer(self, status, body):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("x-goog-generation", "1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
