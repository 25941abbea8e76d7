"""The way of a request from ASGI, the interface of uvicorn, to WSGI, the interface of Flask."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Scope = Mapping[str, Any]
"""The first line and the headers of a request, as ASGI describes them."""

Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

Environ = dict[str, Any]
"""The same as WSGI describes it (PEP 3333), with the body."""

HEADER_CHECK = "facegate.header_check"
"""The key of the HeaderCheck of a request whose body is not here yet."""

BODY_ERROR = "facegate.body_error"
"""The key of the error with which the server refused the body."""

CLIENT = "facegate.client"
"""The key of the Client that sent the request."""

STREAM_SLOT = "facegate.stream_slot"

SENT_SLOT = "facegate.sent_slot"
"""The key of the StreamSlot of a request."""

NO_ADDRESS = ("", 0)
"""The address of a client that left before it was looked up."""

CONTENT_HEADERS = frozenset({"CONTENT_TYPE", "CONTENT_LENGTH"})
"""The headers that have no prefix in WSGI."""


@dataclass(slots=True)
class HeaderCheck:
    """The result of a check of the headers.

    ``passed``: the body may be received. ``sender_known``: False if only the body can tell who sent the request.
    """

    passed: bool = False
    sender_known: bool = True

    def accept(self) -> None:
        """Let the body be received."""
        self.passed = True

    def leave_to_body(self) -> None:
        """Note that only the body can tell who sent the request."""
        self.sender_known = False


class Stream(Protocol):
    """The body of a response that does not end soon."""

    def pieces(self) -> AsyncGenerator[bytes, None]:
        """Give the pieces of the body, in the event loop."""

    def end_now(self) -> None:
        """Give no further piece, since the client has left."""

    def close(self) -> None:
        """Free everything that the stream holds. The server calls this once, also if it sent nothing."""


@dataclass(slots=True)
class StreamSlot:
    """The place for the stream of a response, if its body is one. Flask sets it."""

    stream: Stream | None = None

    def put(self, stream: Stream) -> None:
        """Make a stream the body of the response."""
        self.stream = stream


class SentSlot:
    """The calls for the moment at which a response was sent, or nobody waits for it. Safe to use from any thread.

    ``cut``: ends the connection, if the client reads too slowly.
    """

    def __init__(self, cut: Callable[[], object]) -> None:
        self.cut = cut
        self._lock = threading.Lock()
        self._calls: list[Callable[[], object]] = []
        self._is_over = False

    def call_at_end(self, call: Callable[[], object]) -> None:
        """Call a function at the end, or now if it is over."""
        with self._lock:
            if not self._is_over:
                self._calls.append(call)
                return
        call()

    def end(self) -> None:
        """Make the calls, once."""
        with self._lock:
            self._is_over = True
            calls, self._calls = self._calls, []
        for call in calls:
            call()


def write_environ(scope: Scope) -> Environ:
    """Return the environment of a request without its body."""
    server, client = scope["server"] or NO_ADDRESS, client_of(scope)
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode().decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    _add_headers(environ, scope["headers"])
    return environ


def client_of(scope: Scope) -> tuple[str, int]:
    """Return the address and the port of the client."""
    return scope["client"] or NO_ADDRESS


def add_body(environ: Environ, body: bytes) -> None:
    """Add the body. Flask sees its length in the headers, also if it came in chunks."""
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)


def _add_headers(environ: Environ, headers: list[tuple[bytes, bytes]]) -> None:
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        # In WSGI, X_Forwarded_For and X-Forwarded-For have the same name: one of them could pass for the other.
        if "_" in name:
            continue
        key = name.upper().replace("-", "_")
        key = key if key in CONTENT_HEADERS else f"HTTP_{key}"
        environ[key] = f"{environ[key]}, {value}" if key in environ else value
