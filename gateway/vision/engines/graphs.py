"""dlib's two networks as OpenVINO graphs, arranged for fast computation on a processor.

The results equal the results of dlib, except for rounding. There are three exact rearrangements:

- A factor and a shift after a convolution become part of its weights, as does the mean that is subtracted from the
  picture.
- The detector's first convolution takes blocks of four pixels as twelve channels, and computes two of its outputs
  together. With three channels most of a matrix unit would be idle.
- The detector's last convolution, of 9 x 9, is split in two. One along the rows makes nine sums, and one down the
  columns adds these. That is a quarter of the multiplications.

With ``ranges``, the largest inputs of the convolutions, a network computes in 8 bits (convolutions.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import repeat
from typing import Any

import numpy as np

from gateway.vision.engines.convolutions import Filter, Node, constant, convolve
from gateway.vision.engines.dlib_weights import Layer, Network
from gateway.vision.engines.openvino_import import op, openvino

BLOCK_PX = 4
"""Pixels of a row that are one input of the detector."""

DETECTOR_LIMITS = (6.67, 11.49, 5.94, 4.64, 7.47, 12.43)
"""Upper limits of the inputs of the detector's convolutions, except the first. One number in a million is larger.

Measured by ``python -m benchmarks.ranges`` with the project's own pictures: unchanged, darker, brighter, with more
contrast, and grey.
"""

DESCRIPTOR_LIMITS = (
    17.26, 15.29, 15.15, 13.47, 20.48, 11.22,
    26.18, 11.06, 16.71, 7.91, 17.68, 6.51, 22.30, 6.75,
    22.61, 7.76, 9.98, 5.02, 11.08, 5.83,
    10.51, 7.51, 16.13, 5.64, 13.12, 3.65, 12.44, 9.36,
)  # fmt: skip
"""Upper limits of the inputs of the descriptor's convolutions, except the first. A row is one number of channels.

