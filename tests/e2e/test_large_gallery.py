"""A gateway that compares faces in PostgreSQL: requests, live frames, erasure, and a database that is away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from device_sim.postgres_server import PostgresServer
from gateway.app import Gateway, running
from tests.conftest import settings
from tests.support import WAIT_S, Broker, Client, frame, wait_for

BASE = "large"


@pytest.fixture
def gateway(tmp_path: Path, broker: Broker, postgres_server: PostgresServer) -> Iterator[Gateway]:
    """Give a gateway that knows Barack Obama and Joe Biden. PostgreSQL runs again after the test."""
    if not postgres_server.has_vectors():
        pytest.skip("this PostgreSQL has no pgvector")
    (tmp_path / "nobody").mkdir()
    wanted = settings(
        tmp_path / "large",
        broker,
        workers={"processes": 1},
        mqtt={"base": BASE, "client_id": BASE},
        people={"folder": tmp_path / "nobody", "store": postgres_server.create_database()},
        gallery={"in_memory": 0},
    )
    with running(wanted) as gateway:
        wait_for(lambda: gateway.health().ready, 60)
        for name, picture in (("Barack Obama", "obama_1"), ("Joe Biden", "biden_1")):
            url = f"{gateway.rest.url}/api/v1/people"
            answer = requests.post(url, data={"name": name}, files={"images": frame(picture)}, timeout=WAIT_S)
            assert answer.status_code == 200, answer.text
        yield gateway
        if not postgres_server.is_running:
            postgres_server.start()


@pytest.fixture
def client(broker: Broker) -> Iterator[Client]:
    client = Client(broker.port)
    yield client
    client.close()


def recognise(gateway: Gateway, picture: str) -> requests.Response:
    url = f"{gateway.rest.url}/api/v1/recognise"
    return requests.post(url, files={"image": frame(picture)}, timeout=WAIT_S)


def who(gateway: Gateway, picture: str) -> Any:
    answer = recognise(gateway, picture)
    assert answer.status_code == 200, answer.text
    return answer.json()["person"]


def test_people_are_recognised_in_the_database(gateway: Gateway, client: Client, caplog: Any) -> None:
    assert not gateway.people.gallery.compares_everybody
    assert [who(gateway, picture) for picture in ("obama_2", "biden_2")] == ["barack_obama", "joe_biden"]
    client.subscribe(f"{BASE}/porch/event")
    client.publish(f"{BASE}/porch/frame", frame("obama_2"))
    assert json.loads(client.get().payload)["person"] == "barack_obama"
    url = f"{gateway.rest.url}/api/v1/verify/joe_biden"
    answer = requests.post(url, files={"image": frame("biden_2")}, timeout=WAIT_S)
    assert answer.json()["match"] is True
    # A second enrolment of the same face is noticed.
    url = f"{gateway.rest.url}/api/v1/people"
    answer = requests.post(url, data={"name": "Twin"}, files={"images": frame("obama_2")}, timeout=WAIT_S)
    assert "this face is known as Barack Obama" in answer.text
    assert requests.delete(f"{url}/twin", timeout=WAIT_S).ok
    assert requests.post(f"{url}/barack_obama/erase", timeout=WAIT_S).ok
    assert [who(gateway, picture) for picture in ("obama_2", "biden_2")] == [None, "joe_biden"]
    assert "Traceback" not in caplog.text


def test_answers_are_busy_while_the_database_is_away(
    gateway: Gateway, client: Client, postgres_server: PostgresServer, caplog: Any
) -> None:
    client.subscribe(f"{BASE}/porch/result")
    postgres_server.stop()
    answer = recognise(gateway, "obama_2")
    assert answer.status_code == 503
    assert "cannot be reached now" in answer.text
    client.publish(f"{BASE}/porch/frame", frame("obama_2"))
    assert json.loads(client.get().payload)["code"] == "busy"
    postgres_server.start()
    wait_for(lambda: recognise(gateway, "obama_2").status_code == 200)
    assert who(gateway, "obama_2") == "barack_obama"
    assert "a live frame cannot be followed" not in caplog.text
    assert "a step of the live cameras failed" not in caplog.text
