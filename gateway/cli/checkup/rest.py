"""The checks of the REST interface: its settings, and a running gateway behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from gateway.cli.checkup.finding import Finding, from_warnings
from gateway.cli.checkup.work import check_work
from gateway.config import RestSettings
from gateway.contract.operations import least_role
from gateway.integrations.http_client import HttpAnswer, HttpClient, HttpFailure, make_tls_context
from gateway.model.caller import Caller
from gateway.rest.access.anonymous import is_loopback_host
from gateway.rest.metrics_text import Sample, parse_metrics
from gateway.rest.transport.certificate import Certificate

MAX_ANSWER_BYTES = 1_000_000
TIMEOUT_S = 10.0

MIN_PREFIX_LENGTHS = {4: 8, 6: 7}
"""The shortest prefix of a network of private addresses, by the version of IP (RFC 1918, RFC 4193)."""

START_COMMAND = "sudo systemctl start facegate"


def check_rest_settings(rest: RestSettings) -> Iterator[Finding]:
    """Check what the settings let other machines do."""
    encrypted = rest.tls.cert is not None
    beyond = not is_loopback_host(rest.host)
    if rest.tls.cert is not None and rest.tls.key is not None:
        try:
            yield from from_warnings("certificate", Certificate(rest.tls.cert, rest.tls.key).warnings)
        except (OSError, ValueError) as error:
            text = f"rest.tls.cert {rest.tls.cert} cannot be used ({error})"
            yield Finding("certificate", "to_do", text, "facegate tls make --replace")
    if beyond and not encrypted:
        text = f"REST listens on {rest.host} without encryption: everybody on the path can read tokens and pictures"
        yield Finding("REST", "to_do" if rest.plain_admin else "advice", text, "facegate tls make")
    yield from _check_anonymous(rest)


def _check_anonymous(rest: RestSettings) -> Iterator[Finding]:
    for network in rest.anonymous.networks if rest.anonymous else ():
        if is_public(network):
            text = f"rest.anonymous lets in addresses of the Internet ({network}) without a token: name your network"
            yield Finding("REST", "to_do", text, "facegate tokens add --name phone --role client")


def is_public(network: IPv4Network | IPv6Network) -> bool:
    """Return whether a network contains addresses of the Internet."""
    # Python calls 0.0.0.0/0 private, since its first and its last address are.
    return network.prefixlen < MIN_PREFIX_LENGTHS[network.version] or not network.is_private


def check_running_gateway(
    rest: RestSettings, tokens: Sequence[tuple[str, str]], *, is_replica: bool = False
) -> Iterator[Finding]:
    """Ask a running gateway for its health, and try to get in without a token. ``tokens``: names, each with a token.

    ``is_replica``: the gateway belongs to a cluster, whose replicas may have other ports than the settings say.
    """
    client = HttpClient(_url(rest), make_tls_context(False, None), max_bytes=MAX_ANSWER_BYTES, total_s=TIMEOUT_S)
    try:
        health = _ask_health(client, tokens)
        if health is None:
            text = f"another program answers on rest.port {rest.port}: stop it, or choose another port"
            yield Finding("gateway", "to_do", text, f"sudo ss -ltnp sport = :{rest.port}")
            return
        yield from _check_health(health)
        yield from check_work(_read_metrics(client, tokens))
        yield from _check_without_token(client)
        for name, token in tokens:
            yield _check_token(client, name, token)
    except HttpFailure as failure:
        if failure.kind == "refused" and is_replica:
            text = (
                f"no replica answers on rest.port {rest.port} of this machine, so its warnings are not known: set"
                " FACEGATE_REST__PORT for the doctor if it has another port"
            )
            yield Finding("gateway", "advice", text)
        elif failure.kind == "refused":
            yield Finding("gateway", "advice", "no gateway is running, so its warnings are not known", START_COMMAND)
        else:
            text = f"the gateway at {_url(rest)} does not answer as expected: {failure}"
            yield Finding("gateway", "to_do", text, "sudo systemctl restart facegate")


def _url(rest: RestSettings) -> str:
    host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(rest.host, rest.host)  # noqa: S104 (compared)
    scheme = "http" if rest.tls.cert is None else "https"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{rest.port}"


def _ask_health(client: HttpClient, tokens: Sequence[tuple[str, str]]) -> dict[str, Any] | None:
    """Return the health document, the longest that any caller gets. None if the program is no gateway."""
    best: dict[str, Any] | None = None
    for headers in ({}, *({"Authorization": f"Bearer {token}"} for _, token in tokens)):
        document = _read(client.get("readyz", headers=headers))
        if document is not None and "status" in document and len(document) > len(best or {}):
            best = document
    return best


def _read_metrics(client: HttpClient, tokens: Sequence[tuple[str, str]]) -> list[Sample]:
    """Return the numbers of the gateway; none if no caller may read them."""
    for headers in ({}, *({"Authorization": f"Bearer {token}"} for _, token in tokens)):
        answer = client.get("metrics", headers=headers)
        if answer.status == HTTPStatus.OK:
            return parse_metrics(answer.content.decode("utf-8", "replace"))
    return []


def _read(answer: HttpAnswer) -> dict[str, Any] | None:
    try:
        document = json.loads(answer.content)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _check_health(health: dict[str, Any]) -> Iterator[Finding]:
    if health["status"] == "ready":
        yield Finding("gateway", "ok", "the gateway is running and ready")
    else:
        parts = ", ".join(
            f"{name}: {_part(health[name])}" for name in ("broker", "canary", "workers", "store") if name in health
        )
        yield Finding("gateway", "to_do", f"the gateway is running, but not ready ({parts})", "journalctl -u facegate")
    if "warnings" not in health:
        text = "the gateway does not tell its warnings without a token: give one with the role viewer by --token-file"
        yield Finding("gateway", "advice", text, "facegate tokens add --name doctor --role viewer")
    warnings = health.get("warnings")
    yield from from_warnings("gateway", map(str, warnings if isinstance(warnings, list) else ()))


def _part(state: object) -> str:
    """Return the state of a part of the gateway. The worker processes are counted."""
    return f"{state.get('ready')} of {state.get('of')} ready" if isinstance(state, dict) else str(state)


def _check_without_token(client: HttpClient) -> Iterator[Finding]:
    """Ask as a proxy would, for which no request is one of a program on this machine."""
    answer = client.get("api/v1/people", {"limit": 1}, {"Via": "1.1 facegate-doctor"})
    if answer.status == HTTPStatus.OK:
        text = "a proxy on this machine gets the list of people without a token: set rest.anonymous to {from: []}"
        yield Finding("REST", "to_do", text, "facegate tokens add --name phone --role viewer")
    else:
        yield Finding("REST", "ok", "a proxy on this machine gets no people without a token")


def _check_token(client: HttpClient, name: str, token: str) -> Finding:
    """Ask for the role of the token, and try it on the routes that the role allows.

    The others are not asked: each refusal would be a line of the audit.
    """
    headers = {"Authorization": f"Bearer {token}"}
    answer = client.get("session", headers=headers)
    session = _read(answer) or {}
    if answer.status != HTTPStatus.OK:
        reason = session.get("detail", answer.status)
        return Finding("tokens", "to_do", f"the gateway refuses the token in {name}: {reason}", "facegate tokens list")
    caller = Caller("rest", session.get("name"), session.get("role", "nobody"))

    def describe(operation: str, path: str) -> str:
        may = caller.may(least_role(operation)) and client.get(path, {"limit": 1}, headers).status == HTTPStatus.OK
        return "may" if may else "may not"

    sees, reads = describe("people/list", "api/v1/people"), describe("people/audit", "api/v1/audit")
    return Finding("tokens", "ok", f"the token in {name} {sees} see people, and {reads} read the audit")
