"""The ASGI application that uvicorn runs: it receives a request on the event loop, and lets Flask answer in a thread.

A slow upload costs no thread, and neither does a client that reads its answer slowly. Only whole requests reach Flask.
"""

from __future__ import annotations

import asyncio
from functools import partial
from http import HTTPStatus

from flask import Flask

from gateway.errors import GatewayError
from gateway.rest.access.client import Proxies
from gateway.rest.access.failed_logins import site_of
from gateway.rest.transport.bodies import Bodies, Disconnected, discard
from gateway.rest.transport.connection import Connection, Phase
from gateway.rest.transport.connections import Connections, Unread
from gateway.rest.transport.environ import (
    BODY_ERROR,
    CLIENT,
    HEADER_CHECK,
    SENT_SLOT,
    STREAM_SLOT,
    Environ,
    HeaderCheck,
    Receive,
    Scope,
    Send,
    SentSlot,
    StreamSlot,
    add_body,
    client_of,
    write_environ,
)
from gateway.rest.transport.error_pace import ErrorPace
from gateway.rest.transport.fair_threads import FairThreads
from gateway.rest.transport.public_address import apply_public_address
from gateway.rest.transport.sending import BridgeResponse, send_response, send_stream, wait_for_disconnect

HEALTH_PATHS = frozenset({"/healthz", "/readyz"})
"""The paths with threads of their own, so that they never wait for other requests."""

HEALTH_THREADS = 2

MAX_HEADER_BYTES = 65_536
"""The most bytes of a request's headers. Browsers and proxies send a few thousand."""

HEADERS_TOO_LONG = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE

BODIES_DISCARDED = 2
"""The most bytes of a refused body that are received, as a multiple of the largest body that is allowed."""

RESPONSES_IN_MEMORY = 2
"""The memory for all responses that clients are reading, but for one, as a multiple of the largest body allowed."""


class Bridge:
    """The application. ``threads``: the requests that Flask answers at the same time. ``proxies``: trusted ones."""

    def __init__(self, app: Flask, threads: int, connections: Connections, largest_body: int, proxies: Proxies) -> None:
        self._app = app
        self._proxies = proxies
        self._connections = connections
        self._bodies = Bodies(largest_body)
        self._unread = Unread(RESPONSES_IN_MEMORY * largest_body)
        self._error_pace = ErrorPace()
        self._largest_body = largest_body
        self._threads = FairThreads(threads, "rest")
        self._health_threads = FairThreads(HEALTH_THREADS, "rest-health")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        with self._connections.request(client_of(scope)) as connection:
            sent = SentSlot(partial(asyncio.get_running_loop().call_soon_threadsafe, connection.shut))
            try:
                response, body_left = await self._respond(scope, receive, connection, sent)
                if response.status_code >= HTTPStatus.BAD_REQUEST or response.endless is not None:
                    # The response names nobody, or looks at the people for each piece.
                    sent.end()
                await self._delay_error(response.status_code, scope, connection)
                await self._send(response, connection, receive, send)
                sent.end()
                if body_left:
                    connection.enter(Phase.RECEIVING)
                    # Many clients read no response before they have sent everything.
                    await discard(receive, BODIES_DISCARDED * self._largest_body)
                await send({"type": "http.response.body", "body": b""})
            except Disconnected:
                await wait_for_disconnect(receive)
            except asyncio.TimeoutError:
                connection.shut()
                # The event loop has to notice the end of the connection, or uvicorn logs an incomplete response.
                await wait_for_disconnect(receive)
            finally:
                sent.end()

    def stop(self) -> None:
        """Let no further request reach Flask."""
        for threads in (self._threads, self._health_threads):
            threads.stop()

    async def _send(self, response: BridgeResponse, connection: Connection, receive: Receive, send: Send) -> None:
        if response.endless is None:
            connection.enter(Phase.SENDING)
            with self._unread.response(connection, len(response.get_data())):
                await send_response(response, send)
            return
        try:
            await send_stream(response, response.endless, receive, send)
        finally:
            response.endless.close()

    async def _respond(
        self, scope: Scope, receive: Receive, connection: Connection, sent: SentSlot
    ) -> tuple[BridgeResponse, bool]:
        """Return the response, and whether a part of the request's body is left."""
        if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADER_BYTES:
            return _closing(BridgeResponse("the headers are too long", HEADERS_TOO_LONG)), True
        environ = write_environ(scope)
        # Flask is asked twice about a request with a body, and needs the client several times.
        environ[SENT_SLOT] = sent
        environ[CLIENT] = self._proxies.find_client(environ)
        apply_public_address(environ, environ[CLIENT])
        if not _has_body(environ):
            return await self._ask_flask(environ, connection), False
        connection.enter(Phase.RECEIVING)
        check = connection.heads.find(scope)
        if check is None:
            check, refusal = await self._check_headers(environ, connection)
            if not check.passed:
                return _closing(refusal), True
            connection.heads.remember(scope, check)
        with self._bodies.room(sender_known=check.sender_known) as body:
            try:
                add_body(environ, await self._bodies.read(body, receive))
            except GatewayError as error:
                environ[BODY_ERROR] = error
                return _closing(await self._ask_flask(environ, connection)), True
            return await self._ask_flask(environ, connection), False

    async def _delay_error(self, status: int, scope: Scope, connection: Connection) -> None:
        """Wait with an error if its sender causes a flood of them."""
        if status < HTTPStatus.BAD_REQUEST:
            return
        delay = self._error_pace.delay(site_of(self._proxies.find_client(write_environ(scope))))
        if delay > 0:
            # In this phase the connection may be shut if there are too many connections.
            connection.enter(Phase.RECEIVING)
            await connection.pause(delay)

    async def _check_headers(self, environ: Environ, connection: Connection) -> tuple[HeaderCheck, BridgeResponse]:
        """Return the result of the check of the headers, and the response if the request did not pass it."""
        check = HeaderCheck()
        response = await self._run({**environ, HEADER_CHECK: check}, connection, Phase.RECEIVING)
        return check, response

    async def _ask_flask(self, environ: Environ, connection: Connection) -> BridgeResponse:
        connection.enter(Phase.QUEUED)
        return await self._run(environ, connection, Phase.ANSWERING)

    async def _run(self, environ: Environ, connection: Connection, phase: Phase) -> BridgeResponse:
        """Return the response of Flask. ``phase``: that of the connection when it is the client's turn.

        Raises Disconnected if the client leaves before that, or if another client needs the connection.
        """
        threads = self._health_threads if environ["PATH_INFO"] in HEALTH_PATHS else self._threads
        slot = environ[STREAM_SLOT] = StreamSlot()
        async with threads.turn(site_of(environ[CLIENT]), connection):
            connection.enter(phase)
            response = await threads.run(partial(BridgeResponse.from_app, self._app, environ, buffered=True))
        assert isinstance(response, BridgeResponse)
        response.take_stream(slot)
        return response


def _has_body(environ: Environ) -> bool:
    return "HTTP_TRANSFER_ENCODING" in environ or environ.get("CONTENT_LENGTH", "0") != "0"


def _closing(response: BridgeResponse) -> BridgeResponse:
    response.headers["Connection"] = "close"
    return response
