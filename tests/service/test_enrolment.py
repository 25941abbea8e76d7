from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from gateway.contract.people import EnrolledDocument, RemovedDocument
from gateway.errors import Conflict
from gateway.model import Effect
from gateway.model.caller import REST_CALLER
from gateway.service.enrolment import change_once, enrol_once
from tests.examples import descriptor
from tests.people.environment import PeopleEnvironment, open_environment, sample


@pytest.fixture
def env(tmp_path: Path) -> Iterator[PeopleEnvironment]:
    with open_environment(tmp_path) as env:
        yield env


def effect() -> Effect:
    """Return a new effect with the same key, as each attempt of one request makes it."""
    return Effect("porch/1", b"enrol alice", time.monotonic() + 60)


def enrol(env: PeopleEnvironment, effect: Effect | None) -> EnrolledDocument:
    samples = [sample("alice 1", descriptor(1))]
    return enrol_once(env.registry, effect, partial(env.registry.enrol, "Alice", samples, REST_CALLER))


def test_enrol_once_returns_the_person_with_warnings(env: PeopleEnvironment) -> None:
    enrolled = enrol(env, None)
    assert (enrolled.person, enrolled.name, enrolled.pictures) == ("alice", "Alice", 1)
    assert "add 2 more" in enrolled.warnings[0]


def test_repeated_enrolment_returns_the_stored_result_without_a_second_change(env: PeopleEnvironment) -> None:
    first = enrol(env, effect())
    env.registry.rename("alice", "Al", REST_CALLER)
    assert enrol(env, effect()) == first
    assert env.store.people.read_entry("alice").person.name == "Al"


def test_repeated_enrolment_of_a_removed_person_raises_conflict(env: PeopleEnvironment) -> None:
    enrol(env, effect())
    env.registry.remove("alice", REST_CALLER)
    with pytest.raises(Conflict, match="already done; that person no longer exists"):
        enrol(env, effect())


def test_repeated_removal_returns_the_result_for_a_removed_person(env: PeopleEnvironment) -> None:
    enrol(env, None)
    removed = RemovedDocument(person="alice")

    def remove() -> RemovedDocument:
        env.registry.remove("alice", REST_CALLER)
        return removed

    for _ in range(2):
        assert change_once(env.registry, effect(), remove, RemovedDocument, removed) == removed


class NewerDocument(EnrolledDocument):
    added_later: int = 1


def test_stored_result_of_a_newer_version_is_read_without_its_new_fields(env: PeopleEnvironment) -> None:
    first = enrol(env, None)
    newer = NewerDocument.model_validate(first.document())
    change_once(env.registry, effect(), lambda: newer, NewerDocument)
    assert change_once(env.registry, effect(), lambda: newer, EnrolledDocument) == first


def test_stored_result_that_cannot_be_read_raises_conflict(env: PeopleEnvironment) -> None:
    """Regression: it was reported as a bug in the gateway, which a device takes for temporary."""
    enrol(env, None)
    stored = RemovedDocument(person="alice")
    assert change_once(env.registry, effect(), lambda: stored, RemovedDocument) == stored
    with pytest.raises(Conflict, match="already done"):
        change_once(env.registry, effect(), lambda: stored, EnrolledDocument)
