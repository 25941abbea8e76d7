"""The execution of graphs with OpenVINO on the processor.

Each graph uses one thread, because there is one worker process for each core already.
"""

from __future__ import annotations

import platform
import re
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gateway.vision.engines.openvino_import import openvino

Float = Literal["bf16", "f32"]

MAX_INPUT_SHAPES = 32
"""Sizes of input after which a graph is compiled again. A compilation takes a tenth of a second."""


def fast_float() -> Float:
    """Return bfloat16 if the processor multiplies it natively, otherwise float32."""
    # OpenVINO's own query includes processors that only emulate bfloat16.
    return "bf16" if {"amx_bf16", "avx512_bf16"} & _flags() else "f32"


def has_fast_int8() -> bool:
    """Return whether 8 bits are faster than float32: on every x86 processor with AVX2.

    Measured: twice as fast with AVX2, five times with VNNI, ten times with AMX.
    """
    return "avx2" in _flags() or (platform.system() == "Darwin" and platform.machine() == "x86_64")


def _flags() -> set[str]:
    """Return the processor's flags from Linux; empty on other systems."""
    try:
        found = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        return set()
    return set(found[1].split()) if found else set()


class Graph:
    """A converted network, which accepts inputs of any size. Not to be shared between threads.

    OpenVINO keeps prepared data for each input size without a limit: 2.5 MB per size of the detector. Therefore the
    graph is compiled again after MAX_INPUT_SHAPES sizes, which frees this memory.
    """

    def __init__(self, path: Path, floats: Float) -> None:
        self._path = path
        self._options = {
            "INFERENCE_PRECISION_HINT": floats,
            "INFERENCE_NUM_THREADS": 1,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,
        }
        self._shapes: set[tuple[int, ...]] = set()
        self._request = self._compiled()

    def run(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the first output, float32, for an input of bytes."""
        if batch.shape not in self._shapes and len(self._shapes) == MAX_INPUT_SHAPES:
            self._shapes.clear()
            self._request = self._compiled()
        self._shapes.add(batch.shape)
        self._request.infer({0: batch}, share_inputs=True)
        return np.array(self._request.get_output_tensor(0).data)

    def _compiled(self) -> Any:
        core = openvino.Core()
        prepared = openvino.preprocess.PrePostProcessor(core.read_model(self._path))
        prepared.input().tensor().set_element_type(openvino.Type.u8)
        return core.compile_model(prepared.build(), "CPU", self._options).create_infer_request()
