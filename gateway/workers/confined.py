"""The confinement of a worker process, in two steps.

``restrict_loading`` comes before the engine is loaded, because Landlock counts only for threads that start later.
``restrict_working`` comes after it and before the first picture: from then on the process opens no file at all.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import gateway
from gateway.confinement import limits
from gateway.confinement.landlock import landlock_version, restrict_files
from gateway.confinement.seccomp import filter_program, install_filter
from gateway.confinement.system_calls import this_processor
from gateway.workers.options import WorkerOptions

PACKAGE_FOLDERS = {"site-packages", "dist-packages"}
"""Names of the folders of installed packages."""

SYSTEM_PLACES = (
    # Libraries, and the list by which the dynamic loader finds them. NixOS has them all in one store.
    *("/usr", "/lib", "/lib64", "/nix/store", "/etc/ld.so.cache"),
    # The processor and its limits, from which OpenVINO chooses its code.
    *("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/sys/devices/system", "/sys/fs/cgroup"),
    *("/dev/null", "/dev/urandom"),
)
"""Files and folders outside of the Python environment that an engine reads while it is loaded."""

PICTURE_BYTES_PER_PIXEL, BASE_GROWTH_BYTES = 24, 1 << 29
"""Memory that a worker process may take after its start: for each pixel of the largest picture, and beside it.

Together they are 1.1 GB for 25 megapixels. The process took 0.8 GB to analyse and to draw a PNG of random pixels.
"""


def restrict_loading(options: WorkerOptions) -> str | None:
    """Limit what the process may do while it loads the engine. Return the reason if there is no Landlock."""
    limits.hide_memory()
    limits.give_up_privileges()
    limits.end_with_parent()
    limits.limit_files()
    if landlock_version() < 1:
        return "the kernel has none, or a container forbids it"
    return _refused(lambda: restrict_files(readable_places(options)))


def restrict_working(options: WorkerOptions) -> str | None:
    """Limit memory, and allow only the system calls of a loaded engine. Return the reason if there is no filter."""
    limits.limit_memory(BASE_GROWTH_BYTES + PICTURE_BYTES_PER_PIXEL * options.limits.pixels)
    processor = this_processor()
    if sys.platform != "linux" or processor is None:
        return "the system calls of this system are not known"
    return _refused(lambda: install_filter(processor, filter_program(processor, os.getpid())))


def readable_places(options: WorkerOptions) -> Iterator[Path]:
    """Yield the files and folders that the engine reads while it is loaded."""
    yield from map(Path, (*SYSTEM_PLACES, sys.prefix, sys.base_prefix, *_library_folders()))
    # The folder above it may contain the data folder.
    yield Path(gateway.__file__).parent
    yield from (path for path in map(Path, sys.path) if path.name in PACKAGE_FOLDERS)
    if options.engine.models is not None:
        yield options.engine.models
    if options.engine.recogniser is not None:
        yield options.engine.recogniser.path


def _library_folders() -> list[str]:
    return [folder for folder in os.environ.get("LD_LIBRARY_PATH", "").split(":") if folder]


def _refused(restrict: Callable[[], None]) -> str | None:
    """Return the kernel's reason if it refuses the restriction."""
    try:
        restrict()
    except OSError as error:
        return f"the kernel refuses it: {error.strerror}"
    return None
