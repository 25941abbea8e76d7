"""The announcements that this gateway makes: all of them, or those that are its part in a cluster."""

from __future__ import annotations

from typing import Protocol


class Scope(Protocol):
    """The cameras, and the topics of the whole installation, that this gateway announces."""

    @property
    def is_leader(self) -> bool:
        """True if this gateway announces people, and all that belongs to no camera."""

    def owns(self, camera: str) -> bool:
        """Return whether this gateway announces the camera."""


class Everything:
    """The scope of a gateway that works alone."""

    is_leader = True

    def owns(self, _camera: str) -> bool:
        return True
