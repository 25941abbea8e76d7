"""The identification of callers over REST, by requests to the real application."""

from __future__ import annotations

import base64
import logging
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from flask import request

from gateway.errors import GatewayError
from gateway.model.audit import AuditEvent
from gateway.model.caller import REST_CALLER, Caller
from gateway.rest.access.failed_logins import MAX_FAILURES
from gateway.rest.access.token_check import USED_INTERVAL_S
from gateway.rest.description_api import EXAMPLE_BROKER
from tests.rest.access.examples import BROKER, ELSEWHERE, Site, bearer, code_of
from tests.rest.access.test_failed_logins import Clock

PEOPLE = "/api/v1/people"
LOCAL = "127.0.0.1"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def test_token_is_accepted_as_bearer_and_as_the_password_of_basic(site: Site) -> None:
    secret = site.add("phone", "viewer")
    for headers in (
        bearer(secret),
        {"Authorization": f"bearer  {secret} "},
        basic("anybody", secret),
        basic("", secret),
    ):
        assert site.client().get(PEOPLE, headers=headers).status_code == 200
    assert site.served == [Caller("rest", "phone", "viewer")] * 4


def test_request_without_a_token_is_refused(site: Site) -> None:
    answer = site.client().get(PEOPLE)
    assert code_of(answer) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="facegate"'
    assert "facegate tokens add" in answer.get_json()["detail"]
    assert site.served == []


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Basic",
        "Basic !",
        "Basic YWJj",
        "Basic /w==",
        "Digest a=b",
        "facegate_x",
        "-",
    ],
)
def test_wrong_authorization_is_refused_everywhere(site: Site, authorization: str) -> None:
    site.add("phone", "viewer")
    for address in ("192.168.1.7", LOCAL):
        answer = site.client(address).get(PEOPLE, headers={"Authorization": authorization})
        assert code_of(answer) == (401, "unauthorized")
    assert site.served == []


def test_refusal_does_not_repeat_a_token_that_came_without_a_scheme(site: Site) -> None:
    secret = site.add("phone", "viewer")
    answer = site.client().get(PEOPLE, headers={"Authorization": secret})
    assert code_of(answer) == (401, "unauthorized")
    assert "'Bearer' and a token" in answer.get_json()["detail"]
    assert secret[:12] not in answer.text


def test_prefix_and_case_of_a_token_count(site: Site) -> None:
    secret = site.add("phone", "viewer")
    for wrong in (secret[:-1], secret + "x", secret.upper(), secret.removeprefix("facegate_")):
        assert code_of(site.client().get(PEOPLE, headers=bearer(wrong))) == (401, "unauthorized")


def test_role_of_the_token_decides_before_the_body_is_read(site: Site) -> None:
    secret = site.add("phone", "viewer")
    answer = site.client().post(PEOPLE, headers=bearer(secret), data=b"\xff" * 100)
    assert code_of(answer) == (403, "forbidden")
    detail = answer.get_json()["detail"]
    assert detail == f"POST {PEOPLE} needs the role keeper, and the role of rest:phone is viewer"


def test_refused_role_is_an_event_for_the_audit(site: Site) -> None:
    secret, phone = site.add("phone", "viewer"), Caller("rest", "phone", "viewer")
    client = site.client()
    for path in ("ada/erase", "Ada/erase", "<b>/merge"):
        client.post(f"{PEOPLE}/{path}", headers=bearer(secret))
    client.get(PEOPLE, headers=bearer(secret))
    client.get("/api/v1/audit")
    assert site.events == [
        AuditEvent(phone, "people/erase", "refused", "ada", "forbidden"),
        AuditEvent(phone, "people/erase", "refused", "", "forbidden"),
        AuditEvent(phone, "people/merge", "refused", "", "forbidden"),
    ]


