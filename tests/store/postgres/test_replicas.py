"""Several gateways on one store in PostgreSQL, each with objects and connections of its own, in real threads."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Barrier
from typing import Any

import pytest

from gateway.errors import Conflict, GatewayError, TooLarge
from gateway.model import Effect, Person
from gateway.model.caller import REST_CALLER
from gateway.model.sightings import Sighting
from gateway.store.limits import PeopleLimits
from gateway.store.protocols import Store
from gateway.store.records import EffectReply, PersonEntry, SightingRecord, StoredFace
from gateway.store.tokens import Token
from tests.examples import descriptor
from tests.people.environment import KEY
from tests.store.conftest import OpenStore
from tests.store.examples import CHIPS, RECIPE, enrol, people, picture

REPLICAS = 3
THREADS_PER_REPLICA = 4

Result = Any
"""The value that a call returned, or its GatewayError."""


@pytest.fixture(params=[None, KEY], ids=["plain", "encrypted"])
def replicas(open_postgres: OpenStore, request: pytest.FixtureRequest) -> Iterator[Sequence[Store]]:
    with ExitStack() as stack:
        yield [stack.enter_context(open_postgres(request.param)) for _ in range(REPLICAS)]


def at_once(call: Callable[..., object], arguments: Iterable[Sequence[object]]) -> list[Result]:
    """Make a call with each of the arguments at the same moment, each in its own thread. Return the results in order.

    Any error but a GatewayError is raised.
    """
    each_arguments = list(arguments)
    barrier = Barrier(len(each_arguments))

    def run(values: Sequence[object]) -> Result:
        barrier.wait()
        try:
            return call(*values)
        except GatewayError as error:
            return error

    with ThreadPoolExecutor(len(each_arguments)) as threads:
        return list(threads.map(run, each_arguments))


def errors(results: Iterable[Result]) -> list[GatewayError]:
    return [each for each in results if isinstance(each, GatewayError)]


def check_sound(replicas: Sequence[Store]) -> None:
    """Check that all replicas see the same people, and that no line of the audit is lost or wrong."""
    first, *others = (store.faces.changes(0, RECIPE) for store in replicas)
    for changes in others:
        assert changes.revision == first.revision
        assert changes.snapshot.people == first.snapshot.people
        assert changes.snapshot.pictures.tolist() == first.snapshot.pictures.tolist()
        assert (changes.snapshot.descriptors == first.snapshot.descriptors).all()
    for store in replicas:
        assert store.audit.check().problems == ()


def test_name_that_replicas_enrol_at_once_is_one_person(replicas: Sequence[Store]) -> None:
    def enrol_spelling(store: Store, spelling: str) -> PersonEntry:
        return store.people.enrol(spelling, [picture(spelling)], REST_CALLER)

    for n in range(5):
        spellings = f"Ada {n}", f"ADA {n}", f"ada {n}"
        entries = at_once(enrol_spelling, zip(replicas, spellings, strict=True))
        assert errors(entries) == []
        (slug,) = {entry.person.slug for entry in entries}
        assert replicas[0].people.read_entry(slug).picture_count == REPLICAS
    assert replicas[0].people.count_people() == 5
    check_sound(replicas)


def test_request_that_replicas_get_at_once_has_one_effect_and_one_reply(replicas: Sequence[Store]) -> None:
    applied: list[int] = []

    def request(store: Store, n: int) -> EffectReply | None:
        def change() -> EffectReply:
            applied.append(n)
            entry = store.people.enrol("Ada", [picture(f"d{n}")], REST_CALLER)
            return {"person": entry.person.slug, "pictures": entry.picture_count}

        return store.effects.apply_once(Effect(f"rest/{n}", b"enrol Ada", time.monotonic() + 60), change)

    for n in range(8):
        replies = at_once(request, [(store, n) for store in replicas for _ in range(2)])
        assert replies == [{"person": "ada", "pictures": n + 1}] * len(replies)
    assert applied == list(range(8))
    check_sound(replicas)


def test_request_that_fails_at_one_replica_is_done_by_the_next_one(replicas: Sequence[Store]) -> None:
    effect = Effect("rest/1", b"enrol Ada", time.monotonic() + 60)

    def request(store: Store) -> EffectReply | None:
        def change() -> EffectReply:
            entry = enrol(store, "Ada")
            if store is replicas[0]:
                raise Conflict("an error after the change")
            return {"person": entry.person.slug}

        return store.effects.apply_once(effect, change)

    first, *others = at_once(request, [(store,) for store in replicas])
    # The first one may also have found the reply of another one.
    assert isinstance(first, Conflict) or first == {"person": "ada"}
    assert others == [{"person": "ada"}] * len(others)
    assert replicas[0].people.read_entry("ada").picture_count == 1
    check_sound(replicas)


def test_limit_of_people_holds_over_all_replicas(open_postgres: OpenStore) -> None:
    """Each replica counts the people before it adds one."""
    with ExitStack() as stack:
        stores = [stack.enter_context(open_postgres(limits=PeopleLimits(people=4))) for _ in range(REPLICAS)]
        names = [(store, f"P{n} {place}") for place, store in enumerate(stores) for n in range(THREADS_PER_REPLICA)]
        results = at_once(enrol, names)
        assert len(errors(results)) == len(names) - 4
        assert all(isinstance(each, TooLarge) for each in errors(results))
        assert stores[0].people.count_people() == 4


def test_two_people_cannot_get_one_name_at_once(replicas: Sequence[Store]) -> None:
    for n in range(REPLICAS):
        enrol(replicas[0], f"P{n}", picture(f"d{n}"))

    def rename(store: Store, n: int) -> PersonEntry:
        return store.people.rename(f"p{n}", "Ada", REST_CALLER)

    failed = errors(at_once(rename, zip(replicas, range(REPLICAS), strict=True)))
    assert [type(each) for each in failed] == [Conflict] * (REPLICAS - 1)
    assert len([person for person in people(replicas[0]) if person.name == "Ada"]) == 1


def test_token_of_one_name_is_added_by_one_replica(replicas: Sequence[Store]) -> None:
    token = Token("phone", "viewer", 1000.0)

    def add(store: Store, n: int) -> None:
        store.tokens.add(token, bytes([n]) * 32)

    failed = errors(at_once(add, zip(replicas, range(REPLICAS), strict=True)))
    assert [type(each) for each in failed] == [Conflict] * (REPLICAS - 1)
    assert [store.tokens.list_tokens() for store in replicas] == [[token]] * REPLICAS


def test_note_is_taken_by_one_replica(replicas: Sequence[Store]) -> None:
    notes = [str(n) for n in range(20)]
    for n in notes:
        replicas[0].notes.write_note(f"live {n:>02}", n)
    taken = at_once(lambda store: store.notes.take_notes("live "), [(store,) for store in replicas])
    assert sorted(taken, key=len) == [[], [], notes]


def test_faces_without_a_name_have_one_key_for_all_replicas(replicas: Sequence[Store]) -> None:
    """The data key of these faces does not exist before, and each replica would create one."""
    stored = [store.unknown_groups(RECIPE) for store in replicas]

    def add_group(n: int) -> int:
        return stored[n].add_group("door", 100.0 + n, 0.5, StoredFace(descriptor(n), CHIPS)).id

    added = at_once(add_group, [(n,) for n in range(REPLICAS)])
    assert [[group.id for group in groups.load()] for groups in stored] == [sorted(added)] * REPLICAS
    assert [groups.damaged for groups in stored] == [frozenset()] * REPLICAS


def test_parallel_changes_of_many_threads_lose_nothing(replicas: Sequence[Store]) -> None:
    """Each thread enrols people, adds pictures, renames and erases, at one replica after the other."""
    rounds = 6

    def change_people(thread: int) -> int:
        """Return the number of changes."""
        for n in range(rounds):
            store, other = replicas[(thread + n) % REPLICAS], replicas[(thread + n + 1) % REPLICAS]
            name = f"T{thread} N{n}"
            slug = store.people.enrol(name, [picture(f"{name} 1")], REST_CALLER).person.slug
            other.people.enrol(Person(slug, name), [picture(f"{name} 2", descriptor(2))], REST_CALLER)
            other.people.enrol("Shared", [picture(f"shared {thread} {n}")], REST_CALLER)
            if n % 3 == 1:
                store.people.rename(slug, f"{name} renamed", REST_CALLER)
            if n % 3 == 2:
                store.people.remove(slug, REST_CALLER, erase=True)
                store.keys.destroy_erased()
        return 3 * rounds + 2 * rounds // 3

    threads = REPLICAS * THREADS_PER_REPLICA
    results = at_once(change_people, [(thread,) for thread in range(threads)])
    assert errors(results) == []
    assert replicas[0].people.read_entry("shared").picture_count == threads * rounds
    assert replicas[1].people.count_people() == threads * rounds * 2 // 3 + 1
    assert sum(person.name.endswith(" renamed") for person in people(replicas[2])) == threads * rounds // 3
    # Each change has a revision of its own, and a line in the audit.
    assert replicas[0].faces.revision() == sum(results)
    assert len(replicas[1].audit.read_lines(10_000)) == sum(results)
    check_sound(replicas)


def test_replica_follows_all_changes_of_the_others_while_they_happen(replicas: Sequence[Store]) -> None:
    """A revision that is seen after a larger one would be skipped for ever."""
    follower, *writers = replicas
    enrolments = 30
    followed: dict[int, Person] = {}

    def use(store: Store) -> None:
        if store is follower:
            seen = 0
            while seen < enrolments * len(writers):
                changes = store.faces.changes(seen, RECIPE)
                seen = changes.revision
                followed.update(zip(changes.snapshot.keys.tolist(), changes.snapshot.people, strict=True))
        else:
            for n in range(enrolments):
                enrol(store, f"P{n} of {writers.index(store)}")

    assert at_once(use, [(store,) for store in replicas]) == [None] * REPLICAS
    assert sorted(followed.values(), key=lambda person: person.slug) == people(follower)
    assert len(followed) == enrolments * len(writers)


def test_erased_person_gets_no_sighting_from_another_replica(replicas: Sequence[Store]) -> None:
    def use(store: Store, person: Person) -> None:
        if store is replicas[0]:
            store.people.remove(person.slug, REST_CALLER, erase=True)
            store.keys.destroy_erased()
            return
        visit = Sighting(
            id=f"s {person.slug}",
            visit=f"v {person.slug}",
            camera="porch",
            since=100.0,
            last_seen=101.0,
            outcome="named",
            person=person,
        )
        store.sightings(RECIPE).save([SightingRecord(visit, StoredFace(descriptor(1), CHIPS))])

    for n in range(6):
        ada = enrol(replicas[0], f"Ada {n}").person
        assert at_once(use, [(store, ada) for store in replicas]) == [None] * REPLICAS
        assert [store.sightings(RECIPE).list_sightings() for store in replicas] == [[]] * REPLICAS


@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])
def test_many_replicas_may_open_an_empty_database_at_once(open_postgres: OpenStore, key: bytes | None) -> None:
    with ExitStack() as stack:
        stores = at_once(lambda: stack.enter_context(open_postgres(key)), [()] * 6)
        assert errors(stores) == []
        for n, store in enumerate(stores):
            enrol(store, f"P{n}")
        assert [len(people(store)) for store in stores] == [6] * 6
        check_sound(stores)
