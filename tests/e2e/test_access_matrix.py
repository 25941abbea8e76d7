"""The access matrix of REST: every role, by every kind of log-in, at every route of a real gateway."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import requests

from gateway.app import running
from gateway.config import Settings
from gateway.model.caller import LEVELS, Role
from gateway.rest.access.route_roles import ROUTE_ROLES
from gateway.store.sqlite.token_file import ACCESS_FILE, SqliteTokens
from tests.conftest import settings
from tests.rest.access.examples import add_token
from tests.support import WAIT_S, Broker, wait_for

DENIALS_AT_LEAST = 500


@dataclass
class Matrix:
    """A gateway that lets nobody in without a token, its credentials, and what was denied."""

    url: str
    settings: Settings
    secrets: dict[str, str]
    denied: list[tuple[str, str]] = field(default_factory=list)
    leaks: list[tuple[str, str, int]] = field(default_factory=list)
    refused_wrongly: list[tuple[str, str, int]] = field(default_factory=list)

    def ask(self, who: str, least: Role | None, route: str, sender: requests.Session) -> None:
        """Send a request for a route, and note whether the answer is a denial although or because it must be."""
        method, path = route.split(" ", 1)
        filled = path.replace("<", "no-such-").replace(">", "")
        # A stream of events never ends: its status is enough.
        is_stream = filled.endswith("/events")
        with sender.request(
            method, self.url + filled, allow_redirects=False, timeout=WAIT_S, stream=is_stream
        ) as answer:
            pass
        role = who.split(":")[-1]
        allowed = least is None or (role in LEVELS and LEVELS.index(role) >= LEVELS.index(least))
        is_denial = answer.status_code in (401, 403, 429)
        if allowed and is_denial:
            self.refused_wrongly.append((who, route, answer.status_code))
        elif not allowed and not is_denial:
            self.leaks.append((who, route, answer.status_code))
        elif not allowed:
            self.denied.append((who, route))


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory, broker: Broker) -> Iterator[Matrix]:
    data = tmp_path_factory.mktemp("matrix")
    own = settings(
        data,
        broker,
        mqtt={"base": "matrix"},
        rest={"anonymous": {"from": []}},
        people={"folder": tmp_path_factory.mktemp("nobody")},
    )
    tokens = SqliteTokens(data / ACCESS_FILE)
    secrets: dict[str, str] = {role: add_token(tokens, role, role) for role in LEVELS}
    secrets["expired"] = add_token(tokens, "expired", "admin", expires=time.time() - 1)
    secrets["revoked"] = add_token(tokens, "revoked", "admin")
    tokens.remove("revoked")
    with running(own):
        yield Matrix(f"http://127.0.0.1:{own.rest.port}", own, secrets)


def bearer(secret: str) -> requests.Session:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {secret}"
    return session


def basic(user: str, secret: str) -> requests.Session:
    session = requests.Session()
    session.auth = user, secret
    return session


def logged_in(matrix: Matrix, secret: str) -> requests.Session:
    """Return a browser with a session, whose pages send the CSRF token."""
    browser = requests.Session()
    answer = browser.post(f"{matrix.url}/login", json={"token": secret}, timeout=WAIT_S)
    browser.headers.update({"Origin": matrix.url, "X-CSRF-Token": answer.json()["csrf"]})
    return browser


def callers(matrix: Matrix) -> Iterator[tuple[str, requests.Session]]:
    # Good tokens come first: after ten failed log-ins only tokens that were used before are looked at.
    for name, secret in matrix.secrets.items():
        yield f"bearer:{name}", bearer(secret)
        yield f"basic:{name}", basic(name, secret)
    for role in LEVELS:
        yield f"session:{role}", logged_in(matrix, matrix.secrets[role])
        # A page of another program on this host has the cookie, and not the CSRF token.
        forger = logged_in(matrix, matrix.secrets[role])
        del forger.headers["X-CSRF-Token"]
        yield f"forged by a page:{role}", forger
    yield "nobody", requests.Session()
    # The password of a camera's login at the broker is no token.
    yield "camera-a", basic("camera_a", "password of the broker")
    yield "camera-b", bearer("camera_b")


def test_no_role_gets_more_than_its_own(matrix: Matrix) -> None:
    for who, browser in callers(matrix):
        for route, least in ROUTE_ROLES.items():
            if route == "POST /logout" and who.startswith("session"):
                continue
            is_change = not route.startswith("GET") and least is not None
            if who.startswith("forged") and is_change:
                matrix.ask("forged", least, route, browser)
            else:
                matrix.ask(who, least, route, browser)
    assert matrix.leaks == []
    assert matrix.refused_wrongly == []
    assert len(matrix.denied) >= DENIALS_AT_LEAST


def test_audit_has_failed_log_ins_and_refused_roles(matrix: Matrix) -> None:
    requests.get(f"{matrix.url}/session", auth=("ada", "wrong"), timeout=WAIT_S)
    bearer(matrix.secrets["viewer"]).post(f"{matrix.url}/api/v1/people/ada/erase", timeout=WAIT_S)

    def lines() -> set[tuple[str, str, str, str]]:
        answer = bearer(matrix.secrets["privacy"]).get(f"{matrix.url}/api/v1/audit?limit=1000", timeout=WAIT_S)
        return {(line["door"], line["role"], line["action"], line["outcome"]) for line in answer.json()["audit"]}

    expected = {("rest", "nobody", "login", "refused"), ("rest:viewer", "viewer", "people/erase", "refused")}
    wait_for(lambda: expected <= lines())
