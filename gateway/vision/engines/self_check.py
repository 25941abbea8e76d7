"""A check that OpenVINO computes right descriptors on this processor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gateway.errors import StartError
from gateway.vision.chips import CHIP_SIDE_PX
from gateway.vision.engines.runtime import Graph

EXPECTED = (-0.136, 0.0719, 0.0375, -0.0761, -0.0629, -0.0548, -0.0299, -0.0796)
"""The first numbers of the pattern's descriptor, computed on x86-64 with AVX2 in float32."""

TOLERANCE = 0.01
"""Processors that compute right differ by less than 1e-5. One of qemu's, with SME, was 0.2 off (L2 0.9)."""


def check_descriptor(folder: Path) -> None:
    """Describe a pattern, and raise StartError if the descriptor is wrong. ``folder``: of the converted networks.

    A wrong descriptor raises no error by itself: the gateway would take people for others.
    """
    (found,) = Graph(folder / "descriptor-f32.xml", "f32").run(pattern()[None])
    found = found[: len(EXPECTED)] / np.linalg.norm(found)
    if not np.allclose(found, EXPECTED, rtol=0, atol=TOLERANCE):
        raise StartError(
            "OpenVINO computes wrong descriptors on this processor, so people would be confused: run Facegate on"
            " another processor (docs/design/recognition.md, the engine on arm64)."
        )


def pattern() -> NDArray[np.uint8]:
    """Return a picture of waves, uint8, (side, side, 3)."""
    row, column, colour = np.indices((CHIP_SIDE_PX, CHIP_SIDE_PX, 3))
    waves = np.sin(row / 7 + colour) + np.cos(column / 11 - colour) + np.sin((row + column) / 23)
    picture: NDArray[np.uint8] = np.round(127.5 + 40 * waves).astype(np.uint8)
    return picture
