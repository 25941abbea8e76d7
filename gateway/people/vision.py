"""Descriptions of faces that people/ needs from the worker processes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway import __version__
from gateway.errors import GatewayError
from gateway.model import FaceMark, FoundFace, Polygon


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture for people to look at, before it is drawn. ``version``: changes whenever the picture changes.

    ``draw``: returns the JPEG. It waits for a worker process, and raises GatewayError, Busy or CancelledError.
    """

    version: str
    draw: Callable[[], bytes]


def drawing_version(picture: bytes, task: object) -> str:
    """Return the version of the drawing that a task makes of a picture. ``task``: with a ``repr`` of all its fields."""
    # A later version of the gateway may draw the same task in another way.
    return hashlib.sha256(f"{__version__} {task!r} ".encode() + picture).hexdigest()[:32]


class EnrolmentVision(Protocol):
    """Functions that return one face with its descriptor and chips, as it is enrolled.

    Each waits for a worker process. Raises GatewayError, Busy, or CancelledError when the gateway stops.
    ``show_chips``, ``draw_frame`` and ``show_picture`` return a Drawing instead, without waiting.
    """

    def describe_picture(self, picture: bytes) -> FoundFace:
        """Return the one face of a picture."""

    def describe_chips(self, chips: bytes) -> FoundFace:
        """Return the face of chips, which an older recipe may have described."""

    def describe_part(self, picture: bytes, place: Polygon, camera: str) -> FoundFace:
        """Return the one face at a place in a camera's picture."""

    def show_chips(self, chips: bytes) -> Drawing:
        """Return the drawing of the face of chips."""

    def draw_frame(self, frame: bytes, camera: str, marks: Sequence[FaceMark], width: int | None) -> Drawing:
        """Return the drawing of a camera's picture with marks, without the regions that ``never`` leaves out.

        ``width``: the width in pixels to which a wider picture is reduced.
        """

    def show_picture(self, picture: bytes, width: int | None) -> Drawing:
        """Return the drawing of a stored picture, reduced to a width."""


class NoVision:
    """Vision of a process without workers, such as a command that needs no pictures."""

    def describe_picture(self, picture: bytes) -> FoundFace:
        """Raise GatewayError."""
        raise _no_workers_error()

    def describe_chips(self, chips: bytes) -> FoundFace:
        """Raise GatewayError."""
        raise _no_workers_error()

    def describe_part(self, picture: bytes, place: Polygon, camera: str) -> FoundFace:
        """Raise GatewayError."""
        raise _no_workers_error()

    def show_chips(self, chips: bytes) -> Drawing:
        """Raise GatewayError."""
        raise _no_workers_error()

    def draw_frame(self, frame: bytes, camera: str, marks: Sequence[FaceMark], width: int | None) -> Drawing:
        """Raise GatewayError."""
        raise _no_workers_error()

    def show_picture(self, picture: bytes, width: int | None) -> Drawing:
        """Raise GatewayError."""
        raise _no_workers_error()


def _no_workers_error() -> GatewayError:
    return GatewayError("this command has no worker process for pictures: this is a bug in the gateway")
