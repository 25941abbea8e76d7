"""A gateway for the tests of the console, filled over its other interfaces."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import requests
from playwright.sync_api import Page, expect

from gateway.app import Gateway
from gateway.model.caller import Role
from gateway.store.sqlite.token_file import SqliteTokens
from tests.rest.access.examples import add_token
from tests.support import WAIT_S, Broker, Client, frame, wait_for

BASE = "home/faces"
"""The base of the topics. It is not the default, so that nothing in the console may assume that."""

PASTE = """(picture) => {
  const bytes = Uint8Array.from(atob(picture), (each) => each.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], "pasted.jpg", { type: "image/jpeg" }));
  document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
}"""
"""The script that pastes a JPEG, given in base64, into a page."""


@dataclass(frozen=True)
class ConsoleSite:
    """A running gateway. ``client``: publishes the pictures of cameras. ``data``: the data folder.

    ``headers``: of the requests of this object, such as a token.
    """

    gateway: Gateway
    client: Client
    broker: Broker
    data: Path
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.gateway.rest.url

    def read(self, path: str) -> Any:
        """Return a document of ``/api/v1``."""
        answer = requests.get(f"{self.url}/api/v1/{path}", headers=self.headers, timeout=WAIT_S)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def enrol(self, name: str, *pictures: str) -> str:
        """Enrol a person with frames of the simulator. Return the id."""
        files = [("images", (f"{each}.jpg", frame(each))) for each in pictures]
        url, fields = f"{self.url}/api/v1/people", {"name": name}
        answer = requests.post(url, data=fields, files=files, headers=self.headers, timeout=WAIT_S)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["person"])

    def recognise(self, picture: str) -> str | None:
        """Return the id of the person in a frame of the simulator."""
        return self._ask("recognise", frame(picture))["person"]  # type: ignore[no-any-return]

    def detect(self, picture: bytes) -> list[tuple[int, list[int]]]:
        """Return the number and the box of each face."""
        return [(n, each["box"]) for n, each in enumerate(self._ask("detect", picture)["faces"])]

    def _ask(self, route: str, picture: bytes) -> Any:
        headers = {**self.headers, "Content-Type": "image/jpeg"}
        answer = requests.post(f"{self.url}/api/v1/{route}", picture, headers=headers, timeout=WAIT_S)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def log_in(self, page: Page, role: Role, view: str = "health") -> None:
        """Open a view in a browser as a caller with a role."""
        secret = self.add_token(f"{role}-{secrets.token_hex(4)}", role)
        page.goto(f"{self.url}/#/{view}")
        page.get_by_label("Token").fill(secret)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("navigation")).to_be_visible()

    def add_token(self, name: str, role: Role) -> str:
        """Add a token, and return its text."""
        return add_token(SqliteTokens(self.data / "access.sqlite"), name, role)

    def person_ids(self) -> list[str]:
        return [each["person"] for each in self.read("people")["people"]]

    def remove_everybody(self) -> None:
        """Remove all people and all strangers."""
        for person in self.person_ids():
            self._delete(f"people/{person}")
        for group in self.unknown_ids():
            self._delete(f"unknowns/{group}")

    def _delete(self, path: str) -> None:
        requests.delete(f"{self.url}/api/v1/{path}", headers=self.headers, timeout=WAIT_S).raise_for_status()

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

        self.client.publish(f"{BASE}/{camera}/request/face_rec", frame(picture))
        wait_for(is_there)
        return found[0]

    def see(self, *pictures: str, camera: str = "porch", **wanted: str) -> str:
        """Send live frames of a camera in turns until a sighting with these fields is stored. Return its id."""
        frames = cycle(map(frame, pictures))
        query = "&".join(f"{name}={value}" for name, value in {"camera": camera, **wanted}.items())
        found: list[str] = []

        def is_stored() -> bool:
            self.client.publish(f"{BASE}/{camera}/frame", next(frames), qos=0)
            found[:] = [each["sighting"] for each in self.read(f"sightings?{query}")["sightings"]]
            return bool(found)

        wait_for(is_stored)
        return found[0]
