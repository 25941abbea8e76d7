"""The page about bounds: each structure that a camera can grow has a bound, and a test that fills the structure."""

from __future__ import annotations

import re

import pytest

from tests.support import ROOT
from tests.test_architecture import functions_of

PAGE = ROOT / "docs" / "reference" / "bounds.md"
ROWS = [line.strip("|").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")][2:]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].strip())
def test_every_bound_has_a_test_that_exists(row: list[str]) -> None:
    _, bound, _, named = row
    assert bound.strip()
    found = re.fullmatch(r"`(tests/[\w/]+\.py)::(\w+)`", named.strip())
    assert found, f"expected `tests/file.py::test_name`, found {named}"
    assert found[2] in functions_of(ROOT / found[1])
