"""Notes about cameras for all replicas: each reads every note once."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from gateway.model.sightings import Sighting
from gateway.service.live_notes import NOTE_LIFETIME_S, NOTE_PREFIX, LiveNotes, StoredCameras
from gateway.store.records import SightingRecord
from tests.people.environment import PeopleEnvironment, open_environment


class Cameras:
    """The cameras of one replica, which note what they are told."""

    def __init__(self, env: PeopleEnvironment, *owned: str) -> None:
        self.done: list[tuple[object, ...]] = []
        self.notes = LiveNotes(env.store, env.people.sightings, self, owned.__contains__)

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
