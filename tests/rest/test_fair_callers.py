"""Callers of the REST interface over real connections: one of them takes no places from another."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import requests

from gateway.config import LimitSettings, RestSettings
from gateway.metrics import Metrics
from gateway.people.vision import NoVision
from gateway.rest.access.access import Access
from gateway.rest.app import create_app
from gateway.rest.server import RestServer
from gateway.service.administration import Administration
from gateway.service.turns import Turns
from gateway.store.sqlite.token_file import SqliteTokens
from tests.people.environment import open_environment
from tests.rest.access.examples import HEALTH, add_token, bearer
from tests.support import WAIT_S, free_port, wait_for

CLIENTS = 24


def test_token_with_many_connections_takes_no_places_from_another(tmp_path: Path) -> None:
    """Regression: beside 24 clients of one token, 7 of 20 lists with another token got 503."""
    tokens, metrics, port = SqliteTokens(tmp_path / "access.sqlite"), Metrics(), free_port()
    flooding, other = (bearer(add_token(tokens, name, "viewer")) for name in ("phone", "tablet"))
    url, stop, statuses = f"http://127.0.0.1:{port}/api/v1/people", threading.Event(), Counter[int]()
    settings = RestSettings.model_validate({"port": port, "anonymous": {"from": []}})

    def flood() -> None:
        with requests.Session() as session:
            while not stop.is_set():
                statuses[session.get(url, headers=flooding, timeout=WAIT_S).status_code] += 1

    with ExitStack() as stack:
        env = stack.enter_context(open_environment(tmp_path))
        changes, reads, clients = (stack.enter_context(ThreadPoolExecutor(each)) for each in (1, 1, CLIENTS))
        administration = Administration(env.people, NoVision(), Turns(changes), Turns(reads), lambda: HEALTH)
        app = create_app(
            administration.submit,  # type: ignore[arg-type]  # no operation on pictures is submitted
            lambda: HEALTH,
            metrics,
            LimitSettings(),
            access=Access(settings, tokens, metrics),
        )
        server = RestServer(app, settings, LimitSettings())
        server.start()
        stack.callback(server.stop)
        stack.callback(stop.set)
        for _ in range(CLIENTS):
            clients.submit(flood)
        wait_for(lambda: statuses[503] >= CLIENTS, WAIT_S)
        answers = [requests.get(url, headers=other, timeout=WAIT_S).status_code for _ in range(20)]
        stop.set()
    assert answers == [200] * 20
    assert statuses[200] > 0
