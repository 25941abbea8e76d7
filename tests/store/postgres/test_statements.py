"""The parameters of statements in PostgreSQL."""

from __future__ import annotations

import pytest

from gateway.store.postgres.statements import number_parameters


@pytest.mark.parametrize(
    ("sql", "numbered"),
    [
        ("SELECT 1", "SELECT 1"),
        ("SELECT ? WHERE a = ? AND b IN (?, ?)", "SELECT $1 WHERE a = $2 AND b IN ($3, $4)"),
        ("SELECT ?1 WHERE a = ?2 OR a = ?1", "SELECT $1 WHERE a = $2 OR a = $1"),
        ("SELECT '?' || ?", "SELECT '?' || $1"),
        ("SELECT 'it''s ?', ?, 'a?'", "SELECT 'it''s ?', $1, 'a?'"),
        ("SELECT ''||?", "SELECT ''||$1"),
    ],
)
def test_parameters_are_numbered_outside_of_texts(sql: str, numbered: str) -> None:
    assert number_parameters(sql) == numbered
