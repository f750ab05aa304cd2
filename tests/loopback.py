"""An HTTP server on loopback, in a thread of its own: what the stand-ins for others' servers are made of."""

import http.server
import threading


class Loopback:
    """Serves with a handler of requests until it is closed; ``url`` has no slash at its end."""

    def __init__(self, handler: type[http.server.BaseHTTPRequestHandler]):
        handler.log_message = lambda *_: None
        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self):
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
