"""The examples for load balancers in config/cluster, run by the real programs before three real servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, request

from gateway.config import LimitSettings, RestSettings
from gateway.rest.access.client import Proxies
from gateway.rest.cross_site import CrossSiteCheck
from gateway.rest.early_refusals import add_early_refusals
from gateway.rest.server import RestServer
from tests.rest.proxies import BALANCERS, HOST, Front, proxy_running
from tests.support import ROOT, WAIT_S, free_port, wait_for

ADDED_BY_BALANCER = {
    "nginx": ("proxy_next_upstream", "proxy_connect_timeout", "proxy_pass", "location", "}"),
    "caddy": ("lb_", "health_", "fail_duration", "Host", "reverse_proxy", "}"),
}
"""Beginnings of lines that a load balancer has, and a proxy before one gateway has not."""


class Replica:
    """The REST interface of a replica, as far as a load balancer sees it, and the requests that it received."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ready = True
        self.received: list[str] = []
        self.settings = RestSettings.model_validate({"port": free_port(), "proxies": ["127.0.0.1"], "hosts": [HOST]})
        self._server = self._create_server()

    def _create_server(self) -> RestServer:
        app = Flask(__name__, static_folder=None)
        add_early_refusals(app)
        proxies, check = Proxies(self.settings.proxies), CrossSiteCheck(self.settings.hosts)

        @app.before_request
        def refuse_other_hosts() -> None:
            check.check(request.method, request.path, dict(request.headers))

        @app.get("/readyz")
        def readyz() -> Response:
            return Response(status=200 if self.ready else 503)

        @app.route("/face_rec", methods=["GET", "POST"])
        @app.route("/api/v1/people", methods=["GET", "POST"])
        def answer() -> Any:
            self.received.append(request.method)
            client = proxies.find_client(request.environ)
            found = {"replica": self.name, "encrypted": client.encrypted, "size": len(request.get_data())}
            return found if self.ready else Response(status=503, headers={"Retry-After": "1"})

        return RestServer(app, self.settings, LimitSettings())

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self._server.stop()


@pytest.fixture
def replicas() -> Iterator[list[Replica]]:
    made = [Replica(f"replica{number}") for number in (1, 2, 3)]
    for each in made:
        each.start()
    try:
        yield made
    finally:
        for each in made:
            each.stop()


@pytest.fixture(params=BALANCERS)
def front(request: pytest.FixtureRequest, tmp_path: Path, replicas: list[Replica]) -> Iterator[Front]:
    """A client of a load balancer before the three replicas, each of which it can reach."""
    with proxy_running(request.param, tmp_path, *(each.settings.port for each in replicas)) as client:
        # Caddy asks each replica whether it is ready before it sends a request there.
        wait_for(lambda: client.get(f"{client.url}/face_rec", timeout=WAIT_S).status_code == 200)
        yield client


def ask(front: Front, path: str = "/face_rec", body: bytes | None = None) -> str:
    """Send a request, and return the name of the replica that answered."""
    answer = front.request("GET" if body is None else "POST", f"{front.url}{path}", data=body, timeout=WAIT_S)
    assert answer.status_code == 200, answer.text
    assert answer.json()["encrypted"] is True
    assert answer.json()["size"] == len(body or b"")
    return str(answer.json()["replica"])


def test_client_stays_at_one_replica(front: Front) -> None:
    """Another replica would send all states of the event stream again."""
    assert len({ask(front) for _ in range(12)}) == 1


def test_client_gets_another_replica_when_its_own_is_gone(front: Front, replicas: list[Replica]) -> None:
    own = next(each for each in replicas if each.name == ask(front))
    own.stop()
    assert ask(front) != own.name
    assert ask(front, body=bytes(100_000)) != own.name


def test_picture_is_sent_to_a_replica_that_is_ready(front: Front, replicas: list[Replica]) -> None:
    own = next(each for each in replicas if each.name == ask(front))
    own.ready = False
    wait_for(lambda: front.post(f"{front.url}/face_rec", b"picture", timeout=WAIT_S).status_code == 200)
    assert ask(front, body=b"picture") != own.name


def test_change_is_sent_once(front: Front, replicas: list[Replica]) -> None:
    own = next(each for each in replicas if each.name == ask(front, "/api/v1/people"))
    own.ready = False
    own.received.clear()
    answer = front.post(f"{front.url}/api/v1/people", b"picture", timeout=WAIT_S)
    # Caddy may know by then that this replica is not ready.
    assert sum(each.received.count("POST") for each in replicas) == 1
    assert answer.status_code == (503 if own.received else 200)


@pytest.mark.parametrize(("name", "single"), [("nginx", "nginx/facegate.conf"), ("caddy", "caddy/Caddyfile")])
def test_balancer_sets_the_headers_that_the_proxy_of_one_gateway_sets(name: str, single: str) -> None:
    _, balancer = BALANCERS[name]
    lines, single_lines = (
        {
            line.strip()
            for line in (ROOT / "config" / file).read_text().splitlines()
            if line.strip()[:1] not in ("", "#")
        }
        for file in (balancer, single)
    )
    own = {"upstream facegate {", "ip_hash;", "keepalive 16;"} | {
        f"server replica{n}.example.org:5001 max_fails=0;" for n in (1, 2, 3)
    }
    more = lines - single_lines - own
    assert all(line.startswith(ADDED_BY_BALANCER[name]) for line in more), more
    assert all(line.startswith(ADDED_BY_BALANCER[name]) for line in single_lines - lines)
