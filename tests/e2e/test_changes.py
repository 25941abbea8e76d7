"""What changes who is known: once, in time, or not at all; also where the disk is full."""

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
from gateway.people import registry
from gateway.store.sqlite import database
from gateway.store.sqlite.store import SqliteStore
from tests.e2e.sites import ANSWER_S, Site, answer, jobs_taken, lone, ready, said, workers_of
from tests.support import MOSQUITTO, Client, broker_running, frame, halted, wait_for

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed; amqtt keeps no sessions")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("changes")
    some = {"mqtt": {"answer_s": ANSWER_S}, "cameras": {"desk": {"operations": ["enroll"]}}}
    with broker_running(folder) as broker, running(lone(folder / "data", broker, **some)) as gateway:
        yield Site(ready(gateway), broker, folder / "data")


@pytest.fixture(autouse=True)
def _nobody_stays(site: Site) -> Iterator[None]:
    yield
    for entry in site.gateway.known.store.people.list_entries():
        site.gateway.known.registry.remove(entry.person.slug, CLI_CALLER)


def add(client: Client, transaction: str, name: str, picture: str) -> dict[str, Any]:
    """Over the bridge; the whole answer."""
    fields = {"transaction": transaction, "name": name, "image": frame(picture)}
    client.publish("facegate/bridge/request/people/add", cbor2.dumps(fields))
    return client.get().json


def enrol(client: Client, request_id: str, name: str, *pictures: str) -> None:
    images = {f"image{n}": frame(picture) for n, picture in enumerate(pictures, 1)}
    payload = cbor2.dumps({"name": name, **images})
    client.publish(f"facegate/desk/request/enroll/{request_id}", payload)


def state(site: Site) -> tuple[list[Any], list[Any]]:
    store = site.gateway.known.store
    return [asdict(entry) for entry in store.people.list_entries()], [
        asdict(line) for line in store.audit.read_lines(100)
    ]


def who(site: Site, picture: str) -> str:
    found = requests.post(f"{site.gateway.rest.url}/face_rec", files={"file": frame(picture)}, timeout=30)
    assert found.status_code == 200
    return str(found.json()["name"])


def test_a_person_is_added_once_by_a_transaction(site: Site, phone: Client) -> None:
    """Whose answer was lost asked again, and a second person of that name was there."""
    first = add(phone, "t1", "Barack Obama", "obama_1")
    assert (first["status"], first["data"]["person"], first["data"]["pictures"]) == ("ok", "barack_obama", 1)
    people, audit = state(site)
    assert [line["action"] for line in audit] == ["add"]
    again = add(phone, "t1", "Barack Obama", "obama_1")
    assert said(again) == said(first)
    other = add(phone, "t1", "Joe Biden", "biden_1")
    assert (other["status"], other["code"], other["transaction"]) == ("error", "conflict", "t1")
    assert state(site) == (people, audit)


def test_an_enrolment_that_took_too_long_is_told_so_and_not_done_after_all(site: Site, phone: Client) -> None:
    """Who was told `timeout` gave up, and was known a moment later."""
    before = state(site)
    with halted(workers_of(site.gateway)):
        before_it = jobs_taken(site.gateway)
        enrol(phone, "slow", "Barack Obama", "obama_1", "obama_2")
        wait_for(lambda: jobs_taken(site.gateway) > before_it)
        time.sleep(ANSWER_S + 0.5)
    late = answer(phone)
    assert late["code"] == "timeout"
    assert re.search("send (the 2 pictures in several requests|fewer in one request)", late["error"])
    enrol(phone, "next", "Joe Biden", "biden_1")  # by then whatever was to be done is done
    assert answer(phone)["person"] == "joe_biden"
    assert site.gateway.known.store.people.find_person("Barack Obama") is None
    assert len(state(site)[1]) == len(before[1]) + 1
    enrol(phone, "slow", "Barack Obama", "obama_1", "obama_2")
    assert answer(phone)["person"] == "barack_obama"


def test_a_full_disk_changes_nobody_and_hides_nobody(site: Site, phone: Client) -> None:
    """SQLite's own limit: it fails as it does where the disk has no room."""
    assert add(phone, "before", "Barack Obama", "obama_1")["status"] == "ok"
    before, people_store = state(site), site.gateway.known.store
    assert isinstance(people_store, SqliteStore)
    store = people_store.database
    store.rows("VACUUM")  # or it fits where somebody was before
    most = int(store.rows("PRAGMA max_page_count")[0][0])
    ((pages,),) = store.rows("PRAGMA page_count")
    store.rows(f"PRAGMA max_page_count = {pages}")
    try:
        refused = add(phone, "full", "Joe Biden", "biden_1")
        assert (refused["status"], refused["code"], refused["data"]) == ("error", "internal", {})
        assert "full" in refused["error"]
        enrol(phone, "full", "Joe Biden", "biden_1")
        assert answer(phone)["code"] == "internal"
        assert state(site) == before
        assert (who(site, "obama_2"), who(site, "biden_2")) == ("Barack Obama", "Unknown")
    finally:
        store.rows(f"PRAGMA max_page_count = {most}")
    assert add(phone, "full", "Joe Biden", "biden_1")["data"]["person"] == "joe_biden"
    enrol(phone, "full", "Joe Biden", "biden_1")
    assert answer(phone)["person"] == "joe_biden"
    assert who(site, "biden_2") == "Joe Biden"


def test_a_disk_that_is_nearly_full_makes_it_unready_and_recognises(
    site: Site, phone: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert add(phone, "room", "Barack Obama", "obama_1")["status"] == "ok"

    def status(view: str) -> int:
        return requests.get(f"{site.gateway.rest.url}/{view}", timeout=5).status_code

    assert status("readyz") == 200
    monkeypatch.setattr(registry, "WRITABLE_CHECK_INTERVAL_S", 0.0)
    monkeypatch.setattr(database, "MIN_FREE_BYTES", math.inf)
    wait_for(lambda: status("readyz") == 503)
    assert status("healthz") == 200
    assert who(site, "obama_2") == "Barack Obama"
    monkeypatch.setattr(database, "MIN_FREE_BYTES", 0)
    wait_for(lambda: status("readyz") == 200)
