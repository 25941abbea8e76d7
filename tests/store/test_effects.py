"""The protocol Effects, for every store."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from gateway.errors import Conflict, Timeout
from gateway.model import Effect
from gateway.model.caller import REST_CALLER
from gateway.store.protocols import Store
from gateway.store.records import EffectReply
from tests.store.conftest import OpenStore
from tests.store.examples import enrol, people
from tests.support import WAIT_S


def effect(key: str = "rest/1", digest: bytes = b"enrol Alice", seconds: float = 60.0) -> Effect:
    return Effect(key, digest, time.monotonic() + seconds)


def enrol_alice(store: Store) -> EffectReply:
    assert store.effects.is_in_change()
    return {"person": enrol(store, "Alice").person.slug}


def never() -> EffectReply:
    raise AssertionError("the change was made twice")


def test_repeated_effect_gets_the_stored_reply_after_reopening(open_store: OpenStore) -> None:
    with open_store() as store:
        assert store.effects.apply_once(effect(), lambda: enrol_alice(store)) == {"person": "alice"}
        assert not store.effects.is_in_change()
    with open_store() as store:
        assert store.effects.apply_once(effect(), never) == {"person": "alice"}


def test_repeated_effect_does_not_wait_for_another_change(open_store: OpenStore) -> None:
    with open_store() as store, open_store() as other, ThreadPoolExecutor(1) as thread:
        store.effects.apply_once(effect(), lambda: enrol_alice(store))
        begun, may_end = threading.Event(), threading.Event()

        def change() -> EffectReply:
            begun.set()
            assert may_end.wait(WAIT_S)
            return {}

        changed = thread.submit(other.effects.apply_once, effect("rest/2", b"wait"), change)
        try:
            assert begun.wait(WAIT_S)
            assert store.effects.apply_once(effect(), never) == {"person": "alice"}
            assert not changed.done()
        finally:
            may_end.set()
        assert changed.result(WAIT_S) == {}


def test_key_of_another_effect_is_refused(store: Store) -> None:
    store.effects.apply_once(effect(), lambda: enrol_alice(store))
    other = replace(effect(digest=b"enrol Bob"), operation="people/add", id_text="the Idempotency-Key '1'")
    expected = r"the Idempotency-Key '1' was used \d+ s ago for another change than this people/add: a repetition must"
    with pytest.raises(Conflict, match=expected):
        store.effects.apply_once(other, never)


def test_applied_effect_is_known_also_after_its_deadline(store: Store) -> None:
    late = effect(seconds=-1)
    assert not store.effects.was_applied(late)
    store.effects.apply_once(effect(), lambda: enrol_alice(store))
    assert store.effects.was_applied(late)
    assert store.effects.apply_once(late, never) == {"person": "alice"}
    assert not store.effects.was_applied(effect(digest=b"enrol Bob"))
    store.people.remove("alice", REST_CALLER)
    assert store.effects.was_applied(late)


def test_reply_about_a_removed_person_is_not_stored(store: Store) -> None:
    store.effects.apply_once(effect(), lambda: enrol_alice(store))
    store.people.remove("alice", REST_CALLER)
    assert store.effects.apply_once(effect(), never) is None


def test_stored_reply_is_replaced_once(store: Store) -> None:
    reply = store.effects.apply_once(effect(), lambda: {**enrol_alice(store), "added": 0.1, "name": "Zoë"})
    assert reply is not None
    first, second = {**reply, "warnings": ["first"]}, {**reply, "warnings": ["second"]}
    repeated = store.effects.apply_once(effect(), never)
    assert repeated is not None
    assert store.effects.replace_reply(effect(), repeated, first) == first
    assert store.effects.replace_reply(effect(), reply, second) == first
    assert store.effects.apply_once(effect(), never) == first


def test_reply_about_a_removed_person_is_not_replaced(store: Store) -> None:
    reply = store.effects.apply_once(effect(), lambda: enrol_alice(store))
    assert reply is not None
    store.people.remove("alice", REST_CALLER)
    assert store.effects.replace_reply(effect(), reply, {**reply, "warnings": []}) is None
    assert store.effects.apply_once(effect(), never) is None


@pytest.mark.parametrize("seconds", [-1.0, 0.2])
def test_late_effect_changes_nothing(store: Store, seconds: float) -> None:
    """The deadline has passed before the change, or passes during it."""

    def slow() -> EffectReply:
        reply = enrol_alice(store)
        time.sleep(0.3)
        return reply

    with pytest.raises(Timeout):
        store.effects.apply_once(effect(seconds=seconds), slow)
    assert people(store) == []


def test_number_of_stored_effects_is_bounded(store: Store) -> None:
    for n in range(5):
        store.effects.apply_once(effect(f"rest/{n}"), lambda n=n: {"count": n})  # type: ignore[misc]
        time.sleep(0.001)
    store.effects.delete_effects(before=0.0, most=5)
    assert store.effects.apply_once(effect("rest/0"), never) == {"count": 0}
    store.effects.delete_effects(before=0.0, most=2)
    for n in (3, 4):
        assert store.effects.apply_once(effect(f"rest/{n}"), never) == {"count": n}
    assert store.effects.apply_once(effect("rest/2"), lambda: {"count": 9}) == {"count": 9}


def test_deleted_effect_can_be_applied_again(store: Store) -> None:
    store.effects.apply_once(effect(), lambda: {"person": None, "count": 1})
    store.effects.delete_effects(before=time.time() + 1)
    assert store.effects.apply_once(effect(), lambda: {"person": None, "count": 2}) == {"person": None, "count": 2}
