from __future__ import annotations

import json

import pytest

from gateway.errors import BadRequest, TooLarge
from gateway.mqtt.codec.node_buffers import MAX_NUMBERS_CHARACTERS
from gateway.mqtt.codec.payload import read_fields
from gateway.mqtt.codec.pictures import take_pictures

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256))
BUFFER = {"type": "Buffer", "data": list(JPEG)}


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("document", [BUFFER, {"image": BUFFER}, {"picture": BUFFER, "host": "esp", "rssi": [-60, 1]}])
def test_buffer_of_node_red_is_the_picture(document: dict[str, object], indent: int | None) -> None:
    """A picture has far more numbers than other JSON may have."""
    assert take_pictures(read_fields(json.dumps(document, indent=indent).encode())) == (JPEG,)


@pytest.mark.parametrize("numbers", ["256", "1,,2", "1 2", "1,"])
def test_buffer_with_other_numbers_is_refused(numbers: str) -> None:
    with pytest.raises(BadRequest, match="numbers from 0 to 255"):
        read_fields(b'{"type":"Buffer","data":[%s]}' % numbers.encode())


def test_too_long_buffer_is_refused() -> None:
    with pytest.raises(TooLarge, match="without a json node"):
        read_fields(b'{"type":"Buffer","data":[%s]}' % (b"1," * (MAX_NUMBERS_CHARACTERS // 2 + 1)))


@pytest.mark.parametrize("numbers", ["-1", "1.5", '"a"', "[1]"])
def test_json_that_only_resembles_a_buffer_stays_as_it_is(numbers: str) -> None:
    fields = read_fields(b'{"type":"Buffer","data":[%s]}' % numbers.encode())
    assert set(fields) == {"type", "data"}
