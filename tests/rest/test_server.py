"""The limits of the HTTP server."""

from __future__ import annotations

import http.client
from collections.abc import Iterator

import pytest
from flask import Flask

from gateway.config import LimitSettings, RestSettings
from gateway.rest.server import RestServer
from tests.support import free_port


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    app = Flask(__name__, static_folder=None)
    app.add_url_rule("/", view_func=lambda: "served")
    settings = RestSettings(port=free_port(), threads=1)
    server = RestServer(app, settings, LimitSettings())
    server.start()
    yield settings.port
    server.stop()


@pytest.mark.parametrize(("size", "status"), [(100, 200), (16_000, 200), (60_000, 200), (66_000, 431), (250_000, 431)])
@pytest.mark.parametrize("header", ["Referer", "X-Other"])
def test_headers_over_the_limit_are_refused(port: int, header: str, size: int, status: int) -> None:
    """Regression: 256 kB were accepted, and a name of that length was translated before it was refused."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/", headers={header: "x" * size})
    assert connection.getresponse().status == status
    connection.close()
