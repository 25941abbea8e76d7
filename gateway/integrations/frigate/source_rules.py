"""The rules of the gateway for the cameras of Frigate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SourceRules:
    """These rules.

    ``owns`` returns whether this gateway follows the camera: another replica of a cluster may. ``claim`` returns
    whether pictures of the camera may come from the source with that name. ``is_upright`` returns whether boxes in the
    camera's pictures have the same coordinates here and at Frigate. ``note_alive`` is called with each camera that
    works at Frigate, and ``add_camera`` with each camera that shows a person.
    """

    owns: Callable[[str], bool]
    claim: Callable[[str, str], bool]
    is_upright: Callable[[str], bool]
    note_alive: Callable[[str], None]
    add_camera: Callable[[str], None]
