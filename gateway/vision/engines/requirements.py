"""The requirements of an engine: a package that is not always installed, and the instructions of the processor."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec

from gateway.errors import StartError
from gateway.model import EngineName
from gateway.vision.engines.processor import processor_flags
from gateway.vision.engines.registry import ENGINES

DLIB_WHEEL = "dlib-bin"
"""The package with dlib as a wheel, which is compiled for processors with AVX."""


def check_requirements(engine: EngineName) -> None:
    """Raise StartError if the engine's package is missing, or if the processor cannot run dlib."""
    package = ENGINES[engine].package
    if package is not None and find_spec(package) is None:
        raise StartError(
            f"engine: {engine} needs the package {package}, which is not installed: "
            f"run `pip install --no-deps {package}==1.3.0`, or set engine to facegate."
        )
    _check_processor()


def _check_processor() -> None:
    # Without AVX the import of dlib-bin ends the process with an illegal instruction. A dlib that was compiled on this
    # machine has no such requirement.
    flags = processor_flags()
    if platform.machine() == "x86_64" and flags and "avx" not in flags and _is_installed(DLIB_WHEEL):
        raise StartError(
            "This processor has no AVX instructions, which the package dlib-bin needs: "
            "compile dlib on this machine (docs/how-to/install.md)."
        )


def _is_installed(package: str) -> bool:
    try:
        distribution(package)
    except PackageNotFoundError:
        return False
    return True
