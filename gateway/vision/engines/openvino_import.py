"""OpenVINO without its telemetry: by itself ``import openvino`` tells Google Analytics, with an id kept in ``~/intel``.

Everybody here takes it from this module. With uv the telemetry is not even installed (pyproject.toml); pip follows
OpenVINO's own wish and installs it, so that its import is refused here, which OpenVINO then does without.
"""

from __future__ import annotations

import sys

sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # so that importing it raises ImportError

import openvino  # noqa: E402
import openvino.opset13 as op  # noqa: E402

__all__ = ["op", "openvino"]
