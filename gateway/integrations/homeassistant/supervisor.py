"""The supervisor of Home Assistant, as an app asks it: for the broker, and for the ports that the user opened."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from gateway.errors import ConfigError
from gateway.integrations.http_client import HttpClient, HttpFailure, make_tls_context

SUPERVISOR_URL = "http://supervisor"
TOKEN_VARIABLE = "SUPERVISOR_TOKEN"  # noqa: S105 (the name of a variable)

MAX_ANSWER_BYTES = 1_000_000
TIMEOUT_S = 10.0

BROKER_ADVICE = "install and start the app Mosquitto broker, or set the option mqtt_host to another broker"


class Supervisor:
    """The supervisor. ``token``: of this app, which the supervisor puts into its environment."""

    def __init__(self, url: str = SUPERVISOR_URL, token: str | None = None) -> None:
        self._token = os.environ.get(TOKEN_VARIABLE, "") if token is None else token
        self._client = HttpClient(
            url, make_tls_context(verify=True, ca=None), max_bytes=MAX_ANSWER_BYTES, total_s=TIMEOUT_S
        )

    def find_broker(self) -> dict[str, Any]:
        """Return the section ``mqtt`` for the broker of Home Assistant. Raise ConfigError if there is none."""
        status, document = self._ask("services/mqtt")
        found = document.get("data")
        if status != 200 or not isinstance(found, dict) or not found.get("host"):
            raise ConfigError(f"Home Assistant has no MQTT broker for apps: {BROKER_ADVICE}.")
        broker = {"host": found["host"], "port": found.get("port", 1883)}
        broker.update({ours: found[theirs] for ours, theirs in _LOGIN.items() if found.get(theirs)})
        return {**broker, "tls": {"enabled": True}} if found.get("ssl") else broker

    def is_published(self, port: int) -> bool:
        """Return whether the user opened a port of this app to other machines. Raise ConfigError."""
        status, document = self._ask("addons/self/info")
        info = document.get("data")
        if status != 200 or not isinstance(info, dict):
            raise ConfigError(f"The supervisor does not say which ports of this app are open (status {status}).")
        return bool((info.get("network") or {}).get(f"{port}/tcp"))

    def host_name(self) -> str:
        """Return the name of the machine in the network, such as ``homeassistant``. An empty text if it has none."""
        _, document = self._ask("info")
        info = document.get("data")
        return str(info.get("hostname") or "") if isinstance(info, dict) else ""

    def _ask(self, path: str) -> tuple[int, Mapping[str, Any]]:
        if not self._token:
            raise ConfigError(
                f"{TOKEN_VARIABLE} is not set: this command runs in the app of Home Assistant only. Elsewhere use"
                " `facegate run`."
            )
        try:
            answer = self._client.get(path, headers={"Authorization": f"Bearer {self._token}"})
            document = json.loads(answer.content)
        except HttpFailure as failure:
            raise ConfigError(f"The supervisor cannot be asked ({path}: {failure}): start the app again.") from None
        except ValueError:
            raise ConfigError(f"The supervisor answered no JSON ({path}, status {answer.status}).") from None
        return answer.status, document if isinstance(document, dict) else {}


_LOGIN: Mapping[str, str] = {"user": "username", "password": "password"}
"""The settings of a login, by the supervisor's names."""
