"""The check against requests that a page of another site makes a browser send."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from gateway.config import LimitSettings, RestSettings
from gateway.errors import Forbidden
from gateway.metrics import Metrics
from gateway.model.health import Health, ImportProgress, MqttHealth
from gateway.rest import cross_site
from gateway.rest.app import create_app
from gateway.rest.cross_site import CrossSiteCheck, host_name, machine_names
from tests.rest.access.examples import Site, local_access

CHECK = CrossSiteCheck(("faces.example.org", "Küche.lan", "ambient.internal."))
HOST = "pi.local:5001"
OWN = CrossSiteCheck(("pi.local",))
FORMS = ("/", "/face_rec", "/face_match", "/login")


def allowed(check: CrossSiteCheck, headers: Mapping[str, str], method: str = "POST", path: str = "/face_rec") -> bool:
    try:
        check.check(method, path, headers)
    except Forbidden:
        return False
    return True


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "localhost:5001", "LOCALHOST", "localhost.", "localhost:",
        "127.0.0.1:5001", "192.168.1.20:5001", "10.1.2.3", "[::1]:5001", "[::1]", "[fe80::1%eth0]:5001",
        "faces.example.org", "Faces.Example.Org.:443", "xn--kche-0ra.lan:5001", "ambient.internal",
        "",
    ],
)  # fmt: skip
def test_host_that_clients_use_is_allowed(host: str) -> None:
    assert allowed(CHECK, {"Host": host})


def test_client_without_a_host_header_is_allowed() -> None:
    """haproxy's health check speaks HTTP/1.0 and sends none."""
    assert allowed(CHECK, {}, "OPTIONS", "/")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:5001", "localhost.evil.example", "127.0.0.1.evil.example", "evil-localhost",
        "faces.example.org.evil.example", "user@localhost", "localhost@evil.example", "localhost, evil.example",
        "localhost:5001:80", "localhost:port", "http://localhost", "localhost/", "[::1", "[evil]", "127.1.evil", ".",
        ":", "x.faces.example.org",
    ],
)  # fmt: skip
def test_host_of_another_site_is_refused_everywhere(host: str) -> None:
    for method, path in (("GET", "/"), ("POST", "/face_rec"), ("GET", "/healthz")):
        assert not allowed(CHECK, {"Host": host}, method, path), path


