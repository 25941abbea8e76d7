"""The protocols Notes, Audit and StoreStatus, for every store."""

from __future__ import annotations

from gateway.model.caller import CLI_CALLER, REST_CALLER
from gateway.store.protocols import Store
from tests.store.conftest import OpenStore
from tests.store.examples import enrol


def test_note_is_in_the_store_until_it_is_deleted(open_store: OpenStore) -> None:
    with open_store() as store:
        assert store.notes.read_note("held_removal") is None
        store.notes.write_note("held_removal", "[1]")
    with open_store() as store:
        assert store.notes.read_note("held_removal") == "[1]"
        store.notes.write_note("held_removal", None)
        assert store.notes.read_note("held_removal") is None


def test_notes_are_taken_in_the_order_of_their_names(store: Store) -> None:
    for name in ("live 2", "other", "live 1", "LIVE 3", "liv"):
        store.notes.write_note(name, f"note {name}")
    assert store.notes.take_notes("live ") == ["note live 1", "note live 2"]
    assert store.notes.take_notes("live ") == []
    assert [store.notes.read_note(name) is None for name in ("other", "LIVE 3", "liv")] == [False] * 3


def test_audit_contains_actions_that_change_no_person(store: Store) -> None:
    added = enrol(store, "Alice").person
    store.audit.record(REST_CALLER, "export", slug=added.slug, pictures=1)
    store.audit.record(CLI_CALLER, "backup", detail="a file")
    backup, export, add = store.audit.read_lines(9)
    assert (backup.door, backup.person, backup.detail) == ("cli", "", "a file")
    assert (export.door, export.pictures, export.person) == ("rest", 1, add.person)
    assert store.audit.warnings == ()


def test_status_of_a_healthy_store(store: Store) -> None:
    enrol(store, "Alice")
    assert store.status.is_writable()
    assert store.status.find_name_warnings() == []
