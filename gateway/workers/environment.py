"""The command and the environment variables of a process that the gateway starts."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import gateway

_PASSED = frozenset({"PATH", "HOME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"})
_PASSED_PREFIXES = ("LC_", "PYTHON", "ONEDNN_", "OV_")
"""Variables that Python and the libraries of an engine need.

All others stay in the gateway: its settings, with the key and the passwords, and those of the user.
"""

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""There is one worker process for each core already."""


_INSTALLED = Path(gateway.__file__).parents[1]
"""The folder that this process imported Facegate from: site-packages, or a checkout."""


def python_command(module: str) -> list[str]:
    """Return the command that runs a module of the Facegate of this process. It needs ``process_environment``.

    ``python -m`` alone imports from the working folder first. That may be a checkout of another version.
    """
    if sys.version_info >= (3, 11):
        return [sys.executable, "-P", "-m", module]
    code = f"import runpy, sys; sys.path.remove(''); runpy.run_module('{module}', run_name='__main__', alter_sys=True)"
    return [sys.executable, "-c", code]


def process_environment() -> dict[str, str]:
    """Return the environment of a process that loads an engine."""
    passed = {name: value for name, value in os.environ.items() if name in _PASSED or name.startswith(_PASSED_PREFIXES)}
    # Python finds site-packages by itself, and must not find it before its own modules.
    if _INSTALLED.name not in ("site-packages", "dist-packages"):
        passed["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_INSTALLED), passed.get("PYTHONPATH")]))
    return {**passed, **_ONE_THREAD}
