"""The places that hold the version of Facegate, and the section of a release in CHANGELOG.md.

``gateway/__init__.py`` has the version. Programs read it from there. A file that cannot, such as the description of a
container, holds a copy: the release writes it, and tests/test_version.py checks it.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SOURCE = Path("gateway") / "__init__.py"
CHANGELOG = Path("CHANGELOG.md")
DATA_FOLDERS = Path("tests") / "releases"
"""The data folders of released versions."""

VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:rc(\d+))?")
"""MAJOR.MINOR.PATCH, and rcN for the N-th candidate of a release."""

_NUMBER = r"(?P<version>\d+\.\d+\.\d+(?:rc\d+)?)"
_ANYWHERE = re.compile(rf"\bfacegate(?:-|_|:|==){_NUMBER}(?![\d.]*\d)")
"""The name of a package, of an image or of a file to download, such as ``facegate-VERSION-py3-none-any.whl``."""

_IN_FILES = (
    (re.compile(r"gateway/__init__\.py"), re.compile(rf'^__version__ = "{_NUMBER}"$', re.M)),
    # The description of a Home Assistant app.
    (re.compile(r"(?:.*/)?config\.yaml"), re.compile(rf'^version: ["\']?{_NUMBER}["\']?$', re.M)),
    (
        re.compile(r"(?:.*/)?(?:Containerfile|Dockerfile|compose\.ya?ml|build\.ya?ml|\.env)"),
        re.compile(rf'(?:FACEGATE_VERSION[=:] ?|ARG VERSION=|image\.version["\']?[=:] ?)["\']?{_NUMBER}', re.M),
    ),
)
"""Patterns of file names, and of the version in these files."""

_NO_COPIES = re.compile(r"CHANGELOG\.md|uv\.lock|tests/.*|.*\.json|docs/reference/compatibility\.md")
"""Files whose versions are history, examples or those of other programs."""

UNRELEASED = "## [Unreleased]"


class Place(NamedTuple):
    """A copy of the version: the path of the file, the version, and where it begins and ends."""

    path: Path
    version: str
    begin: int
    end: int


def version_key(version: str) -> tuple[int, ...]:
    """Return a value by which versions are ordered: a candidate comes before its release. Raise ValueError."""
    if not (found := VERSION.fullmatch(version)):
        raise ValueError(f"{version} is no version: give MAJOR.MINOR.PATCH such as 1.2.0, or 1.2.0rc1 for a candidate")
    *numbers, candidate = found.groups()
    return (*map(int, numbers), int(candidate) if candidate else 1_000_000)


def find_places(root: Path) -> Iterator[Place]:
    """Yield all copies of the version in the files that git tracks."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=root, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        path = root / name
        if _NO_COPIES.fullmatch(name) or not path.is_file() or path.is_symlink():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        patterns = [_ANYWHERE, *(pattern for files, pattern in _IN_FILES if files.fullmatch(name))]
        for found in (each for pattern in patterns for each in pattern.finditer(text)):
            yield Place(Path(name), found["version"], *found.span("version"))


def read_version(root: Path) -> str:
    """Return the version of the source. Raise ValueError."""
    (found,) = [place.version for place in find_places(root) if place.path == SOURCE] or [None]
    if found is None:
        raise ValueError(f'{SOURCE} has no line __version__ = "…" with a version')
    return found


def replace_version(root: Path, version: str) -> dict[Path, str]:
    """Return the new text of each file that holds the version."""
    texts: dict[Path, str] = {}
    # From the end of a file to its beginning, so that the places before stay where they are.
    for place in sorted(find_places(root), key=lambda each: each.begin, reverse=True):
        text = texts.get(place.path) or (root / place.path).read_text(encoding="utf-8")
        texts[place.path] = text[: place.begin] + version + text[place.end :]
    return texts


def unreleased_entries(changelog: str) -> str:
    """Return the text of [Unreleased], "" without entries. Raise ValueError if there is no such section."""
    if changelog.count(f"{UNRELEASED}\n") != 1:
        raise ValueError(f"{CHANGELOG} must have the line {UNRELEASED} once")
    rest = changelog.split(f"{UNRELEASED}\n")[1]
    section = re.split(r"^(?:## |\[[^\]]+\]: )", rest, maxsplit=1, flags=re.M)[0]
    return section.strip() if re.search(r"^- ", section, re.M) else ""


def cut_changelog(changelog: str, version: str, date: str, repository: str, before: str | None) -> str:
    """Return the CHANGELOG in which the unreleased entries are those of a release.

    ``repository``: the address of the pages that compare two versions; "" for none. ``before``: the last release.
    """
    if not unreleased_entries(changelog):
        raise ValueError(f"{CHANGELOG} has no entries below {UNRELEASED}: a release needs at least one")
    if f"## [{version}]" in changelog:
        raise ValueError(f"{CHANGELOG} has a section {version} already")
    cut = changelog.replace(f"{UNRELEASED}\n", f"{UNRELEASED}\n\n## [{version}] - {date}\n")
    if not repository:
        return cut
    cut = re.sub(r"^\[Unreleased\]: .*\n", "", cut, flags=re.M)
    compared = f"compare/v{before}...v{version}" if before else f"releases/tag/v{version}"
    links = f"[Unreleased]: {repository}/compare/v{version}...HEAD\n[{version}]: {repository}/{compared}\n"
    older = re.search(r"^\[\d[^\]]*\]: ", cut, re.M)
    return f"{cut[: older.start()]}{links}{cut[older.start() :]}" if older else f"{cut.rstrip()}\n\n{links}"


def release_notes(changelog: str, version: str) -> str:
    """Return the entries of a release. Raise ValueError if there is no such section."""
    found = re.search(rf"^## \[{re.escape(version)}\][^\n]*\n(.*?)(?=^## |^\[[^\]]+\]: |\Z)", changelog, re.M | re.S)
    if found is None:
        raise ValueError(f"{CHANGELOG} has no section {version}")
    return found[1].strip()
