"""Print the packages that the gateway needs, with their licences, as the table of docs/reference/dependencies.md.

Run ``.venv/bin/python scripts/licences.py``. tests/test_dependencies.py holds the page to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LICENCE_CLASSIFIER = "License :: "
MAX_LICENCE_LENGTH = 60
"""Some packages have the whole text of their licence where its name belongs."""


def runtime_packages() -> dict[str, Distribution]:
    """Return the installed packages that Facegate needs directly or indirectly, by name, without Facegate itself."""
    found: dict[str, Distribution] = {}
    waiting = ["facegate"]
    while waiting:
        name = waiting.pop()
        # pyproject.toml leaves out some packages that others name: they are not installed.
        if name not in found and (package := _find(name)) is not None:
            found[name] = package
            waiting.extend(_needed(package))
    del found["facegate"]
    return dict(sorted(found.items()))


def licence_of(package: Distribution) -> str:
    """Return the licence that a package states: its SPDX expression, its own words, or its classifiers."""
    metadata = package.metadata
    stated = metadata.get("License-Expression") or metadata.get("License") or ""
    if stated and len(stated) <= MAX_LICENCE_LENGTH:
        return stated
    classifiers = (each for each in metadata.get_all("Classifier", []) if each.startswith(LICENCE_CLASSIFIER))
    return ", ".join(re.sub(r".* :: ", "", each) for each in classifiers)


def _needed(package: Distribution) -> Iterator[str]:
    for text in package.requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield canonicalize_name(requirement.name)


def _find(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    print("| package | licence |\n| --- | --- |")
    for name, package in runtime_packages().items():
        print(f"| {name} | {licence_of(package)} |")
