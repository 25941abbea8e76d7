"""The login at Frigate's port 8971, which gives a token for a day."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateway.integrations.frigate.refusals import Refusal
from gateway.integrations.http_client import HttpAnswer

RENEW_S = 23 * 3600.0
"""The age at which a token is replaced. Frigate's tokens last for 24 h (auth.session_length)."""

PAUSE_S = 60.0
"""The time after a refused login before the next one: Frigate can limit failures (auth.failed_login_rate_limit)."""

TOKEN = re.compile(r"[^=;,\s]+=([A-Za-z0-9._~+/=-]{1,4096})(;|$)")
"""A cookie with its value. The name of Frigate's cookie is a setting there (auth.cookie_name)."""


@dataclass(frozen=True, slots=True)
class Credentials:
    user: str
    password: str = field(repr=False)


class Login:
    """The token of a user, renewed when it is old or refused. Safe to use from any thread.

    ``ask`` sends the login and returns the answer; it raises Refusal.
    """

    def __init__(
        self,
        credentials: Credentials,
        ask: Callable[[Credentials], HttpAnswer],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._credentials = credentials
        self._ask = ask
        self._clock = clock
        self._lock = threading.Lock()
        self._token: str | None = None
        self._valid_until = 0.0
        self._refusal: Refusal | None = None
        self._next_try = 0.0

    def headers(self, refused: Mapping[str, str] | None = None) -> Mapping[str, str]:
        """Return the headers of a request. Raise Refusal if Frigate refuses the login.

        ``refused``: the headers with which Frigate refused a request, so that their token is not used again.
        """
        # The lock is held during the login: several requests at once must not log in several times.
        with self._lock:
            if self._token is None or self._clock() > self._valid_until or refused == _bearer(self._token):
                self._log_in()
            return _bearer(self._token or "")

    def _log_in(self) -> None:
        if self._refusal is not None and self._clock() < self._next_try:
            raise self._refusal
        self._token = self._refusal = None
        try:
            answer = self._ask(self._credentials)
            self._token = _read_token(answer)
        except Refusal as refusal:
            self._refusal, self._next_try = refusal, self._clock() + PAUSE_S
            raise
        self._valid_until = self._clock() + RENEW_S


def _bearer(token: str) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _read_token(answer: HttpAnswer) -> str:
    if found := TOKEN.match(answer.headers.get("set-cookie", "")):
        return found[1]
    raise Refusal("log in", "no_document", "Frigate accepted the login, but sent no token: report it, with its version")
