"""The event stream of a cluster: each replica has the news of all cameras, and a client may change the replica."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
import requests

from tests.e2e.cluster.support import Replica, Site, enrol, send
from tests.support import WAIT_S, Client, wait_for

pytestmark = pytest.mark.extra


class Stream:
    """A client of the event stream. It reads in a thread of its own until it is closed."""

    def __init__(self, replica: Replica, last_id: str = "") -> None:
        self._answer = replica.ask("GET", "events", stream=True, headers={"Last-Event-ID": last_id} if last_id else {})
        assert self._answer.status_code == 200
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.last_id = last_id
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def close(self) -> None:
        # The gateway sends a line at least every 15 s, and the thread ends with the connection.
        connection = getattr(self._answer.raw, "_fp", None)
        assert connection is not None
        connection.fp.raw._sock.shutdown(2)
        self._thread.join(WAIT_S)

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [document for found, document in list(self.events) if found == kind]

    def people_on(self) -> dict[str, list[str]]:
        """Return the names of the people on each camera, as the newest events tell."""
        return {each["camera"]: [person["name"] for person in each["people"]] for each in self.of_kind("present")}

    def sightings(self) -> list[str]:
        """Return the ids of the events of sightings that name a person."""
        return [each["id"] for each in self.of_kind("sighting") if each["person"]]

    def _read(self) -> None:
        kind, newest = "", self.last_id
        try:
            for line in self._answer.iter_lines():
                name, _, value = line.decode().partition(": ")
                if name == "event":
                    kind = value
                elif name == "id":
                    newest = value
                elif name == "data":
                    self.events.append((kind, json.loads(value)))
                    # Only now: the stream may end between both lines.
                    self.last_id = newest
        except (requests.RequestException, AttributeError, OSError):
            pass


def test_stream_of_each_replica_has_the_news_of_all_cameras(site: Site, client: Client) -> None:
    first, second = site.start("first"), site.start("second")
    enrol(first, "Barack Obama", "obama_1")
    cameras = site.name_cameras(3)
    # Before the first picture: a stream does not begin with earlier sightings.
    streams = [Stream(first), Stream(second)]
    wait_for(lambda: {site.owner(each) for each in send(client, cameras)} == {first, second})
    everywhere = {camera: ["Barack Obama"] for camera in cameras}

    def all_show_the_person() -> bool:
        send(client, cameras)
        return all(each.people_on() == everywhere for each in streams)

    wait_for(all_show_the_person, 2 * WAIT_S)
    for each in streams:
        wait_for(lambda each=each: {found["camera"] for found in each.of_kind("camera")} >= {*cameras})
    # Both give the same sightings in the same order: no client misses one that changes the replica.
    wait_for(lambda: len(streams[0].sightings()) >= len(cameras))
    wait_for(lambda: streams[1].sightings()[-len(cameras) :] == streams[0].sightings()[-len(cameras) :])
    for each in streams:
        each.close()


def test_client_continues_at_another_replica(site: Site, client: Client) -> None:
    first, second = site.start("first"), site.start("second")
    enrol(first, "Barack Obama", "obama_1")
    streams = [Stream(first), Stream(second)]
    wait_for(lambda: send(client, ["porch"]) and all(each.sightings() for each in streams))
    one, other = streams
    one.close()
    # While the client is away, somebody comes on another camera.
    wait_for(
        lambda: send(client, ["yard"]) and {each["camera"] for each in other.of_kind("sighting")} == {"porch", "yard"}
    )
    continued = Stream(second, one.last_id)
    # More sightings may come meanwhile.
    wait_for(lambda: continued.sightings() == other.sightings()[len(one.sightings()) :] != [])
    assert not continued.of_kind("reset")
    wait_for(lambda: continued.people_on().get("porch") is not None)

    # The erased person is in none of the streams that begin afterwards.
    assert first.ask("POST", "people/barack_obama/erase").status_code == 200
    later = [Stream(each, one.last_id) for each in site.started]
    wait_for(lambda: all(each.of_kind("health") for each in later))
    assert all("obama" not in json.dumps(each.events).lower() for each in later)
    for each in (other, continued, *later):
        each.close()
