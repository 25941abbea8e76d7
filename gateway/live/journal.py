"""The journal: sightings are written to the store by a thread of its own, in order."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.attempts import Attempts
from gateway.errors import GatewayError, UnknownPerson
from gateway.live.open_sighting import OpenSighting, shows
from gateway.model import Person
from gateway.model.sightings import Sighting
from gateway.store.protocols import Sightings
from gateway.store.records import SightingRecord

log = logging.getLogger(__name__)

RETRY_S = 5.0
"""Time from a write that failed, such as on a full disk, to the next one."""

MAX_UNWRITTEN = 2_000
"""Records that wait for a store that cannot write. The oldest ones are dropped."""


class StoredChange(NamedTuple):
    """A change of an open sighting of a stranger by a user. ``person``: the name that the group got."""

    sighting: str
    person: Person | None
    ignored: bool


@dataclass(frozen=True, slots=True)
class _Forgotten:
    """The people who were removed, and the cameras that were forgotten, since a write began."""

    people: set[str] = field(default_factory=set)
    cameras: set[str] = field(default_factory=set)


class Journal:
    """The records that wait to be written. All methods are called by the thread of the live cameras.

    ``writes``: an executor with one thread, which keeps the order. ``is_ignored``: returns whether nobody wants to be
    told about an unknown group; it may wait for the store. ``post``: lets the thread of the live cameras call a
    function. ``shared``: replicas share the cameras, and this one writes only of those that it took.
    """

    def __init__(
        self,
        store: Sightings,
        writes: Executor,
        is_ignored: Callable[[int], bool],
        post: Callable[[Callable[[], None]], None],
        *,
        shared: bool = False,
    ) -> None:
        self._store = store
        self._writes = writes
        self._is_ignored = is_ignored
        self._post = post
        self._waiting: dict[str, SightingRecord] = {}
        self._write: Future[None] | None = None
        self._retry_at = -math.inf
        # By their sentences: while a full disk stops the writes, reads may succeed.
        self._attempts: dict[str, Attempts] = {}
        # Since the last write began: it may fail, and be repeated.
        self._forgotten = _Forgotten()
        self._deleted: set[str] = set()
        # The epochs in which this replica owns its cameras; None for a single gateway.
        self._epochs: dict[str, int] | None = {} if shared else None

    def add(self, sighting: OpenSighting) -> None:
        """Note that a sighting changed. ``flush`` writes it."""
        if not sighting.is_worth_storing:
            return
        record, waiting = sighting.make_record(), self._waiting.pop(sighting.now.id, None)
        self._waiting[record.sighting.id] = record if waiting is None else record.after(waiting)
        self._drop_oldest()

    def forget_person(self, slug: str) -> None:
        """Drop the records that wait and name a person. Those in the store go with the person."""
        self._waiting = _without_person(self._waiting, slug)
        self._forgotten.people.add(slug)

    def forget_camera(self, name: str) -> None:
        """Delete the sightings of a camera."""
        self._waiting = _without_cameras(self._waiting, {name})
        self._forgotten.cameras.add(name)
        failure = "the sightings of a forgotten camera cannot be deleted now"
        self.run(lambda: self._store.forget_camera(name), failure)

    def release_cameras(self, names: Collection[str], *, write: bool) -> Future[None]:
        """Leave cameras to another replica. Return a future that is done when nothing of them is written any more.

        ``write``: write the records that wait. Otherwise they are dropped: the other replica may have newer ones.
        """
        if write:
            self._write_now()
        self._waiting = _without_cameras(self._waiting, names)
        self._epochs = {name: each for name, each in (self._epochs or {}).items() if name not in names}
        return self.run(lambda: None)

    def take_cameras(self, epochs: Mapping[str, int]) -> None:
        """Write the records of cameras, as long as this replica owns them in these epochs."""
        self._epochs = {**(self._epochs or {}), **epochs}

    def flush(self) -> None:
        """Write all waiting records, in the other thread. A store that is busy gets them later, together."""
        is_over = self._write is None or self._write.done()
        # Nobody sleeps after a failure: a camera that moves to another replica waits for the thread of the writes.
        if self._waiting and is_over and time.monotonic() >= self._retry_at:
            records, forgotten = self._waiting, _Forgotten()
            self._waiting, self._forgotten = {}, forgotten
            epochs = self._epochs
            self._write = self.run(lambda: self._save(records, forgotten, epochs), "sightings cannot be stored now")

    def take_deleted(self) -> set[str]:
        """Return the ids of sightings that the store did not have any more, since the last call."""
        deleted, self._deleted = self._deleted, set()
        return deleted

    def close(self) -> None:
        """Write all waiting records, also if the store is busy. Nothing is added afterwards."""
        self._write_now()

    def _write_now(self) -> None:
        """Write all waiting records, also after those that are written now, or after a failure."""
        self._write, self._retry_at = None, -math.inf
        self.flush()

    def read_changes(self, strangers: Mapping[str, int], done: Callable[[list[StoredChange]], None]) -> None:
        """Read what users changed in open sightings. ``strangers``: their unknown groups, by their ids.

        ``done``: called later, in the thread of the live cameras.
        """
        self.run(lambda: self._read_changes(strangers, done), "changes of sightings cannot be read now")

    def read_last(self, slugs: Sequence[str], done: Callable[[list[Sighting]], None]) -> None:
        """Read the last sighting of each of these people. ``done``: as for ``read_changes``."""
        self.run(lambda: self._read_last(slugs, done), "the last sightings of people cannot be read now")

    def run(self, step: Callable[[], None], failure: str = "a step of the sightings failed") -> Future[None]:
        """Run a step in the other thread, after those before it. A full disk must not end the recognition.

        ``failure``: the sentence that is logged with an exception of the step, as by Attempts.
        """
        attempts = self._attempts.setdefault(failure, Attempts(log, failure))
        return self._writes.submit(_run, step, attempts)

    def _save(
        self, records: Mapping[str, SightingRecord], forgotten: _Forgotten, epochs: Mapping[str, int] | None
    ) -> None:
        try:
            deleted = self._store.save(list(records.values()), epochs)
        except GatewayError:
            self._post(lambda: self._wait_again(records, forgotten, epochs))
            raise
        if deleted:
            self._post(lambda: self._deleted.update(deleted))

    def _wait_again(
        self, records: Mapping[str, SightingRecord], forgotten: _Forgotten, epochs: Mapping[str, int] | None
    ) -> None:
        self._retry_at = time.monotonic() + RETRY_S
        # Somebody who is enrolled under the same name now must not get them.
        for slug in forgotten.people:
            records = _without_person(records, slug)
        records = _without_cameras(records, forgotten.cameras)
        # Another owner may have written newer ones, also of a camera that came back meanwhile.
        now = self._epochs
        if epochs is not None and now is not None:
            records = _without_cameras(records, [name for name, epoch in epochs.items() if now.get(name) != epoch])
        newer = {key: each.after(records[key]) if key in records else each for key, each in self._waiting.items()}
        self._waiting = {**records, **newer}
        self._drop_oldest()

    def _drop_oldest(self) -> None:
        while len(self._waiting) > MAX_UNWRITTEN:
            del self._waiting[next(iter(self._waiting))]

    def _read_changes(self, strangers: Mapping[str, int], done: Callable[[list[StoredChange]], None]) -> None:
        changes = []
        for key, unknown in strangers.items():
            record = self._store.find(key)
            if record is not None:
                changes.append(StoredChange(key, record.sighting.person, self._is_ignored(unknown)))
        self._post(lambda: done(changes))

    def _read_last(self, slugs: Sequence[str], done: Callable[[list[Sighting]], None]) -> None:
        found: list[Sighting] = []
        for slug in slugs:
            # Meanwhile the person may have been removed.
            with suppress(UnknownPerson):
                found += self._store.list_sightings(person=slug, limit=1)
        self._post(lambda: done(found))


def _without_person(records: Mapping[str, SightingRecord], slug: str) -> dict[str, SightingRecord]:
    return {key: each for key, each in records.items() if not shows(each.sighting, slug)}


def _without_cameras(records: Mapping[str, SightingRecord], cameras: Collection[str]) -> dict[str, SightingRecord]:
    return {key: each for key, each in records.items() if each.sighting.camera not in cameras}


def _run(step: Callable[[], None], attempts: Attempts) -> None:
    with attempts.attempt():
        step()
