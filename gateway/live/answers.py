"""The answers to live frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gateway.live.camera import FollowedFace
from gateway.model import Face, Hint, Recognition, Request, Timing
from gateway.service.jobs import timing_of
from gateway.workers.job import Report

DARK_FRAME_BRIGHTNESS = 0.04
"""Brightness of a whole frame, 0 to 1, below which a face may not be seen for lack of light.

Of 70 darkened portraits every face was found from 0.03 on, three of four from 0.02 to 0.03, and a third below 0.02.
"""


def write_answer(
    request: Request, report: Report, faces: Sequence[FollowedFace], threshold: float, laps: Timing
) -> Recognition:
    """Return the answer to a frame. ``threshold``: the lowest score at which a face in one picture is named.

    ``laps``: the milliseconds of the steps after the worker process.
    """
    (analysis,) = report.analyses
    answer = Recognition(
        faces=tuple(map(_face, faces)),
        image=analysis.image,
        threshold=threshold,
        timing=timing_of(request, report, laps),
        dropped=report.dropped,
        left_out=analysis.left_out,
        unchanged=analysis.looked == "nothing",
    )
    decided = answer.best.sighting if answer.best else None
    if decided is not None and decided.threshold is not None:
        threshold = decided.threshold
    return replace(answer, threshold=threshold, hint=_hint(answer.best, analysis.brightness))


def _face(followed: FollowedFace) -> Face:
    found = followed.face
    return Face(
        found.box, found.quality, found.landmarks, followed.judgement, track=followed.track, sighting=followed.sighting
    )


def _hint(face: Face | None, brightness: float | None) -> Hint | None:
    """Return the reason why one more picture may give a better answer, or None if there is none.

    ``face``: the best one. ``brightness``: of the whole picture, 0 to 1.
    """
    if face is None:
        return "too_dark" if brightness is not None and brightness < DARK_FRAME_BRIGHTNESS else None
    if face.sighting is None:
        return None
    match face.sighting.outcome:
        case "named" | "stranger" | "ambiguous":
            return None
        case problem:
            return problem
