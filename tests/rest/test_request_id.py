"""The id of each HTTP request, in the header of the response, in the request to the service, and in the log."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from gateway.logs import JsonFormatter
from tests.rest.access.examples import Site, bearer


class Lines(logging.Handler):
    """The lines of the log in JSON, written in the thread that logs."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.mark.parametrize(
    ("given", "is_used"),
    [("phone-1", True), ("x" * 36, True), ("x" * 37, False), ("a b", False), ("<script>", False), ("", False)],
)
def test_response_has_the_id_of_the_request_or_a_new_one(site: Site, given: str, is_used: bool) -> None:
    client = site.client("127.0.0.1")
    answer = client.get("/healthz", headers={"X-Request-Id": given, "Host": "localhost"})
    assert (answer.headers["X-Request-Id"] == given) is is_used
    assert answer.headers["X-Request-Id"]
    assert client.get("/nowhere", headers={"Host": "localhost"}).headers["X-Request-Id"]


def test_service_gets_the_id(site: Site) -> None:
    headers = {**bearer(site.add("phone", "viewer")), "X-Request-Id": "phone-1"}
    site.client().get("/api/v1/people", headers=headers)
    answer = site.client().get("/api/v1/people", headers=bearer(site.add("tablet", "viewer")))
    assert [each.request_id for each in site.origins] == ["phone-1", None]
    assert site.origins[1].log_id == answer.headers["X-Request-Id"]


def test_refusal_has_one_line_with_the_id(site: Site) -> None:
    handler, log = Lines(), logging.getLogger("gateway.rest.request_id")
    log.addHandler(handler)
    before = log.level
    log.setLevel(logging.INFO)
    try:
        site.client().get("/api/v1/people?secret=1", headers={"X-Request-Id": "phone-1", "Host": "localhost"})
        # The service logs this one.
        site.client().get("/api/v1/people", headers=bearer(site.add("phone", "viewer")))
    finally:
        log.removeHandler(handler)
        log.setLevel(before)
    (line,) = handler.lines
    assert '"message": "GET /api/v1/people was refused with the status 401", "request": "phone-1"' in line
