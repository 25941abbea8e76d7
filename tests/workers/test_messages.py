from __future__ import annotations

from typing import Any

import cbor2
import numpy as np
import pytest

from gateway.errors import BadImage, GatewayError, TooLarge, Unsupported
from gateway.model import Box, FoundFace, Image, Look, Seen
from gateway.workers.messages import read_job, read_report, write_failure, write_job, write_report
from tests.examples import descriptor


def carried(message: dict[str, Any]) -> dict[str, Any]:
    """As it comes out at the other end of a channel."""
    arrived: dict[str, Any] = cbor2.loads(cbor2.dumps(message))
    return arrived


@pytest.mark.parametrize("pictures", [(b"one",), (b"one", b"two"), (b"",)])
@pytest.mark.parametrize("look", [Look(), Look(descriptors=False), Look(landmarks=True)])
def test_a_job_arrives_as_it_was(pictures: tuple[bytes, ...], look: Look) -> None:
    assert read_job(carried(write_job(pictures, look))) == (pictures, look)


def test_a_report_arrives_as_it_was() -> None:
    landmarks = {"chin": [(1, 2), (3, 4)]}
    face = FoundFace(Box(1, 2, 30, 40), descriptor(1), landmarks)
    sent = [Seen(Image(640, 480, 5000), (face,), {"decode": 1.5}), Seen(Image(1, 1, 1), (), {})]
    first, second = read_report(carried(write_report(sent)))
    assert (first.image, first.timing, first.faces[0].box) == (Image(640, 480, 5000), {"decode": 1.5}, face.box)
    assert first.faces[0].descriptor is not None
    assert first.faces[0].descriptor.dtype == np.float32
    assert (first.faces[0].descriptor == descriptor(1)).all()
    assert (second.image, second.faces) == (Image(1, 1, 1), ())


def test_landmarks_arrive_as_points() -> None:
    face = FoundFace(Box(1, 2, 30, 40), None, {"chin": [(1, 2), (3, 4)]})
    (seen,) = read_report(carried(write_report([Seen(Image(1, 1, 1), (face,), {})])))
    assert seen.faces[0].landmarks == {"chin": [(1, 2), (3, 4)]}


def test_what_was_not_looked_for_stays_absent() -> None:
    sent = Seen(Image(1, 1, 1), (FoundFace(Box(0, 0, 1, 1)),), {})
    (seen,) = read_report(carried(write_report([sent])))
    assert (seen.faces[0].descriptor, seen.faces[0].landmarks) == (None, None)


@pytest.mark.parametrize(
    "error", [BadImage("empty"), TooLarge("13000 x 13000"), Unsupported("16 bits"), GatewayError("oh")]
)
def test_a_failure_arrives_as_the_error_that_it_was(error: GatewayError) -> None:
    with pytest.raises(type(error), match=str(error)) as raised:
        read_report(carried(write_failure(error)))
    assert type(raised.value) is type(error)


@pytest.mark.parametrize("message", [{}, {"code": "no such code", "message": "x"}, {"seen": [{}]}])
def test_nonsense_is_not_taken_for_a_report(message: dict[str, Any]) -> None:
    """Its reader treats any exception but ours as a broken worker."""
    with pytest.raises((KeyError, TypeError)):
        read_report(message)
