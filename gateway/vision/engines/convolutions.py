"""Convolutions as OpenVINO nodes, in floats or in 8 bits.

In 8 bits the weights range from minus to plus WEIGHT_RANGE_FACTOR times the largest weight of each filter. The input
ranges from 0 to a limit, which ``benchmarks/ranges.py`` measures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.vision.engines.openvino_import import op

Node = Any
"""A node of a graph. OpenVINO's own annotations are hardly more exact."""

WEIGHT_RANGE_FACTOR = 2.0
"""Range of a filter's weights, divided by its largest weight: the weights use half of their 8 bits, up to 64.

A processor without VNNI adds two products in 16 bits. 2 * 255 * 64 fits into 16 bits, but 2 * 255 * 127 is cut off: the
score of a certain face then fell by 0.79.
"""

MAX_WEIGHT = 64
"""Largest weight, in steps between two numbers."""

LEVELS, WEIGHT_LEVELS = 256, 255
"""Numbers that 8 bits can hold. Weights may be negative: as many are below zero as above it."""


@dataclass(frozen=True, slots=True, eq=False)
class Filter:
    """A convolution. ``weights``: (out, in, height, width). ``bias``: (out,). ``stride``, ``padding``: down, across."""

    weights: NDArray[np.floating]
    bias: NDArray[np.floating]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)


def convolve(x: Node, filter_: Filter, limit: float | None = None) -> Node:
    """Return the convolution of ``x``, in 8 bits if ``limit``, the largest number in ``x``, is given."""
    weights = constant(filter_.weights)
    if limit is not None:
        zero, top = constant(0.0), constant(limit)
        x = op.fake_quantize(x, zero, top, zero, top, LEVELS)
        weights = _weights_in_8_bits(filter_.weights)
    padding = list(filter_.padding)
    x = op.convolution(x, weights, list(filter_.stride), padding, padding, [1, 1])
    return op.add(x, constant(filter_.bias[None, :, None, None]))


def diffuse_errors(weights: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the weights as whole numbers, rounded so that the errors of neighbours cancel out.

    ``weights``: (out, in, height, width), as multiples of the step between two numbers. The rounding error of a weight
    is added to the next one, along the first row, back along the second, and so on. Floyd and Steinberg do the same
    with the pixels of a picture. As neighbouring inputs are alike, a positive and a negative error cancel out.
    """
    rounded, error = np.empty_like(weights), np.zeros(weights.shape[:2])
    height, width = weights.shape[2:]
    for row in range(height):
        for column in range(width) if row % 2 == 0 else reversed(range(width)):
            wanted = weights[:, :, row, column] + error
            rounded[:, :, row, column] = np.clip(np.round(wanted), -MAX_WEIGHT, MAX_WEIGHT)
            error = wanted - rounded[:, :, row, column]
    return rounded


def constant(values: Any) -> Node:
    """Return a node of constant float32 numbers."""
    return op.constant(np.array(values, np.float32, order="C"))


def _weights_in_8_bits(weights: NDArray[np.floating]) -> Node:
    reach = WEIGHT_RANGE_FACTOR * np.abs(weights).max(axis=(1, 2, 3), keepdims=True)
    # An output that only fills up the layer has no weights.
    reach[reach == 0] = 1
    step = 2 * reach / (WEIGHT_LEVELS - 1)
    low, high = constant(-reach), constant(reach)
    return op.fake_quantize(constant(step * diffuse_errors(weights / step)), low, high, low, high, WEIGHT_LEVELS)
