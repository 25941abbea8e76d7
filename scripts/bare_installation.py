"""The test of a wheel in a bare system: install it with pip, enrol the known people, and recognise a picture.

As root and with debootstrap, the system is a new Debian with Python alone. Otherwise it is a fresh virtual environment
of this machine.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

SUITE = "bookworm"
MIRROR = "http://deb.debian.org/debian"

_SHARED = ("/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs/ca-certificates.crt")
"""Files of this machine that a bare system needs to reach the package registry."""


def check_installation(wheel: Path, version: str, source: Path) -> str:
    """Check the wheel, and return a sentence about where and how long. Exit with a sentence if it does not work.

    ``source``: the repository, whose pictures are used.
    """
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="facegate-bare-") as name:
        folder = Path(name)
        if os.geteuid() == 0 and shutil.which("debootstrap") and shutil.which("unshare"):
            place = f"a bare Debian ({SUITE})"
            prefix, root = make_debian(folder / "root"), folder / "root"
        else:
            place = f"a fresh environment of Python {sys.version_info[0]}.{sys.version_info[1]} on this machine"
            place += " (a bare Debian needs root and debootstrap)"
            prefix, root = [], folder
        work = root / "work"
        work.mkdir()
        shutil.copy(wheel, work)
        shutil.copytree(source / "known_faces", work / "known_faces")
        shutil.copy(source / "device_sim" / "frames" / "obama_1.jpg", work)
        found = recognise(prefix, Path("/work") if prefix else work, wheel.name, version)
    return f"installed {found} in {place}, and named the person in a picture: {time.monotonic() - begun:.0f} s in all"


def make_debian(root: Path) -> list[str]:
    """Make a Debian with Python in a folder. Return the beginning of a command that runs in it."""
    run(["debootstrap", "--variant=minbase", "--include=python3-venv", SUITE, str(root), MIRROR])
    for path in map(Path, _SHARED):
        if path.is_file():
            (root / path.relative_to("/")).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, root / path.relative_to("/"))
    # In a name space of their own, the mounts end with the command, and no folder of this machine is below the root.
    return ["unshare", "--mount", "--pid", "--fork", f"--mount-proc={root}/proc", "chroot", str(root)]


def recognise(prefix: Sequence[str], work: Path, wheel: str, version: str) -> str:
    """Install the wheel in the folder ``work``, and recognise a picture. Return what was installed."""
    python, facegate = work / "venv" / "bin" / "python", work / "venv" / "bin" / "facegate"
    settings = {"FACEGATE_DATA": str(work / "data"), "FACEGATE_PEOPLE__FOLDER": str(work / "known_faces")}
    # With PYTHONPATH the programs would import the modules of a checkout.
    inside = [*prefix, "env", "--unset=PYTHONPATH", *(f"{name}={value}" for name, value in settings.items())]
    run([*inside, "python3" if prefix else sys.executable, "-m", "venv", str(work / "venv")])
    run([*inside, str(python), "-m", "pip", "install", "--quiet", str(work / wheel)])
    printed = run([*inside, str(facegate), "--version"]).strip()
    if printed != f"facegate, version {version}":
        sys.exit(f"release: the wheel is {printed}, and {version} was expected.")
    run([*inside, str(facegate), "people", "add", "--new", str(work / "known_faces")])
    answer = json.loads(run([*inside, str(facegate), "recognise", "--json", str(work / "obama_1.jpg")]))
    if answer.get("name") != "Barack Obama":
        sys.exit(f"release: the installed wheel did not name the person in a picture: {answer}")
    return printed


def run(command: Sequence[str]) -> str:
    """Run a program, and return its output. Exit with its messages if it fails."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"release: {' '.join(command)} failed:\n{done.stdout[-5_000:]}{done.stderr[-5_000:]}")
    return done.stdout
