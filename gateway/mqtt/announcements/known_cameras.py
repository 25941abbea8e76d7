"""The cameras that are known without the store."""

from __future__ import annotations

from gateway.config import Settings
from gateway.mqtt.codec.live_topics import LiveTopics
from gateway.mqtt.retained import LIVE, RetainedJournal, RetainedTopics


def find_known_cameras(settings: Settings, retained: RetainedJournal | None = None) -> frozenset[str]:
    """Return the cameras of the settings, and those that a gateway has announced.

    ``retained``: the journal of topics, if it is open. Raise StartError.
    """
    # A camera that never showed a face has no sightings, but its state is announced.
    retained = retained or RetainedTopics(settings.data / "retained.json")
    announced = LiveTopics(settings.mqtt.base).read_cameras(retained.left_behind(LIVE, ()))
    return settings.configured_cameras.union(announced)
