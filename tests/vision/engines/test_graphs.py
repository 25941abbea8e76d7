from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.vision.engines.dlib_weights import Network, read_descriptor, read_detector
from gateway.vision.engines.graphs import (
    BLOCK_PX,
    CHANNEL_MULTIPLE,
    DESCRIPTOR_LIMITS,
    DETECTOR_LIMITS,
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


def operation_counts(graph: openvino.Model) -> Counter[str]:
    return Counter(node.get_type_name() for node in graph.get_ops())


def convolutions(graph: openvino.Model) -> list[Any]:
    return [node for node in graph.get_ordered_ops() if node.get_type_name() == "Convolution"]


@pytest.mark.parametrize(("height", "width"), [(32, 32), (48, 32), (96, 128), (480, 640), (201, 1004)])
def test_detector_graph_scores_every_eighth_pixel(detector: Network, height: int, width: int) -> None:
    graph = detector_graph(detector)
    graph.reshape([1, height, width // BLOCK_PX, 3 * BLOCK_PX])
    _, channels, rows, columns = graph.output(0).get_shape()
    assert channels == 1
    assert 14 + 8 * (columns - 1) + 14 <= width < 14 + 8 * columns + 14 + 8
    assert 14 + 8 * (rows - 1) + 14 <= height < 14 + 8 * rows + 14 + 8


def test_detector_graph_finds_no_face_in_a_flat_picture(detector: Network) -> None:
    nothing = np.full((1, 96, 128, 3), BACKGROUND_RGB, np.float32).reshape(1, 96, 128 // BLOCK_PX, 3 * BLOCK_PX)
    assert (outputs(detector_graph(detector), nothing)[0] < -0.5).all()


def test_descriptor_graph_returns_128_numbers_per_chip() -> None:
    graph = descriptor_graph(read_descriptor(model_file("descriptor")))
    assert str(graph.input().get_partial_shape()) == "[?,150,150,3]"
    assert str(graph.output(0).get_partial_shape()) == "[?,128]"
    assert len(convolutions(graph)) == 29


def test_factors_and_shifts_are_folded_into_convolutions(detector: Network) -> None:
    """A single factor scales the picture to 0..1. Each convolution has one addition."""
    found = operation_counts(detector_graph(detector))
    assert (found["Convolution"], found["Add"], found["Multiply"]) == (8, 8, 1)
    assert "FakeQuantize" not in found


def test_convolutions_have_multiples_of_16_channels(detector: Network) -> None:
    *wide, last = convolutions(detector_graph(detector))
    assert all(node.input(1).get_shape()[0] % CHANNEL_MULTIPLE == 0 for node in wide)
    assert all(node.input(1).get_shape()[1] % CHANNEL_MULTIPLE == 0 for node in [*wide[1:], last])


def test_all_convolutions_except_the_last_use_8_bits(detector: Network) -> None:
    """The last convolution adds nine sums, which must stay exact."""
    graph = detector_graph(detector, DETECTOR_LIMITS)
    *quantised, last = convolutions(graph)
    assert len(quantised) == 7
    for node in quantised:
        assert [node.input_value(n).get_node().get_type_name() for n in (0, 1)] == ["FakeQuantize"] * 2
    assert last.input_value(1).get_node().get_type_name() == "Constant"


def test_two_products_of_8_bits_fit_into_16_bits(detector: Network) -> None:
    """Some processors add two products in 16 bits, and cut off larger sums."""
    *quantised, _ = convolutions(detector_graph(detector, DETECTOR_LIMITS))
    for node in quantised:
        weights, low, high = (node.input_value(1).get_node().input_value(n).get_node().data for n in range(3))
        assert (low == -high).all()
        assert 2 * 255 * np.abs(np.round(127 * weights / high)).max() < 2**15


def test_descriptor_uses_8_bits_in_all_convolutions() -> None:
    quantised = convolutions(descriptor_graph(read_descriptor(model_file("descriptor")), DESCRIPTOR_LIMITS))
    assert len(quantised) == 1 + len(DESCRIPTOR_LIMITS)
    for node in quantised:
        assert [node.input_value(n).get_node().get_type_name() for n in (0, 1)] == ["FakeQuantize"] * 2


def test_descriptor_graph_can_return_the_inputs_of_convolutions() -> None:
    chips = np.random.default_rng(0).integers(0, 256, (1, 150, 150, 3)).astype(np.float32)
    (descriptor,) = outputs(descriptor_graph(read_descriptor(model_file("descriptor"))), chips)
    same, *seen = outputs(descriptor_graph(read_descriptor(model_file("descriptor")), every=True), chips)
    assert len(seen) == len(DESCRIPTOR_LIMITS)
    assert all((layer >= 0).all() for layer in seen)
    np.testing.assert_allclose(same, descriptor, rtol=0, atol=1e-6)


def test_8_bits_change_the_scores_only_slightly(detector: Network, canvas: Floats) -> None:
    """The change shows the influence of rounding."""
    (exact,), (rounded,) = (outputs(detector_graph(detector, ranges), canvas) for ranges in (None, DETECTOR_LIMITS))
    assert 0 < np.abs(exact - rounded).max() < 0.1


def test_detector_graph_can_return_the_inputs_of_convolutions(detector: Network, canvas: Floats) -> None:
    """``benchmarks/ranges.py`` uses these six outputs. None is negative, and each has a value in DETECTOR_LIMITS."""
    (scores,) = outputs(detector_graph(detector), canvas)
    same, *seen = outputs(detector_graph(detector, every=True), canvas)
    assert len(seen) == len(DETECTOR_LIMITS)
    assert all((layer >= 0).all() for layer in seen)
    np.testing.assert_allclose(same, scores, rtol=0, atol=1e-6)
