"""The memory of headers that passed: only the same headers with no larger body need no second check."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.rest.transport.environ import HeaderCheck, Scope
from gateway.rest.transport.head_memory import HeadMemory


def scope(size: int | None = 100, **changed: Any) -> Scope:
    headers = [(b"host", b"localhost"), (b"authorization", changed.pop("token", b"Bearer a"))]
    headers += [] if size is None else [(b"content-length", b"%d" % size)]
    return {"method": "POST", "path": "/face_rec", "query_string": b"", "headers": headers, **changed}


@pytest.fixture
def memory() -> HeadMemory:
    memory = HeadMemory()
    memory.remember(scope(100), HeaderCheck(passed=True, sender_known=False))
    return memory


def test_same_headers_with_no_larger_body_are_known(memory: HeadMemory) -> None:
    assert HeadMemory().find(scope()) is None
    assert [memory.find(scope(size)) is not None for size in (100, 1, 101)] == [True, True, False]
    found = memory.find(scope())
    assert found is not None
    assert found.passed
    assert not found.sender_known


def test_largest_body_counts(memory: HeadMemory) -> None:
    memory.remember(scope(300), HeaderCheck(passed=True))
    memory.remember(scope(200), HeaderCheck(passed=True))
    assert [memory.find(scope(size)) is not None for size in (300, 301)] == [True, False]


@pytest.mark.parametrize(
    "other",
    [
        scope(token=b"Bearer b"),
        scope(method="PUT"),
        scope(path="/login"),
        scope(query_string=b"a=b"),
        scope(headers=[]),
    ],
    ids=["token", "method", "path", "query", "no headers"],
)
def test_other_headers_are_checked(memory: HeadMemory, other: Scope) -> None:
    assert memory.find(other) is None
    memory.remember(other, HeaderCheck(passed=True))
    assert memory.find(scope()) is None


def test_body_without_a_stated_size_is_always_checked() -> None:
    memory = HeadMemory()
    memory.remember(scope(None), HeaderCheck(passed=True))
    assert memory.find(scope(None)) is None
