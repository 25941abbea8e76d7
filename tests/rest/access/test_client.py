"""The address and the encryption of a client, with and without proxies."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from gateway.rest.access.client import Client, Proxies, read_address

PROXIES = Proxies([ip_network("10.0.0.0/24"), ip_network("fd00::1")])


def find(peer: str, headers: dict[str, str] | None = None, scheme: str = "http", proxies: Proxies = PROXIES) -> Client:
    """Return the client for a peer and headers, given in the form of WSGI."""
    return proxies.find_client({"REMOTE_ADDR": peer, "wsgi.url_scheme": scheme, **(headers or {})})


def forwarded(client: str, protocol: str | None = None) -> dict[str, str]:
    """Return the headers of a proxy."""
    return {"HTTP_X_FORWARDED_FOR": client, **({"HTTP_X_FORWARDED_PROTO": protocol} if protocol else {})}


def test_peer_that_is_no_proxy_is_the_client() -> None:
    client = find("192.168.1.7")
    assert (client.name, client.through_proxy, client.unknown_proxy, client.encrypted) == (
        "192.168.1.7", False, False, False,
    )  # fmt: skip


def test_trusted_proxy_names_the_client() -> None:
    client = find("10.0.0.2", forwarded("203.0.113.9", "https"))
    assert client == Client(ip_address("203.0.113.9"), through_proxy=True, unknown_proxy=False, encrypted=True)


def test_entries_that_the_client_wrote_itself_are_not_believed() -> None:
    assert find("10.0.0.2", forwarded("127.0.0.1, 203.0.113.9, 10.0.0.3")).name == "203.0.113.9"
    assert find("10.0.0.2", forwarded("10.0.0.9, 203.0.113.9")).name == "203.0.113.9"


@pytest.mark.parametrize("text", ["", "unknown", "203.0.113.9, _hidden", "203.0.113.9, ", "10.0.0.3", "1.2.3.4:80"])
def test_address_is_unknown_if_the_proxy_does_not_state_it(text: str) -> None:
    client = find("10.0.0.2", forwarded(text))
    assert client.address is None or text == "203.0.113.9, "
    assert not client.is_local


@pytest.mark.parametrize(
    ("protocols", "encrypted"),
    [("https", True), ("HTTPS", True), ("https, https", True), ("https,http", False), ("http", False), ("x", False)],
)
def test_each_part_of_the_path_must_be_encrypted(protocols: str, encrypted: bool) -> None:
    assert find("10.0.0.2", forwarded("203.0.113.9", protocols)).encrypted == encrypted


def test_tls_of_the_gateway_itself_counts() -> None:
    assert find("192.168.1.7", scheme="https").encrypted
    assert find("10.0.0.2", scheme="https").encrypted
    assert not find("10.0.0.2", forwarded("203.0.113.9", "http"), "https").encrypted


@pytest.mark.parametrize("header", ["FORWARDED", "VIA", "X_REAL_IP", "X_FORWARDED_FOR", "X_FORWARDED_HOST"])
def test_headers_of_an_unknown_proxy_are_noticed_and_not_believed(header: str) -> None:
    for peer in ("127.0.0.1", "192.168.1.7"):
        client = find(peer, {"HTTP_X_FORWARDED_PROTO": "https", f"HTTP_{header}": "10.0.0.2"})
        assert (client.name, client.unknown_proxy, client.encrypted, client.is_local) == (peer, True, False, False)


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_local(peer: str) -> None:
    assert find(peer).is_local


def test_client_behind_a_proxy_on_this_machine_is_not_local() -> None:
    proxies = Proxies([ip_network("127.0.0.1")])
    assert not find("127.0.0.1", proxies=proxies).is_local
    assert not find("127.0.0.1", forwarded("127.0.0.1"), proxies=proxies).is_local
    assert not find("127.0.0.1", forwarded("::1"), proxies=proxies).is_local


def test_mapped_address_belongs_to_its_ipv4_network() -> None:
    assert find("::ffff:10.0.0.2", forwarded("203.0.113.9")).name == "203.0.113.9"


@pytest.mark.parametrize("text", ["", "localhost", "unix:", "1.2.3.4.5", "[::1]"])
def test_text_that_is_no_address(text: str) -> None:
    assert read_address(text) is None
