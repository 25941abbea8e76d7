"""The proposer: Facegate's own small network, as an OpenVINO graph.

Its weights are in ``proposer.npz`` (docs/reference/models.md). For layer n the file has ``w<n>`` (out, in, height,
width), ``b<n>`` (out,) and ``s<n>`` (2,): the stride, and 1 if the layer adds its input to its output. ``wh`` and
``bh`` are of the last layer, the head. ``limits``: for each layer and the head the upper limit of its input in 8 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gateway.vision.engines.convolutions import Filter, Node, constant, convolve
from gateway.vision.engines.openvino_import import op, openvino

MIDDLE_GREY, GREY_SCALE = 128, 64
"""The network computes with (grey - MIDDLE_GREY) / GREY_SCALE, so that the padding with zeros is a middle grey."""


@dataclass(frozen=True, slots=True, eq=False)
class ProposerWeights:
    """The weights. ``residual``: for each filter, whether its output is added to its input. ``limits``: see above."""

    filters: tuple[Filter, ...]
    residual: tuple[bool, ...]
    head: Filter
    limits: NDArray[np.float32]


def read_proposer(path: Path) -> ProposerWeights:
    """Read the weights. Raises OSError, ValueError or KeyError for a file of another kind."""
    with np.load(path, allow_pickle=False) as file:
        count = sum(name.startswith("w") and name != "wh" for name in file.files)
        filters, residual = [], []
        for number in range(count):
            weights, (stride, adds) = file[f"w{number}"].astype(np.float32), file[f"s{number}"].tolist()
            padding = weights.shape[-1] // 2
            filters.append(Filter(weights, file[f"b{number}"].astype(np.float32), (stride,) * 2, (padding,) * 2))
            residual.append(bool(adds))
        head = Filter(file["wh"].astype(np.float32), file["bh"].astype(np.float32))
        return ProposerWeights(tuple(filters), tuple(residual), head, file["limits"].astype(np.float32))


def proposer_graph(weights: ProposerWeights, *, int8: bool = False, every: bool = False) -> openvino.Model:
    """Return the graph that proposes places of faces.

    Input: a grey picture, float32 from 0 to 255, (1, 1, height, width). Output: float32, (1, 6, about height / 8, about
    width / 8), at each place the six numbers that proposer.py explains. The place (x, y) belongs to the pixel (8 x, 8
    y). With ``every`` the inputs of each convolution, except the first one, are further outputs.
    """
    picture = op.parameter([1, 1, -1, -1], np.float32, name="picture")
    x = op.multiply(op.subtract(picture, constant(MIDDLE_GREY)), constant(1 / GREY_SCALE))
    inputs: list[Node] = []
    for filter_, adds, limit in zip(weights.filters, weights.residual, weights.limits[:-1], strict=True):
        # The first layer has one channel: it is fast in floats, and its input has a sign.
        y = convolve(x, filter_, float(limit) if int8 and inputs else None)
        x = op.relu(op.add(x, y)) if adds else op.relu(y)
        inputs.append(x)
    places = convolve(x, weights.head, float(weights.limits[-1]) if int8 else None)
    return openvino.Model([places, *inputs] if every else [places], [picture], "proposer")
