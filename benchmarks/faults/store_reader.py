"""The content of the gateway's store, read over REST: enrolled people, and the audit log."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Protocol
from urllib.parse import quote

from benchmarks.faults.fetching import Reply
from benchmarks.faults.history import Effect, History
from benchmarks.faults.installation import document_of

MAX_ROWS = 1000
"""Entries or people per request."""
INTERVAL_S = 15.0
"""Interval of reading the audit log: it returns only its newest entries."""
READ_TIMEOUT_S = 30.0


class Gateways(Protocol):
    """A gateway, or several with one store."""

    def fetch(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None, wait: float = 2
    ) -> Reply | None:
        """Ask one of them over REST. Return None without a reply."""


class StoreReader:
    """A reader of the audit log, in a separate thread."""

    def __init__(self, installation: Gateways, history: History) -> None:
        self._installation = installation
        self._history = history
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="auditor")

    def __enter__(self) -> StoreReader:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join()

    def read_audit(self) -> bool:
        """Read the audit log. Return whether the gateway answered."""
        document = document_of(self._installation.fetch("GET", f"/api/v1/audit?limit={MAX_ROWS}", wait=10))
        if document is None:
            return False
        self._history.record_effects({_effect(line) for line in document["audit"]})
        return True

    def _run(self) -> None:
        while not self._closing.wait(INTERVAL_S):
            self.read_audit()

    def read_all(self) -> None:
        """Read the audit log and all people. Raises TimeoutError."""
        until = time.monotonic() + READ_TIMEOUT_S
        while not (self.read_audit() and self._people()):
            if time.monotonic() > until:
                raise TimeoutError("the gateway does not return its people and its audit log")
            time.sleep(0.5)

    def _people(self) -> bool:
        people: dict[str, str] = {}
        after: str | None = ""
        while after is not None:
            document = document_of(
                self._installation.fetch("GET", f"/api/v1/people?limit={MAX_ROWS}&after={quote(after)}", wait=10)
            )
            if document is None:
                return False
            people |= {each["person"]: each["name"] for each in document["people"]}
            after = document["next"]
        self._history.record_people(people)
        return True


def _effect(line: dict[str, Any]) -> Effect:
    """Return an entry of the audit log, without the fields that the checks do not need."""
    return Effect(**{field.name: line[field.name] for field in fields(Effect)})
