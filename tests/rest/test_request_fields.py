"""No route under ``/api/v1`` ignores a field of a request."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from gateway.model import Operation
from gateway.rest.access.route_roles import ROUTE_OPERATIONS, ROUTE_ROLES
from gateway.rest.description.openapi import describe_rest
from gateway.rest.description.route_description import openapi_path
from gateway.rest.fields import PICTURES
from tests.support import WAIT_S, frame

API_ROUTES = [each for each in ROUTE_ROLES if each.split(" ")[1].startswith("/api/v1/")]

PATH_FIELDS = {
    "person": "nobody_here",
    "picture": "0123456789abcdef",
    "unknown": "999999",
    "sighting": "none",
    "camera": "porch",
    "name": "none",
}


def path_of(route: str) -> str:
    """Return a path of a route, with ids of the right form that nothing has."""
    return openapi_path(route.split(" ")[1]).format(**PATH_FIELDS)


def body_of(route: str) -> dict[str, Any]:
    """Return the body of a request without any field but the pictures that must come first."""
    operation = ROUTE_OPERATIONS.get(route, "")
    if operation in {each.value for each in PICTURES}:
        return {"files": {name: frame("obama_1") for name in PICTURES[Operation(operation)]}}
    return {} if route.startswith("GET ") else {"json": {}}


def refusal(url: str, route: str, query: str, **body: Any) -> str:
    """Return the detail of the problem document, after a check of its status and its code."""
    method = route.split(" ")[0]
    answer = requests.request(method, f"{url}{path_of(route)}?{query}", **{**body_of(route), **body}, timeout=WAIT_S)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request"), answer.text
    detail: str = answer.json()["detail"]
    return detail


@pytest.mark.parametrize("route", API_ROUTES)
def test_unknown_field_of_the_query_is_refused(rest_url: str, route: str) -> None:
    detail = refusal(rest_url, route, "colour=red")
    assert detail.startswith("unknown field of ")
    assert "'colour'" in detail


@pytest.mark.parametrize("route", API_ROUTES)
def test_field_that_occurs_twice_in_the_query_is_refused(rest_url: str, route: str) -> None:
    assert refusal(rest_url, route, "colour=red&colour=blue") == "the query has 'colour' twice: give it once"


@pytest.mark.parametrize("route", [each for each in API_ROUTES if "<" in each])
def test_field_of_the_path_is_not_overridden(rest_url: str, route: str) -> None:
    field = route.split("<")[1].split(">")[0]
    assert refusal(rest_url, route, f"{field}=ada") == (
        f"'{field}' is given twice, in the path and in the query: give it once"
    )


def test_field_of_the_body_does_not_override_that_of_the_query(rest_url: str) -> None:
    detail = refusal(rest_url, "POST /api/v1/people", "name=Ada", json={"name": "Grace"})
    assert detail == "'name' is given twice, in the query and in the body: give it once"
    detail = refusal(rest_url, "POST /api/v1/recognise", "", data=[("landmarks", "5"), ("landmarks", "68")])
    assert detail == "the form has 'landmarks' twice: give it once"


def test_lists_of_the_event_stream_may_be_repeated(rest_url: str) -> None:
    query = "kind=sighting&kind=present,health&camera=porch&camera=yard"
    with requests.get(f"{rest_url}/api/v1/events?{query}", stream=True, timeout=WAIT_S) as answer:
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
    assert "unknown kind 'noise'" in refusal(rest_url, "GET /api/v1/events", "kind=sighting&kind=noise")


@pytest.mark.parametrize("route", API_ROUTES)
def test_described_fields_of_the_query_are_known(rest_url: str, route: str) -> None:
    """The description has no field that the route does not know."""
    operation = describe_rest()["paths"][openapi_path(route.split(" ")[1])][route.split(" ")[0].lower()]
    for name in (each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"):
        method = route.split(" ")[0]
        answer = requests.request(
            method, f"{rest_url}{path_of(route)}?{name}=%00&colour=red", **body_of(route), timeout=WAIT_S
        )
        assert f"'{name}'" not in answer.json()["detail"].partition(";")[0]
