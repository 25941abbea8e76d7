"""The source of each camera's pictures: its own frames, or a Frigate server.

Two sources of one camera would show each visit twice, at different times.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.model import Request
from gateway.service.service import Submit

log = logging.getLogger(__name__)

HOLD_S = 600.0
"""The time after its last picture for which a source keeps a camera."""

WARNING_S = 3600.0
"""The time for which a conflict is shown as a warning after it happened last."""

MAX_CAMERAS = 10_000
"""Cameras whose source is remembered. The one that was silent for longest is forgotten first."""

OWN_FRAMES = "its own frames"
"""The name of the source that always wins: the camera itself, over MQTT or at an address of the settings."""


@dataclass(frozen=True, slots=True)
class _Claim:
    source: str
    at: float


class FrameSources:
    """The source of each camera. Safe to use from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._claims: OrderedDict[str, _Claim] = OrderedDict()
        self._conflicts: OrderedDict[str, tuple[float, str]] = OrderedDict()
        """For each camera with two sources: when the other one was refused last, and the sentence about both."""

    def claim(self, camera: str, source: str) -> bool:
        """Return whether the source may give pictures of the camera now. The first refusal is logged.

        ``source``: in words that complete "the camera porch has pictures from …".
        """
        now = self._clock()
        with self._lock:
            held = self._claims.get(camera)
            if source == OWN_FRAMES or held is None or held.source == source or now > held.at + HOLD_S:
                self._claims[camera] = _Claim(source, now)
                self._claims.move_to_end(camera)
                if len(self._claims) > MAX_CAMERAS:
                    self._claims.popitem(last=False)
                return True
            new = camera not in self._conflicts
            sentence = (
                f"The camera {camera} has pictures from {held.source} and from {source}: only {held.source} are used."
                " Switch one of the two off for this camera."
            )
            self._conflicts[camera] = now, sentence
            if len(self._conflicts) > MAX_CAMERAS:
                self._conflicts.popitem(last=False)
        if new:
            log.warning("%s", sentence)
        return False

    @property
    def warnings(self) -> tuple[str, ...]:
        """The sentences about cameras that had two sources within the last hour."""
        recently = self._clock() - WARNING_S
        with self._lock:
            return tuple(sentence for at, sentence in self._conflicts.values() if at > recently)


def claiming(submit: Submit, sources: FrameSources) -> Submit:
    """Return ``submit`` for the cameras themselves: each live frame claims its camera."""

    def claim_and_submit(request: Any) -> Any:
        if isinstance(request, Request) and request.live and request.origin.camera is not None:
            sources.claim(request.origin.camera, OWN_FRAMES)
        return submit(request)

    return claim_and_submit
