"""The protocol of the cameras that are switched off."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol


class CameraSwitches(Protocol):
    """The cameras that are switched off. A camera without a row is on."""

    def read_disabled(self) -> set[str]:
        """Return the names of the cameras that are off."""

    def change_disabled(self, *, off: Collection[str], on: Collection[str]) -> None:
        """Note that these cameras are off or on now. All other cameras stay as another process may have set them."""

    def write_disabled(self, cameras: Collection[str]) -> None:
        """Replace the names of the cameras that are off."""
