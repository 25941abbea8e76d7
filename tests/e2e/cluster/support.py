"""The replicas of a test, each of which is a gateway of this process."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import requests

from gateway.app import Gateway, running
from gateway.app.replica import ReplicaParts
from gateway.cluster.rendezvous import find_favourite
from gateway.config import Settings
from tests.conftest import settings
from tests.support import WAIT_S, Broker, Client, frame, wait_for

BASE = "cluster"

LEASE_S = 6
"""A lease that ends soon, but not while a busy machine lets a process wait for some seconds."""

SECTIONS: dict[str, Any] = {"live": {"gone_s": 300, "camera_lost_s": 300}, "sightings": {"again_s": 300}}
"""Sections of the settings of each replica: sightings go on, however long a picture takes on a busy machine."""


@dataclass(frozen=True, slots=True)
class Replica:
    """A replica with its stop."""

    gateway: Gateway
    stack: ExitStack

    @property
    def place(self) -> ReplicaParts:
        place = self.gateway.place
        assert isinstance(place, ReplicaParts)
        return place

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        return requests.request(method, f"{self.gateway.rest.url}/api/v1/{path}", timeout=WAIT_S, **options)

    def get(self, path: str) -> Any:
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def name(self, picture: str) -> str | None:
        answer = self.ask("POST", "recognise", files={"image": frame(picture)})
        if answer.status_code == 503:
            return "busy"
        assert answer.status_code == 200, answer.text
        faces = answer.json()["faces"]
        return str(faces[0]["name"]) if faces and faces[0]["person"] else None


class Site:
    """The replicas that a test starts. ``sections``: further sections of their settings."""

    def __init__(self, folder: Path, broker: Broker, url: str, sections: dict[str, Any]) -> None:
        self._folder, self._broker, self._url, self._sections = folder, broker, url, sections
        self.started: list[Replica] = []
        (folder / "nobody").mkdir()

    def settings(self, name: str) -> Settings:
        """Return the settings of a replica, or of a command beside it."""
        return settings(
            self._folder / name,
            self._broker,
            workers={"processes": 1},
            mqtt={"base": BASE, "client_id": f"{BASE}-{name}"},
            people={"folder": self._folder / "nobody", "store": self._url},
            cluster={"name": "site", "lease_s": LEASE_S},
            **{**SECTIONS, **self._sections},
        )

    def start(self, name: str) -> Replica:
        stack = ExitStack()
        replica = Replica(stack.enter_context(running(self.settings(name))), stack)
        self.started.append(replica)
        # The networks are loaded first.
        wait_for(lambda: replica.gateway.health().ready, 2 * WAIT_S)
        return replica

    def stop(self, replica: Replica) -> None:
        self.started.remove(replica)
        replica.stack.close()

    def name_cameras(self, number: int, name: str = "camera{}") -> list[str]:
        """Return names of cameras, of which each replica will own so many. ``name``: has the place of a number."""
        replicas = {each.place.membership.replica: number for each in self.started}
        found: list[str] = []
        for camera in map(name.format, count()):
            favourite = find_favourite(camera, replicas)
            if favourite is not None and replicas[favourite]:
                replicas[favourite] -= 1
                found.append(camera)
            if not any(replicas.values()):
                break
        return found

    def owner(self, camera: str) -> Replica | None:
        return next((each for each in self.started if camera in each.place.membership.owned), None)


def enrol(replica: Replica, name: str, picture: str) -> None:
    answer = replica.ask("POST", "people", data={"name": name}, files={"images": frame(picture)})
    assert answer.status_code == 200, answer.text


def send(client: Client, cameras: list[str]) -> list[str]:
    """Send a picture of Barack Obama from each camera. Return the cameras."""
    for camera in cameras:
        client.publish(f"{BASE}/{camera}/frame", frame("obama_2"), qos=0)
    return cameras