Measured in the same way on the chips of the project's own pictures and of 224 press photographs (every twelfth picture
of LFW): the faces of six people do not reach all that the last layers tell people apart by. The limits are not
delicate: with all of them a tenth lower or higher, descriptors drift as far.
"""

CHANNEL_MULTIPLE = 16
"""Channels that a processor computes at once. Layers are filled up with zeros to a multiple of this number."""


def descriptor_graph(network: Network, ranges: Sequence[float] | None = None, *, every: bool = False) -> openvino.Model:
    """Return the graph that describes faces.

    Input: chips, float32 RGB from 0 to 255, (n, 150, 150, 3). Output: descriptors, float32, (n, 128), in dlib's length.
    With ``every`` the inputs of each convolution, except the first one, are further outputs.
    """
    chips = op.parameter([-1, 150, 150, 3], np.float32, name="chips")
    x = _scaled(chips)
    first, *others = _folded(network)
    limits: Iterator[float | None] = iter([1.0, *ranges]) if ranges else repeat(None)
    tags: dict[int, Node] = {}
    seen = []
    for layer in (replace(first, weights=255 * first.weights), *others):
        match layer.kind:
            case "con":
                seen.append(_output(x))
                x = convolve(x, _plain(layer), next(limits))
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
                x = op.matmul(x, constant(layer.weights), False, False)
    return openvino.Model([_output(x), *(seen[1:] if every else [])], [chips], "descriptor")


def detector_graph(network: Network, ranges: Sequence[float] | None = None, *, every: bool = False) -> openvino.Model:
    """Return the graph that finds faces.

    Input: a canvas, float32 RGB from 0 to 255, (1, height, width / 4, 12). Output: scores, float32, about
    (1, 1, height / 8, width / 8). The score at (x, y) belongs to the window around the canvas's pixel
    (8 x + 14, 8 y + 14); above 0 it is a face. With ``every`` the inputs of each convolution, except the first one, are
    further outputs.
    """
    canvas = op.parameter([1, -1, -1, 3 * BLOCK_PX], np.float32, name="canvas")
    x = _scaled(canvas)
    first, second, *others, last = (layer for layer in _folded(network) if layer.kind == "con")
    first = replace(first, weights=255 * first.weights)
    filters = _widened([_two_of_blocks(first), _of_pairs(second), *map(_plain, others), _along_rows(last)])
    seen = []
    for filter_, limit in zip(filters, [1.0, *ranges] if ranges else [None] * 7, strict=True):
        x = op.relu(convolve(x, filter_, limit)) if filter_ is not filters[-1] else convolve(x, filter_, limit)
        seen.append(x)
    scores = convolve(x, _down_columns(last, filters[-1]))
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


def _plain(layer: Layer) -> Filter:
    return Filter(layer.weights, layer.bias, (layer.stride,) * 2, (layer.padding,) * 2)


def _two_of_blocks(layer: Layer) -> Filter:
    """Convert a 5 x 5 convolution with stride 2: two outputs, at x and x + 2, from two blocks of four pixels."""
    out, channels, height, _ = layer.weights.shape
    weights = np.zeros((2, out, channels, height, 2 * BLOCK_PX))
    weights[0, ..., 0:5] = weights[1, ..., 2:7] = layer.weights
    weights = weights.reshape(2 * out, channels, height, 2, BLOCK_PX).transpose(0, 4, 1, 2, 3)
    return Filter(weights.reshape(2 * out, BLOCK_PX * channels, height, 2), np.tile(layer.bias, 2), (2, 1))


def _of_pairs(layer: Layer) -> Filter:
    """Convert a 5 x 5 convolution with stride 2: its input is three pairs of neighbours from ``_two_of_blocks``."""
    out, channels, height, width = layer.weights.shape
    weights = np.zeros((out, channels, height, width + 1))
    weights[..., :width] = layer.weights
    weights = weights.reshape(out, channels, height, 3, 2).transpose(0, 4, 1, 2, 3)
    return Filter(weights.reshape(out, 2 * channels, height, 3), layer.bias, (2, 1))


def _along_rows(layer: Layer) -> Filter:
    """Return each of the nine rows of the 9 x 9 filter as a separate filter."""
    _, channels, height, width = layer.weights.shape
    weights = layer.weights[0].transpose(1, 0, 2).reshape(height, channels, 1, width)
    return Filter(weights, np.zeros(height), (1, 1), (0, layer.padding))


def _down_columns(layer: Layer, rows: Filter) -> Filter:
    """Return a convolution that sums over nine rows. From each row it takes the output of the same filter row."""
    weights = np.zeros((1, len(rows.weights), layer.kernel, 1))
    for row in range(layer.kernel):
        weights[0, row, row, 0] = 1
    return Filter(weights, layer.bias, (1, 1), (layer.padding, 0))


def _widened(filters: Sequence[Filter]) -> list[Filter]:
    """Fill outputs, and then the inputs of the next filter, with zeros up to a multiple of CHANNEL_MULTIPLE."""
    widened: list[Filter] = []
    for filter_ in filters:
        out, channels = filter_.weights.shape[:2]
        more = -out % CHANNEL_MULTIPLE
        inputs = len(widened[-1].weights) if widened else channels
        weights = np.pad(filter_.weights, ((0, more), (0, inputs - channels), (0, 0), (0, 0)))
        widened.append(replace(filter_, weights=weights, bias=np.pad(filter_.bias, (0, more))))
    return widened


def _sum(x: Node, y: Node) -> Node:
    """Return the sum. As in dlib, the smaller node is filled up with zeros at the end of each dimension."""
    shapes = [[dimension.get_length() for dimension in _shape(node)[1:]] for node in (x, y)]
    common = np.max(shapes, axis=0)
    filled = []
    for node, shape in zip((x, y), shapes, strict=True):
        more = [0, *(common - shape)]
        zeros = op.constant(np.zeros(4, np.int64)), op.constant(np.array(more, np.int64))
        filled.append(op.pad(node, *zeros, "constant", constant(0.0)) if any(more) else node)
    return op.add(*filled)


def _shape(node: Node) -> Any:
    return list(_output(node).get_partial_shape())


def _output(node: Node) -> Any:
    return node if isinstance(node, openvino.Output) else node.output(0)


def _scaled(pixels: Node) -> Node:
    """Return pixels of 0..255 as numbers of 0..1, with the channels first. The first weights scale them back."""
    # With an input of 0..255 OpenVINO would compute the first convolution in floats.
    return op.multiply(op.transpose(pixels, op.constant([0, 3, 1, 2])), constant(1 / 255))
