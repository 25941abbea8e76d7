"""The page about bounds: each structure that a camera can grow has a bound, and a test that fills the structure."""

from __future__ import annotations

import re

from tests.support import ROOT
from tests.test_architecture import functions_of

PAGE = ROOT / "docs" / "reference" / "bounds.md"
ROWS = [line.strip("|").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")][2:]


def test_every_bound_has_a_test_that_exists() -> None:
    assert ROWS
    for structure, bound, _, named in ROWS:
        assert bound.strip(), structure
        found = re.fullmatch(r"`(tests/[\w/]+\.py)::(\w+)`", named.strip())
        assert found, f"expected `tests/file.py::test_name` for {structure}, found {named}"
        assert found[2] in functions_of(ROOT / found[1]), structure
