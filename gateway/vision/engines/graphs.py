"""dlib's two networks as graphs of OpenVINO's own operations: the same numbers, in the form that a processor likes.

Three rearrangements, all exact but for rounding. A factor and a shift after a convolution go into its weights, as
does the mean that is taken from the picture. The detector's first convolution takes blocks of four pixels as twelve
channels and makes two of its outputs at once, since three channels leave most of a matrix unit idle. Its last, of
9 x 9, is made of one along the rows into nine sums and one down the columns over them: a quarter of the work.

With ``ranges`` the detector computes in 8 bits: weights from minus to plus SPARE times the largest of each filter, and
what goes into each convolution from 0 to the number given, as ``benchmarks/ranges.py`` measured it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.vision.engines.dlib_weights import Layer, Network
from gateway.vision.engines.openvino_import import op, openvino

Node = Any
"""OpenVINO's own annotations say little more."""

BLOCK_PX = 4
"""Pixels of a row that the detector takes together."""

ACTIVATION_LIMITS = (6.67, 11.49, 5.94, 4.64, 7.47, 12.43)
"""What goes into the detector's convolutions but the first lies between 0 and these, but for one number in a million.

``python -m benchmarks.ranges`` over the project's own pictures, as they are, darker, brighter, with more contrast
and grey.
"""

WEIGHT_RANGE_FACTOR = 2.0
"""By how much larger the range of a filter's weights is than the largest: they take half of their 8 bits, up to 64. A
processor without VNNI adds two products in 16 bits, into which 2 * 255 * 64 goes; of 2 * 255 * 127 the rest is cut off,
and the score of a face that it was sure of fell by .79.
"""

CHANNEL_MULTIPLE = 16
"""Processors compute so many at once: layers are filled up to a multiple with zeros."""


@dataclass(frozen=True, slots=True, eq=False)
class _Filter:
    """``weights``: (out, in, height, width); ``bias``: (out,); ``stride`` and ``padding``: down, across."""

    weights: NDArray[np.floating]
    bias: NDArray[np.floating]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)


def descriptor_graph(network: Network) -> openvino.Model:
    """Chips, float32 from 0 to 255, (n, 150, 150, 3), to descriptors, (n, 128), as long as dlib makes them."""
    chips = op.parameter([-1, 150, 150, 3], np.float32, name="chips")
    x = _channels_first(chips)
    tags: dict[int, Node] = {}
    for layer in _folded(network):
        match layer.kind:
            case "con":
                x = _convolved(x, _plain(layer))
            case "relu":
                x = op.relu(x)
            case "tag":
                tags[layer.tag] = x
            case "skip":
                x = tags[layer.tag]
            case "max_pool":
                x = op.max_pool(x, [layer.stride] * 2, [1, 1], [0, 0], [0, 0], [layer.kernel] * 2).output(0)
            case "avg_pool" if layer.kernel:
                x = op.avg_pool(x, [layer.stride] * 2, [0, 0], [0, 0], [layer.kernel] * 2, True)
            case "avg_pool":
                x = op.reduce_mean(x, op.constant([2, 3]), False)
            case "add":
                x = _sum(x, tags[layer.tag])
            case "fc":
                x = op.matmul(x, _constant(layer.weights), False, False)
    return openvino.Model([x], [chips], "descriptor")


def detector_graph(network: Network, ranges: Sequence[float] | None = None, *, every: bool = False) -> openvino.Model:
    """A canvas, float32 from 0 to 255, (1, height, width / 4, 12), to scores, about (1, 1, height / 8, width / 8).

    A score is of the window about the canvas's pixel (8 x + 14, 8 y + 14); above 0 it is a face. With ``every`` the
    graph also gives what goes into each convolution but the first.
    """
    canvas = op.parameter([1, -1, -1, 3 * BLOCK_PX], np.float32, name="canvas")
    # To 0..1, and back by the weights: OpenVINO computes the first convolution in floats if its input is 0..255.
    x = op.multiply(_channels_first(canvas), _constant(1 / 255))
    first, second, *others, last = (layer for layer in _folded(network) if layer.kind == "con")
    first = replace(first, weights=255 * first.weights)
    filters = _widened([_two_of_blocks(first), _of_pairs(second), *map(_plain, others), _along_rows(last)])
    seen = []
    for filter_, limit in zip(filters, [1.0, *ranges] if ranges else [None] * 7, strict=True):
        x = op.relu(_convolved(x, filter_, limit)) if filter_ is not filters[-1] else _convolved(x, filter_, limit)
        seen.append(x)
    scores = _convolved(x, _down_columns(last, filters[-1]))
    return openvino.Model([scores, *seen[:-1]] if every else [scores], [canvas], "detector")


