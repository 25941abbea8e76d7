"""The host name and the path under which a proxy offers the gateway."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from gateway.rest.access.client import IngressPoint, Proxies
from gateway.rest.transport.public_address import MAX_PREFIX_LENGTH, apply_public_address

PROXIES = Proxies([ip_network("10.0.0.0/24")])


def applied(sender: str = "10.0.0.1", **headers: str) -> dict[str, Any]:
    environ = {"REMOTE_ADDR": sender, "HTTP_HOST": "127.0.0.1:5001", "SCRIPT_NAME": "", **headers}
    apply_public_address(environ, PROXIES.find_client(environ))
    return environ


def test_host_of_a_trusted_proxy_is_believed() -> None:
    assert applied(HTTP_X_FORWARDED_HOST="faces.example")["HTTP_HOST"] == "faces.example"
    assert applied(HTTP_X_FORWARDED_HOST="evil.example, faces.example:8443")["HTTP_HOST"] == "faces.example:8443"
    assert applied()["HTTP_HOST"] == "127.0.0.1:5001"


@pytest.mark.parametrize("header", ["HTTP_X_FORWARDED_PREFIX", "HTTP_X_INGRESS_PATH"])
@pytest.mark.parametrize("prefix", ["/faces", "/faces/", "/api/hassio_ingress/Ab-_1.x"])
def test_path_of_a_trusted_proxy_is_believed(header: str, prefix: str) -> None:
    assert applied(**{header: prefix})["SCRIPT_NAME"] == prefix.rstrip("/")


@pytest.mark.parametrize(
    "prefix",
    ["", "/", "faces", "//evil.example", "/a/../b", "/.", "/a?b", '/"><script>', "/a b", "/" + "x" * MAX_PREFIX_LENGTH],
)
def test_path_that_is_no_plain_path_is_ignored(prefix: str) -> None:
    assert applied(HTTP_X_FORWARDED_PREFIX=prefix)["SCRIPT_NAME"] == ""


@pytest.mark.parametrize("sender", ["10.0.1.1", "127.0.0.1", ""])
def test_headers_of_others_have_no_effect(sender: str) -> None:
    environ = applied(sender, HTTP_X_FORWARDED_HOST="evil.example", HTTP_X_FORWARDED_PREFIX="/evil")
    assert (environ["HTTP_HOST"], environ["SCRIPT_NAME"]) == ("127.0.0.1:5001", "")


def test_path_of_home_assistant_comes_before_that_of_a_proxy_before_it() -> None:
    ingress = IngressPoint(ip_address("10.9.9.9"), 8099)
    headers = {"HTTP_X_INGRESS_PATH": "/api/hassio_ingress/x", "HTTP_X_FORWARDED_PREFIX": "/home"}
    environ = {"REMOTE_ADDR": "10.9.9.9", "SERVER_PORT": "8099", "SCRIPT_NAME": "", **headers}
    apply_public_address(environ, Proxies((), ingress).find_client(environ))
    assert environ["SCRIPT_NAME"] == "/api/hassio_ingress/x"
