"""The page about security: each answer to a threat names tests, and these tests exist."""

from __future__ import annotations

import re

from tests.support import ROOT
from tests.test_architecture import functions_of

TEXT = (ROOT / "docs" / "security.md").read_text()

LISTS = {"API": range(1, 11), "I": range(1, 11)}
"""The points of the two lists of the OWASP, by the beginning of their names."""

TABLES = re.findall(r"^\| [^|]*(?:\| [^|]*)+\| test \|\n\| --- .*\n((?:\|.*\n)+)", TEXT, re.MULTILINE)
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for table in TABLES for line in table.splitlines()]


def test_page_has_the_attackers_and_every_point_of_both_lists() -> None:
    assert len(TABLES) == 3
    points = {row[0].split()[0] for row in ROWS}
    wanted = {f"{name}{n}" for name, numbers in LISTS.items() for n in numbers}
    assert wanted <= points
    assert len(ROWS) >= len(wanted) + 10


def test_every_answer_names_tests_that_exist() -> None:
    for row in ROWS:
        for each in row[-1].split(", "):
            found = re.fullmatch(r"`(tests/[\w/]+\.py)::(test_\w+)`", each)
            assert found, f"expected `tests/file.py::test_name`, separated by commas, in {row[0]}, found {row[-1]}"
            assert found[2] in functions_of(ROOT / found[1]), found[0]
