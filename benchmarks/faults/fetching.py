"""A request over REST."""

from __future__ import annotations

from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException

FETCH_TIMEOUT_S = 2.0

Reply = tuple[int, bytes]
"""The HTTP status, and the body."""


def fetch(
    port: int,
    method: str,
    path: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    wait: float = FETCH_TIMEOUT_S,
) -> Reply | None:
    """Return the reply, or None if none came within ``wait`` seconds after each part of it."""
    connection = HTTPConnection("127.0.0.1", port, timeout=wait)
    try:
        connection.request(method, path, body or None, dict(headers or {}))
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
