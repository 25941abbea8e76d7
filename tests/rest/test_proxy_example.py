"""The examples for nginx and Caddy in config/, run by the real programs before a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask, request

from gateway.config import LimitSettings, RestSettings, Settings
from gateway.contract.live import write_event
from gateway.metrics import Metrics
from gateway.mqtt.description.asyncapi import describe_mqtt
from gateway.rest.access.client import Proxies
from gateway.rest.early_refusals import add_early_refusals
from gateway.rest.events.hub import EventHub
from gateway.rest.events.streams import EventStreams
from gateway.rest.server import RestServer
from gateway.rest.wiring import Logins, create_rest
from gateway.store.sqlite.token_file import SqliteTokens
from tests.rest.access.examples import HEALTH, add_token, bearer
from tests.rest.events.examples import sighting_event
from tests.rest.proxies import HOST, PROXIES, Front, proxy_running
from tests.support import WAIT_S, free_port

Ask = Callable[..., requests.Response]


def application(settings: RestSettings) -> Flask:
    app = Flask(__name__, static_folder=None)
    add_early_refusals(app)
    proxies = Proxies(settings.proxies)

    @app.route("/where", methods=["GET", "POST"])
    def where() -> dict[str, object]:
        client = proxies.find_client(request.environ)
        return {
            "host": request.host,
            "prefix": request.script_root,
            "client": client.name,
            "encrypted": client.encrypted,
            "protocol": request.environ["SERVER_PROTOCOL"],
            "size": len(request.get_data()),
        }

    return app


@pytest.fixture(scope="module", params=PROXIES)
def ask(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """A function that sends a request to a proxy, which stands before a server that trusts it."""
    settings = RestSettings.model_validate({"port": free_port(), "proxies": ["127.0.0.1"]})
    server = RestServer(application(settings), settings, LimitSettings())
    server.start()
    try:
        with proxy_running(request.param, tmp_path_factory.mktemp("proxy"), settings.port) as front:
            yield lambda body=b"", **headers: front.post(f"{front.url}/where", body, headers=headers, timeout=WAIT_S)
    finally:
        server.stop()


class Site:
    """The REST interface of a gateway behind a proxy, and a client of that proxy."""

    def __init__(self, folder: Path) -> None:
        self.tokens = SqliteTokens(folder / "access.sqlite")
        self.hub = EventHub(lambda _slug: None)
        self.streams = EventStreams(self.hub, most=4)
        rest = {"port": free_port(), "proxies": ["127.0.0.1"], "hosts": [HOST]}
        settings = Settings.model_validate({"rest": rest})
        self.port = settings.rest.port
        self.server = create_rest(
            settings,
            submit=_refuse,
            health=lambda: HEALTH,
            logins=Logins(self.tokens),
            metrics=Metrics(),
            record=lambda _event: None,
            describe_mqtt=describe_mqtt,
            streams=self.streams,
        )

    def add_sighting(self, key: str) -> None:
        self.hub.add("sighting", partial(write_event, sighting_event(key)), "porch", [])

    def stop(self) -> None:
        self.streams.stop()
        self.server.stop()


def _refuse(_request: object) -> Any:
    raise AssertionError("no request reaches the service")


@pytest.fixture(params=PROXIES)
def site_and_front(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Site, Front]]:
    site = Site(tmp_path)
    site.server.start()
    try:
        with proxy_running(request.param, tmp_path, site.port) as front:
            yield site, front
    finally:
        site.stop()


def test_proxy_states_the_client_and_the_public_name(ask: Ask) -> None:
    assert ask(bytes(1_000_000)).json() == {
        "host": HOST,
        "prefix": "",
        # The client has the same address as the proxy here.
        "client": "an unknown address",
        "encrypted": True,
        "protocol": "HTTP/1.1",
        "size": 1_000_000,
    }


def test_proxy_replaces_the_headers_that_a_client_forges(ask: Ask) -> None:
    forged = {
        "X-Forwarded-For": "10.9.8.7",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Prefix": "/evil",
        "X-Ingress-Path": "/evil",
    }
    assert ask(**forged).json() == ask().json()


def test_browser_logs_in_through_the_proxy(site_and_front: tuple[Site, Front]) -> None:
    site, front = site_and_front
    secret = add_token(site.tokens, "phone", "viewer")
    assert front.get(f"{front.url}/session", timeout=WAIT_S).status_code == 401
    origin = {"Origin": f"https://{HOST}"}
    answer = front.post(f"{front.url}/login", json={"token": secret}, headers=origin, timeout=WAIT_S)
    assert answer.status_code == 200, answer.text
    # A browser accepts a cookie of this name over TLS only.
    assert answer.headers["Set-Cookie"].startswith("__Host-facegate_session=")
    assert front.get(f"{front.url}/session", timeout=WAIT_S).json()["role"] == "viewer"


def test_event_comes_through_the_proxy_immediately(site_and_front: tuple[Site, Front]) -> None:
    site, front = site_and_front
    headers = bearer(add_token(site.tokens, "phone", "viewer"))
    url = f"{front.url}/api/v1/events?kind=sighting"
    with front.get(url, headers=headers, stream=True, timeout=WAIT_S) as stream:
        lines = stream.iter_lines(chunk_size=1)
        assert any(line == b"event: reset" for line in lines)
        for key in ("s1", "s2"):
            # The second sighting is made after the first has arrived: a proxy that collects lines never sends it.
            site.add_sighting(key)
            assert any(f'"sighting":"{key}"' in line.decode() for line in lines)
