"""The protocol of the history of sightings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from gateway.model import Descriptor, Person
from gateway.model.sightings import Sighting
from gateway.store.records import SightingRecord


class Sightings(Protocol):
    """The history of sightings. An open sighting is stored too, so that it goes on after a restart.

    The removal of a person also deletes the sightings that name the person, or have the person as a candidate.

    A sighting is no change of a person: these methods need no caller and write no audit. A method that changes
    something may wait for seconds for another change, such as an import. Faces and evidence of another recipe are left
    out of records: nothing can be compared with them. Sightings that cannot be read are left out too.
    """

    def save(self, records: Sequence[SightingRecord], epochs: Mapping[str, int] | None = None) -> list[str]:
        """Write sightings, or replace them by their ids. A record without a face leaves a stored face as it is.

        A sighting that was deleted meanwhile, such as by an erasure, is not stored again: the ids of such sightings are
        returned. A sighting of a person who was removed meanwhile, also as a candidate, is not stored. Neither is a
        sighting that ended, if ``SightingLimits.keep_days`` is 0. ``epochs``: those in which a replica of a cluster
        owns the cameras. Records of a camera that was claimed since are dropped: an owner may have written newer ones.
        """

    def read_open(self) -> list[SightingRecord]:
        """Return the sightings that have not ended, with their faces and evidence."""

    def find(self, sighting: str) -> SightingRecord | None:
        """Return a sighting by its id, with its face."""

    def list_sightings(
        self,
        *,
        camera: str | None = None,
        person: str | None = None,
        unknown: int | None = None,
        outcome: str | None = None,
        since: float | None = None,
        before: str | None = None,
        limit: int = 100,
    ) -> list[Sighting]:
        """Return the sightings that fit all filters, the newest first.

        ``since``: only those that began at this moment, in seconds since 1970, or later. ``before``: the id of the last
        sighting of the previous page. Raise UnknownPerson for the id of a person or a sighting that does not exist.
        """

    def list_last(self, cameras: Iterable[str], limit: int) -> list[Sighting]:
        """Return the newest sightings of each of these cameras, at most ``limit`` for each."""

    def cameras(self) -> set[str]:
        """Return the names of the cameras that have sightings."""

    def read_crop(self, sighting: str) -> bytes | None:
        """Return the picture of a sighting, a JPEG, if it is stored."""

    def read_faces(self, after: int = 0, limit: int = 1000) -> list[tuple[int, str, Descriptor | None]]:
        """Return a key, the id and the descriptor of each sighting with a face, in the order of their keys.

        ``after``: the key after which the page begins. The descriptor is None if it is of another recipe or damaged.
        """

    def relabel(self, unknown: int, person: Person) -> None:
        """Give the sightings of an unknown group to a person, also those that are written later."""

    def move_unknown(self, unknown: int, into: int) -> None:
        """Give the sightings of an unknown group to another group, also those that are written later."""

    def forget_unknown(self, unknown: int) -> None:
        """Delete the sightings of an unknown group, with their pictures."""

    def forget_camera(self, camera: str) -> None:
        """Delete the sightings of a camera, with their pictures."""

    def forget_neighbours(self, person: str) -> None:
        """Delete the sightings without a name around those of a person, as the erasure of the person does."""

    def delete(self, sightings: Collection[str]) -> None:
        """Delete sightings by their ids, with their pictures. Ids that do not exist are ignored."""

    def tidy(self) -> None:
        """Delete the sightings that ended too long ago, and those over the limit.

        Over the limit the camera with the most sightings loses its oldest one: no camera displaces those of others.
        """

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence about sightings that could not be read, if there were any."""