def test_revoked_and_rotated_tokens_are_refused_from_the_next_request_on(site: Site) -> None:
    client, secret = site.client(), site.add("phone", "viewer")
    assert client.get(PEOPLE, headers=bearer(secret)).status_code == 200
    site.tokens.remove("phone")
    assert code_of(client.get(PEOPLE, headers=bearer(secret))) == (401, "unauthorized")
    assert site.add("phone", "viewer") != secret
    assert code_of(client.get(PEOPLE, headers=bearer(secret))) == (401, "unauthorized")


def test_expired_token_is_refused_with_the_way_out(tmp_path: Path) -> None:
    clock = Clock()
    site = Site(tmp_path, clock=clock)
    secret = site.add("phone", "viewer", expires=clock.now + 10)
    assert site.client().get(PEOPLE, headers=bearer(secret)).status_code == 200
    clock.now += 10
    answer = site.client().get(PEOPLE, headers=bearer(secret))
    assert code_of(answer) == (401, "unauthorized")
    assert answer.get_json()["detail"] == "the token phone has expired: run `facegate tokens rotate phone`"


def test_programs_on_this_machine_need_no_token(site: Site) -> None:
    for host in ("localhost", "localhost:5001", "127.0.0.1:5001", "[::1]:5001", "127.0.0.2"):
        assert site.client(LOCAL).get(PEOPLE, headers={"Host": host}).status_code == 200
    assert site.client("::1").get(PEOPLE).status_code == 200
    assert set(site.served) == {REST_CALLER}


OTHER_FORWARDER_HEADERS = (
    "X-Client-IP", "Client-IP", "X-Cluster-Client-IP", "Proxy-Client-IP", "Fastly-Client-IP", "Fly-Client-IP",
    "True-Client-IP", "CF-Connecting-IP", "CF-Connecting-IPv6", "DO-Connecting-IP", "X-Azure-ClientIP",
    "X-Azure-SocketIP", "X-Appengine-User-IP", "X-Envoy-External-Address", "X-Original-Forwarded-For",
    "X-Original-Host", "CDN-Loop", "CF-Ray", "X-Amzn-Trace-Id", "Tailscale-User-Login", "X-Ingress-Path",
)  # fmt: skip


