"""The users of Home Assistant: what the supervisor's port lets in, and what no header can pretend."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from werkzeug.test import TestResponse

from gateway.config import IngressSettings, RestSettings
from gateway.rest.access.client import Proxies
from gateway.rest.access.ingress import ingress_point
from gateway.rest.wiring import needs_token
from tests.rest.access.examples import Site, bearer, code_of

SUPERVISOR = "172.30.32.2"
CORE = "172.30.32.1"
PORT = 8099
HOST = "homeassistant.local:8123"
PATH = "/api/hassio_ingress/AbC-123"
PEOPLE = "/api/v1/people"


class IngressSite(Site):
    """An application behind Home Assistant."""

    def __init__(self, folder: Path, **ingress: Any) -> None:
        super().__init__(folder, ingress={"address": SUPERVISOR, "port": PORT, **ingress})
        proxies = Proxies((), ingress_point(IngressSettings.model_validate({"address": SUPERVISOR, "port": PORT})))
        self.access._proxies = proxies

    def ask(
        self, headers: dict[str, str] | None = None, path: str = PEOPLE, *, address: str = SUPERVISOR, port: int = PORT
    ) -> TestResponse:
        """Return the answer to a GET that came from an address to a port."""
        return self.send("GET", headers, path, address=address, port=port)

    def send(
        self, method: str, headers: dict[str, str] | None, path: str, *, address: str = SUPERVISOR, port: int = PORT
    ) -> TestResponse:
        """Return the answer to a request that came from an address to a port."""
        overrides = {"SERVER_PORT": str(port)}
        return self.client(address).open(path, method=method, headers=headers, environ_overrides=overrides)


@pytest.fixture
def site(tmp_path: Path) -> IngressSite:
    return IngressSite(tmp_path, role="keeper", users={"Ada": "admin", "kid": "client"})


def headers(user: str = "grace", **more: str) -> dict[str, str]:
    """Return the headers that Home Assistant and its supervisor send."""
    return {
        "X-Ingress-Path": PATH,
        "X-Hass-Source": "core.ingress",
        "X-Forwarded-For": f"192.168.1.7, {CORE}",
        "X-Forwarded-Host": HOST,
        "X-Forwarded-Proto": "http",
        "Host": HOST,
        "X-Remote-User-Id": "9d1f",
        "X-Remote-User-Name": user,
        **{name.replace("_", "-"): value for name, value in more.items()},
    }


def test_user_of_home_assistant_needs_no_token(site: IngressSite) -> None:
    assert site.ask(headers()).status_code == 200
    (caller,) = site.served
    assert (caller.audit_text(), caller.role) == ("rest:homeassistant/grace", "keeper")


@pytest.mark.parametrize(("user", "role"), [("ada", "admin"), ("ADA ", "admin"), ("kid", "client"), ("eve", "keeper")])
def test_user_has_the_role_of_the_settings(site: IngressSite, user: str, role: str) -> None:
    answer = site.ask(headers(user), "/session")
    assert answer.get_json()["role"] == role


def test_user_may_look_only_unless_the_settings_give_more(tmp_path: Path) -> None:
    """Regression: the default was admin, also for users who are no administrators of Home Assistant."""
    site = IngressSite(tmp_path)
    assert site.ask(headers("kid"), "/session").get_json()["role"] == "viewer"


def test_user_without_a_login_has_the_lowest_role(tmp_path: Path) -> None:
    site = IngressSite(tmp_path, role="admin", users={"ada": "admin"})
    nameless = {name: text for name, text in headers().items() if name != "X-Remote-User-Name"}
    for sent in (nameless, headers(""), headers(" ")):
        assert site.ask(sent, "/session").get_json()["role"] == "client"


def test_role_that_is_too_low_is_refused_and_recorded(site: IngressSite) -> None:
    assert code_of(site.ask(headers("kid"))) == (403, "forbidden")
    assert [(each.caller.audit_text(), each.action) for each in site.events] == [
        ("rest:homeassistant/kid", "people/list")
    ]


@pytest.mark.parametrize(
    ("address", "port"),
    [("127.0.0.1", PORT), (CORE, PORT), ("172.30.33.5", PORT), ("192.168.1.7", PORT), (SUPERVISOR, 5001)],
)
def test_same_headers_from_elsewhere_give_nothing(site: IngressSite, address: str, port: int) -> None:
    for forwarded in (SUPERVISOR, f"{SUPERVISOR}, {SUPERVISOR}", f"192.168.1.7, {CORE}"):
        sent = headers("ada", X_Forwarded_For=forwarded, X_Real_IP=SUPERVISOR)
        # The host of Home Assistant is not one of this gateway.
        assert code_of(site.ask(sent, address=address, port=port)) == (403, "forbidden")
        assert code_of(site.ask({**sent, "Host": "localhost"}, address=address, port=port)) == (
            401,
            "unauthorized",
        )
    assert site.served == []


def test_trusted_proxy_cannot_pass_for_the_supervisor(tmp_path: Path) -> None:
    """A proxy of ``rest.proxies`` passes on the headers that its client sends."""
    site = IngressSite(tmp_path)
    site.access._proxies = Proxies([ip_network("10.0.0.1")], site.access._proxies._ingress)
    sent = {**headers("ada", X_Forwarded_For=SUPERVISOR), "Host": "localhost"}
    assert code_of(site.ask(sent, address="10.0.0.1", port=5001)) == (401, "unauthorized")


def test_supervisor_itself_has_no_user(site: IngressSite) -> None:
    """The supervisor asks for the health without a user."""
    assert code_of(site.ask()) == (401, "unauthorized")
    assert site.ask(path="/healthz").status_code == 200


@pytest.mark.parametrize("user", ["ada, kid", "kid,ada"])
def test_second_name_of_a_user_is_refused(site: IngressSite, user: str) -> None:
    assert code_of(site.ask(headers(user))) == (403, "forbidden")


def test_unusual_login_has_a_plain_name(site: IngressSite) -> None:
    name = "Jörg Müller".encode().decode("latin-1")
    site.ask(headers(name))
    site.ask(headers("x" * 200))
    assert site.ask(headers(""), "/session").get_json()["name"] == "homeassistant"
    assert [each.name for each in site.served] == [
        "homeassistant/jörg_müller",
        f"homeassistant/{'x' * 64}",
    ]


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (f"http://{HOST}", 200),
        # The cloud of Home Assistant, and proxies before it, add TLS.
        (f"https://{HOST}", 200),
        ("http://homeassistant.local:1880", 403),
        ("http://evil.example", 403),
        ("null", 403),
        ("", 403),
    ],
)
def test_change_needs_a_page_of_home_assistant(site: IngressSite, origin: str, status: int) -> None:
    sent = headers(**({"Origin": origin} if origin else {}))
    answer = site.send("DELETE", sent, f"{PEOPLE}/ada")
    assert answer.status_code == status
    assert len(site.served) == (status == 200)


def test_tokens_and_cookies_of_others_do_not_matter(site: IngressSite) -> None:
    """Regression: a proxy before Home Assistant sends its own Authorization header, which is no token."""
    sent = headers(Authorization="Basic dXNlcjpwYXNz", Cookie="facegate_session=other")
    assert site.ask(sent).status_code == 200
    secret = site.add("phone", "client")
    assert site.ask({**headers(), **bearer(secret)}).status_code == 200
    assert [each.role for each in site.served] == ["keeper", "keeper"]


def test_address_of_the_browser_is_known() -> None:
    proxies = Proxies((), ingress_point(IngressSettings(address=SUPERVISOR)))
    environ = {"REMOTE_ADDR": SUPERVISOR, "SERVER_PORT": "8099", "HTTP_X_FORWARDED_PROTO": "https"}
    for text, expected in {
        f"192.168.1.7, {CORE}": "192.168.1.7",
        f"{SUPERVISOR}, 192.168.1.7, {CORE}": "192.168.1.7",
        CORE: "an unknown address",
        f"None, {CORE}": "an unknown address",
        "": "an unknown address",
    }.items():
        client = proxies.find_client({**environ, "HTTP_X_FORWARDED_FOR": text})
        assert (client.name, client.through_ingress, client.encrypted, client.is_local) == (expected, True, True, False)


def test_last_admin_token_may_go_if_a_user_is_admin() -> None:
    beyond = {"host": "192.168.1.5"}
    assert needs_token(RestSettings.model_validate(beyond))
    for ingress, needed in (
        ({}, True),
        ({"role": "admin"}, False),
        ({"role": "viewer", "users": {"a": "admin"}}, False),
    ):
        settings = RestSettings.model_validate({**beyond, "ingress": {"address": SUPERVISOR, **ingress}})
        assert needs_token(settings) == needed


@pytest.mark.parametrize(
    ("ingress", "message"),
    [
        ({}, "Field required"),
        ({"address": "supervisor"}, "'supervisor' is not an IP address: the supervisor has 172.30.32.2"),
        ({"address": SUPERVISOR, "port": 5001}, "give ingress a port of its own, such as 8099"),
        ({"address": SUPERVISOR, "users": {"a,b": "admin"}}, "must not be empty or have a comma"),
        (
            {"address": SUPERVISOR, "users": {"ada": "viewer", "Ada ": "admin"}},
            "'Ada ' is the login of a user who has a",
        ),
        ({"address": SUPERVISOR, "users": {"ada": "boss"}}, "Input should be"),
    ],
)
def test_bad_settings_are_refused(ingress: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        RestSettings.model_validate({"ingress": ingress})
