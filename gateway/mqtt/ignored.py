"""Messages that nobody can be answered for: from a camera with an impossible name, or retained. Each camera is reported
once.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Literal

from gateway.model import CAMERA, MAX_CAMERA_LENGTH, RESERVED_CAMERAS

log = logging.getLogger(__name__)

MAX_CAMERAS = 100
"""Cameras that are remembered, so that each is reported once: anybody may make up names."""
MAX_WARNINGS = 10
SHOWN_S = 3600.0
"""For which a warning stands after the last such message."""
MAX_SHOWN = 80
"""Characters of a name."""

Kind = Literal["name", "retained"]


class IgnoredMessages:
    """Safe to use from any thread."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._lock = threading.Lock()
        self._seen: dict[tuple[Kind, str], tuple[float, str]] = {}
        """When the last message of the kind came from the camera, and the sentence about it."""
        self._full = False

    def report_name(self, topic: str) -> None:
        """``topic``: one that names no camera."""
        camera = self._camera(topic)
        self._report(
            ("name", camera),
            f"Messages on {self._base}/{_shown(camera)}/… are ignored: the name of the camera {_fault(camera)}. It may"
            f" have 1 to {MAX_CAMERA_LENGTH} characters out of A-Z, a-z, 0-9, _ and -. Change the topic in the camera.",
        )

    def report_retained(self, topic: str) -> None:
        camera = self._camera(topic)
        self._report(
            ("retained", camera),
            f"A retained message on {_shown(topic)} is ignored: it may be of yesterday. Let the camera publish without"
            " the retain flag, and delete the message at the broker (mosquitto_pub -r -n -t TOPIC).",
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """The first ones of those that are still true."""
        recently = time.monotonic() - SHOWN_S
        with self._lock:
            found = [sentence for last, sentence in self._seen.values() if last > recently]
        more = len(found) - MAX_WARNINGS
        others = (f"{more} more cameras are ignored: see the log.",) if more > 0 else ()
        return (*found[:MAX_WARNINGS], *others)

    def _camera(self, topic: str) -> str:
        return topic.removeprefix(f"{self._base}/").partition("/")[0]

    def _report(self, key: tuple[Kind, str], sentence: str) -> None:
        now = time.monotonic()
        with self._lock:
            known = key in self._seen
            if not known and len(self._seen) >= MAX_CAMERAS:
                self._seen = {each: seen for each, seen in self._seen.items() if seen[0] > now - SHOWN_S}
            if not known and len(self._seen) >= MAX_CAMERAS:
                sentence, full, self._full = f"More than {MAX_CAMERAS} cameras are ignored.", self._full, True
                known = full
            else:
                self._seen[key] = now, sentence
        if not known:
            log.warning("%s", sentence)


def _fault(camera: str) -> str:
    if not camera:
        return "is empty"
    if camera in RESERVED_CAMERAS:
        return "is reserved for the gateway"
    if CAMERA.fullmatch(camera[:MAX_CAMERA_LENGTH]):
        return f"has {len(camera)} characters"
    strange = dict.fromkeys(each for each in camera if not CAMERA.fullmatch(each))
    return f"has {', '.join(map(repr, list(strange)[:3]))}"


def _shown(text: str) -> str:
    """Without what does not print: quotes only where there is something to escape."""
    short = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
    return short if short.isprintable() else repr(short)
