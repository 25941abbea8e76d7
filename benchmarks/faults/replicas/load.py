"""The requests of cameras and of the administrator over MQTT, for replicas with simulated workers."""

from __future__ import annotations

import base64

from benchmarks.faults.load import Request, make_command, make_request, slug
from benchmarks.faults.replicas.people import People

ENROL_SHARE = 0.1
"""Share of enrolments among the requests of cameras."""
RENAME_SHARE, ERASE_SHARE = 0.3, 0.5
"""Shares of the administrator's changes to people who are enrolled. The others are removals."""


class ReplicaLoad:
    """Random requests. Each person is enrolled once, and renamed or removed once at most."""

    def __init__(self, people: People) -> None:
        self._people = people

    def of_camera(self, camera: str) -> Request:
        people, request_id = self._people, self._people.new_token()
        if people.choose(ENROL_SHARE) and not people.is_full:
            picture = people.picture_of(request_id, request_id)
            return make_request(camera, request_id, "enroll", picture, token=request_id)
        shown = people.choose_shown()
        return make_request(camera, request_id, "face_rec", people.picture_of(shown, request_id), shown=shown)

    def of_bridge(self) -> Request:
        """Return a request of the administrator: rename, remove or erase a person, or add one."""
        people, transaction = self._people, self._people.new_token()
        token = people.take_oldest()
        if token is None:
            image = base64.b64encode(people.picture_of(transaction, transaction)).decode()
            fields = {"name": f"Bench {transaction}", "images": [image]}
            return make_command(transaction, "people/add", transaction, fields)
        person = {"person": slug(token)}
        if people.choose(RENAME_SHARE):
            return make_command(transaction, "people/rename", token, {**person, "name": f"Renamed {token}"})
        op = "people/erase" if people.choose(ERASE_SHARE) else "people/remove"
        return make_command(transaction, op, token, person)

    def succeeded(self, request: Request) -> None:
        """Record a successful change, so that others show or change the person."""
        record_change(self._people, request.op, request.token)


def record_change(people: People, op: str, token: str | None) -> None:
    """Record a change that was made. A renamed person is only shown from now on, and never changed again."""
    if token is None:
        return
    if op in ("enroll", "people/add"):
        people.add(token)
    elif op in ("people/remove", "people/erase"):
        people.record_removal(token)
