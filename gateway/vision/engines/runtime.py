"""Runs graphs with OpenVINO on the processor, one thread each: there is a worker process for each core already."""

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
"""Sizes of input, before all is compiled anew, which takes a tenth of a second."""


def fast_float() -> Float:
    """bfloat16 where the processor multiplies it natively. OpenVINO's own answer includes those that emulate it."""
    return "bf16" if {"amx_bf16", "avx512_bf16"} & _flags() else "f32"


def has_fast_int8() -> bool:
    """On every x86 with AVX2 (measured: twice as fast as float32 there, five times with VNNI, ten with AMX)."""
    return "avx2" in _flags() or (platform.system() == "Darwin" and platform.machine() == "x86_64")


def _flags() -> set[str]:
    """What Linux says of the processor; nothing elsewhere."""
    try:
        found = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        return set()
    return set(found[1].split()) if found else set()


class Graph:
    """A converted network. Not to be shared between threads.

    It takes inputs of any size. What OpenVINO prepares for a size it keeps, 2.5 MB for each of the detector's, without
    a bound: after MAX_SHAPES of them all is dropped, and compiled again.
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
        """The output for an input of bytes."""
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
