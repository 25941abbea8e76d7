"""A camera with an HTTP server, which answers as a test says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """A request, with short ways to answer it."""

    server: Server

    def do_GET(self) -> None:
        self.server.camera.requests.append(self)
        with suppress(OSError):
            self.server.camera.answer(self)

    def send(self, content: bytes, status: int = 200, **headers: str) -> None:
        """Send a whole answer. ``headers``: with ``_`` in place of ``-``."""
        self.send_response(status)
        for name, value in {"Content_Length": str(len(content)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def begin_stream(self, content_type: str = "multipart/x-mixed-replace; boundary=frame") -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Print nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    camera: HttpCamera


@dataclass
class HttpCamera:
    """The running camera. ``requests``: all requests so far. ``answer`` may be replaced at any time."""

    answer: Callable[[Handler], None]
    requests: list[Handler] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def http_camera(answer: Callable[[Handler], None], port: int = 0) -> Iterator[HttpCamera]:
    with Server(("127.0.0.1", port), Handler) as server:
        server.camera = camera = HttpCamera(answer, port=server.server_port)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield camera
        finally:
            server.shutdown()
            thread.join()
