"""A web server on loopback, and the answers that good and bad servers give."""

import hashlib
import http.server
import re
import time
from collections.abc import Callable

from tests.loopback import Loopback

DATA = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(DATA).hexdigest()


class Server(Loopback):
    """A web server on loopback. Each request is answered by the next of ``answers``, then by the last one again."""

    def __init__(self):
        self.answers: list[Callable] = [whole()]
        self.requests: list[tuple[str, str | None, str | None]] = []  # path, Range, If-Range
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server.requests.append((self.path, self.headers.get("Range"), self.headers.get("If-Range")))
                number = min(len(server.requests), len(server.answers)) - 1
                server.answers[number](self)

        super().__init__(Handler)
        self.url += "/"

    @property
    def ranges(self):
        return [asked for _, asked, _ in self.requests]


def head(handler, status, headers):
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, str(value))
    handler.end_headers()


def status(code, **headers):
    return lambda handler: head(handler, code, {"Content-Length": 0, **headers})


def whole(data=DATA, tag='"one"', cut=None, pause=0.0, **headers):
    """The whole file, whatever range was asked for; ``cut``: the connection ends after so many bytes."""

    def answer(handler):
        given = {"Content-Length": len(data), **({"ETag": tag} if tag else {}), **headers}
        head(handler, 200, given)
        time.sleep(pause)
        handler.wfile.write(data[:cut])
        handler.close_connection = True

    return answer


def ranged(data=DATA, tag='"one"', cut=None, sent_tag=None):
    """What a good server does: the range if If-Range names its file, else the whole."""

    def answer(handler):
        asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        if not asked or handler.headers.get("If-Range") != tag:
            return whole(data, tag)(handler)
        start = int(asked[1])
        if start >= len(data):
            return head(handler, 416, {"Content-Range": f"bytes */{len(data)}", "Content-Length": 0})
        rest = data[start:]
        span = f"bytes {start}-{len(data) - 1}/{len(data)}"
        head(handler, 206, {"Content-Length": len(rest), "ETag": sent_tag or tag, "Content-Range": span})
        handler.wfile.write(rest[:cut])
        handler.close_connection = True
        return None

    return answer
