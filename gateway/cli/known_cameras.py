"""The cameras that a command knows without the store."""

from __future__ import annotations

from gateway.config import Settings
from gateway.model import CAMERA_NAME
from gateway.mqtt.codec.live_topics import BRIDGE
from gateway.mqtt.retained import LIVE, RetainedTopics


def find_known_cameras(settings: Settings) -> frozenset[str]:
    """Return the cameras of the settings, and those that a gateway has announced. Raise StartError."""
    # A camera that never showed a face has no sightings, but its state is announced.
    topics = RetainedTopics(settings.data / "retained.json").left_behind(LIVE, ())
    prefix, suffix = f"{settings.mqtt.base}/", "/state"
    names = (each[len(prefix) : -len(suffix)] for each in topics if each.startswith(prefix) and each.endswith(suffix))
    return settings.configured_cameras | {name for name in names if CAMERA_NAME.fullmatch(name) and name != BRIDGE}
