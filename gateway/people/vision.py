"""Descriptions of faces that people/ needs from the worker processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gateway.errors import GatewayError
from gateway.model import FaceMark, FoundFace, Polygon


class EnrolmentVision(Protocol):
    """Functions that return one face with its descriptor and chips, as it is enrolled.

    Each waits for a worker process. Raises GatewayError, Busy, or CancelledError when the gateway stops.
    ``show_chips`` and ``draw_frame`` return a picture instead.
    """

    def describe_picture(self, picture: bytes) -> FoundFace:
        """Return the one face of a picture."""

    def describe_chips(self, chips: bytes) -> FoundFace:
        """Return the face of chips, which an older recipe may have described."""

    def describe_part(self, picture: bytes, place: Polygon, camera: str) -> FoundFace:
        """Return the one face at a place in a camera's picture."""

    def show_chips(self, chips: bytes) -> bytes:
        """Return a JPEG of the face of chips, for people to look at."""

    def draw_frame(self, frame: bytes, camera: str, marks: Sequence[FaceMark]) -> bytes:
        """Return a JPEG of a camera's picture with marks, without the regions that ``never`` leaves out."""


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

    def show_chips(self, chips: bytes) -> bytes:
        """Raise GatewayError."""
        raise _no_workers_error()

    def draw_frame(self, frame: bytes, camera: str, marks: Sequence[FaceMark]) -> bytes:
        """Raise GatewayError."""
        raise _no_workers_error()


def _no_workers_error() -> GatewayError:
    return GatewayError("this command has no worker process for pictures: this is a bug in the gateway")
