"""Applications with real tokens, and clients from anywhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gateway.config import LimitSettings, RestSettings
from gateway.contract.base import WireModel
from gateway.errors import NoFace
from gateway.metrics import Metrics
from gateway.model import AdministrationRequest, Effect, Origin, Request
from gateway.model.audit import AuditEvent
from gateway.model.caller import Caller, Role
from gateway.model.health import Health, ImportProgress, MqttHealth
from gateway.mqtt.description.asyncapi import describe_mqtt
from gateway.rest.access.access import Access
from gateway.rest.access.client import Proxies
from gateway.rest.app import create_app
from gateway.rest.cross_site import CrossSiteCheck
from gateway.store.sqlite.token_file import SqliteTokens
from gateway.store.tokens import Token, digest_of, make_secret

HEALTH = Health(
    MqttHealth(True, True, True),
    1,
    1,
    True,
    True,
    ImportProgress(finished=True),
    warnings=("Ada looks like Grace: merge them",),
)

BROKER = "broker.home:1883"

ELSEWHERE = "192.168.1.7"
"""The address of another machine."""


def local_access() -> Access:
    """Return the access without tokens: open for programs on this machine."""
    return Access(RestSettings(), SqliteTokens(Path("/nowhere/access.sqlite")), Metrics())


def add_token(tokens: SqliteTokens, name: str, role: Role, expires: float | None = None) -> str:
    """Add a token, and return its text."""
    secret = make_secret()
    tokens.add(Token(name, role, time.time(), expires=expires), digest_of(secret))
    return secret


class Site:
    """An application with tokens in a file. It records the callers whose requests reach the service."""

    def __init__(
        self,
        folder: Path,
        *,
        proxies: list[IPv4Network | IPv6Network] | None = None,
        clock: Callable[[], float] = time.time,
        **rest: Any,
    ) -> None:
        self.tokens = SqliteTokens(folder / "access.sqlite")
        self.metrics = Metrics()
        self.events: list[AuditEvent] = []
        self.served: list[Caller] = []
        self.senders: list[str] = []
        self.effects: list[Effect | None] = []
        self.origins: list[Origin] = []
        settings = RestSettings.model_validate({"plain_admin": True, **rest})
        self.access = Access(
            settings,
            self.tokens,
            self.metrics,
            proxies=Proxies(proxies or []),
            record=self.events.append,
            clock=clock,
        )
        self.app = create_app(
            self._submit,
            lambda: HEALTH,
            self.metrics,
            LimitSettings(),
            access=self.access,
            sites=CrossSiteCheck((), settings.origins),
            describe_mqtt=partial(describe_mqtt, "facegate", BROKER),
        )

    def add(self, name: str, role: Role, expires: float | None = None) -> str:
        return add_token(self.tokens, name, role, expires)

    def client(self, address: str = ELSEWHERE) -> FlaskClient:
        """Return a client at an address, which stores the cookies that it gets."""
        client = self.app.test_client()
        client.environ_base["REMOTE_ADDR"] = address
        return client

    def _submit(self, request: Request | AdministrationRequest) -> Future[Any]:
        future: Future[Any] = Future()
        self.served.append(request.origin.caller)
        self.senders.append(request.origin.sender)
        self.origins.append(request.origin)
        if isinstance(request, Request):
            future.set_exception(NoFace("no face"))
        else:
            self.effects.append(request.effect)
            future.set_result(WireModel())
        return future


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def code_of(answer: TestResponse) -> tuple[int, str]:
    """Return the status and the error code of an answer; an empty code if it is no error."""
    return answer.status_code, (answer.get_json(silent=True) or {}).get("code", "")
