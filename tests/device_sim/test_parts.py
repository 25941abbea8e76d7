from __future__ import annotations

import pytest

from device_sim.parts import split

PAYLOAD = bytes(range(25))
TOPIC = "request/verify/a-1/joe_biden"


def test_pieces_make_up_the_payload_in_their_order() -> None:
    pieces = split(TOPIC, PAYLOAD, 10)
    assert [piece.topic for piece in pieces] == [f"part/{number}/3/verify/a-1/joe_biden" for number in range(3)]
    assert b"".join(piece.payload for piece in pieces) == PAYLOAD
    assert max(len(piece.payload) for piece in pieces) == 10


@pytest.mark.parametrize("size", [None, 25, 100])
def test_what_fits_into_one_message_is_an_ordinary_request(size: int | None) -> None:
    (parcel,) = split(TOPIC, PAYLOAD, size)
    assert (parcel.topic, parcel.payload) == (TOPIC, PAYLOAD)


def test_only_the_missing_pieces() -> None:
    assert [piece.topic.split("/")[1] for piece in split(TOPIC, PAYLOAD, 10, [2, 0])] == ["0", "2"]


def test_pieces_that_there_are_not_are_all() -> None:
    assert len(split(TOPIC, PAYLOAD, 10, [7])) == 3
