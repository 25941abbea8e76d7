"""The protocol of the board on which the replicas of a cluster note what their live cameras show."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.model.sightings import CameraState, PersonPresence, Presence


@dataclass(frozen=True, slots=True)
class CameraNote:
    """A camera as its owner sees it. ``people``: the place and the times of each person who was there."""

    state: CameraState
    presence: Presence
    people: tuple[PersonPresence, ...] = ()


@dataclass(frozen=True, slots=True)
class Board:
    """The cameras of all replicas, by their names, and where each person is, or was last."""

    cameras: tuple[CameraNote, ...] = ()
    people: tuple[PersonPresence, ...] = ()


class LiveBoard(Protocol):
    """The board. A person who is removed disappears from it in the same transaction.

    The texts of what was seen before (``Presence.last_text``) and the switches are not on it.
    """

    def write(self, notes: Sequence[CameraNote], epochs: Mapping[str, int]) -> None:
        """Replace the notes of cameras. People who do not exist are left out.

        ``epochs``: those in which the replica owns the cameras. Notes of a camera that was claimed since are dropped.
        """

    def forget(self, camera: str) -> None:
        """Remove a camera."""

    def find_silent(self, names: Collection[str], most: int) -> Sequence[str]:
        """Return those cameras of the cluster that sent nothing for long, have no sighting, and are not switched off.

        ``most``: the number of cameras from which on the cluster has no room for others. Then ten minutes are long,
        otherwise seven days.
        """

    def read(self) -> Board:
        """Return what is on the board."""
