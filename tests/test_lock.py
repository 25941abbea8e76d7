"""The packages of uv.lock on the machines that Facegate is made for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from packaging.markers import Marker
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

from tests.support import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 cannot read uv.lock")

GLIBC = {"x86_64": 28, "aarch64": 35}
"""The minor version of the oldest glibc 2 that OpenVINO's wheels run on."""


def packages() -> dict[tuple[str, str], dict[str, Any]]:
    """Return the packages of the lock file by their name and version."""
    locked = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    return {(each["name"], each.get("version", "")): each for each in locked}


def needed(machine: str, python: str) -> Iterator[dict[str, Any]]:
    """Yield the packages of an installation without extras on Linux, Facegate itself first."""
    environment = {
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
        "python_version": python,
        "python_full_version": f"{python}.9",
        "os_name": "posix",
        "extra": "",
    }
    locked = packages()
    versions = {name: {version for each, version in locked if each == name} for name, _ in locked}
    seen, waiting = set(), [next(key for key in locked if key[0] == "facegate")]
    while waiting:
        key = waiting.pop()
        if key in seen:
            continue
        seen.add(key)
        package = locked[key]
        yield package
        for each in package.get("dependencies", ()):
            if "marker" not in each or Marker(each["marker"]).evaluate(environment):
                (version,) = {each["version"]} if "version" in each else versions[each["name"]]
                waiting.append((each["name"], version))


def installable(machine: str, python: str) -> frozenset[Tag]:
    """Return the tags of the wheels that CPython can install on Linux with glibc."""
    versions = [f"manylinux_2_{minor}" for minor in range(5, GLIBC[machine] + 1)]
    platforms = [f"{each}_{machine}" for each in (*versions, "manylinux1", "manylinux2010", "manylinux2014")]
    version, interpreter = (3, int(python.removeprefix("3."))), f"cp{python.replace('.', '')}"
    own = cpython_tags(version, abis=[interpreter], platforms=platforms)
    return frozenset(own) | frozenset(compatible_tags(version, interpreter=interpreter, platforms=platforms))


def tags_of(package: dict[str, Any]) -> frozenset[Tag]:
    """Return the tags of all wheels of a package."""
    names = [each["url"].rpartition("/")[2] for each in package.get("wheels", ())]
    return frozenset().union(*(parse_wheel_filename(name)[3] for name in names))


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
@pytest.mark.parametrize("machine", GLIBC)
def test_every_package_has_a_wheel(machine: str, python: str) -> None:
    """Without a wheel, the installation needs a compiler, or fails."""
    found = list(needed(machine, python))
    assert {"dlib-bin", "openvino", "numpy", "simplejpeg"} <= {package["name"] for package in found}
    tags = installable(machine, python)
    without = [package["name"] for package in found if not tags & tags_of(package)]
    # Facegate itself is the checkout of this test.
    assert without == ["facegate"]


@pytest.mark.parametrize(
    ("wheel", "fits"),
    [
        ("a-1-cp311-cp311-manylinux_2_35_aarch64.whl", True),
        ("a-1-cp37-abi3-manylinux2014_aarch64.whl", True),
        ("a-1-py3-none-any.whl", True),
        ("a-1-cp311-cp311-manylinux_2_39_aarch64.whl", False),
        ("a-1-cp311-cp311-manylinux_2_28_x86_64.whl", False),
        ("a-1-cp311-cp311-musllinux_1_2_aarch64.whl", False),
        ("a-1-cp312-abi3-manylinux2014_aarch64.whl", False),
    ],
)
def test_wheel_of_another_machine_does_not_count(wheel: str, fits: bool) -> None:
    package = {"wheels": [{"url": f"https://files.example/{wheel}"}]}
    assert bool(installable("aarch64", "3.11") & tags_of(package)) == fits


def test_no_package_is_tensorflow_or_the_sources_of_dlib() -> None:
    assert not {name for name, _ in packages()} & {"tensorflow", "dlib", "setuptools", "face-recognition-models"}
