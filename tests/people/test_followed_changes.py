"""Changes of people wait until all replicas follow them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.contract.fields import MergePeople
from gateway.errors import BadRequest, Busy, Conflict, UnknownPerson
from gateway.model import AdministrationRequest, FoundFace, Image
from gateway.model.caller import REST_CALLER
from gateway.people.registry import Registry
from gateway.people.services import PeopleServices, build_people
from gateway.people.similarity import Similarity
from gateway.people.unknown_faces import Observation
from gateway.people.vision import NoVision
from gateway.service.people_operations import PeopleOperations
from gateway.store.cipher import Cipher
from gateway.store.sqlite.audit_file import AUDIT_FILE, AuditFile
from gateway.store.sqlite.store import SqliteStore
from tests.examples import BOX, QUALITY, descriptor
from tests.people.environment import DECISION, KEY, make_rules, picture_id, sample
from tests.people.test_effects import effect

ALICE, BOB, STRANGER = descriptor(1), descriptor(2), descriptor(9)


class Replicas:
    """The other replicas, as a change sees them: it notes what the store and the locks are like at each wait."""

    def __init__(self) -> None:
        self.people: PeopleServices | None = None
        self.waits: list[int] = []
        self.removed: list[bool] = []
        self.error: Exception | None = None

    def confirm(self, removed: bool) -> None:
        assert self.people is not None
        self.removed.append(removed)
        self.waits.append(self.people.store.faces.revision())
        assert not self.people.store.effects.is_in_change()
        assert self._can_lock(self.people), "other threads need this lock to follow the change"
        if self.error is not None:
            raise self.error

    def _can_lock(self, people: PeopleServices) -> bool:
        taken: list[bool] = []

        def take() -> None:
            if people.groups.lock.acquire(timeout=5):
                taken.append(True)
                people.groups.lock.release()

        thread = threading.Thread(target=take)
        thread.start()
        thread.join()
        return bool(taken)


@pytest.fixture
def replicas() -> Replicas:
    return Replicas()


@pytest.fixture
def people(tmp_path: Path, replicas: Replicas) -> Iterator[PeopleServices]:
    with closing(SqliteStore(tmp_path / "people.sqlite", Cipher(KEY), audit=AuditFile(tmp_path / AUDIT_FILE))) as store:
        replicas.people = build_people(
            store=store,
            similarity=Similarity(None, 128),
            decision=DECISION,
            vision=NoVision(),
            rules=make_rules(tmp_path),
            data=tmp_path,
            confirm=replicas.confirm,
        )
        yield replicas.people


def enrol(people: PeopleServices, name: str, *pictures: str) -> None:
    face = {"Alice": ALICE, "Bob": BOB}[name]
    people.registry.enrol(name, [sample(each, face) for each in pictures or (name,)], REST_CALLER)


CHANGES: dict[str, Callable[[Registry], object]] = {
    "rename": lambda registry: registry.rename("alice", "Ada", REST_CALLER),
    "merge": lambda registry: registry.merge("bob", "alice", REST_CALLER),
    "split": lambda registry: registry.split("alice", [picture_id("a2")], REST_CALLER, name="Carol"),
    "feature": lambda registry: registry.choose_shown("alice", picture_id("a2"), REST_CALLER),
    "not_them": lambda registry: registry.add_counter_examples("alice", [sample("no", STRANGER)], REST_CALLER),
    "remove_picture": lambda registry: registry.remove_picture("alice", picture_id("a2"), REST_CALLER),
    "remove": lambda registry: registry.remove("alice", REST_CALLER),
    "erase": lambda registry: registry.erase("alice", REST_CALLER),
}


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_is_confirmed_once_after_it_is_committed(
    people: PeopleServices, replicas: Replicas, change: str
) -> None:
    enrol(people, "Alice", "a1", "a2")
    enrol(people, "Bob")
    replicas.waits.clear()
    replicas.removed.clear()
    CHANGES[change](people.registry)
    assert replicas.waits == [people.store.faces.revision()]
    assert replicas.removed == [change in {"merge", "remove_picture", "remove", "erase"}]


def test_unknown_group_is_confirmed_once(people: PeopleServices, replicas: Replicas) -> None:
    face = FoundFace(BOX, STRANGER, quality=QUALITY, chips=b"chips")
    place = BOX.relative_corners(Image(640, 480, 1000))
    group = people.unknown_faces.add(Observation(face, b"", place, "porch", 1000.0))
    assert group is not None
    assert replicas.waits == []
    people.registry.enrol_unknown(group.id, "Carol", REST_CALLER)
    assert replicas.waits == [people.store.faces.revision()]


def test_repeated_request_waits_again(people: PeopleServices, replicas: Replicas) -> None:
    enrol(people, "Alice")
    replicas.error = Busy("the change is made, and not all replicas follow it yet", 1)
    request = effect()

    def erase() -> dict[str, object]:
        people.registry.erase("alice", REST_CALLER)
        return {}

    def ask() -> None:
        with people.registry.erasing():
            people.registry.apply_once(request, erase)

    replicas.waits.clear()
    with pytest.raises(Busy, match="the change is made"):
        ask()
    assert len(people.gallery) == 0
    with pytest.raises(Busy, match="the change is made"):
        ask()
    replicas.error = None
    replicas.removed.clear()
    ask()
    assert len(replicas.waits) == 3
    assert replicas.removed == [True]


def test_repeated_removal_waits_for_the_broker_too(people: PeopleServices, replicas: Replicas) -> None:
    enrol(people, "Alice")
    request = effect()

    def remove() -> dict[str, object]:
        people.registry.remove("alice", REST_CALLER)
        return {"person": "alice"}

    replicas.removed.clear()
    assert people.registry.apply_once(request, remove) == {"person": "alice"}
    assert people.registry.apply_once(request, remove) is None
    assert replicas.removed == [True, True]


def test_repeated_merge_waits_for_the_broker_too(people: PeopleServices, replicas: Replicas) -> None:
    """Regression: its reply is of the other person, so the repetition did not wait for messages that name this one."""
    enrol(people, "Alice")
    enrol(people, "Bob")
    operations = PeopleOperations(people, NoVision())
    fields = {"person": "bob", "into": "alice"}
    request = AdministrationRequest(operation="people/merge", fields=fields, effect=effect())
    replicas.removed.clear()
    for _ in range(2):
        operations.merge(request, MergePeople(**fields))
    assert replicas.removed == [True, True]


def test_change_that_another_replica_made_waits_for_it(people: PeopleServices, replicas: Replicas) -> None:
    """Regression: a second removal was answered, "nobody has this id", while a third replica still named the person."""
    enrol(people, "Alice")
    enrol(people, "Bob")
    replicas.waits.clear()
    with pytest.raises(Conflict):
        people.registry.rename("alice", "Bob", REST_CALLER)
    for remove in (people.registry.remove, people.registry.erase):
        with pytest.raises(UnknownPerson):
            remove("carol", REST_CALLER)
    assert replicas.waits == [people.store.faces.revision()] * 3
    replicas.error = Busy("not all replicas follow yet", 1)
    with pytest.raises(Busy):
        people.registry.erase("carol", REST_CALLER)
    # The failed change is over: the next one is the outermost again.
    replicas.error = None
    people.registry.rename("alice", "Ada", REST_CALLER)
    assert len(replicas.waits) == 5


def test_change_that_is_refused_waits_for_nobody(people: PeopleServices, replicas: Replicas) -> None:
    enrol(people, "Alice")
    replicas.waits.clear()
    with pytest.raises(BadRequest):
        people.registry.rename("alice", "", REST_CALLER)
    assert replicas.waits == []


def test_change_that_is_confirmed_later_is_effective_here_before(people: PeopleServices, replicas: Replicas) -> None:
    with people.registry.confirm_later() as later:
        enrol(people, "Alice")
        people.registry.remove("alice", REST_CALLER)
        enrol(people, "Bob")
        assert [*people.gallery.people()] == ["bob"]
    assert replicas.waits == []
    assert later.is_needed
    later.wait()
    assert replicas.waits == [people.store.faces.revision()]
    assert replicas.removed == [True]
    # The next change waits by itself again.
    enrol(people, "Alice")
    assert replicas.removed == [True, False]


def test_key_of_an_erased_person_does_not_wait_for_the_next_change(people: PeopleServices) -> None:
    """Regression: it was destroyed after the context, while an import of a minute kept all others from writing."""
    assert isinstance(people.store, SqliteStore)
    enrol(people, "Alice")
    with people.registry.confirm_later():
        people.registry.erase("alice", REST_CALLER)
    assert people.store.database.rows("SELECT uid FROM erased_people") == []


def test_change_that_another_replica_made_is_confirmed_later_too(people: PeopleServices, replicas: Replicas) -> None:
    with people.registry.confirm_later() as later, pytest.raises(UnknownPerson):
        people.registry.remove("carol", REST_CALLER)
    replicas.error = Busy("not all replicas follow yet", 1)
    with pytest.raises(Busy):
        later.wait()
    assert replicas.removed == [True]


def test_refused_change_needs_no_confirmation(people: PeopleServices, replicas: Replicas) -> None:
    enrol(people, "Alice")
    replicas.waits.clear()
    with people.registry.confirm_later() as later, pytest.raises(BadRequest):
        people.registry.rename("alice", "", REST_CALLER)
    assert not later.is_needed
    later.wait()
    assert replicas.waits == []
