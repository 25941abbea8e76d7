"""What the gateway's own store tells over REST: who is known, and what was done."""

from __future__ import annotations

import threading
import time
from urllib.parse import quote

from benchmarks.faults.history import Effect, History
from benchmarks.faults.house import House, json_of

MOST = 1000
"""Lines and people at once."""
EVERY_S = 15.0
"""The audit tells its newest lines only, so it is read while they are made."""
TRIES_S = 30.0


class Auditor:
    """Reads the audit now and then, in a thread of its own."""

    def __init__(self, house: House, history: History) -> None:
        self._house = house
        self._history = history
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="auditor")

    def __enter__(self) -> Auditor:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join()

    def look(self) -> bool:
        """Whether the gateway told."""
        told = json_of(self._house.fetch("GET", f"/api/v1/audit?limit={MOST}", wait=10))
        if told is None:
            return False
        self._history.done({Effect(**line) for line in told["audit"]})
        return True

    def _run(self) -> None:
        while not self._closing.wait(EVERY_S):
            self.look()

    def last_look(self) -> None:
        """All that is there. Raises TimeoutError."""
        until = time.monotonic() + TRIES_S
        while not (self.look() and self._people()):
            if time.monotonic() > until:
                raise TimeoutError("the gateway does not tell who is known and what was done")
            time.sleep(0.5)

    def _people(self) -> bool:
        people: dict[str, str] = {}
        after: str | None = ""
        while after is not None:
            told = json_of(self._house.fetch("GET", f"/api/v1/people?limit={MOST}&after={quote(after)}", wait=10))
            if told is None:
                return False
            people |= {each["person"]: each["name"] for each in told["people"]}
            after = told["next"]
        self._history.known(people)
        return True
