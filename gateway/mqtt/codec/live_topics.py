"""The topics of live cameras: announcements of the gateway, and switches."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.model import CAMERA_NAME

BRIDGE = "bridge"
"""The level in place of a camera, in the topics of the switch for all cameras."""


class LiveTopics:
    """The topics below ``base``. ``switches``: the filter of the commands that switch cameras on and off."""

    def __init__(self, base: str) -> None:
        self._base = base
        self.switches = f"{base}/+/enabled/set"

    def event(self, camera: str) -> str:
        return f"{self._base}/{camera}/event"

    def present(self, camera: str) -> str:
        return f"{self._base}/{camera}/present"

    def snapshot(self, camera: str) -> str:
        return f"{self._base}/{camera}/snapshot"

    def state(self, camera: str) -> str:
        return f"{self._base}/{camera}/state"

    def switch(self, camera: str) -> str:
        """Return the topic with the state of a switch. ``camera``: its name, or BRIDGE."""
        return f"{self._base}/{camera}/enabled/state"

    def person(self, slug: str) -> str:
        return f"{self._base}/{BRIDGE}/person/{slug}"

    def read_camera(self, topic: str) -> str | None:
        """Return the camera, or BRIDGE, of a topic. Return None for a topic without a valid name."""
        camera = topic.removeprefix(f"{self._base}/").partition("/")[0]
        return camera if topic.startswith(f"{self._base}/") and CAMERA_NAME.fullmatch(camera) else None

    def read_cameras(self, topics: Iterable[str]) -> list[str]:
        """Return the cameras of the topics, without BRIDGE."""
        names = dict.fromkeys(map(self.read_camera, topics))
        return [name for name in names if name is not None and name != BRIDGE]
