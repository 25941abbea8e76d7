"""Streams as clients read them, and events to send over them."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any

from gateway.contract.events import EVENT_DOCUMENTS
from gateway.model import Person
from gateway.model.sightings import Presence, PresentPerson, Sighting, SightingEvent
from tests.support import WAIT_S

ADA = Person("ada", "Ada Lovelace")
GRACE = Person("grace", "Grace Hopper")


def presence(camera: str, *people: Person) -> Presence:
    return Presence(camera=camera, people=tuple(PresentPerson(each, 1_700_000_000.0) for each in people))


def sighting_event(key: str, camera: str = "porch", person: Person | None = None) -> SightingEvent:
    sighting = Sighting(
        id=key,
        visit=key,
        camera=camera,
        since=1_700_000_000.0,
        last_seen=1_700_000_000.0,
        person=person,
        outcome="named",
    )
    return SightingEvent(
        id=f"e{key}", event_type="recognised", timestamp=1_700_000_000.0, sighting=sighting, previous=None
    )


@dataclass(frozen=True)
class Message:
    """An event, or a comment, as a client reads it."""

    kind: str = ""
    id: str | None = None
    data: Any = None
    comment: str = ""


class Listener:
    """A client of the stream. It checks that each document follows the contract."""

    def __init__(self, port: int, path: str = "/api/v1/events", host: str = "127.0.0.1", **headers: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S, source_address=(host, 0))
        self._connection.request("GET", path, headers={"Host": "localhost", **headers})
        self.response = self._connection.getresponse()
        self.last_id = ""

    def next(self) -> Message | None:
        """Return the next message, heartbeats and ``retry`` left out, or None at the end of the stream."""
        while (message := self._read()) is not None:
            if message.kind or (message.comment and message.comment != "heartbeat"):
                return message
        return None

    def next_of(self, kind: str) -> Message:
        """Return the next event of a kind."""
        while (message := self.next()) is not None:
            if message.kind == kind:
                return message
        raise AssertionError(f"the stream ended without an event {kind}")

    def close(self) -> None:
        self.response.close()
        self._connection.close()

    def _read(self) -> Message | None:
        fields: dict[str, str] = {}
        while (line := self.response.readline().decode()) not in ("", "\n"):
            name, _, value = line.rstrip("\n").partition(": ")
            fields[name] = value
        if not fields:
            return None
        data = json.loads(fields["data"]) if "data" in fields else None
        self.last_id = fields.get("id", self.last_id)
        message = Message(fields.get("event", ""), fields.get("id"), data, fields.get("", ""))
        if message.kind:
            _check(message)
        return message


def _check(message: Message) -> None:
    for model in EVENT_DOCUMENTS[message.kind]:  # type: ignore[index]  # an unknown kind raises KeyError
        try:
            model.model_validate_json(json.dumps(message.data), strict=True)
        except ValueError as error:
            problem = error
        else:
            return
    raise problem
