from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.vision.engines.dlib_weights import Network, read_descriptor, read_detector
from gateway.vision.engines.graphs import (
    ACTIVATION_LIMITS,
    BLOCK_PX,
    CHANNEL_MULTIPLE,
    descriptor_graph,
    detector_graph,
)
from gateway.vision.engines.model_files import model_file
from gateway.vision.engines.openvino_import import openvino
from gateway.vision.engines.pyramid import BACKGROUND_RGB

Floats = NDArray[np.float32]


@pytest.fixture(scope="module")
def detector() -> Network:
    return read_detector(model_file("detector"))


@pytest.fixture(scope="module")
def canvas() -> Floats:
    noise = np.random.default_rng(1).normal(128, 60, (1, 96, 128, 3))
    return np.clip(noise, 0, 255).astype(np.float32).reshape(1, 96, 128 // BLOCK_PX, 3 * BLOCK_PX)


def outputs(graph: openvino.Model, canvas: Floats) -> list[Floats]:
    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    return list(openvino.Core().compile_model(graph, "CPU", options)(canvas).values())


def kinds(graph: openvino.Model) -> Counter[str]:
    return Counter(node.get_type_name() for node in graph.get_ops())


def convolutions(graph: openvino.Model) -> list[Any]:
    return [node for node in graph.get_ordered_ops() if node.get_type_name() == "Convolution"]


@pytest.mark.parametrize(("height", "width"), [(32, 32), (48, 32), (96, 128), (480, 640), (201, 1004)])
def test_there_is_a_score_for_every_eighth_pixel_but_at_the_edge(detector: Network, height: int, width: int) -> None:
    graph = detector_graph(detector)
    graph.reshape([1, height, width // BLOCK_PX, 3 * BLOCK_PX])
    _, channels, rows, columns = graph.output(0).get_shape()
    assert channels == 1
    assert 14 + 8 * (columns - 1) + 14 <= width < 14 + 8 * columns + 14 + 8
    assert 14 + 8 * (rows - 1) + 14 <= height < 14 + 8 * rows + 14 + 8


def test_a_picture_of_nothing_has_no_face(detector: Network) -> None:
    nothing = np.full((1, 96, 128, 3), BACKGROUND_RGB, np.float32).reshape(1, 96, 128 // BLOCK_PX, 3 * BLOCK_PX)
    assert (outputs(detector_graph(detector), nothing)[0] < -0.5).all()


def test_descriptors_have_128_numbers_for_any_count_of_chips() -> None:
    graph = descriptor_graph(read_descriptor(model_file("descriptor")))
    assert str(graph.input().get_partial_shape()) == "[?,150,150,3]"
    assert str(graph.output(0).get_partial_shape()) == "[?,128]"
    assert len(convolutions(graph)) == 29


def test_of_the_factors_and_shifts_nothing_is_left_to_compute(detector: Network) -> None:
    """One factor brings the picture to 0..1; each convolution has one addition."""
    found = kinds(detector_graph(detector))
    assert (found["Convolution"], found["Add"], found["Multiply"]) == (8, 8, 1)
    assert "FakeQuantize" not in found


def test_convolutions_are_as_wide_as_processors_like_them(detector: Network) -> None:
    *wide, last = convolutions(detector_graph(detector))
    assert all(node.input(1).get_shape()[0] % CHANNEL_MULTIPLE == 0 for node in wide)
    assert all(node.input(1).get_shape()[1] % CHANNEL_MULTIPLE == 0 for node in [*wide[1:], last])


def test_in_8_bits_are_all_convolutions_but_the_last(detector: Network) -> None:
    """That one adds up nine sums, of which it must not lose any."""
    graph = detector_graph(detector, ACTIVATION_LIMITS)
    *quantised, last = convolutions(graph)
    assert len(quantised) == 7
    for node in quantised:
        assert [node.input_value(n).get_node().get_type_name() for n in (0, 1)] == ["FakeQuantize"] * 2
    assert last.input_value(1).get_node().get_type_name() == "Constant"


def test_two_products_in_8_bits_go_into_16(detector: Network) -> None:
    """Some processors add two of them there, and cut off what does not fit."""
    *quantised, _ = convolutions(detector_graph(detector, ACTIVATION_LIMITS))
    for node in quantised:
        weights, low, high = (node.input_value(1).get_node().input_value(n).get_node().data for n in range(3))
        assert (low == -high).all()
        assert 2 * 255 * np.abs(np.round(127 * weights / high)).max() < 2**15


def test_8_bits_change_the_scores_a_little(detector: Network, canvas: Floats) -> None:
    """How much what is rounded matters."""
    (exact,), (rounded,) = (outputs(detector_graph(detector, ranges), canvas) for ranges in (None, ACTIVATION_LIMITS))
    assert 0 < np.abs(exact - rounded).max() < 0.1


def test_what_goes_into_the_convolutions_can_be_seen(detector: Network, canvas: Floats) -> None:
    """For ``benchmarks/ranges.py``: six, none of them negative, and one each of them in RANGES."""
    (scores,) = outputs(detector_graph(detector), canvas)
    same, *seen = outputs(detector_graph(detector, every=True), canvas)
    assert len(seen) == len(ACTIVATION_LIMITS)
    assert all((layer >= 0).all() for layer in seen)
    np.testing.assert_allclose(same, scores, rtol=0, atol=1e-6)
