"""The HTTP server: uvicorn, which runs the Flask application through a bridge."""

from __future__ import annotations

import errno
import logging
import threading

import uvicorn
from flask import Flask

from gateway.config import LimitSettings, RestSettings
from gateway.errors import Unavailable
from gateway.rest.access.client import Proxies
from gateway.rest.transport.bridge import MAX_HEADER_BYTES, Bridge
from gateway.rest.transport.certificate import Certificate
from gateway.rest.transport.connections import BACKLOG, WAIT_S, Connections, connection_limit, listen

ADDRESS_ADVICE = "set rest.host to an address of this machine, and rest.port to a port that this user may open"

STOP_S = 2
"""Time for the last replies to be sent."""


class RestServer:
    """The server with its thread, in which an event loop receives requests and sends responses."""

    def __init__(self, app: Flask, settings: RestSettings, limits: LimitSettings) -> None:
        self._settings = settings
        tls = settings.tls
        self._certificate = Certificate(tls.cert, tls.key) if tls.cert is not None and tls.key is not None else None
        self._connections = Connections(connection_limit())
        self._bridge = Bridge(app, settings.threads, self._connections, limits.body_bytes, Proxies(settings.proxies))
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        scheme = "http" if self._certificate is None else "https"
        return f"{scheme}://{self._settings.host}:{self._settings.port}"

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about faults that need the attention of a person."""
        return () if self._certificate is None else self._certificate.warnings

    def start(self) -> None:
        """Start to listen. Raise Unavailable if the port cannot be opened."""
        try:
            listeners = listen(self._settings.host, self._settings.port, self._connections)
        except OSError as error:
            in_use = error.errno == errno.EADDRINUSE
            raise Unavailable(
                f"REST cannot listen on {self._settings.host}:{self._settings.port}: {error.strerror}:"
                f" {'stop the program there, or set rest.port to a free port' if in_use else ADDRESS_ADVICE}."
            ) from None
        self._server = uvicorn.Server(self._config())
        self._thread = threading.Thread(target=self._server.run, args=(listeners,), name="rest", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening. Running requests have a few seconds to finish."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join(2 * STOP_S)
        self._bridge.stop()

    def _config(self) -> uvicorn.Config:
        # log_config: the gateway has set up its log. ws: without WebSockets, such a request is an ordinary one.
        # A context of our own can take over a renewed certificate. One that uvicorn makes from file names cannot.
        context = None if self._certificate is None else self._certificate.context
        return uvicorn.Config(
            self._bridge,
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level=logging.WARNING,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            headers=[("server", "facegate")],
            backlog=BACKLOG,
            timeout_keep_alive=int(WAIT_S),
            timeout_graceful_shutdown=STOP_S,
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,
            callback_notify=self._look_around,
            timeout_notify=1,
            ssl_context_factory=None if context is None else lambda *_: context,
        )

    async def _look_around(self) -> None:
        """Do the work of each second."""
        self._connections.shut_slow()
        if self._certificate is not None:
            self._certificate.reload_if_renewed()
