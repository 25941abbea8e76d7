"""Pages of other origins: CORS for the origins in ``rest.origins``."""

from __future__ import annotations

from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from gateway.config import RestSettings
from tests.rest.access.examples import Site, code_of

APP, OTHER, VIEW = "https://app.example", "https://evil.example", "capacitor://localhost"
HOST = "localhost:5001"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, origins=[APP, VIEW])


def ask(site: Site, method: str = "GET", path: str = "/api/v1/people", **headers: str) -> TestResponse:
    sent = {"Host": HOST, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return site.client("127.0.0.1").open(path, method=method, headers={**sent, **given})


@pytest.mark.parametrize("origin", [APP, VIEW])
@pytest.mark.parametrize(("method", "path"), [("GET", "/api/v1/people"), ("POST", "/api/v1/people/ada/merge")])
def test_listed_origin_is_served_with_a_token(site: Site, origin: str, method: str, path: str) -> None:
    token = site.add("phone", "keeper")
    answer = ask(site, method, path, Origin=origin, Authorization=f"Bearer {token}")
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Origin" in answer.headers["Vary"]
    assert [caller.name for caller in site.served] == ["phone"]


@pytest.mark.parametrize("authorization", ["", "Basic cGhvbmU6eA==", "Bearer"])
def test_listed_origin_needs_a_token_also_on_this_machine(site: Site, authorization: str) -> None:
    assert site.client("127.0.0.1").get("/api/v1/people", headers={"Host": HOST}).status_code == 200
    site.served.clear()
    answer = ask(site, Origin=APP, Authorization=authorization)
    assert code_of(answer) == (401, "unauthorized")
    assert answer.headers["Access-Control-Allow-Origin"] == APP
    assert site.served == []


def test_listed_origin_is_never_served_with_a_cookie(site: Site) -> None:
    token = site.add("phone", "keeper")
    browser = site.client()
    answer = browser.post("/login", json={"token": token}, headers={"Host": HOST})
    csrf = answer.get_json()["csrf"]
    for method, path in (("GET", "/api/v1/people"), ("POST", "/api/v1/people/ada/merge")):
        headers = {"Host": HOST, "Origin": APP, "X-CSRF-Token": csrf}
        assert code_of(browser.open(path, method=method, headers=headers)) == (401, "unauthorized")
    assert site.served == []


@pytest.mark.parametrize("origin", [OTHER, "null", f"{APP}:444", "http://app.example", f"{APP}.evil.example"])
def test_other_origins_are_refused_with_a_token_too(site: Site, origin: str) -> None:
    token = site.add("phone", "keeper")
    answer = ask(site, Origin=origin, Authorization=f"Bearer {token}")
    assert code_of(answer) == (403, "forbidden")
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_preflight_needs_no_token(site: Site) -> None:
    asked = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "authorization"}
    answer = ask(site, "OPTIONS", "/api/v1/recognise", Origin=APP, **asked)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == APP
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert {"Authorization", "Idempotency-Key"} <= set(answer.headers["Access-Control-Allow-Headers"].split(", "))
    assert "Access-Control-Allow-Private-Network" not in answer.headers
    answer = ask(site, "OPTIONS", Origin=APP, Access_Control_Request_Private_Network="true", **asked)
    assert answer.headers["Access-Control-Allow-Private-Network"] == "true"
    assert code_of(ask(site, "OPTIONS", Origin=OTHER, **asked)) == (403, "forbidden")


def test_problem_can_be_read_by_the_page(site: Site) -> None:
    token = site.add("phone", "client")
    answer = ask(site, Origin=APP, Authorization=f"Bearer {token}")
    assert code_of(answer) == (403, "forbidden")
    assert answer.headers["Access-Control-Allow-Origin"] == APP


def test_host_of_a_listed_origin_is_checked(site: Site) -> None:
    """A page may point its own name to this machine (DNS rebinding)."""
    token = site.add("phone", "keeper")
    answer = ask(site, Host="evil.example", Origin=APP, Authorization=f"Bearer {token}")
    assert code_of(answer) == (403, "forbidden")


def test_own_pages_are_served_although_their_origin_is_listed(tmp_path: Path) -> None:
    site = Site(tmp_path, origins=[f"http://{HOST}"])
    headers = {"Host": HOST, "Origin": f"http://{HOST}", "Sec-Fetch-Site": "same-origin"}
    assert site.client("127.0.0.1").get("/api/v1/people", headers=headers).status_code == 200


def test_without_origins_no_header_is_added(tmp_path: Path) -> None:
    answer = Site(tmp_path).client("127.0.0.1").get("/api/v1/people", headers={"Host": HOST})
    assert answer.status_code == 200
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
    assert "Origin" not in answer.headers["Vary"]


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "null",
        "https://app.example/",
        "https://App.example",
        "https://app.example:443",
        "http://a:80",
        "app.example",
    ],
)
def test_setting_refuses_what_no_browser_sends_as_an_origin(origin: str) -> None:
    with pytest.raises(ValueError, match="is not an origin"):
        RestSettings(origins=(origin,))
    RestSettings(origins=("https://app.example:8443", "http://[::1]:3000", "http://localhost:443"))
