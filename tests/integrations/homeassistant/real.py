"""A real Home Assistant for tests, in an environment of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support import ROOT, WAIT_S, free_port, wait_for

ENVIRONMENT = Path(os.environ.get("HOMEASSISTANT_VENV") or ROOT / ".venvs" / "homeassistant")

# Home Assistant checks the version of Python when it is imported. The tests need nothing that is newer than 3.13.0.
LAUNCH = """
import sys
from homeassistant import const
const.REQUIRED_PYTHON_VER = (3, 13, 0)
from homeassistant.__main__ import main
sys.exit(main())
"""

CLIENT_ID = "http://127.0.0.1/"
"""The program that asks for a token, as an address."""

UNAVAILABLE = "unavailable"


def python_of_homeassistant() -> Path:
    """Return the Python that has Home Assistant. Skip the test if there is none."""
    python = ENVIRONMENT / "bin" / "python"
    if not (ENVIRONMENT / "bin" / "hass").exists():
        pytest.skip(f"Home Assistant is not installed in {ENVIRONMENT.name}: run `make test-homeassistant`")
    return python


class RealHomeAssistant:
    """A Home Assistant with a broker and one user. It can be stopped and started again.

    ``folder``: its configuration. ``history``: all changes of states, as (entity, state), None for a removed entity.
    """

    def __init__(self, folder: Path, broker_port: int, extra: str = "") -> None:
        self.folder = folder
        self._python = python_of_homeassistant()
        self._url = f"http://127.0.0.1:{(port := free_port())}"
        self._process: subprocess.Popen[bytes] | None = None
        self._session = requests.Session()
        self.history: list[tuple[str, str | None]] = []
        _write_configuration(folder, port, broker_port, extra)

    @property
    def url(self) -> str:
        return self._url

    @property
    def token(self) -> str:
        """The token of the user, for the API."""
        return str(self._session.headers["Authorization"]).removeprefix("Bearer ")

    def start(self) -> None:
        """Start Home Assistant, and wait until it is running."""
        command = [str(self._python), "-c", LAUNCH, "--config", str(self.folder), "--skip-pip"]
        with (self.folder / "output.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for(self._answers, 180)
        if "Authorization" not in self._session.headers:
            self._sign_in()
        wait_for(lambda: self.get("config")["state"] == "RUNNING", 180)
        threading.Thread(target=self._follow, daemon=True).start()

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(120)
            self._process = None

    @property
    def log(self) -> str:
        """The warnings and errors of all its starts."""
        return (self.folder / "output.log").read_text()

    def get(self, path: str) -> Any:
        return self._answer(self._session.get(f"{self._url}/api/{path}", timeout=60))

    def post(self, path: str, **fields: object) -> Any:
        return self._answer(self._session.post(f"{self._url}/api/{path}", json=fields, timeout=60))

    def call(self, action: str, **data: object) -> None:
        """Call an action, such as ``switch.turn_on``."""
        self.post(f"services/{action.replace('.', '/')}", **data)

    def render(self, template: str) -> str:
        """Return the text that a template gives, which reads devices and entities."""
        answer = self._session.post(f"{self._url}/api/template", json={"template": template}, timeout=60)
        answer.raise_for_status()
        return answer.text

    def states(self) -> dict[str, str]:
        """Return the state of each entity."""
        return {each["entity_id"]: each["state"] for each in self.get("states")}

    def attributes(self, entity: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.get(f"states/{entity}")["attributes"]
        return found

    def picture(self, entity: str) -> bytes:
        """Return the picture of an image entity."""
        answer = self._session.get(f"{self._url}/api/image_proxy/{entity}", timeout=60)
        answer.raise_for_status()
        return answer.content

    def wait_for_states(self, expected: Mapping[str, str | None], seconds: float = 60) -> None:
        """Wait until all entities have these states. None: there is no such entity."""
        end = time.monotonic() + seconds
        while differing := self._differing(expected):
            assert time.monotonic() < end, f"after {seconds} s (found, expected): {differing}"
            time.sleep(0.1)

    def devices(self) -> dict[str, str]:
        """Return the name of each device of the broker that still has entities, and the name of its parent."""
        template = """{% set ns = namespace(found={}) %}
        {% for id in integration_entities('mqtt') | map('device_id') | unique %}
        {% set via = device_attr(id, 'via_device_id') %}
        {% set ns.found = dict(ns.found, **{
             device_attr(id, 'name'): device_attr(via, 'name') if via else ''}) %}
        {% endfor %}{{ ns.found | tojson }}"""
        found: dict[str, str] = json.loads(self.render(template))
        return found

    def _differing(self, expected: Mapping[str, str | None]) -> dict[str, tuple[str | None, str | None]]:
        states = self.states()
        return {
            entity: (states.get(entity), state) for entity, state in expected.items() if states.get(entity) != state
        }

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log[-3000:]
        try:
            return requests.get(f"{self._url}/api/onboarding", timeout=WAIT_S).ok or self._has_token()
        except requests.RequestException:
            return False

    def _has_token(self) -> bool:
        return "Authorization" in self._session.headers

    def _sign_in(self) -> None:
        """Create the user, as the first visit of its pages does, and keep a token for the API."""
        user = {"name": "Test", "username": "test", "password": "test", "language": "en", "client_id": CLIENT_ID}
        code = self.post("onboarding/users", **user)["auth_code"]
        form = {"grant_type": "authorization_code", "code": code, "client_id": CLIENT_ID}
        answer = self._answer(requests.post(f"{self._url}/auth/token", data=form, timeout=60))
        self._session.headers["Authorization"] = f"Bearer {answer['access_token']}"

    def _follow(self) -> None:
        """Note all changes of states until Home Assistant stops."""
        try:
            with self._session.get(
                f"{self._url}/api/stream?restrict=state_changed", stream=True, timeout=600
            ) as answer:
                for line in answer.iter_lines():
                    self._note(line.removeprefix(b"data: "))
        except requests.RequestException:
            return

    def _note(self, line: bytes) -> None:
        if line.startswith(b"{"):
            data = json.loads(line)["data"]
            self.history.append((data["entity_id"], data["new_state"] and data["new_state"]["state"]))

    @staticmethod
    def _answer(answer: requests.Response) -> Any:
        assert answer.ok, f"{answer.status_code} {answer.text}"
        return answer.json()


@contextmanager
def homeassistant_running(folder: Path, broker_port: int, extra: str = "") -> Iterator[RealHomeAssistant]:
    """Run Home Assistant. ``extra``: more lines of configuration.yaml."""
    homeassistant = RealHomeAssistant(folder, broker_port, extra)
    try:
        homeassistant.start()
        yield homeassistant
    finally:
        homeassistant.stop()


def became_unavailable(history: Sequence[tuple[str, str | None]], prefix: str) -> list[str]:
    """Return the entities that were available, and then were not."""
    available, lost = set(), []
    for entity, state in history:
        if prefix in entity and state == UNAVAILABLE and entity in available:
            lost.append(entity)
        elif state is not None:
            available.add(entity) if state != UNAVAILABLE else available.discard(entity)
    return lost


def _write_configuration(folder: Path, port: int, broker_port: int, extra: str) -> None:
    (folder / ".storage").mkdir(parents=True)
    (folder / "configuration.yaml").write_text(
        "homeassistant: {name: Test, latitude: 0, longitude: 0, elevation: 0, unit_system: metric, time_zone: UTC}\n"
        f"http: {{server_host: 127.0.0.1, server_port: {port}}}\n"
        "logger: {default: warning}\n"
        "api:\nauth:\nonboarding:\n" + extra
    )
    # The entry that the dialogue "Add integration" makes for a broker.
    entry = {
        "created_at": "2026-01-01T00:00:00+00:00",
        "modified_at": "2026-01-01T00:00:00+00:00",
        "data": {"broker": "127.0.0.1", "port": broker_port},
        "options": {},
        "domain": "mqtt",
        "title": "broker",
        "entry_id": "0123456789abcdef0123456789abcdef",
        "version": 1,
        "minor_version": 2,
        "source": "user",
        "discovery_keys": {},
        "subentries": [],
        "unique_id": None,
        "disabled_by": None,
        "pref_disable_new_entities": False,
        "pref_disable_polling": False,
    }
    entries = {"version": 1, "minor_version": 5, "key": "core.config_entries", "data": {"entries": [entry]}}
    (folder / ".storage" / "core.config_entries").write_text(json.dumps(entries))
