"""Checks of paths in folders that this user may not open."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.files.closed_folders import exists, is_file, is_folder
from tests.support import ROOT

NOBODY = 65534


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a file, a folder, and a link that leads nowhere. pytest's own folders are closed to `nobody`."""
    with tempfile.TemporaryDirectory(prefix="facegate-closed-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "inside").mkdir()
        (folder / "inside" / "file").touch()
        (folder / "inside" / "folder").mkdir()
        (folder / "inside" / "link").symlink_to("nowhere")
        yield folder / "inside"
        (folder / "inside").chmod(0o755)


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("file", (True, True, False)),
        ("folder", (True, False, True)),
        ("link", (False, False, False)),
        ("absent", (False, False, False)),
        ("file/below", (False, False, False)),
    ],
)
def test_path_in_an_open_folder_is_described(folder: Path, name: str, answers: tuple[bool, bool, bool]) -> None:
    path = folder / name
    assert (exists(path), is_file(path), is_folder(path)) == answers


@pytest.mark.slow
def test_path_in_a_closed_folder_is_neither_file_nor_folder(folder: Path) -> None:
    folder.chmod(0)
    code = f"""
import os, sys
from pathlib import Path
from gateway.files.closed_folders import exists, is_file, is_folder
if os.getuid() == 0:
    os.setuid({NOBODY})
print([check(Path(sys.argv[1]) / name) for name in ('file', 'folder') for check in (exists, is_file, is_folder)])
"""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, str(folder)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stdout == f"{[False] * 6}\n", done.stderr
