"""A public-inbox server for tests: real HTTP on the loopback, with the faults such servers have."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from tests.mail_fixtures import Mail, mbox

ANUBIS = b"<!doctype html><html><head><title>Making sure you're not a bot!</title></head><body id=anubis></body></html>"


_REDIRECTS = {
    "downgrade": "ftp://127.0.0.1/x",
    "to a file": "file:///etc/passwd",
    "to no address": "http://[1/",
    "to no text": "http://\x9b\xff/",
    "to no name": f"http://{'a' * 100}/",
}


class InboxServer(ThreadingHTTPServer):
    """Serves `thread` below /all/MESSAGE-ID/ and `files` by path. `fault` changes what is answered: "500", "slow",
    "drip", "cut", "page", "robots", "bomb", "nested", "denied", "loop", or one of _REDIRECTS."""

    daemon_threads = True

    def __init__(self, *thread: Mail) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.thread = thread
        self.files: dict[str, bytes] = {}
        self.fault = ""
        self.asked: list[str] = []
        self.agents: list[str] = []
        self.stopped = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is nothing to print."""


class _Handler(BaseHTTPRequestHandler):
    server: InboxServer

    def do_GET(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        self.server.agents.append(self.headers.get("User-Agent", ""))
        path = unquote(urlsplit(self.path).path)
        if path in self.server.files:
            self._answer(200, self.server.files[path])
            return
        place, _, view = path.removeprefix("/all/").partition("/")
        found = next((mail for mail in self.server.thread if place == f"{mail.id}@example.org"), None)
        if not path.startswith("/all/") or found is None:
            self._answer(404, b"<html>404 Not Found</html>")
        elif view == "raw":
            self._answer(200, found.rfc5322().encode())
        else:
            self._faulty(gzip.compress(mbox(*self.server.thread)))

    do_HEAD = do_GET

    def _faulty(self, whole: bytes) -> None:
        fault = self.server.fault
        if fault in ("500", "denied"):
            self._answer(500 if fault == "500" else 403, b"no")
        elif fault == "slow":
            self.server.stopped.wait(30)
        elif fault == "drip":
            self._head(200, len(whole))
            for byte in whole:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                if self.server.stopped.wait(0.3):
                    return
        elif fault == "loop" or fault in _REDIRECTS:
            self.send_response(302)
            self.send_header("Location", _REDIRECTS.get(fault, self.path))
            self.end_headers()
        elif fault == "nested":
            whole = gzip.compress(gzip.compress(bytes(32 << 20), 1) * 10)
            self.send_response(200)
            self.send_header("Content-Encoding", "gzip, gzip")
            self.send_header("Content-Length", str(len(whole)))
            self.end_headers()
            self.wfile.write(whole)
        else:
            bomb = gzip.compress(bytes(64 << 20)) * 20 if fault == "bomb" else b""
            pages = {"cut": whole[:-20], "page": b"<html>Hello</html>", "robots": ANUBIS, "bomb": bomb}
            self._answer(200, pages.get(fault, whole))

    def _head(self, status: int, length: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def _answer(self, status: int, data: bytes) -> None:
        self._head(status, len(data))
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing to print."""


@contextmanager
def serving(*thread: Mail) -> Iterator[InboxServer]:
    """A server for as long as the block runs."""
    server = InboxServer(*thread)
    runner = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    runner.start()
    try:
        yield server
    finally:
        server.stopped.set()
        server.shutdown()
        runner.join()
        server.server_close()
        time.sleep(0)
