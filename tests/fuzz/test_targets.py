"""Each parser of bytes from outside, with many damaged inputs: it raises only the errors that it promises."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.mutated import mutated
from tests.fuzz.targets import TARGETS

EXAMPLES = [30, pytest.param(120, marks=pytest.mark.slow)]
"""Inputs for each parser, of `make quick` and of `make test`. `make fuzz` tries many more."""


@pytest.mark.parametrize("name", TARGETS)
def test_parser_reads_what_it_should(name: str) -> None:
    for seed in TARGETS[name].seeds():
        TARGETS[name].run(seed)


@pytest.mark.parametrize("examples", EXAMPLES)
@pytest.mark.parametrize("name", TARGETS)
def test_parser_raises_only_the_errors_that_it_promises(name: str, examples: int) -> None:
    target = TARGETS[name]

    # The same inputs in each run: a fault is found when its cause is committed, and not on another day.
    @settings(max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=ALL_CHECKS)
    @given(st.one_of(mutated(target.seeds()), st.binary(max_size=200)))
    def check(data: bytes) -> None:
        target.run(data)

    check()


ALL_CHECKS = tuple(HealthCheck)
"""Slow or large inputs are wanted here."""
