"""The execution of graphs with OpenVINO on the processor.

Each graph uses one thread, because there is one worker process for each core already.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.vision.engines.openvino_import import openvino
from gateway.vision.engines.processor import Float

OPTIONS = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "ENABLE_CPU_PINNING": False}

MAX_INPUT_SHAPES = 32
"""Sizes of input after which a graph is compiled again. A compilation takes a tenth of a second."""


class Graph:
    """A converted network, which accepts inputs of any size. Not to be shared between threads.

    OpenVINO keeps prepared data for each input size without a limit: 2.5 MB per size of the detector. Therefore the
    graph is compiled again after ``max_shapes`` sizes, which frees this memory. The file is read only once, because a
    confined process cannot open it again.
    """

    def __init__(self, path: Path, floats: Float, max_shapes: int = MAX_INPUT_SHAPES) -> None:
        self._max_shapes = max_shapes
        self._model = _with_bytes(path)
        self._floats = floats
        self._shapes: set[tuple[int, ...]] = set()
        self._request = self._compiled()

    def run(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the first output, float32, for an input of bytes."""
        if batch.shape not in self._shapes and len(self._shapes) == self._max_shapes:
            self._shapes.clear()
            self._request = self._compiled()
        self._shapes.add(batch.shape)
        self._request.infer({0: batch}, share_inputs=True)
        return np.array(self._request.get_output_tensor(0).data)

    def _compiled(self) -> Any:
        return _compile(self._model, self._floats).create_infer_request()


def compile_network(path: Path, floats: Float, *, scale: float | None = None, **options: object) -> Any:
    """Return OpenVINO's compiled model of a network, whose input is bytes. ``options``: OpenVINO's.

    ``scale``: the network gets the bytes divided by this number.
    """
    return _compile(_with_bytes(path, scale), floats, **options)


def _with_bytes(path: Path, scale: float | None = None) -> Any:
    """Return OpenVINO's model of a network, with an input of bytes."""
    prepared = openvino.preprocess.PrePostProcessor(openvino.Core().read_model(path))
    prepared.input().tensor().set_element_type(openvino.Type.u8)
    if scale is not None:
        prepared.input().preprocess().convert_element_type(openvino.Type.f32).scale(scale)
    return prepared.build()


def _compile(model: Any, floats: Float, **options: object) -> Any:
    settings = {**OPTIONS, "INFERENCE_PRECISION_HINT": floats, **options}
    return openvino.Core().compile_model(model, "CPU", settings)
