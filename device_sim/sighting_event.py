"""The gateway's news about sightings, read as a device should: it uses documented fields only, and checks them."""

from __future__ import annotations

import json
import time
from typing import Any

from device_sim.document import SCHEMA, UNREADABLE
from device_sim.model import Contradiction, Message, Presence, SightingEvent


def read(message: Message) -> SightingEvent | Presence | Contradiction:
    """Read a message on ``event`` or ``present``. An invalid one, or one of another camera, is a contradiction."""
    # The topic was cleared. The gateway says nothing about the camera until its next message there.
    if message.topic == "present" and not message.payload:
        return Presence(message.camera, "")
    try:
        data = json.loads(message.payload)
        if data["schema"] != SCHEMA:
            raise ValueError("unknown schema")
        if message.topic == "present":
            return Presence(message.camera, str(data["text"]))
        if data["camera"] != message.camera:
            return Contradiction(message.camera, "event", f"camera is {data['camera']!r:.80}")
        return _event(data, message)
    except (ValueError, KeyError, TypeError, AttributeError):
        return Contradiction(message.camera, message.topic, f"{UNREADABLE}: {message.payload[:80]!r}")


def _event(data: dict[str, Any], message: Message) -> SightingEvent:
    arrived = time.time() - (time.monotonic() - message.at)
    duration = data.get("duration")
    return SightingEvent(
        camera=message.camera,
        event_type=str(data["event_type"]),
        sighting=str(data["sighting"]),
        who=str(data.get("name") or "stranger"),
        duration=None if duration is None else float(duration),
        ms=1000 * (arrived - float(data["since"])),
    )
