"""dlib's two networks as OpenVINO graphs, arranged for fast computation on a processor.

The results equal the results of dlib, except for rounding. There are three exact rearrangements:

- A factor and a shift after a convolution become part of its weights, as does the mean that is subtracted from the
  picture.
- The detector's first convolution takes blocks of four pixels as twelve channels, and computes two of its outputs
  together. With three channels most of a matrix unit would be idle.
- The detector's last convolution, of 9 x 9, is split in two. One along the rows makes nine sums, and one down the
  columns adds these. That is a quarter of the multiplications.

With ``ranges`` the detector computes in 8 bits. Weights then range from minus to plus WEIGHT_RANGE_FACTOR times the
largest weight of each filter. The input of each convolution ranges from 0 to a limit measured by
``benchmarks/ranges.py``.
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
"""A node of a graph. OpenVINO's own annotations are hardly more exact."""

BLOCK_PX = 4
"""Pixels of a row that are one input of the detector."""

ACTIVATION_LIMITS = (6.67, 11.49, 5.94, 4.64, 7.47, 12.43)
"""Upper limits of the inputs of the detector's convolutions, except the first. One number in a million is larger.

Measured by ``python -m benchmarks.ranges`` with the project's own pictures: unchanged, darker, brighter, with more
contrast, and grey.
"""

WEIGHT_RANGE_FACTOR = 2.0
"""Range of a filter's weights, divided by its largest weight: the weights use half of their 8 bits, up to 64.

A processor without VNNI adds two products in 16 bits. 2 * 255 * 64 fits into 16 bits, but 2 * 255 * 127 is cut off: the
score of a certain face then fell by 0.79.
"""

CHANNEL_MULTIPLE = 16
"""Channels that a processor computes at once. Layers are filled up with zeros to a multiple of this number."""


@dataclass(frozen=True, slots=True, eq=False)
class _Filter:
    """A convolution. ``weights``: (out, in, height, width). ``bias``: (out,). ``stride``, ``padding``: down, across."""

    weights: NDArray[np.floating]
    bias: NDArray[np.floating]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)


def descriptor_graph(network: Network) -> openvino.Model:
    """Return the graph that describes faces.

    Input: chips, float32 RGB from 0 to 255, (n, 150, 150, 3). Output: descriptors, float32, (n, 128), in dlib's length.
    """
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
    """Return the graph that finds faces.

    Input: a canvas, float32 RGB from 0 to 255, (1, height, width / 4, 12). Output: scores, float32, about
    (1, 1, height / 8, width / 8). The score at (x, y) belongs to the window around the canvas's pixel
    (8 x + 14, 8 y + 14); above 0 it is a face. With ``every`` the inputs of each convolution, except the first one, are
    further outputs.
    """
    canvas = op.parameter([1, -1, -1, 3 * BLOCK_PX], np.float32, name="canvas")
    # Pixels are scaled to 0..1, and the weights scale them back. With an input of 0..255 OpenVINO would compute the
    # first convolution in floats.
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
    """Yield the layers, with affine layers folded into the convolutions before them, and the mean into the first."""
    layers = list(network.layers)
    for layer, following in zip(layers, [*layers[1:], None], strict=True):
        if layer.kind == "affine":
            continue
        if layer.kind == "con":
            weights, bias = layer.weights.astype(np.float64), layer.bias.astype(np.float64)
            if following is not None and following.kind == "affine":
                weights = weights * following.weights[:, None, None, None]
                bias = bias * following.weights + following.bias
            # The first layer has no padding, so a shift of its input is a shift of its output.
            if layer is layers[0]:
                weights = weights / 256
                bias = bias - np.einsum("oihw,i->o", weights, np.array(network.mean))
            layer = replace(layer, weights=weights, bias=bias)
        yield layer


def _plain(layer: Layer) -> _Filter:
    return _Filter(layer.weights, layer.bias, (layer.stride,) * 2, (layer.padding,) * 2)


def _two_of_blocks(layer: Layer) -> _Filter:
    """Convert a 5 x 5 convolution with stride 2: two outputs, at x and x + 2, from two blocks of four pixels."""
    out, channels, height, _ = layer.weights.shape
    weights = np.zeros((2, out, channels, height, 2 * BLOCK_PX))
    weights[0, ..., 0:5] = weights[1, ..., 2:7] = layer.weights
    weights = weights.reshape(2 * out, channels, height, 2, BLOCK_PX).transpose(0, 4, 1, 2, 3)
    return _Filter(weights.reshape(2 * out, BLOCK_PX * channels, height, 2), np.tile(layer.bias, 2), (2, 1))


def _of_pairs(layer: Layer) -> _Filter:
    """Convert a 5 x 5 convolution with stride 2: its input is three pairs of neighbours from ``_two_of_blocks``."""
    out, channels, height, width = layer.weights.shape
    weights = np.zeros((out, channels, height, width + 1))
    weights[..., :width] = layer.weights
    weights = weights.reshape(out, channels, height, 3, 2).transpose(0, 4, 1, 2, 3)
    return _Filter(weights.reshape(out, 2 * channels, height, 3), layer.bias, (2, 1))


def _along_rows(layer: Layer) -> _Filter:
    """Return each of the nine rows of the 9 x 9 filter as a separate filter."""
    _, channels, height, width = layer.weights.shape
    weights = layer.weights[0].transpose(1, 0, 2).reshape(height, channels, 1, width)
    return _Filter(weights, np.zeros(height), (1, 1), (0, layer.padding))


def _down_columns(layer: Layer, rows: _Filter) -> _Filter:
    """Return a convolution that sums over nine rows. From each row it takes the output of the same filter row."""
    weights = np.zeros((1, len(rows.weights), layer.kernel, 1))
    for row in range(layer.kernel):
        weights[0, row, row, 0] = 1
    return _Filter(weights, layer.bias, (1, 1), (layer.padding, 0))


def _widened(filters: Sequence[_Filter]) -> list[_Filter]:
    """Fill outputs, and then the inputs of the next filter, with zeros up to a multiple of CHANNEL_MULTIPLE."""
    widened: list[_Filter] = []
    for filter_ in filters:
        out, channels = filter_.weights.shape[:2]
        more = -out % CHANNEL_MULTIPLE
        inputs = len(widened[-1].weights) if widened else channels
        weights = np.pad(filter_.weights, ((0, more), (0, inputs - channels), (0, 0), (0, 0)))
        widened.append(replace(filter_, weights=weights, bias=np.pad(filter_.bias, (0, more))))
    return widened


def _convolved(x: Node, filter_: _Filter, limit: float | None = None) -> Node:
    """Return the convolution of ``x``, in 8 bits if ``limit``, the largest number in ``x``, is given."""
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
    """Return the sum. As in dlib, the smaller node is filled up with zeros at the end of each dimension."""
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
