"""The REST interface, built from the settings."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from gateway.config import RestSettings, Settings
from gateway.contract.base import Document
from gateway.metrics import Metrics
from gateway.model.audit import RecordEvent
from gateway.model.health import Health
from gateway.rest.access.access import Access
from gateway.rest.access.anonymous import AnonymousRules
from gateway.rest.access.client import Proxies
from gateway.rest.access.ingress import ingress_point
from gateway.rest.access.start_check import check_tokens
from gateway.rest.app import create_app
from gateway.rest.cross_site import CrossSiteCheck, machine_names
from gateway.rest.events.streams import EventStreams
from gateway.rest.server import RestServer
from gateway.service.service import Submit
from gateway.store.protocols import Tokens
from gateway.store.protocols.browser_sessions import BrowserSessions

log = logging.getLogger(__name__)


def needs_token(rest: RestSettings) -> bool:
    """Return whether nobody has the role admin over REST without a token."""
    if rest.ingress is not None and "admin" in (rest.ingress.role, *rest.ingress.users.values()):
        return False
    return not AnonymousRules(rest, behind_proxy=bool(rest.proxies)).is_open_here


@dataclass(frozen=True, slots=True)
class Logins:
    """The tokens, and the sessions of browsers. ``sessions``: None if no other replica shares them."""

    tokens: Tokens
    sessions: BrowserSessions | None = None


def create_rest(
    settings: Settings,
    submit: Submit,
    health: Callable[[], Health],
    logins: Logins,
    metrics: Metrics,
    record: RecordEvent,
    describe_mqtt: Callable[[str, str], Document],
    streams: EventStreams,
) -> RestServer:
    """Return the server of the REST interface. Raise StartError if REST must not listen with these settings.

    ``record``: gets the failed log-ins and the refusals that the audit must have. ``describe_mqtt``: returns the
    AsyncAPI document, from the base topic and the address of the broker. ``streams``: the event streams.
    """
    check_tokens(settings.rest, logins.tokens)
    proxies = Proxies(settings.rest.proxies, ingress_point(settings.rest.ingress))
    access = Access(settings.rest, logins.tokens, metrics, proxies=proxies, record=record, sessions=logins.sessions)
    log.info("%s", access.describe())
    app = create_app(
        submit=submit,
        health=health,
        metrics=metrics,
        limits=settings.limits,
        access=access,
        streams=streams,
        sites=CrossSiteCheck((settings.rest.host, *settings.rest.hosts, *machine_names()), settings.rest.origins),
        describe_mqtt=partial(describe_mqtt, settings.mqtt.base, f"{settings.mqtt.host}:{settings.mqtt.port}"),
    )
    return RestServer(app=app, settings=settings.rest, limits=settings.limits, proxies=proxies)
