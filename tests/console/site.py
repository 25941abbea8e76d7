"""A gateway for the tests of the console, filled over its other interfaces."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import requests

from gateway.app import Gateway
from gateway.model.caller import Role
from gateway.store.sqlite.token_file import SqliteTokens
from tests.rest.access.examples import add_token
from tests.support import WAIT_S, Broker, Client, frame, wait_for


@dataclass(frozen=True)
class ConsoleSite:
    """A running gateway. ``client``: publishes the pictures of cameras. ``data``: the data folder."""

    gateway: Gateway
    client: Client
    broker: Broker
    data: Path

    @property
    def url(self) -> str:
        return self.gateway.rest.url

    def read(self, path: str) -> Any:
        """Return a document of ``/api/v1``."""
        answer = requests.get(f"{self.url}/api/v1/{path}", timeout=WAIT_S)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def enrol(self, name: str, *pictures: str) -> str:
        """Enrol a person with frames of the simulator. Return the id."""
        files = [("images", (f"{each}.jpg", frame(each))) for each in pictures]
        answer = requests.post(f"{self.url}/api/v1/people", data={"name": name}, files=files, timeout=WAIT_S)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["person"])

    def add_token(self, name: str, role: Role) -> str:
        """Add a token, and return its text."""
        return add_token(SqliteTokens(self.data / "access.sqlite"), name, role)

    def person_ids(self) -> list[str]:
        return [each["person"] for each in self.read("people")["people"]]

    def remove_everybody(self) -> None:
        """Remove all people and all strangers."""
        for person in self.person_ids():
            requests.delete(f"{self.url}/api/v1/people/{person}", timeout=WAIT_S).raise_for_status()
        for group in self.unknown_ids():
            requests.delete(f"{self.url}/api/v1/unknowns/{group}", timeout=WAIT_S).raise_for_status()

    def unknown_ids(self, *, ignored: bool | None = None) -> list[int]:
        groups = self.read("unknowns")["unknowns"]
        return [each["unknown"] for each in groups if ignored is None or each["ignored"] is ignored]

    def make_stranger(self, picture: str, camera: str = "porch") -> int:
        """Let a camera ask about a stranger's picture. Return the id of the new group."""
        before = set(self.unknown_ids())
        found: list[int] = []

        def is_there() -> bool:
            found[:] = set(self.unknown_ids()) - before
            return bool(found)

        self.client.publish(f"facegate/{camera}/request/face_rec", frame(picture))
        wait_for(is_there)
        return found[0]

    def see(self, *pictures: str, camera: str = "porch", **wanted: str) -> str:
        """Send live frames of a camera in turns until a sighting with these fields is stored. Return its id."""
        frames = cycle(map(frame, pictures))
        query = "&".join(f"{name}={value}" for name, value in {"camera": camera, **wanted}.items())
        found: list[str] = []

        def is_stored() -> bool:
            self.client.publish(f"facegate/{camera}/frame", next(frames), qos=0)
            found[:] = [each["sighting"] for each in self.read(f"sightings?{query}")["sightings"]]
            return bool(found)

        wait_for(is_stored)
        return found[0]
