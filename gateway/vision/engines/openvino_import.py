"""OpenVINO without its telemetry. All modules import OpenVINO from here.

By default ``import openvino`` reports to Google Analytics, with an id stored in ``~/intel``. With uv the telemetry
package is not installed (pyproject.toml). pip installs it as OpenVINO's dependency, so its import is blocked here.
OpenVINO then works without telemetry.
"""

from __future__ import annotations

import sys

# With None as its module, an import of the package raises ImportError.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

import openvino  # noqa: E402
import openvino.opset13 as op  # noqa: E402

__all__ = ["op", "openvino"]
