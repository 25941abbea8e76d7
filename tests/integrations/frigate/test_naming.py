"""The rule by which a face belongs to an event."""

from __future__ import annotations

import pytest

from gateway.contract.frigate import FrigateBox
from gateway.integrations.frigate.naming import face_of_event
from gateway.model import Box, Face, Image, Recognition

PERSON: FrigateBox = (100, 100, 200, 400)
NEIGHBOUR: FrigateBox = (300, 100, 400, 400)


def face(left: int, top: int) -> Face:
    return Face(Box(left, top, left + 40, top + 40))


def seen(*faces: Face, width: int = 640, height: int = 480, left_out: int = 0) -> Recognition:
    return Recognition(faces=faces, image=Image(width, height, 1), threshold=0.5, timing={}, left_out=left_out)


HEAD, OTHER_HEAD, OUTSIDE = face(130, 110), face(330, 110), face(500, 300)


@pytest.mark.parametrize(
    ("picture", "box", "others", "alone", "found"),
    [
        pytest.param(seen(HEAD), PERSON, [], True, HEAD, id="one face in the box"),
        pytest.param(seen(HEAD, OTHER_HEAD), PERSON, [NEIGHBOUR], False, HEAD, id="each person has a box"),
        pytest.param(seen(OTHER_HEAD), PERSON, [NEIGHBOUR], False, None, id="only the neighbour's face"),
        pytest.param(seen(OUTSIDE), PERSON, [], True, None, id="a face that Frigate does not take for this person"),
        pytest.param(seen(HEAD, face(110, 180)), PERSON, [], True, None, id="two faces in the box"),
        pytest.param(seen(face(130, 330)), PERSON, [], True, None, id="a child in front of the legs"),
        pytest.param(seen(HEAD), PERSON, [(90, 90, 220, 420)], False, None, id="somebody stands in front"),
        pytest.param(seen(HEAD), None, [], True, HEAD, id="alone, without a box"),
        pytest.param(seen(HEAD), None, [], False, None, id="not alone, without a box"),
        pytest.param(seen(HEAD, OUTSIDE), None, [], True, None, id="two faces, one event"),
        pytest.param(seen(), None, [], True, None, id="no face"),
        pytest.param(seen(HEAD, left_out=1), PERSON, [], True, None, id="faces were left out"),
        pytest.param(seen(HEAD, width=150, height=150), PERSON, [], False, None, id="a box of a larger picture"),
        pytest.param(seen(HEAD, width=150, height=150), PERSON, [], True, HEAD, id="a larger picture, but alone"),
    ],
)
def test_face_belongs_to_the_event_or_to_none(
    picture: Recognition, box: FrigateBox | None, others: list[FrigateBox], alone: bool, found: Face | None
) -> None:
    assert face_of_event(picture, box, others, alone=alone) is found
