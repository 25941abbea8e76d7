"""The file of a recogniser of the user's own, read for OpenVINO."""

from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gateway.errors import StartError
from gateway.vision.engines.openvino_import import openvino
from gateway.vision.engines.options import RecogniserOptions

MAX_BATCH = 32
"""Largest number of pictures that a network may demand at once: its memory grows with the number."""


def read_recogniser(options: RecogniserOptions) -> Any:
    """Return the model with pictures of bytes as its input, (n, side, side, 3) RGB. n is 1 if the model allows.

    Raise StartError for a changed file and for an input of another form. OpenVINO and the file system raise other
    errors.
    """
    model = _read_model(options)
    channels_last, batch = _check_input(options.path, model)
    side = options.window.side
    model.reshape({model.inputs[0]: [batch, side, side, 3] if channels_last else [batch, 3, side, side]})
    prepared = openvino.preprocess.PrePostProcessor(model)
    given = prepared.input(0)
    given.tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    given.tensor().set_color_format(openvino.preprocess.ColorFormat.RGB)
    given.model().set_layout(openvino.Layout("NHWC" if channels_last else "NCHW"))
    steps = given.preprocess().convert_element_type(openvino.Type.f32)
    if options.bgr:
        steps = steps.convert_color(openvino.preprocess.ColorFormat.BGR)
    steps.mean(list(options.mean)).scale(list(options.scale))
    return prepared.build()


def _read_model(options: RecogniserOptions) -> Any:
    """Return OpenVINO's model of the bytes that have the digest in the options."""
    content, path = options.path.read_bytes(), options.path
    # The recipe of the descriptors depends on the digest. Another network would compare faces of two recipes.
    if hashlib.sha256(content).hexdigest() != options.digest:
        raise StartError(f"The recogniser {path} changed while the gateway ran. Start the gateway again.")
    core = openvino.Core()
    if path.suffix.lower() != ".tflite":
        return core.read_model(content)
    # OpenVINO reads TensorFlow Lite from a path only, and recognises it by the end of the name.
    with TemporaryDirectory(prefix="facegate-") as folder:
        copy = Path(folder, "network.tflite")
        copy.write_bytes(content)
        return core.read_model(copy)


def _check_input(path: Path, model: Any) -> tuple[bool, int]:
    """Return whether the colours are behind the columns, and the number of pictures that the model takes at once."""
    shapes = [each.get_partial_shape() for each in model.inputs]
    if len(shapes) != 1 or shapes[0].rank.is_dynamic or shapes[0].rank.get_length() != 4:
        found = ", ".join(map(str, shapes)) or "none"
        raise StartError(f"The recogniser {path} must have one input of four dimensions; found: {found}.")
    (shape,) = shapes
    # One thread gains nothing by several pictures at once. Some networks accept one number of pictures only.
    batch = shape[0].get_length() if shape[0].is_static else 1
    if not 1 <= batch <= MAX_BATCH:
        raise StartError(f"The recogniser {path} takes {batch} pictures at once; expected 1 to {MAX_BATCH}.")
    # PyTorch's exports have the colours before the rows, TensorFlow's behind the columns.
    return str(shape[3]) == "3", batch
