"""A stand-in for the supervisor's API, as an app asks it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from tests.support import WAIT_S

TOKEN = "5f1c0d"  # noqa: S105 (of the stand-in)


class _Handler(BaseHTTPRequestHandler):
    answers: ClassVar[dict[str, Any]]

    def do_GET(self) -> None:
        status, document = self._answer()
        content = json.dumps(document).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _answer(self) -> tuple[int, dict[str, Any]]:
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            return 403, {"result": "error", "message": "Forbidden"}
        data = self.answers.get(self.path)
        if data is None:
            return 400, {"result": "error", "message": "Service not enabled"}
        return 200, {"result": "ok", "data": data}

    def log_message(self, *args: object) -> None:
        """Print nothing."""


@contextmanager
def supervisor_running(mqtt: dict[str, Any] | None, network: dict[str, int | None] | None = None) -> Iterator[str]:
    """Run the stand-in. ``mqtt``: the broker of Home Assistant. ``network``: the ports that the user opened."""
    answers = {
        "/services/mqtt": mqtt,
        "/addons/self/info": {"network": network or {"5001/tcp": None}},
        "/info": {"hostname": "homeassistant"},
    }
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"answers": answers}))
    # By default, a server looks only every half a second whether it must stop.
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(WAIT_S)
