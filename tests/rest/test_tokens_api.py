"""Tokens over REST, from the request to the file that stores them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from gateway.config import LimitSettings, RestSettings
from gateway.metrics import Metrics
from gateway.model import AdministrationRequest, Request
from gateway.rest.access.access import Access
from gateway.rest.app import create_app
from tests.people.environment import files_with, open_environment
from tests.rest.access.examples import HEALTH
from tests.service.test_administration import AdministrationHarness

TOKENS = "/api/v1/tokens"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[FlaskClient]:
    """Give a program on the machine of a gateway, which needs no token there."""
    with open_environment(tmp_path) as env:
        harness = AdministrationHarness(env)

        def submit(request: Request | AdministrationRequest) -> Future[Any]:
            assert isinstance(request, AdministrationRequest)
            return harness.administration.submit(request)

        access = Access(RestSettings(), env.store.tokens, Metrics())
        yield create_app(submit, lambda: HEALTH, Metrics(), LimitSettings(), access=access).test_client()
        harness.changes.shutdown()
        harness.reads.shutdown()


def test_token_is_made_used_rotated_and_revoked(client: FlaskClient, tmp_path: Path) -> None:
    made = client.post(TOKENS, json={"name": "phone", "role": "viewer", "days": 30})
    assert (made.status_code, made.headers["Cache-Control"]) == (200, "no-store")
    old = {"Authorization": f"Bearer {made.get_json()['token']}"}
    assert client.get("/session", headers=old).json == {"schema": 1, "name": "phone", "role": "viewer"}
    assert client.get(TOKENS, headers=old).status_code == 403
    (listed,) = client.get(TOKENS).get_json()["tokens"]
    assert (listed["name"], "token" in listed) == ("phone", False)
    new = client.post(f"{TOKENS}/phone/rotate").get_json()["token"]
    assert client.get("/session", headers=old).status_code == 401
    assert client.delete(f"{TOKENS}/phone").json == {"schema": 1, "name": "phone"}
    assert client.get("/session", headers={"Authorization": f"Bearer {new}"}).status_code == 401
    assert client.delete(f"{TOKENS}/phone").status_code == 404


def test_repeated_request_gets_no_token(client: FlaskClient, tmp_path: Path) -> None:
    key = {"Idempotency-Key": "once"}
    made = client.post(TOKENS, json={"name": "phone", "role": "viewer"}, headers=key)
    again = client.post(TOKENS, json={"name": "phone", "role": "viewer"}, headers=key)
    assert (made.status_code, again.status_code, again.get_json()["code"]) == (200, 409, "conflict")
    assert files_with(tmp_path, made.get_json()["token"].encode()) == set()
