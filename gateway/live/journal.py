"""The journal: sightings are written to the store by a thread of its own, in order."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial

from gateway.errors import GatewayError
from gateway.live.open_sighting import OpenSighting, shows
from gateway.store.protocols import Sightings
from gateway.store.records import SightingRecord

log = logging.getLogger(__name__)

MAX_UNWRITTEN = 2_000
"""Records that wait for a store that cannot write. The oldest ones are dropped."""


class Journal:
    """The records that wait to be written. All methods are called by the thread of the live cameras.

    ``writes``: an executor with one thread, which keeps the order.
    """

    def __init__(self, store: Sightings, writes: Executor) -> None:
        self._store = store
        self._writes = writes
        self._waiting: dict[str, SightingRecord] = {}

    def add(self, sighting: OpenSighting) -> None:
        """Note that a sighting changed. ``flush`` writes it."""
        if not sighting.is_worth_storing:
            return
        record, waiting = sighting.make_record(), self._waiting.pop(sighting.now.id, None)
        if record.face is None and waiting is not None:
            record = SightingRecord(record.sighting, waiting.face, record.evidence)
        self._waiting[record.sighting.id] = record
        while len(self._waiting) > MAX_UNWRITTEN:
            self._waiting.pop(next(iter(self._waiting)))

    def forget_person(self, slug: str) -> None:
        """Drop the records that wait and name a person. Those in the store go with the person."""
        self._waiting = {key: each for key, each in self._waiting.items() if not shows(each.sighting, slug)}

    def flush(self) -> None:
        """Write all waiting records, in the other thread."""
        if self._waiting:
            records, self._waiting = list(self._waiting.values()), {}
            self.run(partial(self._store.save, records))

    def run(self, write: Callable[[], object]) -> None:
        """Run a write in the other thread, after those before it."""
        self._writes.submit(_run, write)


def _run(write: Callable[[], object]) -> None:
    # A full disk must not end the recognition.
    try:
        write()
    except GatewayError as error:
        log.error("sightings cannot be stored: %s", error)
    except Exception:
        log.exception("sightings cannot be stored")
