"""BlazeFace as an OpenVINO graph: the network of MediaPipe that proposes places of faces.

The published file is for pictures of 192 x 192 pixels. This graph takes pictures of any size, with the same weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from gateway.vision.engines.convolutions import constant
from gateway.vision.engines.openvino_import import op, openvino

SIDE_MULTIPLE_PX = 32
"""The sides of the picture must be multiples of this number: the network halves the picture five times."""

MIDDLE_GREY = 127.5
"""The network computes with (pixel - MIDDLE_GREY) / MIDDLE_GREY."""


def proposer_graph(path: Path) -> openvino.Model:
    """Return the graph that proposes places of faces. ``path``: the published file (TensorFlow Lite).

    Input: a picture, float32 RGB from 0 to 255, (1, height, width, 3). Output: float32, (1, 17, height / 4, width / 4),
    at each place the numbers that proposer.py explains.
    """
    published = openvino.Core().read_model(path)
    for node in published.get_ops():
        if node.get_type_name() == "Interpolate":
            _enlarge_any_size(node)
    picture = op.parameter([1, -1, -1, 3], np.float32, name="picture")
    scaled = op.multiply(op.subtract(picture, constant(MIDDLE_GREY)), constant(1 / MIDDLE_GREY))
    published.get_parameters()[0].output(0).replace(scaled.output(0))
    # The outputs are a list of all places, whose length is fixed. The maps they are made of have any size.
    maps = [_before_the_list(result) for result in published.get_results()]
    maps.sort(key=lambda output: output.get_partial_shape()[1].get_length())
    return openvino.Model([op.concat(maps, 1)], [picture], "proposer")


def _enlarge_any_size(node: Any) -> None:
    """Replace an enlargement to a fixed size by one to twice the size of its input."""
    published = node.get_attributes()
    same = {name: published[name] for name in ("mode", "coordinate_transformation_mode", "nearest_mode")}
    twice, height_and_width = op.constant(np.array([2, 2], np.float32)), op.constant(np.array([1, 2], np.int64))
    enlarged = op.interpolate(
        node.input_value(0), twice, shape_calculation_mode="scales", axes=height_and_width, **same
    )
    node.output(0).replace(enlarged.output(0))


def _before_the_list(result: Any) -> Any:
    """Return the map, with the channels first, that the network reshapes into the list of a result."""
    reshape = result.input_value(0).get_node()
    transpose = reshape.input_value(0).get_node()
    return transpose.input_value(0)
