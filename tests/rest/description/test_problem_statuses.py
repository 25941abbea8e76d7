"""Each described status of a problem can happen on its route. That no other one does is watched by the other tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import requests

from gateway.config import LimitSettings
from gateway.metrics import Metrics
from gateway.people import calibration
from gateway.rest.access.route_roles import ROUTE_OPERATIONS
from gateway.rest.api_v1 import ROUTES
from gateway.rest.app import create_app
from gateway.rest.description.openapi import describe_rest
from gateway.rest.description.operation_routes import MAY_BE_UNSUPPORTED
from gateway.rest.description.route_description import openapi_path
from tests.rest.access.examples import HEALTH, local_access
from tests.service.test_administration import AdministrationHarness, harness
from tests.support import WAIT_S, frame

__all__ = ["harness"]

FACE, EMPTY, GIF = frame("stranger_1"), frame("empty_1"), b"GIF89a" + bytes(99)

PATH_FIELDS = {
    "person": "nobody_here",
    "picture": "0123456789abcdef",
    "unknown": "999999",
    "sighting": "none",
    "camera": "nowhere",
    "name": "none",
}
"""Ids of the right form that nothing has."""

FIELDS: Mapping[str, Mapping[str, Any]] = {
    "people/rename": {"name": "Nobody Here"},
    "people/merge": {"into": "nobody_there"},
    "people/split": {"pictures": ["0123456789abcdef"], "name": "Nobody Here"},
    "unknowns/name": {"name": "Nobody Here"},
    "unknowns/join": {"into": 888888},
    "cameras/switch": {"enabled": True},
    "tokens/add": {"name": "none", "role": "client"},
}
"""The fields outside of the path that an operation needs, but for pictures."""

QUERIES: Mapping[str, str] = {
    "people/export": "person=nobody_here",
    "sightings/list": "before=none",
    "unknowns/list": "after=999999",
}
"""The queries of lists that ask for something that does not exist."""

PICTURES: Mapping[str, tuple[str, ...]] = {
    "face_rec": ("file",),
    "face_match": ("file1", "file2"),
    "verify": ("image",),
    "detect": ("image",),
    "people/add": ("images",),
    "people/not_them": ("images",),
}
"""The names of the pictures of an operation."""

SWITCHES = ("cameras/enable", "cameras/disable", "cameras/switch")
"""The operations that accept a camera that is not known yet."""

ALL_ROUTES = [f"{method} {path}" for method, path, _ in ROUTES] + ["POST /face_rec", "POST /face_match"]


def statuses(route: str) -> set[int]:
    """Return the described statuses of a route."""
    method, path = route.split(" ")
    responses: dict[str, Any] = describe_rest()["paths"][openapi_path(path)][method.lower()]["responses"]
    return {int(each) for each in responses}


def routes_with(status: int) -> list[str]:
    return [route for route in ALL_ROUTES if status in statuses(route)]


def ask(
    url: str, route: str, picture: bytes = FACE, *, key: str = "", archive: bytes = b"", **path_fields: str
) -> requests.Response:
    """Send a valid request about things that do not exist."""
    operation, (method, path) = ROUTE_OPERATIONS[route], route.split(" ")
    fields: dict[str, Any] = dict(FIELDS.get(operation, {}))
    if route == "POST /api/v1/people":
        fields["name" if key else "person"] = "nobody_here"
    body: dict[str, Any] = {"json": fields} if fields else {}
    if operation in PICTURES:
        body = {"data": fields, "files": dict.fromkeys(PICTURES[operation], ("picture", picture))}
    elif archive and operation == "people/import":
        body = {"data": archive}
    where = openapi_path(path).format(**{**PATH_FIELDS, **path_fields})
    headers = {"Idempotency-Key": key} if key else {}
    return requests.request(method, f"{url}{where}", headers=headers, timeout=WAIT_S, **body)


@pytest.fixture
def used_key(rest_url: str) -> Iterator[str]:
    """Give a key that belongs to a change already."""
    headers, files = {"Idempotency-Key": "used-already"}, {"images": FACE}
    people = f"{rest_url}/api/v1/people"
    requests.post(people, data={"name": "Etta"}, files=files, headers=headers, timeout=WAIT_S).raise_for_status()
    yield headers["Idempotency-Key"]
    requests.delete(f"{people}/etta", timeout=WAIT_S).raise_for_status()


@pytest.mark.parametrize("route", routes_with(404))
def test_described_404_happens(rest_url: str, route: str) -> None:
    operation = ROUTE_OPERATIONS[route]
    if operation in QUERIES and "<" not in route:
        answer = requests.get(f"{rest_url}{route.split(' ')[1]}?{QUERIES[operation]}", timeout=WAIT_S)
    elif operation in SWITCHES:
        answer = ask(rest_url, route, camera="no%2Fwhere")
    else:
        answer = ask(rest_url, route)
    assert answer.status_code == 404, answer.text


def test_described_409_happens_on_every_route(rest_url: str, used_key: str) -> None:
    archive = requests.get(f"{rest_url}/api/v1/people/export", timeout=WAIT_S).content
    found = {each: ask(rest_url, each, key=used_key, archive=archive).status_code for each in routes_with(409)}
    assert found == dict.fromkeys(routes_with(409), 409)
    assert len(found) > 20


@pytest.mark.parametrize("route", [each for each in routes_with(415) if ROUTE_OPERATIONS[each] in PICTURES])
def test_described_415_happens(rest_url: str, route: str) -> None:
    person = "barack_obama" if "verify" in route else "nobody_here"
    assert ask(rest_url, route, GIF, person=person).status_code == 415


@pytest.mark.parametrize("route", routes_with(422))
def test_described_422_happens(rest_url: str, route: str) -> None:
    person = "barack_obama" if "verify" in route else "nobody_here"
    assert ask(rest_url, route, EMPTY, person=person).status_code == 422


def test_every_described_415_without_pictures_happens(
    harness: AdministrationHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a gateway that follows no cameras, and with more people than a calibration compares."""
    monkeypatch.setattr(calibration, "MAX_COMPARISONS", 1)

    def submit(request: Any, /) -> Any:
        return harness.administration.submit(request)

    client = create_app(submit, lambda: HEALTH, Metrics(), LimitSettings(), access=local_access()).test_client()
    routes = [each for each in routes_with(415) if ROUTE_OPERATIONS[each] not in PICTURES]
    assert {ROUTE_OPERATIONS[each] for each in routes} == MAY_BE_UNSUPPORTED
    for route in routes:
        method, path = route.split(" ")
        fields = FIELDS.get(ROUTE_OPERATIONS[route])
        answer = client.open(openapi_path(path).format(**PATH_FIELDS), method=method, json=fields)
        assert answer.status_code == 415, route


@pytest.mark.parametrize("path", ["recognise", "detect"])
def test_picture_without_a_face_is_no_problem_where_none_is_needed(rest_url: str, path: str) -> None:
    assert {404, 422, 409} & statuses(f"POST /api/v1/{path}") == set()
    assert requests.post(f"{rest_url}/api/v1/{path}", data=EMPTY, timeout=WAIT_S).status_code == 200
