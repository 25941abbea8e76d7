"""The headers of every route's responses, as they cross the wire."""

from __future__ import annotations

import http.client
import re
from collections import Counter
from http import HTTPStatus

import pytest

from gateway.rest.access.route_roles import ROUTE_ROLES
from tests.support import WAIT_S, wait_for

REPEATABLE = frozenset({"set-cookie"})
"""The only header of the gateway that a response may have more than once."""

EXAMPLES = {"<path:file>": "console.css", "<person>": "barack_obama", "<camera>": "porch"}
"""The parts of paths that exist. Others have the number 1."""

NEEDED = frozenset({"date", "server", "x-request-id"})


def ask(rest_url: str, method: str, path: str, **headers: str) -> http.client.HTTPResponse:
    """Return the response, without its body. ``http.client`` keeps each header line, also of equal names."""
    connection = http.client.HTTPConnection(rest_url.removeprefix("http://"), timeout=WAIT_S)
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    connection.close()
    return response


def check_headers(response: http.client.HTTPResponse) -> None:
    counts = Counter(name.lower() for name, _ in response.getheaders())
    assert {name: count for name, count in counts.items() if count > 1 and name not in REPEATABLE} == {}
    assert counts.keys() >= NEEDED


def ask_for_the_same(rest_url: str, method: str, path: str) -> http.client.HTTPResponse:
    """Return a response with the status 304. A document that has just changed, as that of the health, is read again."""
    responses = [ask(rest_url, method, path)]

    def is_unchanged() -> bool:
        responses.append(ask(rest_url, method, path, **{"If-None-Match": responses[-1].getheader("ETag", "")}))
        return responses[-1].status == HTTPStatus.NOT_MODIFIED

    wait_for(is_unchanged)
    return responses[-1]


@pytest.mark.parametrize("route", sorted(ROUTE_ROLES))
def test_no_header_of_a_response_is_repeated(rest_url: str, route: str) -> None:
    """Regression: each answer with an ETag had two headers Date, that of Flask and that of uvicorn."""
    method, _, rule = route.partition(" ")
    path = re.sub("<.*?>", lambda found: EXAMPLES.get(found[0], "1"), rule)
    # Other tests use this gateway too. No operation has a field of this name, so that a change is refused.
    path += "" if method == "GET" else "?colour=red"
    for each in {method, "HEAD" if method == "GET" else method, "OPTIONS"}:
        response = ask(rest_url, each, path)
        check_headers(response)
        if response.getheader("ETag"):
            check_headers(ask_for_the_same(rest_url, each, path))


def test_some_routes_have_an_etag(rest_url: str) -> None:
    """The test above would find nothing without one."""
    assert ask(rest_url, "GET", "/api/v1/people").getheader("ETag")
    assert ask(rest_url, "GET", "/console/console.css").getheader("ETag")


def test_refusals_by_the_server_itself_repeat_no_header(rest_url: str) -> None:
    for headers in ({"X": "x" * 70_000}, {"Host": "elsewhere.example"}, {"Content-Length": "1" * 12}):
        response = ask(rest_url, "POST", "/face_rec", **headers)
        counts = Counter(name.lower() for name, _ in response.getheaders())
        assert max(counts.values()) == 1, counts
        assert response.status >= 400