def _folded(network: Network) -> Iterator[Layer]:
    """The layers with every affine one gone into the convolution before it, and the mean into the first."""
    layers = list(network.layers)
    for layer, following in zip(layers, [*layers[1:], None], strict=True):
        if layer.kind == "affine":
            continue
        if layer.kind == "con":
            weights, bias = layer.weights.astype(np.float64), layer.bias.astype(np.float64)
            if following is not None and following.kind == "affine":
                weights = weights * following.weights[:, None, None, None]
                bias = bias * following.weights + following.bias
            if layer is layers[0]:  # it has no padding, so that a shift of its input is a shift of its output
                weights = weights / 256
                bias = bias - np.einsum("oihw,i->o", weights, np.array(network.mean))
            layer = replace(layer, weights=weights, bias=bias)
        yield layer


def _plain(layer: Layer) -> _Filter:
    return _Filter(layer.weights, layer.bias, (layer.stride,) * 2, (layer.padding,) * 2)


def _two_of_blocks(layer: Layer) -> _Filter:
    """Of 5 x 5 with stride 2, two outputs at x and x + 2, from two blocks of four pixels."""
    out, channels, height, _ = layer.weights.shape
    weights = np.zeros((2, out, channels, height, 2 * BLOCK_PX))
    weights[0, ..., 0:5] = weights[1, ..., 2:7] = layer.weights
    weights = weights.reshape(2 * out, channels, height, 2, BLOCK_PX).transpose(0, 4, 1, 2, 3)
    return _Filter(weights.reshape(2 * out, BLOCK_PX * channels, height, 2), np.tile(layer.bias, 2), (2, 1))


def _of_pairs(layer: Layer) -> _Filter:
    """Of 5 x 5 with stride 2, from three pairs of neighbours, as the layer before gives them."""
    out, channels, height, width = layer.weights.shape
    weights = np.zeros((out, channels, height, width + 1))
    weights[..., :width] = layer.weights
    weights = weights.reshape(out, channels, height, 3, 2).transpose(0, 4, 1, 2, 3)
    return _Filter(weights.reshape(out, 2 * channels, height, 3), layer.bias, (2, 1))


def _along_rows(layer: Layer) -> _Filter:
    """Each of the nine rows of the one 9 x 9 filter as a filter of its own."""
    _, channels, height, width = layer.weights.shape
    weights = layer.weights[0].transpose(1, 0, 2).reshape(height, channels, 1, width)
    return _Filter(weights, np.zeros(height), (1, 1), (0, layer.padding))


def _down_columns(layer: Layer, rows: _Filter) -> _Filter:
    """The sum over nine rows, of each the output that its own row of the filter made."""
    weights = np.zeros((1, len(rows.weights), layer.kernel, 1))
    for row in range(layer.kernel):
        weights[0, row, row, 0] = 1
    return _Filter(weights, layer.bias, (1, 1), (layer.padding, 0))


def _widened(filters: Sequence[_Filter]) -> list[_Filter]:
    """With outputs, and then inputs, filled up with zeros."""
    widened: list[_Filter] = []
    for filter_ in filters:
        out, channels = filter_.weights.shape[:2]
        more = -out % CHANNEL_MULTIPLE
        inputs = len(widened[-1].weights) if widened else channels
        weights = np.pad(filter_.weights, ((0, more), (0, inputs - channels), (0, 0), (0, 0)))
        widened.append(replace(filter_, weights=weights, bias=np.pad(filter_.bias, (0, more))))
    return widened


def _convolved(x: Node, filter_: _Filter, limit: float | None = None) -> Node:
    """In 8 bits, where ``limit`` says how large the numbers in ``x`` get."""
    weights = _constant(filter_.weights)
    if limit is not None:
        zero, top = _constant(0.0), _constant(limit)
        x = op.fake_quantize(x, zero, top, zero, top, 256)
        reach = WEIGHT_RANGE_FACTOR * np.abs(filter_.weights).max(axis=(1, 2, 3), keepdims=True)
        high, low = _constant(np.where(reach > 0, reach, 1)), _constant(-np.where(reach > 0, reach, 1))
        weights = op.fake_quantize(weights, low, high, low, high, 255)
    padding = list(filter_.padding)
    x = op.convolution(x, weights, list(filter_.stride), padding, padding, [1, 1])
    return op.add(x, _constant(filter_.bias[None, :, None, None]))


def _sum(x: Node, y: Node) -> Node:
    """Filled up with zeros at the far end of each dimension, where one is larger: so dlib adds."""
    shapes = [[dimension.get_length() for dimension in _shape(node)[1:]] for node in (x, y)]
    common = np.max(shapes, axis=0)
    filled = []
    for node, shape in zip((x, y), shapes, strict=True):
        more = [0, *(common - shape)]
        zeros = op.constant(np.zeros(4, np.int64)), op.constant(np.array(more, np.int64))
        filled.append(op.pad(node, *zeros, "constant", _constant(0.0)) if any(more) else node)
    return op.add(*filled)


def _shape(node: Node) -> Any:
    return list((node if isinstance(node, openvino.Output) else node.output(0)).get_partial_shape())


def _channels_first(x: Node) -> Node:
    return op.transpose(x, op.constant([0, 3, 1, 2]))


def _constant(values: Any) -> Node:
    return op.constant(np.array(values, np.float32, order="C"))
