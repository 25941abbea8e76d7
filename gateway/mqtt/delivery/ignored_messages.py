"""Warnings about messages that get no answer: of a camera with an invalid name, or retained."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Literal

from gateway.model import CAMERA_NAME, MAX_CAMERA_LENGTH, RESERVED_CAMERAS
from gateway.mqtt.codec.topics import reserved_name_fault

log = logging.getLogger(__name__)

# A limit is needed: anybody may make up names.
MAX_CAMERAS = 100
"""Cameras that are remembered, so that each is reported once."""
MAX_WARNINGS = 10
WARNING_S = 3600.0
"""The time for which a warning is shown after the last message of its camera."""
MAX_TOPIC_CHARACTERS = 100
"""Characters of a topic in a warning."""

Kind = Literal["name", "retained"]


class IgnoredMessages:
    """Log with one warning for each camera. ``base``: ``mqtt.base``. Safe to use from any thread."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._lock = threading.Lock()
        self._seen: dict[tuple[Kind, str], tuple[float, str]] = {}
        """The time of the last message of each kind and camera, and the warning about it."""
        self._full = False

    def report_name(self, topic: str) -> None:
        """Warn about a message whose topic has no valid camera name."""
        self._report("name", topic, self._name_sentence)

    def report_retained(self, topic: str) -> None:
        """Warn about a retained message, which may be of any age."""
        self._report("retained", topic, self._retained_sentence)

    @property
    def warnings(self) -> tuple[str, ...]:
        """The first 10 warnings whose cameras sent such a message within the last hour."""
        recently = time.monotonic() - WARNING_S
        with self._lock:
            found = [sentence for last, sentence in self._seen.values() if last > recently]
        more = len(found) - MAX_WARNINGS
        others = (f"{more} more cameras are ignored: see the log.",) if more > 0 else ()
        return (*found[:MAX_WARNINGS], *others)

    def _report(self, kind: Kind, topic: str, sentence: Callable[[str], str]) -> None:
        # Anybody may send many such messages, with 64 kB of topic. So only the first one of a camera gets a sentence.
        now = time.monotonic()
        key = kind, self._camera(topic)
        with self._lock:
            if key in self._seen:
                self._seen[key] = now, self._seen[key][1]
                return
            if len(self._seen) >= MAX_CAMERAS:
                self._seen = {each: seen for each, seen in self._seen.items() if seen[0] > now - WARNING_S}
            if len(self._seen) < MAX_CAMERAS:
                text = sentence(topic)
                self._seen[key] = now, text
            elif not self._full:
                text = f"More than {MAX_CAMERAS} cameras are ignored."
                self._full = True
            else:
                return
        log.warning("%s", text)

    def _camera(self, topic: str) -> str:
        if not topic.startswith(f"{self._base}/"):
            return topic[:MAX_TOPIC_CHARACTERS]
        # One character more than allowed, to show that a name is too long.
        return topic.removeprefix(f"{self._base}/").partition("/")[0][: MAX_CAMERA_LENGTH + 1]

    def _name_sentence(self, topic: str) -> str:
        camera = self._camera(topic)
        if not topic.startswith(f"{self._base}/"):
            return (
                f"Messages on {_quoted(topic)} are ignored: the topic gives no valid name of a camera (1 to"
                f" {MAX_CAMERA_LENGTH} characters out of A-Z, a-z, 0-9, _ and -). Name the camera without a placeholder"
                " in inputs.topics."
            )
        if camera in RESERVED_CAMERAS:
            return f"Messages on {_quoted(topic)} get an error: {reserved_name_fault(camera)}."
        return (
            f"Messages on {_quoted(f'{self._base}/{camera}/…')} are ignored: the name of the camera {_fault(camera)}."
            f" It may have 1 to {MAX_CAMERA_LENGTH} characters out of A-Z, a-z, 0-9, _ and -. Change the topic in the"
            " camera."
        )

    def _retained_sentence(self, topic: str) -> str:
        return (
            f"A retained message on {_quoted(topic)} is ignored: it may be old. Let the camera publish without"
            " the retain flag, and delete the message at the broker (mosquitto_pub -r -n -t TOPIC)."
        )


def _fault(camera: str) -> str:
    if not camera:
        return "is empty"
    if CAMERA_NAME.fullmatch(camera[:MAX_CAMERA_LENGTH]):
        return f"has more than {MAX_CAMERA_LENGTH} characters"
    strange = dict.fromkeys(each for each in camera if not CAMERA_NAME.fullmatch(each))
    return f"has {', '.join(map(repr, list(strange)[:3]))}"


def _quoted(topic: str) -> str:
    # Without quotes a name could be read as a part of the sentence around it.
    return repr(topic if len(topic) <= MAX_TOPIC_CHARACTERS else f"{topic[:MAX_TOPIC_CHARACTERS]}…")
