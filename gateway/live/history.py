"""The sightings of earlier runs, as the live cameras need them at the start."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence

from gateway.errors import GatewayError
from gateway.live.moment import Moment
from gateway.live.open_sighting import OpenSighting, restored_sighting
from gateway.model.sightings import Sighting
from gateway.store.protocols import Sightings
from gateway.store.records import SightingRecord

log = logging.getLogger(__name__)

MAX_READ_SIGHTINGS = 5_000
"""Stored sightings that are read for the last places of people, and for what cameras saw last."""


MAX_READ_OF_CAMERA = 20
"""Stored sightings of one camera that are read for what it saw last."""


class History:
    """The stored sightings that a camera continues. ``read_all`` and ``read_cameras`` raise GatewayError.

    ``people``: the last sighting of each person, by slug. ``present``: the last sighting of somebody who counts as
    present, by camera. ``last_frames``: the time of the last picture of a sighting, by camera, in seconds since 1970.
    """

    def __init__(self, open_now: Sequence[SightingRecord], recent: Iterable[Sighting]) -> None:
        self._open = open_now
        # The newest one comes last, and overwrites the ones before it.
        recent = sorted(recent, key=lambda each: each.last_seen)
        self.people: Mapping[str, Sighting] = {each.person.slug: each for each in recent if each.person is not None}
        self.present: Mapping[str, Sighting] = {
            each.camera: each for each in recent if each.person is not None or each.is_present_stranger
        }
        self.last_frames: Mapping[str, float] = {each.camera: each.last_seen for each in recent}

    @classmethod
    def read_all(cls, store: Sightings) -> History:
        """Read the sightings of all cameras, at the start."""
        open_now = store.read_open()
        _tidy(store)
        return cls(open_now, store.list_sightings(limit=MAX_READ_SIGHTINGS))

    @classmethod
    def read_cameras(cls, store: Sightings, cameras: Iterable[str]) -> History:
        """Read the sightings of these cameras, for which frames wait."""
        return cls(store.read_open(), store.list_last(cameras, MAX_READ_OF_CAMERA))

    def open_sightings(self, moment: Moment, cameras: Collection[str] | None = None) -> list[OpenSighting]:
        """Return the sightings that were open when the gateway ended. ``cameras``: only those on these cameras."""
        found = [each for each in self._open if cameras is None or each.sighting.camera in cameras]
        return [restored_sighting(record, moment) for record in found]


def _tidy(store: Sightings) -> None:
    """Delete what is too old: an announcement would bring it back for as long as nothing newer happens."""
    try:
        store.tidy()
    # A full disk must not prevent the start.
    except GatewayError as error:
        log.warning("old sightings cannot be deleted now: %s", error)
