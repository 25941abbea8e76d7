"""Sightings of a live camera: stored, shown, corrected and erased through each interface, with real pictures."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
import requests

from gateway.app import Gateway, running
from gateway.store.sqlite.store import SqliteStore
from tests.e2e.test_people import PeopleHarness, files_with, people_settings
from tests.rest.events.examples import Listener
from tests.support import ROOT, WAIT_S, Broker, Client, frame, wait_for

BASE = "sightings"


@pytest.fixture
def client(broker: Broker) -> Iterator[Client]:
    client = Client(broker.port)
    yield client
    client.close()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, broker: Broker) -> Iterator[Gateway]:
    """Give a gateway that knows Barack Obama and Joe Biden."""
    wanted = people_settings(tmp_path_factory.mktemp("sightings"), broker, mqtt={"base": BASE}, cameras={})
    with running(wanted) as gateway:
        wait_for(lambda: gateway.health().ready, 60)
        for name, picture in (("Barack Obama", "obama_1"), ("Joe Biden", "biden_1")):
            url = f"{gateway.rest.url}/api/v1/people"
            answer = requests.post(url, data={"name": name}, files={"images": frame(picture)}, timeout=WAIT_S)
            assert answer.status_code == 200, answer.text
        yield gateway


@pytest.fixture
def harness(gateway: Gateway, client: Client) -> PeopleHarness:
    settings = gateway.people.rules.folder
    return PeopleHarness(gateway, client, settings.path.parent / "data", settings.path, BASE, gateway.rest.url)


def get(harness: PeopleHarness, path: str) -> Any:
    answer = requests.get(f"{harness.url}/api/v1/{path}", timeout=WAIT_S)
    assert answer.status_code == 200, answer.text
    return answer.json()


def post(harness: PeopleHarness, path: str) -> Any:
    answer = requests.post(f"{harness.url}/api/v1/{path}", timeout=WAIT_S)
    assert answer.status_code == 200, answer.text
    return answer.json()


def see(harness: PeopleHarness, *pictures: str, camera: str = "porch", **wanted: str) -> str:
    """Send frames of a camera in turns until a sighting with these fields is stored. Return its id."""
    frames = cycle(map(frame, pictures))
    query = "&".join(f"{name}={value}" for name, value in {"camera": camera, **wanted}.items())
    found: list[str] = []

    def is_stored() -> bool:
        harness.client.publish(f"{BASE}/{camera}/frame", next(frames), qos=0)
        found[:] = [each["sighting"] for each in get(harness, f"sightings?{query}")["sightings"]]
        return bool(found)

    wait_for(is_stored)
    return found[0]


def next_event(harness: PeopleHarness, event_type: str) -> dict[str, Any]:
    """Return the next event of a type on the subscribed topics."""
    while (event := harness.client.get().json)["event_type"] != event_type:
        pass
    return dict(event)


def test_sighting_is_shown_confirmed_and_corrected(harness: PeopleHarness) -> None:
    harness.client.subscribe(f"{BASE}/porch/event")
    key = see(harness, "obama_2", person="barack_obama")
    shown = requests.get(f"{harness.url}/api/v1/sightings/{key}/picture", timeout=WAIT_S)
    assert shown.headers["Content-Type"] == "image/jpeg"
    assert shown.headers["Cache-Control"] == "private, max-age=60"
    with PIL.Image.open(io.BytesIO(shown.content)) as image:
        assert 50 < min(image.size) <= max(image.size) <= 256
    assert next_event(harness, "recognised")["snapshot"] == f"/api/v1/sightings/{key}/picture"

    confirmed = post(harness, f"sightings/{key}/confirm")
    assert (confirmed["name"], confirmed["picture_of"]) == ("Barack Obama", "barack_obama")
    sources = [each["source"] for each in get(harness, "people/barack_obama")["pictures"]]
    assert sources == ["rest", f"sighting:porch/{key}"]
    assert next_event(harness, "confirmed")["sighting"] == key

    corrected = post(harness, f"sightings/{key}/not_them")
    assert (corrected["person"], corrected["picture"]) == (None, confirmed["picture"])
    event = next_event(harness, "not_them")
    assert (event["sighting"], event["person"], event["previous"]["person"]) == (key, None, "barack_obama")
    assert [each["counter"] for each in get(harness, "people/barack_obama")["pictures"]] == [False, True]
    missing = requests.get(f"{harness.url}/api/v1/sightings/{key}0/picture", timeout=WAIT_S)
    assert (missing.status_code, missing.json()["code"]) == (404, "unknown_person")


def test_camera_shows_its_last_frame_and_its_people(harness: PeopleHarness) -> None:
    see(harness, "obama_1", camera="hall", person="barack_obama")
    shown = get(harness, "cameras/hall")
    assert (shown["connected"], shown["rate"] > 0, shown["delay_ms"] > 0) == (True, True, True)
    assert [face["person"] for face in shown["last_result"]["faces"]] == ["barack_obama"]
    url = f"{harness.url}/api/v1/cameras/hall/snapshot"
    plain, drawn = (requests.get(url, params={"annotate": word}, timeout=WAIT_S) for word in ("false", "true"))
    sizes = []
    for answer in (plain, drawn):
        assert answer.headers["Content-Type"] == "image/jpeg"
        assert abs(float(answer.headers["X-Timestamp"]) - shown["last_frame"]) < WAIT_S
        with PIL.Image.open(io.BytesIO(answer.content)) as picture:
            sizes.append(picture.size)
    with PIL.Image.open(io.BytesIO(frame("obama_1"))) as sent:
        assert sizes == [sent.size] * 2
    assert plain.content != drawn.content
    small = requests.get(url, params={"width": "100", "annotate": "true"}, timeout=WAIT_S)
    with PIL.Image.open(io.BytesIO(small.content)) as picture:
        assert picture.size == (100, round(100 * sizes[0][1] / sizes[0][0]))
    assert len({each.headers["ETag"] for each in (plain, drawn, small)}) == 3
    held = {"If-None-Match": f"W/{small.headers['ETag']}"}
    again = requests.get(url, params={"width": "100", "annotate": "true"}, headers=held, timeout=WAIT_S)
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", small.headers["ETag"])
    assert again.headers["Cache-Control"] == plain.headers["Cache-Control"] == "private, no-store"
    assert requests.get(url, params={"width": "101"}, headers=held, timeout=WAIT_S).status_code == 200
    switched = requests.put(f"{harness.url}/api/v1/cameras/hall/enabled", json={"enabled": False}, timeout=WAIT_S)
    assert switched.json() == {"schema": 1, "camera": "hall", "enabled": False}
    # Nothing of a camera that is off stays in memory: the picture of its last sighting is left.
    wait_for(lambda: get(harness, "cameras/hall")["last_result"] is None)
    crop = requests.get(url, timeout=WAIT_S)
    with PIL.Image.open(io.BytesIO(crop.content)) as picture:
        assert max(picture.size) <= 256


def test_event_stream_shows_a_visit_and_metrics_count_it(harness: PeopleHarness) -> None:
    port = int(harness.url.rpartition(":")[2])
    listener = Listener(port, "/api/v1/events?camera=lane")
    assert listener.next_of("health").data["broker"] == "connected"
    key = see(harness, "biden_2", camera="lane", person="joe_biden")
    sighting = listener.next_of("sighting").data
    while sighting["event_type"] != "recognised":
        sighting = listener.next_of("sighting").data
    assert (sighting["sighting"], sighting["name"]) == (key, "Joe Biden")
    assert listener.next_of("present").data["text"] == "Joe Biden"
    # Frames that show nothing new have seldom a result.
    harness.client.publish(f"{BASE}/lane/frame", frame("obama_1"), qos=0)
    result = listener.next_of("result").data
    assert result["camera"] == "lane"
    assert {"queue", "match", "total"} <= result["timing_ms"].keys()
    listener.close()
    metrics = requests.get(f"{harness.url}/metrics", timeout=WAIT_S).text
    assert re.search(r'facegate_stage_seconds_count\{camera="lane",stage="match"\} [1-9]', metrics)
    assert re.search(r'facegate_sighting_events_total\{type="recognised"\} [1-9]', metrics)


def test_ignored_stranger_is_stored_and_not_announced(harness: PeopleHarness) -> None:
    key = see(harness, "stranger_1", "stranger_2", camera="gate", outcome="stranger")
    group = get(harness, f"sightings/{key}")["unknown"]
    assert harness.run("unknowns/ignore", unknown=group)["ignored"] is True
    assert [each["ignored"] for each in harness.run("unknowns/list")["unknowns"]] == [True]
    # The stranger comes to another camera.
    harness.client.subscribe(f"{BASE}/yard/event")
    again = see(harness, "stranger_1", "stranger_2", camera="yard", outcome="stranger")
    found = harness.run("sightings/show", sighting=again)
    assert (found["unknown"], found["ignored"]) == (group, True)
    assert harness.client.nothing_comes(0.5)
    assert harness.run("unknowns/name", unknown=group, name="The postman")["person"] == "the_postman"
    assert {each["sighting"] for each in get(harness, "sightings?person=the_postman")["sightings"]} == {key, again}


def test_camera_is_switched_off_over_a_restart_and_by_a_command(tmp_path: Path, broker: Broker, client: Client) -> None:
    wanted = people_settings(tmp_path, broker, mqtt={"base": "switched"}, cameras={})
    url = f"http://127.0.0.1:{wanted.rest.port}/api/v1/cameras"
    result = "switched/porch/result"
    client.subscribe(result)
    with running(wanted) as gateway:
        wait_for(lambda: gateway.health().ready, 60)
        client.publish("switched/porch/frame", frame("empty_1"), qos=0)
        assert client.get().json["status"] == "ok"
        (camera,) = requests.get(url, timeout=WAIT_S).json()["cameras"]
        assert (camera["camera"], camera["enabled"], camera["connected"]) == ("porch", True, True)
        assert camera["present"] == "nobody"
        off = requests.post(f"{url}/porch/disable", timeout=WAIT_S).json()
        assert off == {"schema": 1, "camera": "porch", "enabled": False}
    config = tmp_path / "command.yaml"
    config.write_text(json.dumps({"data": str(wanted.data)}))

    def switch(change: str) -> None:
        command = [sys.executable, "-m", "gateway", "cameras", change, "porch", "--config", str(config)]
        subprocess.run(command, cwd=ROOT, check=True, timeout=WAIT_S)

    # The switch holds also if no camera is followed.
    with running(wanted.model_copy(update={"live": wanted.live.model_copy(update={"enabled": False})})) as gateway:
        wait_for(lambda: gateway.health().ready, 60)
        client.publish("switched/porch/frame", frame("empty_1"), qos=0)
        assert client.get().json["code"] == "forbidden"
        assert any("switched off for porch" in warning for warning in gateway.health().warnings)
        switch("enable")
        wait_for(lambda: not any("switched off" in warning for warning in gateway.health().warnings))
        client.publish("switched/porch/frame", frame("empty_1"), qos=0)
        assert client.get().json["status"] == "ok"
        switch("disable")
    with running(wanted) as gateway:
        wait_for(lambda: gateway.health().ready, 60)
        client.publish("switched/porch/frame", frame("empty_1"), qos=0)
        assert client.get().json["code"] == "forbidden"
        switch("enable")
        wait_for(lambda: requests.get(url, timeout=WAIT_S).json()["cameras"][0]["enabled"])
        client.publish("switched/porch/frame", frame("empty_1"), qos=0)
        assert client.get().json["status"] == "ok"
        assert requests.delete(f"{url}/porch", timeout=WAIT_S).json()["camera"] == "porch"
        wait_for(lambda: requests.get(url, timeout=WAIT_S).json()["cameras"] == [])


def test_erased_person_leaves_no_sighting(harness: PeopleHarness) -> None:
    key = see(harness, "biden_2", camera="desk", person="joe_biden")
    post(harness, f"sightings/{key}/confirm")
    store = harness.gateway.people.store
    assert isinstance(store, SqliteStore)
    store.backups.make()
    rows = store.database.rows(
        "SELECT descriptor, chips, crop FROM sighting_faces JOIN sightings ON key = sighting WHERE id = ?", (key,)
    )
    marks = [b"Joe Biden", b"joe_biden", *(_middle(part) for row in rows for part in row)]
    assert len(files_with(harness.data, *marks)) >= 2
    harness.run("people/erase", person="joe_biden")
    assert get(harness, "sightings?camera=desk")["sightings"] == []

    # The live cameras notice within a second that the person is gone, and write nothing about the person again.
    def is_gone() -> bool:
        store.database.scrub()
        return not files_with(harness.data, *marks)

    wait_for(is_gone)
    assert [each["person"] for each in get(harness, "people?search=Biden")["people"]] == []


def _middle(data: bytes) -> bytes:
    """Return bytes from the middle. All JPEGs begin alike."""
    return data[len(data) // 2 :][:64]
