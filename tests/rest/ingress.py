"""A stand-in for Home Assistant with its supervisor: it passes requests on below a path, as their ingress does.

It follows ``homeassistant/components/hassio/ingress.py`` of Home Assistant 2026.2, and ``supervisor/api/ingress.py``.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from tests.support import WAIT_S

SUPERVISOR = "127.0.0.2"
"""The address from which this supervisor connects."""

CORE = "127.0.0.3"
"""The address of Home Assistant that the supervisor states."""

PATH = "/api/hassio_ingress/dG9rZW4_of-an.app"

FRAME = f"""<!doctype html><title>Home Assistant</title>
<style>body {{ margin: 0; font: 14px sans-serif }} iframe {{ border: 0; width: 100%; height: 90vh }}</style>
<p>Home Assistant</p><iframe title="Facegate" src="{PATH}/"></iframe>"""
"""The page of Home Assistant, which shows the console of an app in a frame."""

_NOT_PASSED_ON = {"content-length", "content-encoding", "transfer-encoding", "accept-encoding", "connection"}
_USER_HEADERS = ("X-Remote-User-Id", "X-Remote-User-Name", "X-Remote-User-Display-Name")
_NOT_ANSWERED = {"content-length", "transfer-encoding", "content-encoding", "connection"}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    port: ClassVar[int]
    user: ClassVar[str]

    def handle_any(self) -> None:
        """Answer a request with the frame, or with the answer of the app."""
        if self.path == "/":
            self._answer(200, {"Content-Type": "text/html"}, FRAME.encode())
        elif not self.path.startswith(f"{PATH}/"):
            self._answer(404, {}, b"")
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with closing(HTTPConnection("127.0.0.1", self.port, WAIT_S, source_address=(SUPERVISOR, 0))) as app:
                # With `ingress_stream` the body of a POST comes in pieces, without its length.
                content = iter([body]) if self.command == "POST" else body or None
                chunked = self.command == "POST"
                app.request(
                    self.command, self.path.removeprefix(PATH), content, self._headers(), encode_chunked=chunked
                )
                self._pass_on(app.getresponse())

    do_GET = do_POST = do_PATCH = do_DELETE = do_HEAD = handle_any  # noqa: N815 (the names of http.server)

    def log_message(self, *args: object) -> None:
        """Print nothing."""

    def _headers(self) -> dict[str, str]:
        headers = {
            name: text
            for name, text in self.headers.items()
            if name.lower() not in _NOT_PASSED_ON and name not in _USER_HEADERS
        }
        before = f"{old}, " if (old := self.headers.get("X-Forwarded-For")) else ""
        added = {
            "X-Hass-Source": "core.ingress",
            "X-Ingress-Path": PATH,
            "X-Forwarded-For": f"{before}{self.client_address[0]}, {CORE}",
            "X-Forwarded-Host": self.headers.get("X-Forwarded-Host", self.headers["Host"]),
            "X-Forwarded-Proto": self.headers.get("X-Forwarded-Proto", "http"),
        }
        if self.command == "POST":
            added["Transfer-Encoding"] = "chunked"
        users = ("9d1f", self.user, self.user.title())
        return _merge({**dict(zip(_USER_HEADERS, users, strict=True)), **headers, **added})

    def _pass_on(self, answer: HTTPResponse) -> None:
        headers = {name: text for name, text in answer.getheaders() if name.lower() not in _NOT_ANSWERED}
        if answer.getheader("Content-Length") is not None or answer.status in (204, 304):
            self._answer(answer.status, headers, answer.read())
            return
        self._begin(answer.status, {**headers, "Connection": "close"})
        while piece := answer.read1(65_536):
            self.wfile.write(piece)
            self.wfile.flush()
        self.close_connection = True

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self._begin(status, {**headers, "Content-Length": str(len(content))})
        if self.command != "HEAD":
            self.wfile.write(content)

    def _begin(self, status: int, headers: dict[str, str]) -> None:
        self.send_response_only(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.end_headers()


def _merge(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers as aiohttp sends them: a later one replaces an earlier one that is spelled in another way."""
    latest = {name.lower(): name for name in headers}
    return {name: headers[name] for name in latest.values()}


@contextmanager
def home_assistant_running(ingress_port: int, user: str = "grace") -> Iterator[str]:
    """Run the stand-in before the ingress port of a gateway. Give its address."""
    handler = type("Handler", (_Handler,), {"port": ingress_port, "user": user})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(WAIT_S)
