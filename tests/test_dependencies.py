"""The licences of the packages that the gateway needs, and what `make audit` says."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from scripts.audit import report
from scripts.licences import licence_of, runtime_packages
from tests.support import ROOT

PAGE = (ROOT / "docs" / "reference" / "dependencies.md").read_text()
PACKAGES = re.search(r"^\| package \| .+\n(?:\|.+\n)+", PAGE, re.MULTILINE)
ROWS = dict(re.findall(r"^\| ([a-z0-9]+(?:-[a-z0-9]+)*) \| (.+) \|$", PACKAGES[0] if PACKAGES else "", re.MULTILINE))

ALLOWED = re.compile(
    r"\b(MIT|MIT-0|MIT-CMU|BSD|BSD-2-Clause|BSD-3-Clause|0BSD|Apache-2\.0|Apache 2\.0|PSF-2\.0|ZPL 2\.1|MPL-2\.0|Zlib"
    r"|CC0-1\.0|Boost Software License|Artistic License)\b"
)
"""Licences under which a product may contain a package without being published itself."""

ONLY_ON_OLD_PYTHON = ("exceptiongroup",)
"""Packages that Python 3.10 needs, and later ones do not. The page names them in a sentence."""

LOCK = (ROOT / "uv.lock").read_text()


def test_licence_of_each_package_is_allowed_and_on_the_page() -> None:
    for name, package in runtime_packages().items():
        licence = licence_of(package)
        assert ALLOWED.search(licence), f"{name}: {licence}"
        # Other versions of Python get other versions of some packages, which state their licence in other words.
        if LOCK.count(f'name = "{name}"\nversion = ') == 1 and name not in ONLY_ON_OLD_PYTHON:
            assert ROWS.get(name) == licence, name


def test_page_has_no_package_that_is_not_needed() -> None:
    # Which packages are needed differs between versions of Python.
    if sys.version_info[:2] == (3, 11):
        assert ROWS.keys() - {"package"} == runtime_packages().keys()


def test_every_package_comes_as_a_wheel_with_a_digest() -> None:
    assert re.findall(r'\{ url = "(?![^"]+", hash = "sha256:[0-9a-f]{64}")', LOCK) == []
    blocks = LOCK.split("[[package]]")[1:]
    assert len(blocks) > 100
    for block in blocks:
        assert "wheels = [" in block or 'source = { editable = "." }' in block, block[:100]


def found(**more: Any) -> Mapping[str, Any]:
    return {"name": "pillow", "version": "13.0.0", "vulns": [], **more}


@pytest.mark.parametrize(
    ("packages", "code", "text"),
    [
        ([found()], 0, "no known vulnerability in the 1 packages"),
        ([found(vulns=[{"id": "PYSEC-1", "fix_versions": ["13.0.1"]}])], 1, "pillow 13.0.0: PYSEC-1, mended in 13.0.1"),
        ([found(), found(skip_reason="not found")], 2, "1 of 2 packages are not in the list"),
        ([found(skip_reason="not found"), found(vulns=[{"id": "X", "fix_versions": []}])], 1, "mended in no version"),
        ([], 2, ""),
    ],
)
def test_audit_never_takes_an_unread_list_for_a_good_one(
    packages: list[Mapping[str, Any]], code: int, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Regression: pip-audit ends with 0 if the registry has no list at all."""
    assert report(packages) == code
    printed = capsys.readouterr()
    assert text in printed.out + printed.err
