"""The HTTP server: uvicorn, which runs the Flask application through a bridge."""

from __future__ import annotations

import asyncio
import errno
import logging
import ssl
import threading
from collections.abc import Sequence
from ipaddress import ip_address

import uvicorn
from flask import Flask

from gateway.config import LimitSettings, RestSettings
from gateway.errors import Unavailable
from gateway.rest.access.client import Address, Proxies
from gateway.rest.transport.bridge import MAX_HEADER_BYTES, Bridge
from gateway.rest.transport.certificate import Certificate
from gateway.rest.transport.connections import BACKLOG, WAIT_S, Connections, Listener, connection_limit, listen
from gateway.rest.transport.http_protocol import HttpProtocol
from gateway.rest.transport.ingress_protocol import IngressProtocol

STOP_S = 2
"""Time for the last replies to be sent."""


class RestServer:
    """The server with its thread, in which an event loop receives requests and sends responses."""

    def __init__(
        self, app: Flask, settings: RestSettings, limits: LimitSettings, proxies: Proxies | None = None
    ) -> None:
        self._settings = settings
        tls = settings.tls
        self._certificate = Certificate(tls.cert, tls.key) if tls.cert is not None and tls.key is not None else None
        self._connections = Connections(connection_limit())
        trusted = Proxies(settings.proxies) if proxies is None else proxies
        self._bridge = Bridge(app, settings.threads, self._connections, limits.body_bytes, trusted)
        self._servers: list[uvicorn.Server] = []
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        scheme = "http" if self._certificate is None else "https"
        return f"{scheme}://{self._settings.host}:{self._settings.port}"

    @property
    def certificate_ends_at(self) -> float | None:
        """The end of the certificate, in seconds since 1970. None without a certificate."""
        return None if self._certificate is None else self._certificate.ends_at

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about faults that need the attention of a person."""
        return () if self._certificate is None else self._certificate.warnings

    def start(self) -> None:
        """Start to listen. Raise Unavailable if a port cannot be opened."""
        # A context of our own can take over a renewed certificate. One that uvicorn makes from file names cannot.
        context = None if self._certificate is None else self._certificate.context
        sockets = [self._listen("rest", self._settings.host, self._settings.port)]
        self._servers = [uvicorn.Server(self._config(HttpProtocol, context))]
        if ingress := self._settings.ingress:
            # The supervisor speaks plain HTTP, also if all others need TLS.
            only = ip_address(ingress.address)
            try:
                sockets.append(self._listen("rest.ingress", ingress.host, ingress.port, only))
            except Unavailable:
                for each in sockets[0]:
                    each.close()
                raise
            self._servers.append(uvicorn.Server(self._config(IngressProtocol, None)))
        self._thread = threading.Thread(target=self._run, args=(sockets,), name="rest", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening. Running requests have a few seconds to finish."""
        if self._thread is None:
            return
        for server in self._servers:
            server.should_exit = True
        self._thread.join(2 * STOP_S)
        self._bridge.stop()

    def _listen(self, section: str, host: str, port: int, only: Address | None = None) -> list[Listener]:
        """Return the sockets of a port. ``section``: of the settings, for the message. Raise Unavailable."""
        try:
            return listen(host, port, self._connections, only)
        except OSError as error:
            advice = f"set {section}.host to an address of this machine, and {section}.port to a port it may open"
            if error.errno == errno.EADDRINUSE:
                advice = f"stop the program there, or set {section}.port to a free port"
            raise Unavailable(f"REST cannot listen on {host}:{port}: {error.strerror}: {advice}.") from None

    def _run(self, sockets: Sequence[list[Listener]]) -> None:
        """Run the event loop until all servers have stopped."""
        asyncio.run(self._serve(sockets))

    async def _serve(self, sockets: Sequence[list[Listener]]) -> None:
        await asyncio.gather(*(server.serve(list(each)) for server, each in zip(self._servers, sockets, strict=True)))

    def _config(self, protocol: type[HttpProtocol], context: ssl.SSLContext | None) -> uvicorn.Config:
        # log_config: the gateway has set up its log. ws: without WebSockets, such a request is an ordinary one.
        return uvicorn.Config(
            self._bridge,
            loop="asyncio",
            http=protocol,
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
