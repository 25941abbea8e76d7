"""Headers that anybody may write: they let nobody in, and end in no error of the gateway."""

from __future__ import annotations

import base64
from ipaddress import ip_network
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.rest.access.client import Proxies
from tests.rest.access.examples import Site

# Characters that an HTTP server lets through in the value of a header.
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60)
BASIC = st.binary(max_size=60).map(lambda content: "Basic " + base64.b64encode(content).decode())
ADDRESS = st.sampled_from(
    ["127.0.0.1", "::1", "10.0.0.1", "192.168.1.7", "::ffff:127.0.0.1", "unknown", "[::1]:80", ""]
)
FORWARDED = st.lists(st.one_of(ADDRESS, TEXT), max_size=5).map(", ".join)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Authorization": st.one_of(TEXT, BASIC, TEXT.map("Bearer {}".format)),
        "Cookie": st.one_of(TEXT, TEXT.map("facegate_session={}".format)),
        "Host": st.one_of(st.sampled_from(["localhost", "127.0.0.1:5001", "[::1]", "pi.local"]), TEXT),
        "Origin": st.one_of(st.sampled_from(["http://localhost", "null"]), TEXT),
        "X-CSRF-Token": TEXT,
        "X-Forwarded-For": FORWARDED,
        "X-Forwarded-Proto": st.one_of(st.sampled_from(["https", "http", "https, http"]), TEXT),
        "Forwarded": TEXT,
        "Via": TEXT,
    },
)
PEERS = st.sampled_from(["192.168.1.7", "10.0.0.1", "fe80::1%eth0", "2001:db8::1", "", "127.0.0.1"])


def test_no_headers_let_anybody_in(tmp_path: Path) -> None:
    # A trusted proxy on this machine: the worst place for a forged header.
    site = Site(tmp_path, proxies=[ip_network("10.0.0.1"), ip_network("127.0.0.1")])
    site.add("phone", "admin")

    @settings(max_examples=200, deadline=None)
    @given(peer=PEERS, headers=HEADERS, method=st.sampled_from(["GET", "POST", "DELETE", "PATCH"]))
    def ask(peer: str, headers: dict[str, str], method: str) -> None:
        answer = site.client(peer).open("/api/v1/people/ada", method=method, headers=headers)
        assert answer.status_code in (400, 401, 403, 405, 429)

    ask()
    assert site.served == []


@settings(max_examples=200, deadline=None)
@given(peer=PEERS, forwarded_for=FORWARDED, protocols=TEXT)
def test_client_is_found_for_any_headers(peer: str, forwarded_for: str, protocols: str) -> None:
    environ = {"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": forwarded_for, "HTTP_X_FORWARDED_PROTO": protocols}
    client = Proxies([ip_network("10.0.0.1")]).find_client(environ)
    assert not client.is_local
    assert client.through_proxy == (peer == "10.0.0.1")
    stated = {each.strip().lower() for each in protocols.split(",")} - {""}
    assert client.encrypted == (client.through_proxy and stated == {"https"})
