"""The log-in of browsers: cookie, CSRF token and Origin."""

from __future__ import annotations

from http.cookies import SimpleCookie
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gateway.model.caller import Caller
from gateway.rest.access.failed_logins import MAX_FAILURES
from gateway.store.protocols.browser_sessions import MAX_IDLE_S
from tests.rest.access.examples import Site, bearer, code_of
from tests.rest.access.test_failed_logins import Clock

PEOPLE = "/api/v1/people"
HOST = "pi.local:5001"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, host="192.168.1.5")


def cookie_of(answer: TestResponse) -> str:
    (header,) = answer.headers.getlist("Set-Cookie")
    return header


class Browser:
    """A browser with a session at one address of the gateway."""

    def __init__(self, site: Site, secret: str, origin: str = "http://192.168.1.5:5001") -> None:
        self.origin = origin
        self.client: FlaskClient = site.client()
        answer = self.client.post("/login", json={"token": secret}, base_url=origin, headers={"Origin": origin})
        assert answer.status_code == 200
        self.csrf: str = answer.get_json()["csrf"]

    def send(self, method: str, path: str, **headers: str | None) -> TestResponse:
        """Send a request as a page of the gateway does. ``headers``: others, and None for one that is left out."""
        usual = {"Origin": self.origin, "X-CSRF-Token": self.csrf} if method != "GET" else {}
        given = {**usual, **{name.replace("_", "-"): value for name, value in headers.items()}}
        sent = {name: value for name, value in given.items() if value is not None}
        return self.client.open(path, method=method, base_url=self.origin, headers=sent)


def test_session_has_the_role_of_its_token(site: Site) -> None:
    browser = Browser(site, site.add("ada", "keeper"))
    assert browser.send("GET", PEOPLE).status_code == 200
    assert browser.send("DELETE", f"{PEOPLE}/ada").status_code == 200
    assert code_of(browser.send("POST", f"{PEOPLE}/ada/erase")) == (403, "forbidden")
    assert site.served == [Caller("rest", "ada", "keeper")] * 2


def test_cookie_is_a_random_id_for_this_gateway_only(site: Site) -> None:
    secret = site.add("ada", "viewer")
    first, second = (cookie_of(site.client().post("/login", json={"token": secret})) for _ in range(2))
    (morsel,) = SimpleCookie(first).values()
    assert (morsel["httponly"], morsel["samesite"], morsel["path"], morsel["domain"]) == (True, "Strict", "/", "")
    assert (morsel.key, morsel["secure"], morsel["max-age"], morsel["expires"]) == ("facegate_session", "", "", "")
    assert secret not in first
    assert first != second
    assert len(morsel.value) == 43


def test_cookie_behind_tls_is_never_sent_in_plain_text(tmp_path: Path) -> None:
    site = Site(tmp_path, proxies=[ip_network("10.0.0.1")])
    secret = site.add("ada", "viewer")
    proxied = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
    for client, headers, url in (
        (site.client(), {}, "https://localhost"),
        (site.client("10.0.0.1"), proxied, "http://localhost"),
    ):
        cookie = cookie_of(client.post("/login", json={"token": secret}, headers=headers, base_url=url))
        assert cookie.startswith("__Host-facegate_session=")
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=Strict"} <= set(cookie.split("; "))


def test_change_needs_the_csrf_token(site: Site) -> None:
    browser = Browser(site, site.add("ada", "keeper"))
    other = Browser(site, site.add("eve", "keeper"))
    for wrong in (None, "", "x", browser.csrf[:-1], other.csrf, "ä"):
        answer = browser.send("DELETE", f"{PEOPLE}/ada", X_CSRF_Token=wrong)
        assert code_of(answer) == (403, "forbidden")
        assert "CSRF" in answer.get_json()["detail"]
    assert site.served == []


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "",
        "null",
        "http://192.168.1.5",
        "http://192.168.1.5:5000",
        "http://192.168.1.5:8123",
        "https://192.168.1.5:5001",
        "http://192.168.1.6:5001",
        "http://evil.example",
        "http://192.168.1.5:5001.evil.example",
    ],
)
def test_change_needs_the_exact_origin(site: Site, origin: str | None) -> None:
    """Frigate or Home Assistant on another port of the same host sends the cookie too."""
    browser = Browser(site, site.add("ada", "keeper"))
    assert code_of(browser.send("DELETE", f"{PEOPLE}/ada", Origin=origin)) == (403, "forbidden")
    assert site.served == []


