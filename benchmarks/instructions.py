"""The processor's instructions that the networks really use, and the number formats that were chosen for them.

OpenVINO names the implementation of each layer, such as ``jit_avx2_I8``, and measures its time. Names without a set of
instructions (``unknown``, ``ref``, ``jit_uni``, ``gemm_mlas``) count as ``unnamed``: some of these layers choose their
instructions themselves, and a limit of oneDNN does not concern them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.vision.engines.graphs import BLOCK_PX
from gateway.vision.engines.processor import Float, descriptor_format, detector_format, fast_float, instruction_cap
from gateway.vision.engines.runtime import compile_network

CANVAS_PX = 896, 1088
CHIPS = 12

INSTRUCTIONS = re.compile(r"(?<![a-z0-9])(sse4[12]|avx2|avx512|avx10|amx|avx|neon|asimd|sve)")
ROUNDS = 5
MIN_SHARE = 0.001
"""Smallest share of the time that is reported."""


def chosen_formats() -> dict[str, str]:
    """Return the number format that the gateway chooses for each network with the setting ``auto``."""
    return {"detector": detector_format(), "descriptor": descriptor_format()}


def network_file(models: Path, network: str, number_format: str) -> Path:
    """Return the converted file of a network. bfloat16 is computed from the file with float32."""
    return models / f"{network}-{'int8' if number_format == 'int8' else 'f32'}.xml"


def sample_canvas() -> NDArray[np.uint8]:
    """Return noise as the input of the detector."""
    shape = 1, CANVAS_PX[0], CANVAS_PX[1] // BLOCK_PX, 3 * BLOCK_PX
    return np.random.default_rng(0).integers(0, 255, shape, np.uint8)


def sample_chips() -> NDArray[np.uint8]:
    """Return noise as the input of the descriptor."""
    return np.random.default_rng(0).integers(0, 255, (CHIPS, 150, 150, 3), np.uint8)


def used_instructions(models: Path) -> dict[str, Any]:
    """Return the limit, the formats, and the instructions of each network. ``models``: of the converted networks."""
    formats = chosen_formats()
    networks = {
        name: (network_file(models, name, number_format), sample())
        for (name, number_format), sample in zip(formats.items(), (sample_canvas, sample_chips), strict=True)
    }
    ran = {name: time_shares(path, fast_float(), batch) for name, (path, batch) in networks.items()}
    return {
        "cap": instruction_cap(),
        "formats": formats,
        "instructions": {name: by_instructions(shares) for name, shares in ran.items()},
        "implementations": ran,
    }


def time_shares(path: Path, floats: Float, batch: NDArray[np.uint8]) -> dict[str, float]:
    """Return the share of the network's time that each implementation takes, largest first."""
    request = compile_network(path, floats, PERF_COUNT=True).create_infer_request()
    taken: dict[str, float] = defaultdict(float)
    for _ in range(ROUNDS):
        request.infer({0: batch}, share_inputs=True)
        for layer in request.get_profiling_info():
            taken[layer.exec_type] += layer.real_time.total_seconds()
    return _shares(taken)


def by_instructions(shares: Mapping[str, float]) -> dict[str, float]:
    """Return the share of the time by set of instructions, such as ``avx2``."""
    taken: dict[str, float] = defaultdict(float)
    for implementation, share in shares.items():
        named = INSTRUCTIONS.findall(implementation)
        taken[named[-1] if named else "unnamed"] += share
    return _shares(taken)


def _shares(taken: Mapping[str, float]) -> dict[str, float]:
    total = sum(taken.values())
    shares = {name: round(each / total, 3) for name, each in sorted(taken.items(), key=lambda each: -each[1])}
    return {name: share for name, share in shares.items() if share >= MIN_SHARE}