@pytest.mark.parametrize("name", ["\xe4" * 60_000, "\xe4." * 30_000, "a" * 261, "a." * 127 + "example:5001"])
@pytest.mark.parametrize(
    ("header", "before"), [("Host", ""), ("Origin", "http://"), ("Referer", "HTTPS://"), ("Referer", "http://")]
)
def test_long_name_is_refused_before_it_is_translated(
    header: str, before: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: 250 kB of a name that is not ASCII took 1.2 to 1.8 s of CPU."""
    translated: list[str] = []

    def translate(text: str) -> str:
        translated.append(text)
        return host_name(text)

    monkeypatch.setattr(cross_site, "host_name", translate)
    assert not allowed(OWN, {"Host": "pi.local", header: before + name}, "GET", "/readyz")
    assert translated in ([], ["pi.local"])


def test_longest_name_is_compared() -> None:
    name = ".".join(("a" * 63, "b" * 63, "c" * 63, "d" * 61)) + "."
    headers = {"Host": f"{name}:50001", "Referer": f"http://{name}:50001/{'x' * 2000}"}
    assert allowed(CrossSiteCheck((name,)), headers, "GET", "/readyz")
    assert not allowed(CrossSiteCheck((name,)), {**headers, "Referer": headers["Referer"].replace(":50001", ":50002")})


def test_error_says_how_to_allow_the_host() -> None:
    with pytest.raises(Forbidden, match=r"^host 'faces\.lan' is not allowed: add it to rest\.hosts$"):
        CHECK.check("GET", "/readyz", {"Host": "faces.lan:5001"})


def test_machine_names_are_the_host_name_with_and_without_local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "Pi.home.lan")
    check = CrossSiteCheck(machine_names())
    assert all(allowed(check, {"Host": name}) for name in ("pi", "pi.local:5001", "pi.home.lan"))
    assert not allowed(check, {"Host": "pi.example"})


@pytest.mark.parametrize("origin", ["http://pi.local:5001", "HTTP://PI.LOCAL:5001", "https://pi.local:5001"])
def test_own_page_may_send(origin: str) -> None:
    assert allowed(OWN, {"Host": HOST, "Origin": origin, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"})
    assert allowed(OWN, {"Host": HOST, "Origin": origin})


@pytest.mark.parametrize(
    ("host", "origin"),
    [("pi.local", "https://pi.local"), ("pi.local:443", "https://pi.local"), ("pi.local", "http://pi.local:80")],
)
def test_default_port_may_be_left_out(host: str, origin: str) -> None:
    assert allowed(OWN, {"Host": host, "Origin": origin})


@pytest.mark.parametrize(
    "origin",
    [
        "null", "http://evil.example", "http://pi.local", "http://pi.local:8123", "http://pi.local.evil.example:5001",
        "http://user@pi.local:5001", "pi.local:5001", "file://", "http://", "http://[::1", "app://pi.local:5001",
    ],
)  # fmt: skip
@pytest.mark.parametrize(("method", "path"), [("POST", "/face_rec"), ("OPTIONS", "/face_rec"), ("GET", "/face_rec")])
def test_page_of_another_origin_is_refused(origin: str, method: str, path: str) -> None:
    assert not allowed(OWN, {"Host": HOST, "Origin": origin}, method, path)


def test_forwarded_host_is_not_read() -> None:
    headers = {"Host": "pi.local", "Origin": "http://evil.example", "X-Forwarded-Host": "evil.example"}
    assert not allowed(OWN, headers)
    assert not allowed(OWN, {"Host": "evil.example", "X-Forwarded-Host": "pi.local"})


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/api/v1/calibration", "/face_rec", "/nothing"])
@pytest.mark.parametrize("site", ["cross-site", "same-site", "SAME-ORIGIN", "nonsense"])
def test_picture_or_script_of_another_site_is_refused(path: str, site: str) -> None:
    """``<img src>`` and ``<script src>`` send no Origin."""
    assert not allowed(OWN, {"Host": HOST, "Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}, "GET", path)


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_own_page_and_typed_address_are_allowed(site: str) -> None:
    assert allowed(OWN, {"Host": HOST, "Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"}, "GET", "/readyz")


@pytest.mark.parametrize("path", FORMS)
def test_link_of_any_site_opens_a_form(path: str) -> None:
    navigation = {"Host": HOST, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert allowed(OWN, {**navigation, "Referer": "http://evil.example/"}, "GET", path)
    assert allowed(OWN, {"Host": HOST, "Referer": "http://evil.example/"}, "GET", path)


@pytest.mark.parametrize(("method", "path"), [("POST", "/face_rec"), ("GET", "/readyz"), ("GET", "/api/v1/people")])
def test_link_of_another_site_opens_nothing_else(method: str, path: str) -> None:
    headers = {"Host": HOST, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert not allowed(OWN, headers, method, path)


def test_referer_counts_where_a_browser_sends_nothing_else() -> None:
    """Over plain HTTP to another machine browsers send no Sec-Fetch-Site."""
    assert not allowed(OWN, {"Host": HOST, "Referer": "http://evil.example/"}, "GET", "/api/v1/calibration")
    assert allowed(OWN, {"Host": HOST, "Referer": f"http://{HOST}/face_rec"}, "GET", "/api/v1/calibration")


def test_address_that_a_person_types_is_served_over_plain_http() -> None:
    """The limit that docs/reference/rest.md describes: a page that leaves out the Referer sends the same headers."""
    browser = {"Host": HOST, "User-Agent": "Mozilla/5.0 (X11; Linux x86_64)", "Accept": "text/html"}
    assert allowed(OWN, browser, "GET", "/api/v1/people")
    for method in ("POST", "PATCH", "DELETE"):
        assert not allowed(OWN, {**browser, "Origin": "null"}, method, "/api/v1/people/ada")


def client_and_metrics() -> tuple[FlaskClient, Metrics]:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a refused request was submitted")

    metrics = Metrics()
    health = Health(MqttHealth(True, True, True), 1, 1, True, True, ImportProgress())
    app: Flask = create_app(refuse, lambda: health, metrics, LimitSettings(), access=local_access())  # type: ignore[arg-type]
    return app.test_client(), metrics


def test_every_route_is_checked_before_its_body_is_read() -> None:
    client, metrics = client_and_metrics()
    routes = [(rule, method) for rule in client.application.url_map.iter_rules() for method in rule.methods or ()]
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        for rule, method in routes:
            path = rule.rule.replace("<", "").replace(">", "")
            answer = client.open(path, method=method, headers=headers, data=b"\xff" * 100, content_type="image/jpeg")
            assert answer.status_code == 403, (method, path, headers)
    assert metrics.snapshot()["cross_site_refused"] == metrics.snapshot()["errors"] == 3 * len(routes)


def test_link_of_another_site_leads_to_the_log_in(tmp_path: Path) -> None:
    """Regression: the page /face_rec redirected to /login, which refused the browser with 403."""
    browser = Site(tmp_path, anonymous={"from": []}).client("192.168.1.7")
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Accept": "text/html"}
    answer = browser.get("/face_rec", headers=link)
    assert (answer.status_code, answer.location) == (303, "/login?next=/face_rec")
    assert browser.get(answer.location, headers=link).status_code == 200
    assert browser.post("/login", headers=link).status_code == 403


def test_refusal_is_a_problem_document() -> None:
    client, _ = client_and_metrics()
    answer = client.get("/healthz", headers={"Host": "evil.example"})
    body = answer.get_json()
    assert (answer.mimetype, body["code"]) == ("application/problem+json", "forbidden")
    assert body["detail"] == "host 'evil.example' is not allowed: add it to rest.hosts"


@pytest.mark.parametrize("host", ["http://pi.local", "pi.local:5001", "pi.local/", "*.local", "", "a b"])
def test_setting_that_is_no_host_name_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="host name"):
        RestSettings(hosts=(host,))


def test_setting_takes_names_and_addresses() -> None:
    RestSettings(hosts=("pi.local", "facegate", "::1", "[::1]", "10.0.0.1", "küche.lan"))
