"""The sightings of earlier runs, as the live cameras need them at the start."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.live.moment import Moment
from gateway.live.open_sighting import OpenSighting, restored_sighting
from gateway.model.sightings import Sighting
from gateway.store.protocols import Sightings

MAX_READ_SIGHTINGS = 5_000
"""Stored sightings that are read for the last places of people, and for the names of cameras."""


class History:
    """The stored sightings at the start. Raises GatewayError if the store fails.

    ``people``: the last sighting of each person, by slug; ``cameras``: the names of the cameras.
    """

    def __init__(self, store: Sightings) -> None:
        self._open = store.read_open()
        recent = store.list_sightings(limit=MAX_READ_SIGHTINGS)
        # The newest one comes first, so the oldest one is overwritten.
        named = [each for each in recent if each.person is not None]
        self.people: Mapping[str, Sighting] = {each.person.slug: each for each in reversed(named) if each.person}
        self.cameras = frozenset(each.camera for each in recent)

    def open_sightings(self, moment: Moment) -> list[OpenSighting]:
        """Return the sightings that were open when the gateway ended."""
        return [restored_sighting(record, moment) for record in self._open]
