"""A stand-in of Flink's web interface on loopback: the answers that commands ask for."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FlinkStandIn:
    """What it knows, and what it was asked to do.

    Attributes:
        address: Its host and port.
        jobs: The jobs by their names, with their states.
        cancelled: The names of the jobs that it was told to cancel.
        slots: All slots, and free ones.
        settings: The job manager's.
        failures: The traces of what failed and began anew.
    """

    def __init__(self, jobs: Mapping[str, str]) -> None:
        self.address = ""
        self.jobs, self.cancelled = dict(jobs), []
        self.slots = (2, 2)
        self.settings = {"jobmanager.scheduler": "default"}
        self.failures: list[str] = []

    def answer(self, path: str) -> object:
        if path == "/jobs/overview":
            return {
                "jobs": [
                    {"jid": f"id-{name}", "name": name, "state": state, "start-time": 1}
                    for name, state in self.jobs.items()
                ]
            }
        if "/exceptions" in path:
            entries = [{"timestamp": time, "stacktrace": trace} for time, trace in enumerate(self.failures, 1)]
            return {"exceptionHistory": {"entries": entries}}
        if path == "/overview":
            return {"slots-total": self.slots[0], "slots-available": self.slots[1], "flink-version": "2.0.2"}
        return [{"key": key, "value": value} for key, value in self.settings.items()]

    def cancel(self, path: str) -> None:
        name = path.partition("?")[0].rpartition("/id-")[2]
        self.cancelled.append(name)
        self.jobs[name] = "CANCELED"


@contextmanager
def flink_stand_in(jobs: Mapping[str, str] | None = None) -> Iterator[FlinkStandIn]:
    """Runs one on a free port."""
    flink = FlinkStandIn(jobs or {})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say(flink.answer(self.path))

        def do_PATCH(self) -> None:
            flink.cancel(self.path)
            self._say({})

        def _say(self, value: object) -> None:
            data = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    flink.address = f"localhost:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield flink
    finally:
        server.shutdown()
        server.server_close()
