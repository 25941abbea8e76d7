"""Notes about cameras for all replicas: each reads every note once."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from gateway.model.sightings import Sighting
from gateway.service.live_notes import NOTE_LIFETIME_S, NOTE_PREFIX, LiveNotes, StoredCameras, find_notes
from gateway.store.records import SightingRecord
from tests.people.environment import PeopleEnvironment, open_environment


class Cameras:
    """The cameras of one replica, which note what they are told."""

    def __init__(self, env: PeopleEnvironment, *owned: str) -> None:
        self.done: list[tuple[object, ...]] = []
        earlier = find_notes(env.store)
        self.notes = LiveNotes(env.store, env.people.sightings, self, owned.__contains__, earlier)

    def set_enabled(self, camera: str | None, on: bool) -> None:
        self.done.append(("switch", camera, on))

    def forget_camera(self, camera: str) -> None:
        self.done.append(("forget", camera))

    def correct(self, sighting: Sighting, event_type: str, _previous: object) -> None:
        self.done.append((event_type, sighting.id))


def test_each_replica_reads_every_note_once(tmp_path: Path) -> None:
    with open_environment(tmp_path) as env:
        first, second = Cameras(env, "porch"), Cameras(env, "yard")
        commands = StoredCameras(env.store, env.people.sightings)
        commands.set_enabled("porch", False)
        commands.forget_camera("yard")
        for _ in range(2):
            for each in (first, second):
                each.notes.apply()
        assert first.done == second.done == [("switch", "porch", False), ("forget", "yard")]


def test_replica_that_starts_applies_only_later_notes(tmp_path: Path) -> None:
    """Regression: a restarted replica applied all notes of the last minute, and stored their switches for all."""
    with open_environment(tmp_path) as env:
        commands = StoredCameras(env.store, env.people.sightings)
        commands.set_enabled("porch", False)
        commands.forget_camera("yard")
        started = Cameras(env, "porch")
        commands.set_enabled("garden", False)
        started.notes.apply()
        assert started.done == [("switch", "garden", False)]


def test_replica_that_is_late_leaves_a_switch_that_was_turned_since(tmp_path: Path) -> None:
    """Regression: after a time without the database a replica switched off a camera that somebody had switched on."""
    with open_environment(tmp_path) as env:
        late = Cameras(env, "porch")
        commands = StoredCameras(env.store, env.people.sightings)
        commands.set_enabled("porch", False)
        commands.set_enabled(None, False)
        # As another replica does, which leaves no note.
        env.store.camera_switches.change_disabled(off=(), on={"porch"})
        late.notes.apply()
        assert late.done == [("switch", None, False)]


def test_only_the_owner_of_the_camera_announces_a_correction(tmp_path: Path) -> None:
    with open_environment(tmp_path) as env:
        sighting = Sighting(id="s", visit="s", camera="porch", since=1.0, last_seen=2.0)
        env.people.sightings.save([SightingRecord(sighting)])
        owner, other = Cameras(env, "porch"), Cameras(env, "yard")
        StoredCameras(env.store, env.people.sightings).correct(sighting, "confirmed", None)
        for each in (owner, other):
            each.notes.apply()
        assert (owner.done, other.done) == ([("confirmed", "s")], [])


@pytest.mark.parametrize("name", [f"{time.time() - NOTE_LIFETIME_S - 1:.6f} aa", "damaged"], ids=["old", "damaged"])
def test_old_note_is_deleted(tmp_path: Path, name: str) -> None:
    with open_environment(tmp_path) as env:
        cameras = Cameras(env)
        old = json.dumps({"at": 1.0, "change": "forget", "camera": "porch"})
        env.store.notes.write_note(NOTE_PREFIX + name, old)
        cameras.notes.apply()
        assert cameras.done == []
        assert env.store.notes.read_notes(NOTE_PREFIX) == []
