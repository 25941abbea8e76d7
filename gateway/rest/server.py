"""The HTTP server, waitress, which runs the Flask application."""

from __future__ import annotations

import errno
import threading
import time

from flask import Flask
from waitress.server import BaseWSGIServer, MultiSocketServer, create_server

from gateway.config import LimitSettings, RestSettings
from gateway.errors import Unavailable

FLUSH_S = 0.2
"""Time for the last replies to be sent after the last thread has written them."""

ADDRESS_ADVICE = "set rest.host to an address of this machine, and rest.port to a port that this user may open"

MAX_HEADER_BYTES = 65_536
"""The most bytes of a request's first line and headers. Browsers and proxies send a few thousand."""

READ_BYTES = 131_072
"""The most bytes that are read at once. waitress's 8,192 would wake its thread nine times for a picture of 68 kB."""


class RestServer:
    """The server with its thread.

    Flask refuses a body over the limit with a problem document. For this purpose waitress reads up to twice the limit.
    It refuses larger bodies with a plain 413, and headers over their limit with a plain 431.
    """

    def __init__(self, app: Flask, settings: RestSettings, limits: LimitSettings) -> None:
        self._app = app
        self._settings = settings
        self._limits = limits
        self._server: BaseWSGIServer | MultiSocketServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://{self._settings.host}:{self._settings.port}"

    def start(self) -> None:
        """Start to listen. Raise Unavailable if the port cannot be opened."""
        try:
            self._server = create_server(
                self._app,
                host=self._settings.host,
                port=self._settings.port,
                threads=self._settings.threads,
                max_request_body_size=2 * self._limits.body_bytes,
                max_request_header_size=MAX_HEADER_BYTES,
                asyncore_use_poll=True,
                recv_bytes=READ_BYTES,
                connection_limit=1000,
                channel_timeout=30,  # seconds without a byte
                # Their presence shows that a request came through a proxy (rest/access/client.py).
                clear_untrusted_proxy_headers=False,
                ident="facegate",
            )
        except OSError as error:
            in_use = error.errno == errno.EADDRINUSE
            raise Unavailable(
                f"REST cannot listen on {self._settings.host}:{self._settings.port}: {error.strerror}:"
                f" {'stop the program there, or set rest.port to a free port' if in_use else ADDRESS_ADVICE}."
            ) from None
        self._thread = threading.Thread(target=self._server.run, name="rest", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening. Running requests have a few seconds to finish."""
        if self._server is None or self._thread is None:
            return
        self._server.task_dispatcher.shutdown()
        time.sleep(FLUSH_S)
        self._server.close()
        self._thread.join(timeout=1)
