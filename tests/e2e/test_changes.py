"""Changes of the enrolled people: exactly once, in time, or not at all; also on a full disk."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import cbor2
import pytest
import requests

from gateway.app import running
from gateway.model.caller import CLI_CALLER
from gateway.people import store_watcher
from gateway.store.sqlite import database
from gateway.store.sqlite.store import SqliteStore
from tests.e2e.deployments import (
    ANSWER_S,
    Deployment,
    content_of,
    jobs_taken,
    next_response,
    small_settings,
    wait_until_ready,
    workers_of,
)
from tests.support import MOSQUITTO, WAIT_S, Client, broker_running, frame, paused_processes, wait_for

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed; amqtt keeps no sessions")


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("changes")
    some = {"mqtt": {"answer_s": ANSWER_S}, "cameras": {"desk": {"operations": ["enroll"]}}}
    with broker_running(folder) as broker, running(small_settings(folder / "data", broker, **some)) as gateway:
        yield Deployment(wait_until_ready(gateway), broker, folder / "data")


@pytest.fixture(autouse=True)
def _remove_people_afterwards(deployment: Deployment) -> Iterator[None]:
    yield
    for entry in deployment.gateway.people.store.people.list_entries():
        deployment.gateway.people.registry.remove(entry.person.slug, CLI_CALLER)


def add(client: Client, transaction: str, name: str, picture: str) -> dict[str, Any]:
    """Send people/add over the bridge, and return the whole answer."""
    fields = {"transaction": transaction, "name": name, "image": frame(picture)}
    client.publish("facegate/bridge/request/people/add", cbor2.dumps(fields))
    return client.get().json


def enrol(client: Client, request_id: str, name: str, *pictures: str) -> None:
    images = {f"image{n}": frame(picture) for n, picture in enumerate(pictures, 1)}
    payload = cbor2.dumps({"name": name, **images})
    client.publish(f"facegate/desk/request/enroll/{request_id}", payload)


def people_and_audit(deployment: Deployment) -> tuple[list[Any], list[Any]]:
    store = deployment.gateway.people.store
    people = [asdict(entry) for entry in store.people.list_entries()]
    return people, [asdict(line) for line in store.audit.read_lines(100)]


def recognised_name(deployment: Deployment, picture: str) -> str:
    found = requests.post(f"{deployment.gateway.rest.url}/face_rec", files={"file": frame(picture)}, timeout=WAIT_S)
    assert found.status_code == 200
    return str(found.json()["name"])


def test_command_with_the_same_transaction_adds_a_person_once(deployment: Deployment, requester: Client) -> None:
    """Regression: when the answer was lost, the repeated command added a second person of that name."""
    first = add(requester, "t1", "Barack Obama", "obama_1")
    assert (first["status"], first["data"]["person"], first["data"]["pictures"]) == ("ok", "barack_obama", 1)
    people, audit = people_and_audit(deployment)
    assert [line["action"] for line in audit] == ["add", "start"]
    again = add(requester, "t1", "Barack Obama", "obama_1")
    assert content_of(again) == content_of(first)
    other = add(requester, "t1", "Joe Biden", "biden_1")
    assert (other["status"], other["code"], other["transaction"]) == ("error", "conflict", "t1")
    assert people_and_audit(deployment) == (people, audit)


def test_enrolment_that_got_a_timeout_is_not_done_later(deployment: Deployment, requester: Client) -> None:
    """Regression: the person was enrolled a moment after the device got `timeout`."""
    before = people_and_audit(deployment)
    with paused_processes(workers_of(deployment.gateway)):
        before_it = jobs_taken(deployment.gateway)
        enrol(requester, "slow", "Barack Obama", "obama_1", "obama_2")
        wait_for(lambda: jobs_taken(deployment.gateway) > before_it)
        time.sleep(ANSWER_S + 0.5)
    late = next_response(requester)
    assert late["code"] == "timeout"
    assert re.search("send (the 2 pictures in several requests|fewer in one request)", late["error"])
    enrol(requester, "next", "Joe Biden", "biden_1")  # by then a late enrolment would be done, too
    assert next_response(requester)["person"] == "joe_biden"
    assert deployment.gateway.people.store.people.find_person("Barack Obama") is None
    assert len(people_and_audit(deployment)[1]) == len(before[1]) + 1
    enrol(requester, "slow", "Barack Obama", "obama_1", "obama_2")
    assert next_response(requester)["person"] == "barack_obama"


def test_full_disk_changes_nobody_and_recognition_goes_on(deployment: Deployment, requester: Client) -> None:
    """SQLite's own limit of pages makes a write fail as on a full disk."""
    assert add(requester, "before", "Barack Obama", "obama_1")["status"] == "ok"
    before, people_store = people_and_audit(deployment), deployment.gateway.people.store
    assert isinstance(people_store, SqliteStore)
    store = people_store.database
    store.rows("VACUUM")  # otherwise the new person fits into free pages
    most = int(store.rows("PRAGMA max_page_count")[0][0])
    ((pages,),) = store.rows("PRAGMA page_count")
    store.rows(f"PRAGMA max_page_count = {pages}")
    try:
        refused = add(requester, "full", "Joe Biden", "biden_1")
        assert (refused["status"], refused["code"], refused["data"]) == ("error", "internal", {})
        assert "full" in refused["error"]
        enrol(requester, "full", "Joe Biden", "biden_1")
        assert next_response(requester)["code"] == "internal"
        assert people_and_audit(deployment) == before
        assert (recognised_name(deployment, "obama_2"), recognised_name(deployment, "biden_2")) == (
            "Barack Obama",
            "Unknown",
        )
    finally:
        store.rows(f"PRAGMA max_page_count = {most}")
    assert add(requester, "full", "Joe Biden", "biden_1")["data"]["person"] == "joe_biden"
    enrol(requester, "full", "Joe Biden", "biden_1")
    assert next_response(requester)["person"] == "joe_biden"
    assert recognised_name(deployment, "biden_2") == "Joe Biden"


def test_nearly_full_disk_makes_the_gateway_unready_and_recognition_goes_on(
    deployment: Deployment, requester: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert add(requester, "room", "Barack Obama", "obama_1")["status"] == "ok"

    def status(view: str) -> int:
        return requests.get(f"{deployment.gateway.rest.url}/{view}", timeout=WAIT_S).status_code

    wait_for(lambda: status("readyz") == 200)
    monkeypatch.setattr(store_watcher, "WRITABLE_CHECK_INTERVAL_S", 0.0)
    monkeypatch.setattr(database, "MIN_FREE_BYTES", math.inf)
    wait_for(lambda: status("readyz") == 503)
    assert status("healthz") == 200
    assert recognised_name(deployment, "obama_2") == "Barack Obama"
    monkeypatch.setattr(database, "MIN_FREE_BYTES", 0)
    wait_for(lambda: status("readyz") == 200)
