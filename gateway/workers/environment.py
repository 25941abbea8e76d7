"""The environment variables of a process that the gateway starts."""

from __future__ import annotations

import os

_PASSED = frozenset({"PATH", "HOME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"})
_PASSED_PREFIXES = ("LC_", "PYTHON", "ONEDNN_", "OV_")
"""Variables that Python and the libraries of an engine need.

All others stay in the gateway: its settings, with the key and the passwords, and those of the user.
"""

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""There is one worker process for each core already."""


def process_environment() -> dict[str, str]:
    """Return the environment of a process that loads an engine."""
    passed = {name: value for name, value in os.environ.items() if name in _PASSED or name.startswith(_PASSED_PREFIXES)}
    return {**passed, **_ONE_THREAD}
