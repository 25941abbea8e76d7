"""The peak speed of one core in convolutions, and the share of it that the two networks reach."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.engines import ROOT
from benchmarks.instructions import CHIPS, chosen_formats, network_file, sample_canvas, sample_chips
from gateway.vision.engines.conversion import converted_models_folder
from gateway.vision.engines.openvino_import import op, openvino
from gateway.vision.engines.processor import fast_float
from gateway.vision.engines.runtime import Graph

DETECTOR_OPS = 2 * 3702
"""Multiplications and additions per pixel of the canvas, in dlib's own layers without added zeros."""
DESCRIPTOR_OPS = 2 * 270.9e6
"""Multiplications and additions per chip."""
CHANNELS, SIDE, DEPTH = 256, 64, 6
CONVOLUTION_OPS = DEPTH * 2 * 9 * CHANNELS**2 * SIDE**2
ROUNDS = 15


def peak_share() -> dict[str, Any]:
    """Return the GOP/s of a large convolution, and the shares of both networks. The measurements alternate."""
    folder = converted_models_folder(ROOT / "data")
    formats = chosen_formats()
    find, describe = (Graph(network_file(folder, *each), fast_float()) for each in formats.items())
    canvas, chips = sample_canvas(), sample_chips()
    tasks: dict[str, tuple[Callable[[], object], float]] = {
        "int8": (_convolutions(quantised=True), CONVOLUTION_OPS),
        fast_float(): (_convolutions(quantised=False), CONVOLUTION_OPS),
        "detector": (lambda: find.run(canvas), DETECTOR_OPS * canvas.size / 3),
        "descriptor": (lambda: describe.run(chips), DESCRIPTOR_OPS * CHIPS),
    }
    taken: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(ROUNDS):
        for name, (task, _ops) in tasks.items():
            begun = time.perf_counter()
            task()
            taken[name].append(time.perf_counter() - begun)
    gops = {name: ops / statistics.median(taken[name]) / 1e9 for name, (_, ops) in tasks.items()}
    return {
        "detector": round(gops["detector"] / gops[formats["detector"]], 3),
        "descriptor": round(gops["descriptor"] / gops[formats["descriptor"]], 3),
        "peak_gops": {name: round(gops[name]) for name in ("int8", fast_float())},
        "precision": formats,
    }


def _convolutions(*, quantised: bool) -> Callable[[], object]:
    """Return a function that runs DEPTH convolutions of 3 x 3 in sequence, so that input and output count little."""
    random = np.random.default_rng(0)
    x = first = op.parameter([1, CHANNELS, SIDE, SIDE], np.float32)
    zero, one, low, high = (op.constant(np.float32(limit)) for limit in (0, 1, -4, 4))
    for _ in range(DEPTH):
        weights = op.constant(random.normal(size=(CHANNELS, CHANNELS, 3, 3)).astype(np.float32))
        if quantised:
            x = op.fake_quantize(x, zero, one, zero, one, 256)
            weights = op.fake_quantize(weights, low, high, low, high, 255)
        x = op.relu(op.convolution(x, weights, [1, 1], [1, 1], [1, 1], [1, 1]))
    options = {"INFERENCE_PRECISION_HINT": fast_float(), "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
    request = openvino.Core().compile_model(openvino.Model([x], [first], "peak"), "CPU", options).create_infer_request()
    values = random.random((1, CHANNELS, SIDE, SIDE), np.float32)
    return lambda: request.infer({0: values}, share_inputs=True)