def test_nobody_is_let_in_through_a_proxy_on_this_machine(site: Site) -> None:
    for headers in (
        {"Host": "192.168.1.5:5001"},
        {"Forwarded": "for=203.0.113.9"},
        {"Via": "1.1 proxy"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Forwarded-Proto": "https"},
        {"X-Forwarded-Host": "localhost"},
        {"X-Real-IP": "127.0.0.1"},
        *({name: "203.0.113.9"} for name in OTHER_FORWARDER_HEADERS),
    ):
        assert code_of(site.client(LOCAL).get(PEOPLE, headers=headers)) == (401, "unauthorized"), headers
        assert site.served == [], headers


def test_usual_headers_of_programs_do_not_look_like_those_of_a_proxy(site: Site) -> None:
    usual = (
        "Accept",
        "Accept-Encoding",
        "Connection",
        "DNT",
        "Priority",
        "Sec-Fetch-Site",
        "User-Agent",
        "X-Requested-With",
    )
    headers = dict.fromkeys(usual, "none")
    assert site.client(LOCAL).get(PEOPLE, headers=headers).status_code == 200


def test_nobody_is_let_in_through_nginx_as_it_is_installed(site: Site) -> None:
    """nginx sends the name of the gateway as Host, no header about itself, and HTTP/1.0."""
    headers = {"Host": "127.0.0.1:5001", "Connection": "close"}
    old = {"SERVER_PROTOCOL": "HTTP/1.0"}
    answer = site.client(LOCAL).get(PEOPLE, headers=headers, environ_overrides=old)
    assert code_of(answer) == (401, "unauthorized")


def test_other_machines_need_a_token_although_they_name_localhost(site: Site) -> None:
    assert code_of(site.client("192.168.1.7").get(PEOPLE, headers={"Host": "localhost"})) == (401, "unauthorized")


@pytest.mark.parametrize("rest", [{"host": "::"}, {"host": "192.168.1.5"}, {"anonymous": {"from": []}}])
def test_this_machine_needs_a_token_too_beyond_loopback(tmp_path: Path, rest: dict[str, Any]) -> None:
    assert code_of(Site(tmp_path, **rest).client(LOCAL).get(PEOPLE)) == (401, "unauthorized")


def test_this_machine_needs_a_token_too_behind_a_proxy(tmp_path: Path) -> None:
    site = Site(tmp_path, proxies=[ip_network(LOCAL)])
    for headers in ({}, {"X-Forwarded-For": LOCAL}, {"X-Forwarded-For": "::1, 127.0.0.1"}):
        assert code_of(site.client(LOCAL).get(PEOPLE, headers=headers)) == (401, "unauthorized")


def test_settings_let_addresses_in_with_a_role(tmp_path: Path) -> None:
    site = Site(tmp_path, host="::", anonymous={"role": "viewer", "from": ["192.168.0.0/16", "fd00::/8"]})
    for address in ("192.168.1.7", "::ffff:192.168.1.7", "fd00::5"):
        assert site.client(address).get(PEOPLE).status_code == 200
        assert code_of(site.client(address).delete(f"{PEOPLE}/ada")) == (403, "forbidden")
    for address in ("193.168.1.7", "10.0.0.1", LOCAL, "", "fe80::1"):
        assert code_of(site.client(address).get(PEOPLE)) == (401, "unauthorized")
    assert set(site.served) == {Caller("rest", "anonymous", "viewer")}


def test_address_behind_a_proxy_is_the_one_that_is_let_in(tmp_path: Path) -> None:
    site = Site(tmp_path, proxies=[ip_network("192.168.1.5")], anonymous={"from": ["192.168.0.0/16"]})

    def status(peer: str, forwarded_for: str) -> int:
        return site.client(peer).get("/face_rec", headers={"X-Forwarded-For": forwarded_for}).status_code

    assert status("192.168.1.5", "192.168.1.7") == 200
    assert status("192.168.1.5", "192.168.1.7, 203.0.113.9") == 401
    # Neither a guest who imitates a proxy nor a proxy that the settings do not name gets others in.
    assert status("192.168.1.6", "192.168.1.7") == 401
    assert status("203.0.113.9", "192.168.1.7") == 401


def test_token_has_its_own_role_where_others_need_none(tmp_path: Path) -> None:
    site = Site(tmp_path, anonymous={"from": ["192.168.0.0/16"]})
    secret = site.add("phone", "viewer")
    assert code_of(site.client().get(PEOPLE)) == (403, "forbidden")
    assert site.client().get(PEOPLE, headers=bearer(secret)).status_code == 200


@pytest.mark.parametrize("role", ["privacy", "admin"])
def test_powerful_tokens_are_refused_without_encryption(tmp_path: Path, role: str) -> None:
    site = Site(tmp_path, plain_admin=False, proxies=[ip_network("10.0.0.1")])
    headers = bearer(site.add("boss", role))  # type: ignore[arg-type]
    answer = site.client().get(PEOPLE, headers=headers)
    assert code_of(answer) == (403, "forbidden")
    assert "use HTTPS, or set rest.plain_admin: true" in answer.get_json()["detail"]
    through = {**headers, "X-Forwarded-For": "203.0.113.9"}
    assert site.client("10.0.0.1").get(PEOPLE, headers={**through, "X-Forwarded-Proto": "http"}).status_code == 403
    assert site.client("10.0.0.2").get(PEOPLE, headers={**through, "X-Forwarded-Proto": "https"}).status_code == 403
    assert site.served == []
    assert site.client("10.0.0.1").get(PEOPLE, headers={**through, "X-Forwarded-Proto": "https"}).status_code == 200
    assert site.client(LOCAL).get(PEOPLE, headers=headers).status_code == 200
    assert site.client().get(PEOPLE, headers=headers, base_url="https://localhost").status_code == 200


def test_behind_an_unknown_proxy_the_refusal_names_the_setting(tmp_path: Path) -> None:
    site = Site(tmp_path, plain_admin=False)
    headers = {**bearer(site.add("boss", "admin")), "X-Forwarded-For": "203.0.113.9"}
    assert "rest.proxies" in site.client(LOCAL).get(PEOPLE, headers=headers).get_json()["detail"]
    assert "rest.proxies" in site.client(LOCAL).get(PEOPLE, headers={"Via": "1.1 x"}).get_json()["detail"]


def test_settings_allow_powerful_tokens_without_encryption(site: Site) -> None:
    assert site.client().get("/api/v1/audit", headers=bearer(site.add("boss", "admin"))).status_code == 200


def test_guessing_is_limited_and_a_good_token_still_works(site: Site) -> None:
    secret, late = site.add("phone", "viewer"), site.add("late", "viewer")
    client = site.client()
    assert client.get(PEOPLE, headers=bearer(secret)).status_code == 200
    for n in range(MAX_FAILURES):
        assert code_of(client.get(PEOPLE, headers=bearer(f"facegate_{n}"))) == (401, "unauthorized")
    answer = client.get(PEOPLE, headers=bearer("facegate_x"))
    assert code_of(answer) == (429, "busy")
    assert 1 <= int(answer.headers["Retry-After"]) <= 61
    # A guess that is right is refused as well, so that guessing shows nothing.
    assert code_of(client.get(PEOPLE, headers=bearer(late))) == (429, "busy")
    assert client.get(PEOPLE, headers=bearer(secret)).status_code == 200
    assert site.client("192.168.1.8").get(PEOPLE, headers=bearer(late)).status_code == 200
    assert site.metrics.snapshot()["logins_failed"] == MAX_FAILURES + 2
    details = {(each.caller.role, each.action, each.outcome, each.detail) for each in site.events}
    assert details == {
        ("nobody", "login", "refused", "192.168.1.7: unknown token"),
        ("nobody", "login", "refused", "192.168.1.7: too many failed log-ins before it"),
    }


def test_no_token_is_in_a_log_or_in_a_report(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = site.add("phone", "viewer")
    for headers in (bearer(secret), bearer("facegate_wrong"), basic("me", secret)):
        site.client().get(PEOPLE, headers=headers)
    site.client().post("/login", data={"token": secret})
    site.client().post("/login", json={"token": "facegate_wrong"})
    texts = [*caplog.messages, *map(str, site.events)]
    assert len(texts) >= 5
    assert not [text for text in texts if secret in text or "facegate_wrong" in text]


def test_last_use_is_written_at_most_once_a_minute(tmp_path: Path) -> None:
    clock = Clock()
    site = Site(tmp_path, clock=clock)
    secret = site.add("phone", "viewer")

    def last_used() -> float | None:
        site.client().get(PEOPLE, headers=bearer(secret))
        return site.tokens.list_tokens()[0].last_used

    clock.now = 1_000.0
    assert last_used() == 1_000.0
    clock.now += USED_INTERVAL_S - 1
    assert last_used() == 1_000.0
    clock.now += 1
    assert last_used() == 1_000.0 + USED_INTERVAL_S


def test_request_is_served_although_its_use_cannot_be_written(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    secret = site.add("phone", "viewer")

    def fail(digest: bytes, moment: float) -> None:
        raise GatewayError("the disk is full")

    site.tokens.mark_used = fail  # type: ignore[method-assign]  # a full disk cannot be had here
    assert site.client().get(PEOPLE, headers=bearer(secret)).status_code == 200
    assert "the use of the token phone could not be written: the disk is full" in caplog.messages


def test_tokens_that_cannot_be_read_let_nobody_in(site: Site, tmp_path: Path) -> None:
    secret = site.add("phone", "viewer")
    (tmp_path / "access.sqlite").write_bytes(b"damaged" * 1000)
    assert code_of(site.client().get(PEOPLE, headers=bearer(secret))) == (500, "internal")
    assert site.client().get("/healthz", headers=bearer(secret)).status_code == 200
    assert site.served == []


def test_health_tells_others_only_its_status(site: Site) -> None:
    client, viewer, phone = site.client(), site.add("panel", "viewer"), site.add("phone", "client")
    for headers in ({}, bearer("wrong"), bearer(phone)):
        assert client.get("/readyz", headers=headers).get_json() == {"schema": 1, "status": "ready"}
        assert client.get("/healthz", headers=headers).get_json() == {"schema": 1, "status": "ok"}
    for other, headers in ((client, bearer(viewer)), (site.client(LOCAL), {})):
        assert "Ada" in other.get("/readyz", headers=headers).get_json()["warnings"][0]
        assert "requests" in other.get("/healthz", headers=headers).get_json()["counts"]


def test_wrong_tokens_cannot_be_tried_out_on_open_routes(site: Site) -> None:
    client = site.client()
    for n in range(3 * MAX_FAILURES):
        assert client.get("/healthz", headers=bearer(f"facegate_{n}")).status_code == 200
    assert site.metrics.snapshot()["logins_failed"] == 3 * MAX_FAILURES
    late = site.add("late", "viewer")
    assert "counts" not in client.get("/healthz", headers=bearer(late)).get_json()


def test_programs_are_told_apart_by_token_and_address(site: Site) -> None:
    phone, tablet = bearer(site.add("phone", "client")), bearer(site.add("tablet", "client"))
    for headers, address in ((phone, "10.0.0.1"), (tablet, "10.0.0.1"), (tablet, "2001:db8::1"), ({}, LOCAL)):
        site.client(address).post("/face_rec", data=b"\xff\xd8\xff", headers=headers)
    assert site.senders == ["phone@10.0.0.1", "tablet@10.0.0.1", "tablet@20010db800000000", "127.0.0.1"]


def test_address_of_the_broker_is_shown_to_viewers_only(tmp_path: Path) -> None:
    """Regression: everybody who reached REST read the address of the broker in /asyncapi.json."""
    site = Site(tmp_path)
    client, viewer = site.add("app", "client"), site.add("phone", "viewer")
    tokens: list[dict[str, str]] = [{}, bearer(client), bearer(viewer)]
    answers = [site.client().get("/asyncapi.json", headers={"Host": "10.0.0.1", **each}) for each in tokens]
    found = [answer.get_json()["servers"]["broker"]["host"] for answer in answers]
    assert found == [EXAMPLE_BROKER, EXAMPLE_BROKER, BROKER]


def test_session_that_ends_before_its_stream_opens_is_not_taken_for_an_open_door(site: Site) -> None:
    """Regression: if the session ended between the check and the stream, the stream went on for ever."""
    browser = site.client()
    csrf = browser.post("/login", json={"token": site.add("phone", "viewer")}).get_json()["csrf"]
    cookie = browser.get_cookie("facegate_session")
    assert cookie is not None
    environ = {"REMOTE_ADDR": ELSEWHERE}
    headers = {"Cookie": f"{cookie.key}={cookie.value}", "X-CSRF-Token": csrf}
    with site.app.test_request_context("/api/v1/events", headers=headers, environ_base=environ):
        identity = site.access.identify(request)
        assert site.access.keep_checking(request, identity, "viewer")()
        site.access.log_out(request)
        assert not site.access.keep_checking(request, identity, "viewer")()


def test_token_that_is_revoked_before_its_stream_opens_ends_the_stream(site: Site) -> None:
    headers, environ = bearer(site.add("phone", "viewer")), {"REMOTE_ADDR": ELSEWHERE}
    with site.app.test_request_context("/api/v1/events", headers=headers, environ_base=environ):
        identity = site.access.identify(request)
        site.tokens.remove("phone")
        assert not site.access.keep_checking(request, identity, "viewer")()


def test_open_stream_without_a_token_goes_on(site: Site) -> None:
    headers = {"Host": "localhost", "Cookie": "facegate_session=ended"}
    with site.app.test_request_context("/api/v1/events", headers=headers, environ_base={"REMOTE_ADDR": LOCAL}):
        identity = site.access.identify(request)
        assert site.access.keep_checking(request, identity, "viewer")()
