"""The requirements of the settings: a package that is not always installed, and the instructions of the processor."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec

from gateway.config import Settings
from gateway.errors import StartError
from gateway.vision.engines.processor import processor_flags
from gateway.vision.engines.registry import ENGINES

DLIB_WHEEL = "dlib-bin"
"""The package with dlib as a wheel, which is compiled for processors with AVX."""

ARM64 = {"aarch64", "arm64"}
"""The names of arm64 on Linux and on macOS."""


def check_requirements(settings: Settings) -> None:
    """Raise StartError if the engine's package is missing, or if the processor cannot run dlib or the number format."""
    package = ENGINES[settings.engine].package
    if package is not None and find_spec(package) is None:
        raise StartError(
            f"engine: {settings.engine} needs the package {package}, which is not installed: "
            f"run `pip install --no-deps {package}==1.3.0`, or set engine to facegate."
        )
    _check_processor()
    _check_formats(settings)


def _check_processor() -> None:
    # Without AVX the import of dlib-bin ends the process with an illegal instruction. A dlib that was compiled on this
    # machine has no such requirement.
    flags = processor_flags()
    if platform.machine() == "x86_64" and flags and "avx" not in flags and _is_installed(DLIB_WHEEL):
        raise StartError(
            "This processor has no AVX instructions, which the package dlib-bin needs: "
            "compile dlib on this machine (docs/how-to/install.md)."
        )


def _check_formats(settings: Settings) -> None:
    # OpenVINO's plugin for arm64 computes these networks in float32 all the same, with descriptors that are 0.26 off.
    precision = settings.precision
    for key, chosen in (("detector", precision.detector), ("descriptor", precision.descriptor)):
        if chosen == "int8" and platform.machine() in ARM64:
            raise StartError(
                f"precision.{key}: int8 gives wrong results on arm64 processors: set precision.{key} to auto or f32."
            )


def _is_installed(package: str) -> bool:
    try:
        distribution(package)
    except PackageNotFoundError:
        return False
    return True
