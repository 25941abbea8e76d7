"""Cameras of Frigate, and cameras with topics of their own, in a cluster: each replica follows its own ones."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.frigate_stand_in import Event, FrigateStandIn
from tests.e2e.cluster.support import BASE, Replica, Site, enrol
from tests.support import WAIT_S, Client, frame, wait_for

OBAMA = "obama_2"


INPUTS = {
    "topics": [
        {"topic": "cams/{host}/still", "camera": "{host}"},
        {"topic": "sites/{site}/{host}", "camera": "{site}-{host}"},
        {"topic": "yard/picture", "camera": "yard"},
    ]
}


@pytest.fixture
def frigate() -> Iterator[FrigateStandIn]:
    stand_in = FrigateStandIn("0.18")
    with stand_in.running():
        yield stand_in


@pytest.fixture
def sections(frigate: FrigateStandIn) -> dict[str, Any]:
    return {"inputs": INPUTS, "frigate": {"home": {"url": frigate.url, "topic_prefix": "nvr"}}}


def owners(site: Site, cameras: list[str]) -> set[Replica | None]:
    return {site.owner(camera) for camera in cameras}


def people_on(replica: Replica) -> dict[str, list[str]]:
    """Return the names of the people on each camera, as a replica tells them."""
    cameras = replica.get("cameras")["cameras"]
    return {each["camera"]: [person["name"] for person in each["people"]] for each in cameras}


def test_each_replica_follows_the_topics_of_its_own_cameras(site: Site, client: Client) -> None:
    first, second = site.start("first"), site.start("second")
    enrol(first, "Barack Obama", "obama_1")
    cameras, others = site.name_cameras(3), site.name_cameras(2, "north-gate{}")
    topics = {camera: f"cams/{camera}/still" for camera in cameras} | {"yard": "yard/picture"}
    topics |= {camera: camera.replace("north-", "sites/north/") for camera in others}

    def all_show_the_person() -> bool:
        for topic in topics.values():
            client.publish(topic, frame(OBAMA), qos=0)
        return all(people_on(each) == {name: ["Barack Obama"] for name in topics} for each in site.started)

    wait_for(all_show_the_person, 2 * WAIT_S)
    wait_for(lambda: owners(site, cameras) == owners(site, others) == {first, second})
    # Each picture is recognised once: nobody but the owner gets it, and the owner gets it once.
    client.subscribe(*(f"{BASE}/{camera}/result" for camera in cameras))
    publish_stills(client, cameras, "empty_1")
    # The pictures of a camera are answered in their order: those of before come first.
    waiting = set(cameras)
    while waiting:
        message = client.get()
        if not message.json["faces"]:
            waiting.remove(message.topic.split("/")[1])
    for picture in (OBAMA, "empty_1"):
        publish_stills(client, cameras, picture)
        assert sorted(client.get().topic for _ in cameras) == sorted(f"{BASE}/{camera}/result" for camera in cameras)
    assert client.nothing_comes(1)
    site.stop(second)
    wait_for(all_show_the_person, 2 * WAIT_S)


def publish_stills(client: Client, cameras: list[str], picture: str) -> None:
    for camera in cameras:
        client.publish(f"cams/{camera}/still", frame(picture), qos=0)


def frigate_event(frigate: FrigateStandIn, camera: str, number: int) -> Event:
    now = time.time()
    event = Event(
        id=f"{now:.6f}-event{number}",
        camera=camera,
        start=now,
        frame=frame("obama_1"),
        frame_time=now,
        box=(300, 60, 640, 480),
    )
    frigate.add(event)
    return event


def named_events(replica: Replica) -> list[tuple[str, str]]:
    """Return the camera and Frigate's event of each sighting that has a name."""
    found = replica.get("sightings?outcome=named")["sightings"]
    return sorted((each["camera"], each["frigate_event"]) for each in found)


def test_each_replica_follows_frigates_events_of_its_own_cameras(
    site: Site, client: Client, frigate: FrigateStandIn
) -> None:
    first, second = site.start("first"), site.start("second")
    enrol(first, "Barack Obama", "obama_1")
    cameras = sorted(site.name_cameras(3))
    events = [frigate_event(frigate, camera, number) for number, camera in enumerate(cameras)]

    def all_have_the_name() -> bool:
        for event in events:
            client.publish("nvr/events", event.message("update"))
        return all(event.sub_label == "Barack Obama" for event in events)

    for event in events:
        client.publish("nvr/events", event.message("new"))
    wait_for(all_have_the_name)
    wait_for(lambda: owners(site, cameras) == {first, second})
    wait_for(lambda: all(named_events(each) == [(event.camera, event.id) for event in events] for each in site.started))

    # A person is on a camera whose owner stops before it sees the face: the next owner goes on by itself.
    later = frigate_event(frigate, "gate", len(cameras))
    with_face, later.frame = later.frame, frame("empty_1")
    client.publish("nvr/events", later.message("new"))
    wait_for(lambda: all("gate" in people_on(each) for each in site.started))
    wait_for(lambda: site.owner("gate") is not None)
    owner = site.owner("gate")
    assert owner is not None
    later.frame = with_face
    site.stop(owner)
    wait_for(lambda: later.sub_label == "Barack Obama")