def test_origin_without_the_default_port_is_exact(site: Site) -> None:
    browser = Browser(site, site.add("ada", "keeper"), origin="https://192.168.1.5")
    assert browser.send("DELETE", f"{PEOPLE}/ada").status_code == 200
    assert browser.send("DELETE", f"{PEOPLE}/ada", Origin="https://192.168.1.5:443").status_code == 200
    assert code_of(browser.send("DELETE", f"{PEOPLE}/ada", Origin="http://192.168.1.5")) == (403, "forbidden")


def test_form_sends_the_csrf_token_in_its_address(site: Site) -> None:
    browser = Browser(site, site.add("ada", "keeper"))
    page = browser.send("GET", "/face_rec").text
    assert f'action="?csrf={browser.csrf}"' in page
    assert f'action="logout?csrf={browser.csrf}"' in page
    answer = browser.send("DELETE", f"{PEOPLE}/ada?csrf={browser.csrf}", X_CSRF_Token=None)
    assert answer.status_code == 200
    assert "csrf" not in site.client("127.0.0.1").get("/login").text


def test_session_tells_a_page_its_csrf_token(site: Site) -> None:
    secret = site.add("ada", "keeper")
    browser = Browser(site, secret)
    answer = browser.send("GET", "/session")
    assert answer.get_json() == {"schema": 1, "name": "ada", "role": "keeper", "csrf": browser.csrf}
    assert answer.headers["Cache-Control"] == "no-store"
    by_token = site.client().get("/session", headers=bearer(secret)).get_json()
    assert by_token == {"schema": 1, "name": "ada", "role": "keeper"}
    assert code_of(site.client().get("/session")) == (401, "unauthorized")


def test_log_out_ends_the_session_on_the_gateway(site: Site) -> None:
    browser = Browser(site, site.add("ada", "keeper"))
    cookie = browser.client.get_cookie("facegate_session", "192.168.1.5")
    assert cookie is not None
    assert code_of(browser.send("POST", "/logout", X_CSRF_Token=None)) == (403, "forbidden")
    assert browser.send("GET", PEOPLE).status_code == 200
    answer = browser.send("POST", "/logout")
    assert (answer.status_code, answer.location) == (303, "/login")
    assert browser.client.get_cookie("facegate_session", "192.168.1.5") is None
    browser.client.set_cookie("facegate_session", cookie.value, domain="192.168.1.5")
    assert code_of(browser.send("GET", PEOPLE)) == (401, "unauthorized")


def test_session_ends_with_its_token(site: Site) -> None:
    browser = Browser(site, site.add("ada", "keeper"))
    site.tokens.remove("ada")
    assert code_of(browser.send("GET", PEOPLE)) == (401, "unauthorized")


def test_session_ends_when_its_token_expires(tmp_path: Path) -> None:
    clock = Clock()
    site = Site(tmp_path, clock=clock)
    browser = Browser(site, site.add("ada", "viewer", expires=clock.now + MAX_IDLE_S))
    assert browser.send("GET", PEOPLE).status_code == 200
    clock.now += MAX_IDLE_S
    assert code_of(browser.send("GET", PEOPLE)) == (401, "unauthorized")


def test_session_of_a_powerful_token_needs_encryption(tmp_path: Path) -> None:
    site = Site(tmp_path, plain_admin=False)
    secret = site.add("boss", "admin")
    answer = site.client().post("/login", json={"token": secret})
    assert code_of(answer) == (403, "forbidden")
    assert "Set-Cookie" not in answer.headers
    assert Browser(site, secret, origin="https://localhost").send("GET", "/api/v1/audit").status_code == 200


