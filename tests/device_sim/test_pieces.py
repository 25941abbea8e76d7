from __future__ import annotations

import pytest

from device_sim.pieces import split

PAYLOAD = bytes(range(25))
TOPIC = "request/verify/a-1/joe_biden"


def test_pieces_joined_in_order_are_the_payload() -> None:
    pieces = split(TOPIC, PAYLOAD, 10)
    assert [piece.topic for piece in pieces] == [f"part/{number}/3/verify/a-1/joe_biden" for number in range(3)]
    assert b"".join(piece.payload for piece in pieces) == PAYLOAD
    assert max(len(piece.payload) for piece in pieces) == 10


@pytest.mark.parametrize("size", [None, 25, 100])
def test_small_payload_is_not_split(size: int | None) -> None:
    (parcel,) = split(TOPIC, PAYLOAD, size)
    assert (parcel.topic, parcel.payload) == (TOPIC, PAYLOAD)


def test_split_returns_only_the_missing_pieces() -> None:
    assert [piece.topic.split("/")[1] for piece in split(TOPIC, PAYLOAD, 10, [2, 0])] == ["0", "2"]


def test_split_returns_all_pieces_for_invalid_numbers() -> None:
    assert len(split(TOPIC, PAYLOAD, 10, [7])) == 3
