"""A client of Facegate's REST interface. It is one file: copy it. It needs Python 3.10 and httpx.

    from facegate_client import Facegate

    with Facegate("http://127.0.0.1:5001", token="facegate_...") as facegate:
        print(facegate.recognise("picture.jpg")["name"])
        for event in facegate.events(kinds=["sighting"]):
            print(event.data["camera"], event.data["name"])

Every method returns the JSON of the gateway: https://<gateway>/docs describes it. An error of the gateway raises
FacegateError, and a broken connection an error of httpx. A request that gets ``busy`` is sent again when the gateway
says so. A change that is sent again happens once.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

Picture = bytes | str | Path
"""The bytes of a picture, or the path of its file."""

Json = dict[str, Any]

BUSY = (429, 503)


class FacegateError(Exception):
    """An error that the gateway reported. Decide by ``code``, not by the text."""

    def __init__(self, status: int, code: str, detail: str, retry_after_s: float = 0.0) -> None:
        super().__init__(f"{code} ({status}): {detail}")
        self.status, self.code, self.detail, self.retry_after_s = status, code, detail, retry_after_s


@dataclass(frozen=True)
class Event:
    """A server-sent event. ``id``: to go on from, after a pause. ``kind``: such as ``sighting``."""

    id: str
    kind: str
    data: Json


class Facegate:
    """A connection to a gateway.

    ``token``: from `facegate tokens add`; programs on the gateway's machine may need none. ``tries``: for a request
    that gets ``busy``. ``verify``: False, or the path of a certificate, for a gateway with a certificate of its own.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:5001",
        token: str = "",
        *,
        timeout_s: float = 100.0,
        tries: int = 4,
        verify: bool | str = True,
    ) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout_s, verify=verify)
        self._tries = tries

    def __enter__(self) -> Facegate:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    # Pictures

    def recognise(self, picture: Picture, *, landmarks: int = 0, annotate: bool = False) -> Json:
        """Return the faces in a picture, with the names of enrolled people."""
        query = {"landmarks": landmarks, "annotate": annotate}
        return self._json("POST", "/api/v1/recognise", query=query, pictures={"image": [picture]})

    def match(self, one: Picture, other: Picture) -> Json:
        """Return whether two pictures show the same person."""
        return self._json("POST", "/api/v1/match", pictures={"image1": [one], "image2": [other]})

    def verify(self, person: str, picture: Picture) -> Json:
        """Return whether a picture shows a person. ``person``: the id."""
        return self._json("POST", "/api/v1/verify/{person}", person=person, pictures={"image": [picture]})

    def detect(self, picture: Picture, *, landmarks: int = 0) -> Json:
        """Return the faces in a picture, without names."""
        return self._json("POST", "/api/v1/detect", query={"landmarks": landmarks}, pictures={"image": [picture]})

    # People

    def people(self, search: str = "") -> Iterator[Json]:
        """Give all enrolled people, or those whose names contain a text."""
        return self._pages("GET", "/api/v1/people", field="people", query={"search": search})

    def person(self, person: str) -> Json:
        """Return a person with the pictures."""
        return self._json("GET", "/api/v1/people/{person}", person=person)

    def enrol(self, name: str, pictures: Sequence[Picture]) -> Json:
        """Enrol pictures of a person, who may be new."""
        return self._json("POST", "/api/v1/people", form={"name": name}, pictures={"images": pictures})

    def add_pictures(self, person: str, pictures: Sequence[Picture]) -> Json:
        """Enrol more pictures of a person."""
        return self._json("POST", "/api/v1/people/{person}/pictures", person=person, pictures={"images": pictures})

    def rename(self, person: str, name: str) -> Json:
        return self._json("PATCH", "/api/v1/people/{person}", person=person, body={"name": name})

    def merge(self, person: str, into: str) -> Json:
        """Make two people one. The name and the id of ``into`` stay."""
        return self._json("POST", "/api/v1/people/{person}/merge", person=person, body={"into": into})

    def not_them(self, person: str, pictures: Sequence[Picture]) -> Json:
        """Add pictures that were wrongly taken for a person."""
        return self._json("POST", "/api/v1/people/{person}/not_them", person=person, pictures={"images": pictures})

    def remove(self, person: str) -> Json:
        return self._json("DELETE", "/api/v1/people/{person}", person=person)

    def remove_picture(self, person: str, picture: str) -> Json:
        return self._json("DELETE", "/api/v1/people/{person}/pictures/{picture}", person=person, picture=picture)

    def erase(self, person: str) -> Json:
        """Remove a person, also from the backups in the data folder."""
        return self._json("POST", "/api/v1/people/{person}/erase", person=person)

    def export_person(self, person: str) -> bytes:
        """Return a zip file with a person."""
        return self._bytes("GET", "/api/v1/people/{person}/export", person=person)

    # Strangers

    def strangers(self, limit: int = 100) -> list[Json]:
        """Return the groups of faces of people who are not enrolled."""
        groups: list[Json] = self._json("GET", "/api/v1/unknowns", query={"limit": limit})["unknowns"]
        return groups

    def stranger_picture(self, unknown: int) -> bytes:
        """Return the best picture of a group, a JPEG."""
        return self._bytes("GET", "/api/v1/unknowns/{unknown}/crop", unknown=unknown)

    def name_stranger(self, unknown: int, name: str) -> Json:
        """Enrol the faces of a group for a person, who may be new."""
        return self._json("POST", "/api/v1/unknowns/{unknown}/name", unknown=unknown, body={"name": name})

    def forget_stranger(self, unknown: int) -> Json:
        return self._json("DELETE", "/api/v1/unknowns/{unknown}", unknown=unknown)

    # Sightings and cameras

    def sightings(self, camera: str = "", person: str = "", since: float | None = None) -> Iterator[Json]:
        """Give the sightings, the newest first. ``since``: seconds since 1970."""
        query = {"camera": camera, "person": person, "since": since}
        return self._pages("GET", "/api/v1/sightings", field="sightings", query=query, position="before")

    def sighting_picture(self, sighting: str) -> bytes:
        """Return the picture of a sighting, a JPEG."""
        return self._bytes("GET", "/api/v1/sightings/{sighting}/picture", sighting=sighting)

    def cameras(self, search: str = "") -> Iterator[Json]:
        """Give all cameras, or those whose names contain a text."""
        return self._pages("GET", "/api/v1/cameras", field="cameras", query={"search": search})

    def snapshot(self, camera: str, *, annotate: bool = False, width: int | None = None) -> bytes:
        """Return the last picture of a camera, a JPEG. ``width``: reduce a wider picture to so many pixels."""
        query = {"annotate": annotate, "width": width}
        return self._bytes("GET", "/api/v1/cameras/{camera}/snapshot", query=query, camera=camera)

    def switch_camera(self, camera: str, *, enabled: bool) -> Json:
        """Switch recognition for a camera on or off."""
        if enabled:
            return self._json("POST", "/api/v1/cameras/{camera}/enable", camera=camera)
        return self._json("POST", "/api/v1/cameras/{camera}/disable", camera=camera)

    def events(
        self, *, cameras: Sequence[str] = (), kinds: Sequence[str] = (), last_event_id: str = ""
    ) -> Iterator[Event]:
        """Give the events of live cameras as they happen, for ever. After a lost connection it goes on by itself.

        An event ``reset`` means that earlier news may be missing.
        """
        query = {"camera": ",".join(cameras) or None, "kind": ",".join(kinds) or None}
        while True:
            try:
                for event in self._stream("GET", "/api/v1/events", query=query, last_event_id=last_event_id):
                    last_event_id = event.id
                    yield event
            except httpx.TransportError:
                pass
            except FacegateError as error:
                if error.status not in BUSY:
                    raise
            time.sleep(3)

    # The gateway

    def ready(self) -> bool:
        """Return whether the gateway can serve."""
        return self._http.get("/readyz").status_code == 200

    def session(self) -> Json:
        """Return the name and the role of the token."""
        return self._json("GET", "/session")

    def _pages(self, method: str, path: str, *, field: str, query: Json, position: str = "after") -> Iterator[Json]:
        """Give the entries of a list, page by page. ``position``: the field of the query for the next page."""
        while page := self._json(method, path, query={**query, "limit": 100}):
            yield from page[field]
            if page["next"] is None:
                return
            query = {**query, position: page["next"]}

    def _json(self, method: str, path: str, **request: Any) -> Json:
        document: Json = self._ask(method, path, **request).json()
        return document

    def _bytes(self, method: str, path: str, **request: Any) -> bytes:
        return self._ask(method, path, **request).content

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Json | None = None,
        body: Json | None = None,
        form: Json | None = None,
        pictures: dict[str, Sequence[Picture]] | None = None,
        **path_fields: Any,
    ) -> httpx.Response:
        """Send a request, again while the gateway is busy. Raise FacegateError or httpx.TransportError."""
        files = [(name, _read(each)) for name, several in (pictures or {}).items() for each in several]
        # The same key each time: a change that was made, but whose answer was lost, is not made again.
        headers = {} if method == "GET" else {"Idempotency-Key": uuid.uuid4().hex}
        for attempt in range(1, self._tries + 1):
            answer = self._http.request(
                method,
                path.format(**path_fields),
                params=_query(query or {}),
                json=body,
                data=form,
                files=[(name, ("picture", content)) for name, content in files] or None,
                headers=headers,
            )
            if answer.is_success:
                return answer
            error = _error(answer)
            if answer.status_code not in BUSY or attempt == self._tries:
                raise error
            time.sleep(error.retry_after_s)
        raise ValueError(f"tries must be 1 or more, not {self._tries}")

    def _stream(self, method: str, path: str, *, query: Json, last_event_id: str) -> Iterator[Event]:
        headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
        with self._http.stream(method, path, params=_query(query), headers=headers, timeout=60.0) as answer:
            if not answer.is_success:
                answer.read()
                raise _error(answer)
            yield from read_events(answer.iter_lines())


def read_events(lines: Iterator[str]) -> Iterator[Event]:
    """Give the events of a stream (text/event-stream)."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        if line and name:
            fields[name] = value.removeprefix(" ")
        elif not line and "data" in fields:
            yield Event(fields.get("id", ""), fields.get("event", "message"), json.loads(fields.pop("data")))


def _query(values: Json) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None and value != ""}


def _read(picture: Picture) -> bytes:
    return picture if isinstance(picture, bytes) else Path(picture).read_bytes()


def _error(answer: httpx.Response) -> FacegateError:
    """Return the error of an answer. A proxy may have answered instead of the gateway."""
    try:
        problem = answer.json()
        code, detail = problem["code"], problem["detail"]
    except (ValueError, KeyError, TypeError):
        code, detail = "internal", answer.text[:200]
    return FacegateError(answer.status_code, code, detail, float(answer.headers.get("Retry-After", 1)))
