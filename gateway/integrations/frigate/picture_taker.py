"""Taking one picture for an event of Frigate, and having its faces recognised."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from typing import Literal

from gateway.errors import BadRequest, Busy, Expired, Forbidden, GatewayError, Timeout
from gateway.integrations.frigate.refusals import Refusal, RefusalLog, Task
from gateway.integrations.frigate.server import FrigateServer, Picture
from gateway.integrations.frigate.tracked_event import Attempt, Step
from gateway.metrics import Metrics
from gateway.model import Operation, Origin, Recognition, Reply, Request
from gateway.model.caller import camera_caller

log = logging.getLogger(__name__)

VALID_S = 10.0
"""The time after which a picture is not recognised any more."""

WAIT_S = VALID_S + 5
"""The longest wait for a reply of the gateway itself."""

TASKS: Mapping[Step, Task] = {
    "snapshot": "get the snapshot",
    "main_stream": "get a frame of go2rtc",
    "recording": "get the recording",
}

Outcome = Literal["seen", "refused", "replaced", "off"]
"""The end of an attempt. ``refused``: no picture, or an unreadable one. ``replaced``: the gateway was busy, or another
frame of the camera came first. ``off``: this camera is not recognised."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The result of an attempt. ``picture`` and ``seen`` are set if the outcome is ``seen``."""

    attempt: Attempt
    outcome: Outcome
    picture: Picture | None = None
    seen: Recognition | None = None


class PictureTaker:
    """The pictures of one Frigate server. Its methods wait: they are called by threads that have nothing else to do.

    ``submit`` hands a request to the service of live cameras.
    """

    def __init__(
        self, server: FrigateServer, submit: Callable[[Request], Future[Reply]], refusals: RefusalLog, metrics: Metrics
    ) -> None:
        self._server = server
        self._submit = submit
        self._refusals = refusals
        self._metrics = metrics

    def take(self, attempt: Attempt) -> Taken:
        """Take the picture and return what was seen. No exception is raised for anything that can go wrong outside."""
        task = TASKS[attempt.step]
        try:
            picture = self._fetch(attempt)
            self._refusals.report_success(task)
            self._metrics.count("frigate_pictures")
            return self._recognise(attempt, picture)
        except Refusal as refusal:
            self._refusals.report(refusal)
            return Taken(attempt, "refused")
        except BadRequest as error:
            self._refusals.report(Refusal(task, "no_jpeg", f"a picture of Frigate cannot be used: {error}"))
            return Taken(attempt, "refused")

    def _fetch(self, attempt: Attempt) -> Picture:
        if attempt.step == "snapshot":
            return self._server.get_snapshot(attempt.event)
        if attempt.step == "main_stream":
            return self._server.get_main_frame(attempt.camera)
        assert attempt.moment is not None
        return self._server.get_recording(attempt.camera, attempt.moment)

    def _recognise(self, attempt: Attempt, picture: Picture) -> Taken:
        request = Request(
            operation=Operation.FACE_REC,
            pictures=(picture.content,),
            valid_for_s=VALID_S,
            origin=Origin(caller=camera_caller(attempt.camera)),
            live=True,
            frigate_event=attempt.event,
            zones=attempt.zones,
        )
        try:
            reply = self._submit(request).result(WAIT_S)
        except Forbidden as error:
            log.debug("no picture of event %s is recognised: %s", attempt.event, error)
            return Taken(attempt, "off")
        except (CancelledError, Busy, Expired, Timeout, TimeoutError) as error:
            log.debug("a picture of event %s was not recognised: %s", attempt.event, error or type(error).__name__)
            return Taken(attempt, "replaced")
        except BadRequest:
            raise
        except GatewayError as error:
            log.warning("a picture of event %s could not be recognised: %s", attempt.event, error)
            return Taken(attempt, "refused")
        assert isinstance(reply, Recognition)
        return Taken(attempt, "seen", picture, reply)
