"""Programs for the tests of scripts, which run with a PATH of their own."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path


def write_program(path: Path, lines: str) -> None:
    """Write a shell script that can be executed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{shutil.which('sh')}\n{lines}\n")
    path.chmod(0o755)


def write_python(path: Path, minor: int, *, venv: bool = True, prefix: str | None = None) -> None:
    """Write a program that looks like Python 3.<minor>, with or without its module venv.

    ``prefix``: the folder in which it seems to be installed.
    """
    hide = "" if venv else "sys.modules['ensurepip'] = None; "
    place = f"sys.base_prefix = '{prefix}'; " if prefix else ""
    code = f"import sys; sys.version_info = (3, {minor}, 0, 'final', 0); {hide}{place}exec(sys.argv[1])"
    write_program(path, f'exec {sys.executable} -c "{code}" "$2"')


def link_tools(folder: Path, tools: Iterable[str]) -> Path:
    """Make a folder with links to the system's tools, for use as the PATH."""
    folder.mkdir()
    for tool in tools:
        found = shutil.which(tool)
        assert found is not None, tool
        (folder / tool).symlink_to(found)
    return folder
