"""Changes of live cameras by a command: it writes them to the store, and leaves a note for a gateway that runs."""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from gateway.model import CAMERA_NAME, Person
from gateway.model.cameras import CameraReport, LastFrame
from gateway.model.sightings import ALL_CAMERAS, CameraState, Presence, Sighting
from gateway.periodic_thread import PeriodicThread
from gateway.service.live_cameras import CameraChanges, CorrectionEvent
from gateway.store.protocols import Sightings, Store

log = logging.getLogger(__name__)

NOTE_PREFIX = "live_cameras "

POLL_INTERVAL_S = 0.5
"""Time between two looks for notes. A change by a command is effective within a second."""

NOTE_LIFETIME_S = 60.0
"""Time for which a note is good. An older one was left while no gateway ran: the store has the change."""


class StoredCameras:
    """The live cameras for a command, which sees no frames (service/live_cameras.py)."""

    def __init__(self, store: Store, sightings: Sightings, known: Collection[str] = ()) -> None:
        """``known``: cameras that are known although the store may have nothing about them."""
        self._store = store
        self._sightings = sightings
        self._known = known

    @property
    def all_enabled(self) -> bool:
        return ALL_CAMERAS not in self._store.camera_switches.read_disabled()

    def cameras(self) -> Sequence[CameraState]:
        """Return the cameras that are known: those given, those with sightings, and those that are off."""
        disabled = self._store.camera_switches.read_disabled() - {ALL_CAMERAS}
        names = {*self._known, *self._sightings.cameras(), *disabled}
        return [CameraState(camera=name, enabled=name not in disabled) for name in sorted(names)]

    def presences(self) -> Sequence[Presence]:
        return ()

    def camera_reports(self) -> Mapping[str, CameraReport]:
        return {}

    def last_frame(self, _camera: str) -> LastFrame | None:
        return None

    def follow_people(self) -> None:
        """Do nothing: nothing is in memory. A running gateway looks for changes by itself."""

    def set_enabled(self, camera: str | None, on: bool) -> None:
        name = {ALL_CAMERAS if camera is None else camera}
        self._store.camera_switches.change_disabled(off=() if on else name, on=name if on else ())
        self._write_note(change="switch", camera=camera, on=on)

    def forget_camera(self, camera: str) -> None:
        self._store.camera_switches.change_disabled(off=(), on={camera})
        self._sightings.forget_camera(camera)
        self._write_note(change="forget", camera=camera)

    def correct(self, sighting: Sighting, event_type: CorrectionEvent, previous: Person | None) -> None:
        # No note names a person: it would stay in the file if the person was erased.
        self._write_note(change=event_type, sighting=sighting.id)

    def _write_note(self, **note: object) -> None:
        now = time.time()
        # The names of notes are sorted by time.
        name = f"{NOTE_PREFIX}{now:.6f} {secrets.token_hex(3)}"
        self._store.notes.write_note(name, json.dumps({"at": now, **note}))


class LiveNotes:
    """The thread that applies the notes of commands to the cameras of this gateway.

    ``owns``: returns whether a camera is followed here. None for a single gateway, which deletes the notes that it
    applies. A replica leaves them to the others until they are too old. ``earlier``: the names of the notes before this
    replica read the store at its start: the store has these changes, and later ones.
    """

    def __init__(
        self,
        store: Store,
        sightings: Sightings,
        live: CameraChanges,
        owns: Callable[[str], bool] | None = None,
        earlier: Collection[str] = (),
    ) -> None:
        self._store = store
        self._owns = owns
        self._read = frozenset(earlier)
        self._sightings = sightings
        self._live = live
        failure = "the notes of commands are read later"
        self._thread = PeriodicThread("live notes", POLL_INTERVAL_S, self.apply, failure)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._thread.stop()

    def apply(self) -> None:
        """Apply the notes that are good. Raise GatewayError if the store fails."""
        for note in self._take_notes() if self._owns is None else self._read_new_notes():
            try:
                self._apply(json.loads(note))
            except (ValueError, TypeError, KeyError) as error:
                log.warning("the note of a command is damaged: %s", error)

    def _take_notes(self) -> list[str]:
        return self._store.notes.take_notes(NOTE_PREFIX)

    def _read_new_notes(self) -> list[str]:
        """Return the notes that this replica has not read before. Delete those that are too old."""
        found = dict(self._store.notes.read_notes(NOTE_PREFIX))
        new = [note for name, note in found.items() if name not in self._read]
        self._read = frozenset(found)
        for name in found:
            if not _is_recent(name):
                self._store.notes.write_note(name, None)
        return new

    def _apply(self, note: dict[str, Any]) -> None:
        if not time.time() - NOTE_LIFETIME_S < float(note["at"]):
            return
        camera = note.get("camera")
        if camera is not None and not CAMERA_NAME.fullmatch(camera):
            raise ValueError("the name of a camera is invalid")
        if note["change"] == "switch":
            if self._is_current(camera, on := note["on"] is True):
                self._live.set_enabled(camera, on)
        elif note["change"] == "forget":
            self._live.forget_camera(str(camera))
        elif (record := self._sightings.find(note["sighting"])) is not None and self._follows(record.sighting.camera):
            event: CorrectionEvent = "not_them" if note["change"] == "not_them" else "confirmed"
            self._live.correct(record.sighting, event, None)

    def _is_current(self, camera: str | None, on: bool) -> bool:
        """Return whether a switch is as a note says. Another replica may have turned it since."""
        if self._owns is None:
            return True
        return on == ((ALL_CAMERAS if camera is None else camera) not in self._store.camera_switches.read_disabled())

    def _follows(self, camera: str) -> bool:
        return self._owns is None or self._owns(camera)


def find_notes(store: Store) -> frozenset[str]:
    """Return the names of the notes of commands. Raise GatewayError if the store fails."""
    return frozenset(name for name, _ in store.notes.read_notes(NOTE_PREFIX))


def _is_recent(name: str) -> bool:
    try:
        written = float(name.removeprefix(NOTE_PREFIX).split()[0])
    except (ValueError, IndexError):
        return False
    return time.time() - NOTE_LIFETIME_S < written