def test_token_in_a_cookie_is_no_session(site: Site) -> None:
    secret = site.add("ada", "admin")
    client = site.client()
    for value in (secret, "", "x", "ä"):
        client.set_cookie("facegate_session", value)
        assert code_of(client.get(PEOPLE)) == (401, "unauthorized")


def test_page_leads_to_the_log_in_and_back(site: Site) -> None:
    secret, client = site.add("ada", "client"), site.client()
    html = {"Accept": "text/html,*/*"}
    answer = client.get("/face_match", headers=html)
    assert (answer.status_code, answer.location) == (303, "/login?next=/face_match")
    page = client.get(answer.location, headers=html)
    assert 'action="login?next=/face_match"' in page.text
    assert 'type="password"' in page.text
    answer = client.post("/login?next=/face_match", data={"token": f" {secret}\n"})
    assert (answer.status_code, answer.location) == (303, "/face_match")
    assert client.get("/face_match", headers=html).status_code == 200


def test_program_is_not_led_to_the_log_in(site: Site) -> None:
    html = {"Accept": "text/html"}
    for answer in (
        site.client().get("/face_rec"),
        site.client().get(PEOPLE, headers=html),
        site.client().get("/face_rec", headers={**html, **bearer("wrong")}),
        site.client().post("/face_rec"),
    ):
        assert code_of(answer) == (401, "unauthorized")
    answer = site.client().post("/face_rec", headers=html)
    assert (answer.status_code, answer.mimetype) == (401, "text/html")


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example", "/\\evil", "/a?b", "/a b", 'x"><script>', "/\n"]
)
def test_log_in_leads_to_no_other_site(site: Site, path: str) -> None:
    client = site.client()
    assert 'action="login?next=/"' in client.get("/login", query_string={"next": path}).text
    answer = client.post("/login", data={"token": site.add("ada", "viewer")}, query_string={"next": path})
    assert answer.location == "/"


def test_wrong_token_shows_the_page_again(site: Site) -> None:
    client = site.client()
    for _ in range(MAX_FAILURES):
        answer = client.post("/login", data={"token": "<b>wrong</b>"})
        assert (answer.status_code, answer.mimetype) == (401, "text/html")
        assert "the token is wrong, or was revoked" in answer.text
        assert "<b>" not in answer.text
        assert "Set-Cookie" not in answer.headers
    answer = client.post("/login", data={"token": site.add("ada", "viewer")})
    assert (answer.status_code, answer.mimetype) == (429, "text/html")
    assert code_of(client.post("/login", json={"token": "x"})) == (429, "busy")


@pytest.mark.parametrize(
    ("options", "status", "code"),
    [
        ({"json": {}}, 400, "bad_request"),
        ({"json": {"token": 3}}, 400, "bad_request"),
        ({"json": {"token": ""}}, 400, "bad_request"),
        ({"data": b"{", "content_type": "application/json"}, 400, "bad_request"),
        ({"data": b"x" * 5_000, "content_type": "application/json"}, 413, "too_large"),
        ({"data": {"token": "x" * 5_000}}, 413, "too_large"),
        ({"data": b"x" * 5_000, "content_type": "image/jpeg"}, 413, "too_large"),
        ({"headers": {"Transfer-Encoding": "chunked"}}, 400, "bad_request"),
        ({}, 400, "bad_request"),
    ],
)
def test_malformed_log_in_is_refused(site: Site, options: dict[str, Any], status: int, code: str) -> None:
    assert code_of(site.client().post("/login", **options)) == (status, code)
    assert site.metrics.snapshot()["logins_failed"] == 0


def test_other_site_can_log_nobody_in(site: Site) -> None:
    secret = site.add("eve", "client")
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = site.client().post("/login", data={"token": secret}, headers=headers)
        assert code_of(answer) == (403, "forbidden")
        assert "Set-Cookie" not in answer.headers


def test_pages_load_only_own_files_and_stay_in_no_cache(site: Site) -> None:
    for path in ("/login", "/face_rec"):
        headers = site.client().get(path, headers=bearer(site.add(path.strip("/"), "client"))).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
